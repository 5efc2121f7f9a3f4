"""Terraform makes secrets with versions and a policy, reads them, finds them unchanged, changes and imports them, removes
them; a trail is refused by name.
"""
import json
import pathlib
import tempfile
import unittest

from kiln import Kiln
from terraform_runs import Runs, needs_terraform, plugins

SECRETS = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}
provider "aws" {}
variable "changed" { default = false }
data "aws_caller_identity" "me" {}
resource "aws_kms_key" "shop" { deletion_window_in_days = 7 }
resource "aws_secretsmanager_secret" "db" {
  name                    = "shop/db"
  description             = var.changed ? "of another" : "of the shop"
  kms_key_id              = aws_kms_key.shop.arn
  recovery_window_in_days = 7
  tags                    = { team = var.changed ? "blue" : "red" }
}
resource "aws_secretsmanager_secret_version" "db" {
  secret_id     = aws_secretsmanager_secret.db.id
  secret_string = jsonencode({ user = "ada", password = var.changed ? "two" : "one" })
}
resource "aws_secretsmanager_secret_policy" "db" {
  secret_arn          = aws_secretsmanager_secret.db.arn
  block_public_policy = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Mine"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root" }
      Action    = "secretsmanager:GetSecretValue"
      Resource  = "*"
    }]
  })
}
resource "aws_secretsmanager_secret" "gone" {
  name_prefix             = "gone-"
  recovery_window_in_days = 0
}
data "aws_secretsmanager_secret" "db" {
  name       = "shop/db"
  depends_on = [aws_secretsmanager_secret.db]
}
data "aws_secretsmanager_secret_version" "db" {
  secret_id  = aws_secretsmanager_secret.db.id
  depends_on = [aws_secretsmanager_secret_version.db]
}
data "aws_secretsmanager_secrets" "shop" {
  filter {
    name   = "name"
    values = ["shop/"]
  }
  depends_on = [aws_secretsmanager_secret.db]
}
data "aws_secretsmanager_random_password" "any" {
  password_length     = 20
  exclude_punctuation = true
}
output "arn" { value = data.aws_secretsmanager_secret.db.arn }
output "value" {
  value     = data.aws_secretsmanager_secret_version.db.secret_string
  sensitive = true
}
output "names" { value = join(",", data.aws_secretsmanager_secrets.shop.names) }
"""

TRAIL = """
resource "aws_cloudtrail" "no" {
  name           = "never"
  s3_bucket_name = "never"
}
"""


@needs_terraform
class TerraformSecrets(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        cls.main = pathlib.Path(cls.work.name, "main.tf")
        cls.main.write_text(SECRETS)

    def value(self):
        return json.loads(self.kiln.client("secretsmanager").get_secret_value(SecretId="shop/db")["SecretString"])

    def test_secrets_are_made_found_changed_and_removed(self):
        secrets = self.kiln.client("secretsmanager")
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.terraform("apply", "-input=false", "-auto-approve")
        made = secrets.describe_secret(SecretId="shop/db")
        self.assertEqual((made["Description"], made["Tags"]), ("of the shop", [{"Key": "team", "Value": "red"}]))
        self.assertEqual(self.terraform("output", "-raw", "arn"), made["ARN"])
        self.assertEqual(self.terraform("output", "-raw", "names"), "shop/db")
        self.assertEqual(json.loads(self.terraform("output", "-raw", "value")), {"user": "ada", "password": "one"})
        self.assertIn("Mine", secrets.get_resource_policy(SecretId="shop/db")["ResourcePolicy"])
        self.terraform("plan", "-input=false", "-detailed-exitcode")
        self.terraform("apply", "-input=false", "-auto-approve", "-var", "changed=true")
        changed = secrets.describe_secret(SecretId="shop/db")
        self.assertEqual((changed["ARN"], changed["Description"]), (made["ARN"], "of another"))
        self.assertEqual(self.value()["password"], "two")
        self.terraform("state", "rm", "aws_secretsmanager_secret.db")
        self.terraform("import", "-input=false", "-var", "changed=true", "aws_secretsmanager_secret.db", made["ARN"])
        # What is not AWS's to tell, the window, is told again.
        self.terraform("apply", "-input=false", "-auto-approve", "-var", "changed=true")
        self.terraform("destroy", "-input=false", "-auto-approve", "-var", "changed=true")
        self.assertEqual(secrets.list_secrets()["SecretList"], [])
        left = secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]
        self.assertEqual([each["Name"] for each in left], ["shop/db"], "the other one went at once")

    def test_trails_are_refused_by_name(self):
        self.main.write_text(SECRETS.split("variable")[0] + TRAIL)
        self.addCleanup(self.main.write_text, SECRETS)
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        told = self.refused("apply", "-input=false", "-auto-approve")
        self.assertIn("CreateTrail", told)
        self.assertIn("NotImplemented", told)


if __name__ == "__main__":
    unittest.main()
