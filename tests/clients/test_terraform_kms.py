"""Terraform makes keys of KMS with their aliases, a grant and a secure parameter under one; found unchanged, changed in
place, removed.
"""
import pathlib
import tempfile
import unittest

from kiln import Kiln
from terraform_runs import Runs, needs_terraform, plugins

KEYS = """
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
resource "aws_kms_key" "shop" {
  description             = var.changed ? "of another" : "of the shop"
  deletion_window_in_days = 7
  enable_key_rotation     = true
  rotation_period_in_days = var.changed ? 180 : 90
  tags                    = { team = var.changed ? "blue" : "red" }
}
resource "aws_kms_key" "closed" {
  is_enabled              = false
  deletion_window_in_days = 7
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "All"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
}
resource "aws_kms_alias" "shop" {
  name          = "alias/shop"
  target_key_id = aws_kms_key.shop.key_id
}
resource "aws_iam_user" "reader" { name = "reader" }
resource "aws_kms_grant" "reader" {
  name              = "reader"
  key_id            = aws_kms_key.shop.key_id
  grantee_principal = aws_iam_user.reader.arn
  operations        = ["Decrypt", "DescribeKey"]
  constraints { encryption_context_equals = { team = "red" } }
}
resource "aws_kms_ciphertext" "hush" {
  key_id    = aws_kms_key.shop.key_id
  plaintext = "hush"
  context   = { team = "red" }
}
resource "aws_ssm_parameter" "secret" {
  name   = "/shop/secret"
  type   = "SecureString"
  value  = "hush"
  key_id = aws_kms_alias.shop.name
}
data "aws_kms_key" "shop" { key_id = aws_kms_alias.shop.name }
data "aws_kms_alias" "ssm" {
  name       = "alias/aws/ssm"
  depends_on = [aws_kms_alias.shop]
}
output "arn" { value = data.aws_kms_key.shop.arn }
output "ssm" { value = data.aws_kms_alias.ssm.target_key_id }
"""


@needs_terraform
class TerraformKeys(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        pathlib.Path(cls.work.name, "main.tf").write_text(KEYS)
        cls.kms = cls.kiln.client("kms")

    def test_keys_are_made_found_changed_and_removed(self):
        kms, ssm = self.kms, self.kiln.client("ssm")
        # AWS's key of Parameter Store is made at its first use.
        ssm.put_parameter(Name="/first", Value="x", Type="SecureString")
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.terraform("apply", "-input=false", "-auto-approve")
        shop = kms.describe_key(KeyId="alias/shop")["KeyMetadata"]
        self.assertEqual(shop["Description"], "of the shop")
        self.assertEqual(self.terraform("output", "-raw", "arn"), shop["Arn"])
        self.assertTrue(kms.get_key_rotation_status(KeyId=shop["KeyId"])["KeyRotationEnabled"])
        self.assertEqual(len(kms.list_grants(KeyId=shop["KeyId"])["Grants"]), 1)
        self.assertEqual(ssm.get_parameter(Name="/shop/secret", WithDecryption=True)["Parameter"]["Value"], "hush")
        keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
        states = sorted((key["KeyManager"], key["KeyState"]) for key in keys)
        self.assertEqual(states, [("AWS", "Enabled"), ("CUSTOMER", "Disabled"), ("CUSTOMER", "Enabled")])
        self.assertEqual(self.terraform("output", "-raw", "ssm"), next(key["KeyId"] for key in keys if key["KeyManager"] == "AWS"))
        self.terraform("plan", "-input=false", "-detailed-exitcode")
        told = self.terraform("apply", "-input=false", "-auto-approve", "-var", "changed=true")
        self.assertIn("0 added, 1 changed, 0 destroyed", told[-1000:])
        self.assertEqual(kms.describe_key(KeyId="alias/shop")["KeyMetadata"]["KeyId"], shop["KeyId"], "changed in place")
        self.assertEqual(kms.list_resource_tags(KeyId=shop["KeyId"])["Tags"], [{"TagKey": "team", "TagValue": "blue"}])
        self.assertEqual(kms.get_key_rotation_status(KeyId=shop["KeyId"])["RotationPeriodInDays"], 180)
        self.terraform("destroy", "-input=false", "-auto-approve", "-var", "changed=true")
        self.assertEqual([each["AliasName"] for each in kms.list_aliases()["Aliases"]], ["alias/aws/ssm"])
        self.assertEqual(kms.describe_key(KeyId=shop["KeyId"])["KeyMetadata"]["KeyState"], "PendingDeletion")
        self.assertEqual(kms.list_grants(KeyId=shop["KeyId"])["Grants"], [])


if __name__ == "__main__":
    unittest.main()
