"""Terraform's buckets with their rules: made, found unchanged, changed in place, imported, removed."""
import pathlib
import tempfile
import unittest

from kiln import Kiln
from terraform_runs import Runs, needs_terraform, plugins

SERVICES = "s3 sqs kms"

BUCKETS = """
variable "changed" { default = false }
resource "aws_s3_bucket" "docs" {
  bucket = "terraform-docs"
}
resource "aws_kms_key" "docs" {
  deletion_window_in_days = 7
}
resource "aws_s3_bucket_server_side_encryption_configuration" "docs" {
  bucket = aws_s3_bucket.docs.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.docs.arn
    }
    bucket_key_enabled = var.changed ? false : true
  }
}
resource "aws_s3_bucket_versioning" "docs" {
  bucket = aws_s3_bucket.docs.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_bucket_lifecycle_configuration" "docs" {
  bucket     = aws_s3_bucket.docs.id
  depends_on = [aws_s3_bucket_versioning.docs]
  rule {
    id     = "logs"
    status = "Enabled"
    filter {
      and {
        prefix                   = "logs/"
        object_size_greater_than = 10
        tags                     = { a = "1" }
      }
    }
    expiration { days = var.changed ? 9 : 3 }
  }
  rule {
    id     = "old"
    status = "Enabled"
    filter { prefix = "" }
    noncurrent_version_expiration {
      noncurrent_days           = 4
      newer_noncurrent_versions = 2
    }
    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }
}
resource "aws_s3_bucket_cors_configuration" "docs" {
  bucket = aws_s3_bucket.docs.id
  cors_rule {
    id              = "pages"
    allowed_headers = ["*"]
    allowed_methods = var.changed ? ["GET"] : ["GET", "PUT"]
    allowed_origins = ["https://shop.test"]
    expose_headers  = ["ETag"]
    max_age_seconds = 3000
  }
}
resource "aws_s3_bucket_ownership_controls" "docs" {
  bucket = aws_s3_bucket.docs.id
  rule { object_ownership = var.changed ? "ObjectWriter" : "BucketOwnerPreferred" }
}
resource "aws_sqs_queue" "told" {
  name = "terraform-told"
}
data "aws_iam_policy_document" "told" {
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.told.arn]
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_s3_bucket.docs.arn]
    }
  }
}
resource "aws_sqs_queue_policy" "told" {
  queue_url = aws_sqs_queue.told.id
  policy    = data.aws_iam_policy_document.told.json
}
resource "aws_s3_bucket_notification" "docs" {
  bucket     = aws_s3_bucket.docs.id
  depends_on = [aws_sqs_queue_policy.told]
  queue {
    id            = "uploads"
    queue_arn     = aws_sqs_queue.told.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "in/"
    filter_suffix = var.changed ? ".png" : ".jpg"
  }
}
"""


@needs_terraform
class Buckets(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        (pathlib.Path(cls.work.name) / "buckets.tf").write_text(BUCKETS)

    def test_buckets(self):
        s3, docs = self.kiln.client("s3"), {"Bucket": "terraform-docs"}
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.terraform("apply", "-input=false", "-auto-approve")
        self.terraform("plan", "-input=false", "-detailed-exitcode")
        rule = s3.get_bucket_encryption(**docs)["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual((rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], rule["BucketKeyEnabled"]), ("aws:kms", True))
        changed = "-var=changed=true"
        self.terraform("apply", "-input=false", "-auto-approve", changed)
        self.terraform("plan", "-input=false", "-detailed-exitcode", changed)
        self.assertEqual(s3.get_bucket_lifecycle_configuration(**docs)["Rules"][0]["Expiration"], {"Days": 9})
        self.assertEqual(s3.get_bucket_cors(**docs)["CORSRules"][0]["AllowedMethods"], ["GET"])
        self.assertEqual(s3.get_bucket_ownership_controls(**docs)["OwnershipControls"]["Rules"], [{"ObjectOwnership": "ObjectWriter"}])
        told = s3.get_bucket_notification_configuration(**docs)["QueueConfigurations"][0]
        self.assertIn({"Name": "Suffix", "Value": ".png"}, told["Filter"]["Key"]["FilterRules"])
        kinds = ["lifecycle_configuration", "cors_configuration", "ownership_controls", "notification", "server_side_encryption_configuration"]
        names = [f"aws_s3_bucket_{kind}.docs" for kind in kinds]
        self.terraform("state", "rm", *names)
        imports = "\n".join(f'import {{\n  to = {name}\n  id = "terraform-docs"\n}}' for name in names)
        (pathlib.Path(self.work.name) / "imports.tf").write_text(imports)
        told = self.terraform("apply", "-input=false", "-auto-approve", changed)
        self.assertIn("5 imported, 0 added, 0 changed, 0 destroyed", told)
        self.terraform("destroy", "-input=false", "-auto-approve", changed)
        self.assertEqual(s3.list_buckets()["Buckets"], [])


if __name__ == "__main__":
    unittest.main()
