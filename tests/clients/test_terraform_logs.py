"""Terraform's log groups, streams, metric filters, resource policies and query definitions: made, found unchanged, changed in
place, imported, removed."""
import pathlib
import tempfile

from kiln import Kiln
from terraform_runs import Runs, needs_terraform, plugins

LOGS = """
variable "changed" { default = false }
resource "aws_cloudwatch_log_group" "web" {
  name              = "/shop/web"
  retention_in_days = var.changed ? 30 : 7
  tags              = var.changed ? { team = "shop", stage = "test" } : { team = "shop" }
}
resource "aws_cloudwatch_log_stream" "one" {
  name           = "one"
  log_group_name = aws_cloudwatch_log_group.web.name
}
resource "aws_cloudwatch_log_metric_filter" "errors" {
  name           = "errors"
  pattern        = var.changed ? "FATAL" : "ERROR"
  log_group_name = aws_cloudwatch_log_group.web.name
  metric_transformation {
    name          = "errors"
    namespace     = "Shop"
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}
data "aws_iam_policy_document" "events" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:*:*:log-group:/shop/*"]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}
resource "aws_cloudwatch_log_resource_policy" "events" {
  policy_name     = "events"
  policy_document = data.aws_iam_policy_document.events.json
}
resource "aws_cloudwatch_query_definition" "errors" {
  name            = "errors"
  log_group_names = [aws_cloudwatch_log_group.web.name]
  query_string    = var.changed ? "fields @message | limit 5" : "fields @message | limit 9"
}
data "aws_cloudwatch_log_group" "web" {
  name       = aws_cloudwatch_log_group.web.name
  depends_on = [aws_cloudwatch_log_stream.one]
}
data "aws_cloudwatch_log_groups" "shop" {
  log_group_name_prefix = "/shop"
  depends_on            = [aws_cloudwatch_log_group.web]
}
"""


@needs_terraform
class Logs(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        (pathlib.Path(cls.work.name) / "logs.tf").write_text(LOGS)

    def test_logs(self):
        logs = self.kiln.client("logs")
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.terraform("apply", "-input=false", "-auto-approve")
        self.terraform("plan", "-input=false", "-detailed-exitcode")
        told = self.terraform("apply", "-input=false", "-auto-approve", "-var", "changed=true")
        self.assertIn("0 added, 3 changed, 0 destroyed", told)
        self.terraform("plan", "-input=false", "-detailed-exitcode", "-var", "changed=true")
        group = logs.describe_log_groups(logGroupNamePrefix="/shop/web")["logGroups"][0]
        self.assertEqual((group["retentionInDays"], group["metricFilterCount"]), (30, 1))
        self.assertEqual(logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"], {"team": "shop", "stage": "test"})
        self.assertEqual(logs.describe_metric_filters(logGroupName="/shop/web")["metricFilters"][0]["filterPattern"], "FATAL")
        for name, id in [("aws_cloudwatch_log_group.web", "/shop/web"), ("aws_cloudwatch_log_stream.one", "/shop/web:one"), ("aws_cloudwatch_log_metric_filter.errors", "/shop/web:errors")]:
            self.terraform("state", "rm", name)
            self.terraform("import", "-input=false", "-var", "changed=true", name, id)
        self.terraform("plan", "-input=false", "-detailed-exitcode", "-var", "changed=true")
        self.terraform("destroy", "-input=false", "-auto-approve", "-var", "changed=true")
        self.assertEqual(logs.describe_log_groups()["logGroups"], [])
        self.assertEqual(logs.describe_query_definitions()["queryDefinitions"], [])
