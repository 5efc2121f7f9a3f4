"""Terraform's alarms on metrics and expressions, composite alarms and dashboards: made, found unchanged, changed in place, imported, removed."""
import json
import pathlib
import tempfile

from kiln import Kiln
from terraform_runs import Runs, needs_terraform, plugins

SERVICES = "cloudwatch"

ALARMS = """
variable "changed" { default = false }
resource "aws_sns_topic" "ops" { name = "ops" }
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "errors"
  alarm_description   = "the load balancer's targets answer 5xx"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  dimensions          = { LoadBalancer = "app/web/0123456789abcdef" }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = var.changed ? 1 : 2
  threshold           = var.changed ? 10 : 5
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.ops.arn]
  ok_actions          = var.changed ? [aws_sns_topic.ops.arn] : []
  tags                = var.changed ? { team = "shop", stage = "test" } : { team = "shop" }
}
resource "aws_cloudwatch_metric_alarm" "slow" {
  alarm_name                            = "slow"
  namespace                             = "AWS/ApplicationELB"
  metric_name                           = "TargetResponseTime"
  extended_statistic                    = "p99"
  evaluate_low_sample_count_percentiles = "ignore"
  dimensions                            = { LoadBalancer = "app/web/0123456789abcdef" }
  period                                = 60
  evaluation_periods                    = 1
  threshold                             = 0.5
  comparison_operator                   = "GreaterThanThreshold"
  actions_enabled                       = !var.changed
}
resource "aws_cloudwatch_metric_alarm" "rate" {
  alarm_name          = "rate"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  threshold           = 5
  metric_query {
    id          = "rate"
    expression  = var.changed ? "100 * e / r" : "e / r * 100"
    label       = "error rate"
    return_data = true
  }
  metric_query {
    id = "e"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      period      = 60
      stat        = "Sum"
      dimensions  = { LoadBalancer = "app/web/0123456789abcdef" }
    }
  }
  metric_query {
    id = "r"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      period      = 60
      stat        = "Sum"
      dimensions  = { LoadBalancer = "app/web/0123456789abcdef" }
    }
  }
}
resource "aws_cloudwatch_composite_alarm" "shop" {
  alarm_name        = "shop"
  alarm_description = "the shop is ill"
  alarm_rule        = var.changed ? "ALARM(errors) AND ALARM(slow)" : "ALARM(errors) OR ALARM(slow)"
  alarm_actions     = [aws_sns_topic.ops.arn]
  actions_suppressor {
    alarm            = aws_cloudwatch_metric_alarm.rate.alarm_name
    wait_period      = 30
    extension_period = var.changed ? 60 : 30
  }
  depends_on = [aws_cloudwatch_metric_alarm.errors, aws_cloudwatch_metric_alarm.slow]
}
resource "aws_cloudwatch_dashboard" "shop" {
  dashboard_name = "shop"
  dashboard_body = jsonencode({
    widgets = [{
      type   = "metric"
      x      = 0
      y      = 0
      width  = 12
      height = 6
      properties = {
        metrics = [["AWS/ApplicationELB", "RequestCount", "LoadBalancer", "app/web/0123456789abcdef"]]
        region  = "us-east-1"
        title   = var.changed ? "Requests a minute" : "Requests"
        period  = 60
        stat    = "Sum"
      }
    }]
  })
}
output "errors" { value = aws_cloudwatch_metric_alarm.errors.arn }
"""


@needs_terraform
class Alarms(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        (pathlib.Path(cls.work.name) / "alarms.tf").write_text(ALARMS)

    def test_alarms_and_dashboards(self):
        cw = self.kiln.client("cloudwatch")
        changed = ("-var", "changed=true")
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.assertIn("6 added", self.terraform("apply", "-input=false", "-auto-approve"))
        self.terraform("plan", "-input=false", "-detailed-exitcode")
        self.assertIn("0 added, 5 changed, 0 destroyed", self.terraform("apply", "-input=false", "-auto-approve", *changed))
        self.terraform("plan", "-input=false", "-detailed-exitcode", *changed)
        errors = cw.describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]
        self.assertEqual((errors["Threshold"], errors["DatapointsToAlarm"], len(errors["OKActions"])), (10, 1, 1))
        self.assertEqual(errors["AlarmArn"], json.loads(self.terraform("output", "-json", "errors")))
        self.assertFalse(cw.describe_alarms(AlarmNames=["slow"])["MetricAlarms"][0]["ActionsEnabled"])
        composite = cw.describe_alarms(AlarmNames=["shop"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
        self.assertEqual((composite["AlarmRule"], composite["ActionsSuppressorExtensionPeriod"]), ("ALARM(errors) AND ALARM(slow)", 60))
        for resource, name in [("aws_cloudwatch_metric_alarm.errors", "errors"), ("aws_cloudwatch_metric_alarm.rate", "rate"), ("aws_cloudwatch_composite_alarm.shop", "shop"), ("aws_cloudwatch_dashboard.shop", "shop")]:
            self.terraform("state", "rm", resource)
            self.terraform("import", "-input=false", *changed, resource, name)
        self.terraform("plan", "-input=false", "-detailed-exitcode", *changed)
        self.terraform("destroy", "-input=false", "-auto-approve", *changed)
        left = cw.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        self.assertEqual((left["MetricAlarms"], left["CompositeAlarms"], cw.list_dashboards()["DashboardEntries"]), ([], [], []))
