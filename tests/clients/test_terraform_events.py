"""Terraform's event buses, rules, targets and schedules: made, found unchanged, changed in place, imported, removed."""
import pathlib
import tempfile

from kiln import Kiln
from terraform_runs import Runs, needs_terraform, plugins

SERVICES = "events scheduler"

EVENTS = """
variable "changed" { default = false }
resource "aws_cloudwatch_event_bus" "orders" {
  name = "orders"
  tags = var.changed ? { team = "shop", stage = "test" } : { team = "shop" }
}
resource "aws_cloudwatch_event_permission" "them" {
  principal      = "111122223333"
  statement_id   = "them"
  event_bus_name = aws_cloudwatch_event_bus.orders.name
}
resource "aws_cloudwatch_event_rule" "big" {
  name           = "big"
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  description    = var.changed ? "larger" : "large"
  event_pattern  = jsonencode({ source = ["shop"], detail = { sum = [{ numeric = [">", var.changed ? 20 : 10] }] } })
}
resource "aws_cloudwatch_event_rule" "daily" {
  name                = "daily"
  schedule_expression = "cron(0 10 * * ? *)"
  state               = var.changed ? "DISABLED" : "ENABLED"
}
resource "aws_sqs_queue" "told" { name = "told" }
resource "aws_cloudwatch_event_target" "big" {
  rule           = aws_cloudwatch_event_rule.big.name
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  target_id      = "queue"
  arn            = aws_sqs_queue.told.arn
  input_transformer {
    input_paths    = { sum = "$.detail.sum" }
    input_template = "{\\"paid\\": <sum>}"
  }
  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = var.changed ? 4 : 3
  }
  dead_letter_config { arn = aws_sqs_queue.told.arn }
}
resource "aws_cloudwatch_event_target" "daily" {
  rule  = aws_cloudwatch_event_rule.daily.name
  arn   = aws_sqs_queue.told.arn
  input = jsonencode({ at = "ten" })
}
resource "aws_iam_role" "teller" {
  name               = "teller"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "scheduler.amazonaws.com" }, Action = "sts:AssumeRole" }] })
}
resource "aws_scheduler_schedule_group" "nightly" { name = "nightly" }
resource "aws_scheduler_schedule" "backup" {
  name                         = "backup"
  group_name                   = aws_scheduler_schedule_group.nightly.name
  schedule_expression          = var.changed ? "rate(2 hours)" : "rate(1 hour)"
  schedule_expression_timezone = "Europe/Berlin"
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }
  target {
    arn      = aws_sqs_queue.told.arn
    role_arn = aws_iam_role.teller.arn
    input    = jsonencode({ do = "backup" })
  }
}
data "aws_cloudwatch_event_bus" "orders" { name = aws_cloudwatch_event_bus.orders.name }
"""


@needs_terraform
class Events(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        (pathlib.Path(cls.work.name) / "events.tf").write_text(EVENTS)

    def test_events(self):
        events, scheduler = self.kiln.client("events"), self.kiln.client("scheduler")
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.terraform("apply", "-input=false", "-auto-approve")
        self.terraform("plan", "-input=false", "-detailed-exitcode")
        told = self.terraform("apply", "-input=false", "-auto-approve", "-var", "changed=true")
        self.assertIn("0 added, 5 changed, 0 destroyed", told)
        self.terraform("plan", "-input=false", "-detailed-exitcode", "-var", "changed=true")
        self.assertEqual(events.describe_rule(Name="daily")["State"], "DISABLED")
        self.assertEqual(events.list_targets_by_rule(Rule="big", EventBusName="orders")["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"], 4)
        self.assertEqual(scheduler.get_schedule(Name="backup", GroupName="nightly")["ScheduleExpression"], "rate(2 hours)")
        for address, id in [("aws_cloudwatch_event_bus.orders", "orders"), ("aws_cloudwatch_event_rule.big", "orders/big"),
                            ("aws_cloudwatch_event_target.big", "orders/big/queue"), ("aws_cloudwatch_event_permission.them", "orders/them"),
                            ("aws_scheduler_schedule_group.nightly", "nightly"), ("aws_scheduler_schedule.backup", "nightly/backup")]:
            self.terraform("state", "rm", address)
            self.terraform("import", "-input=false", "-var", "changed=true", address, id)
        self.terraform("apply", "-input=false", "-auto-approve", "-var", "changed=true")
        self.terraform("plan", "-input=false", "-detailed-exitcode", "-var", "changed=true")
        self.terraform("destroy", "-input=false", "-auto-approve", "-var", "changed=true")
        self.assertEqual([bus["Name"] for bus in events.list_event_buses()["EventBuses"]], ["default"])
        self.assertEqual(scheduler.list_schedules()["Schedules"], [])
