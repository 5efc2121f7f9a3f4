"""Terraform's queues, their policies and dead letters: made, found unchanged, changed in place, imported, removed."""
import json
import pathlib
import tempfile

from kiln import Kiln
from terraform_runs import Runs, needs_terraform, plugins

QUEUES = """
variable "changed" { default = false }
resource "aws_sqs_queue" "dead" {
  name = "dead"
}
resource "aws_sqs_queue" "jobs" {
  name                       = "jobs"
  visibility_timeout_seconds = var.changed ? 45 : 30
  message_retention_seconds  = 86400
  receive_wait_time_seconds  = 5
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = var.changed ? 4 : 3 })
  tags                       = var.changed ? { team = "shop", stage = "test" } : { team = "shop" }
}
resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url            = aws_sqs_queue.dead.id
  redrive_allow_policy = jsonencode({ redrivePermission = "byQueue", sourceQueueArns = [aws_sqs_queue.jobs.arn] })
}
resource "aws_sqs_queue" "ordered" {
  name                        = "ordered.fifo"
  fifo_queue                  = true
  content_based_deduplication = true
  deduplication_scope         = "messageGroup"
  fifo_throughput_limit       = "perMessageGroupId"
}
resource "aws_sqs_queue" "spare" {
  name = "spare.fifo"
  fifo_queue = true
}
resource "aws_sqs_queue_redrive_policy" "spare" {
  queue_url      = aws_sqs_queue.spare.id
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.ordered.arn, maxReceiveCount = 2 })
}
data "aws_iam_policy_document" "topic" {
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.jobs.arn]
    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["arn:aws:sns:us-east-1:000000000000:topic"]
    }
  }
}
resource "aws_sqs_queue_policy" "jobs" {
  queue_url = aws_sqs_queue.jobs.id
  policy    = data.aws_iam_policy_document.topic.json
}
data "aws_sqs_queue" "jobs" {
  name       = aws_sqs_queue.jobs.name
  depends_on = [aws_sqs_queue_policy.jobs]
}
output "url" { value = data.aws_sqs_queue.jobs.url }
"""


@needs_terraform
class Queues(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        (pathlib.Path(cls.work.name) / "queues.tf").write_text(QUEUES)

    def test_queues(self):
        sqs = self.kiln.client("sqs")
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.terraform("apply", "-input=false", "-auto-approve")
        self.terraform("plan", "-input=false", "-detailed-exitcode")
        url = json.loads(self.terraform("output", "-json", "url"))
        self.assertEqual(url, sqs.get_queue_url(QueueName="jobs")["QueueUrl"])
        told = self.terraform("apply", "-input=false", "-auto-approve", "-var", "changed=true")
        self.assertIn("0 added, 1 changed, 0 destroyed", told)
        self.terraform("plan", "-input=false", "-detailed-exitcode", "-var", "changed=true")
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual((attributes["VisibilityTimeout"], json.loads(attributes["RedrivePolicy"])["maxReceiveCount"]), ("45", 4))
        self.assertEqual(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "shop", "stage": "test"})
        self.terraform("state", "rm", "aws_sqs_queue.jobs")
        self.terraform("import", "-input=false", "-var", "changed=true", "aws_sqs_queue.jobs", url)
        self.terraform("plan", "-input=false", "-detailed-exitcode", "-var", "changed=true")
        self.terraform("destroy", "-input=false", "-auto-approve", "-var", "changed=true")
        self.assertNotIn("QueueUrls", sqs.list_queues())
