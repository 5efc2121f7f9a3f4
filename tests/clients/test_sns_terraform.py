"""Terraform with its AWS provider makes topics, their policies and subscriptions, finds them unchanged, changes, imports and removes them."""
import json
import pathlib
import tempfile
import unittest

from kiln import Kiln
from terraform_runs import Runs, needs_terraform, plugins

SERVICES = "sns"
CONFIG = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  skip_metadata_api_check = true
}
variable "changed" {
  type    = bool
  default = false
}
resource "aws_sns_topic" "news" {
  name              = "news"
  display_name      = var.changed ? "Two" : "One"
  signature_version = 2
  tags              = { a = var.changed ? "2" : "1" }
  delivery_policy   = jsonencode({ http = { defaultHealthyRetryPolicy = { minDelayTarget = 5, maxDelayTarget = 5, numRetries = 3, numMaxDelayRetries = 0, numNoDelayRetries = 0, numMinDelayRetries = 0, backoffFunction = "linear" }, disableSubscriptionOverrides = false } })
}
resource "aws_sns_topic_policy" "news" {
  arn    = aws_sns_topic.news.arn
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = var.changed ? "events.amazonaws.com" : "cloudwatch.amazonaws.com" }, Action = "sns:Publish", Resource = aws_sns_topic.news.arn }] })
}
resource "aws_sns_topic_subscription" "queue" {
  topic_arn            = aws_sns_topic.news.arn
  protocol             = "sqs"
  endpoint             = "arn:aws:sqs:us-east-1:000000000000:q"
  raw_message_delivery = var.changed
  filter_policy        = jsonencode({ kind = [var.changed ? "b" : "a"] })
  redrive_policy       = jsonencode({ deadLetterTargetArn = "arn:aws:sqs:us-east-1:000000000000:dead" })
}
data "aws_sns_topic" "found" {
  name       = "news"
  depends_on = [aws_sns_topic.news]
}
output "found" {
  value = data.aws_sns_topic.found.arn
}
"""


@needs_terraform
class Terraform(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        pathlib.Path(cls.work.name, "main.tf").write_text(CONFIG)
        cls.sns = cls.kiln.client("sns")

    def change(self, action, changed, *more, expect=0):
        return self.terraform(action, "-input=false", "-var", f"changed={json.dumps(changed)}", *more, expect=expect)

    def test_a_topic_is_made_found_changed_imported_and_removed(self):
        arn = "arn:aws:sns:us-east-1:000000000000:news"
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.change("apply", False, "-auto-approve")
        self.change("plan", False, "-detailed-exitcode")
        self.assertEqual(json.loads(self.terraform("output", "-json", "found")), arn)
        attributes = self.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        self.assertEqual((attributes["DisplayName"], attributes["SignatureVersion"], attributes["SubscriptionsConfirmed"]), ("One", "2", "1"))
        told = self.change("apply", True, "-auto-approve")
        self.assertIn("0 added, 3 changed, 0 destroyed", told[-600:])
        self.change("plan", True, "-detailed-exitcode")
        attributes = self.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        self.assertEqual(attributes["DisplayName"], "Two")
        self.assertIn("events.amazonaws.com", attributes["Policy"])
        subscription = self.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"][0]["SubscriptionArn"]
        for name, there in [("aws_sns_topic.news", arn), ("aws_sns_topic_policy.news", arn), ("aws_sns_topic_subscription.queue", subscription)]:
            self.terraform("state", "rm", name)
            self.terraform("import", "-input=false", "-var", "changed=true", name, there)
        # Two arguments of the provider's own are not imported, and are nothing to SNS.
        told = self.change("apply", True, "-auto-approve")
        self.assertIn("0 added, 1 changed, 0 destroyed", told[-600:])
        self.change("plan", True, "-detailed-exitcode")
        self.change("destroy", True, "-auto-approve")
        self.assertEqual((self.sns.list_topics()["Topics"], self.sns.list_subscriptions()["Subscriptions"]), ([], []))


if __name__ == "__main__":
    unittest.main()
