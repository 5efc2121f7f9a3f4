"""SecureCart's stack on simulated machines: its alarms look at its own load balancer, its topic has subscribers, its dashboard is there, its group tells."""
import json
import pathlib
import unittest

from kiln import Kiln, wait_for
from test_sns_delivery import bodies

SERVICES = "cloudwatch"
TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "securecart" / "cloudformation" / "shop.yaml"


class Watched(unittest.TestCase):
    def test_the_shop_is_watched(self):
        with Kiln(machines="sim") as kiln:
            kiln.wait_for_base(60)
            ec2, cfn, cw = kiln.client("ec2"), kiln.client("cloudformation"), kiln.client("cloudwatch")
            image = ec2.describe_images(Owners=["self", "amazon"])["Images"][0]["ImageId"]
            kiln.client("ssm").put_parameter(Name="/securecart/image/current", Value=image, Type="String", DataType="aws:ec2:image")
            # Nobody answers behind simulated machines: they are not to be judged by the load balancer.
            body = TEMPLATE.read_text().replace("HealthCheckType: ELB", "HealthCheckType: EC2")
            cfn.create_stack(StackName="securecart", TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
            cfn.get_waiter("stack_create_complete").wait(StackName="securecart", WaiterConfig={"Delay": 1, "MaxAttempts": 120})
            outputs = {o["OutputKey"]: o["OutputValue"] for o in cfn.describe_stacks(StackName="securecart")["Stacks"][0]["Outputs"]}
            balancer = kiln.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"].split("loadbalancer/")[1]

            alarms = {a["AlarmName"]: a for a in cw.describe_alarms(AlarmNamePrefix="securecart-")["MetricAlarms"]}
            self.assertEqual(sorted(alarms), ["securecart-errors", "securecart-slow"])
            self.assertEqual(alarms["securecart-slow"]["Dimensions"], [{"Name": "LoadBalancer", "Value": balancer}])
            self.assertEqual({a for alarm in alarms.values() for a in alarm["AlarmActions"]}, {outputs["OpsTopic"]})
            dashboard = json.loads(cw.get_dashboard(DashboardName="securecart")["DashboardBody"])
            self.assertEqual(len(dashboard["widgets"]), 4)
            self.assertIn(balancer, json.dumps(dashboard))

            # The group told its topic of its launches, and so its queue; the mailbox is asked whether it wants to know.
            told = []

            def launches():
                told.extend(json.loads(json.loads(body)["Message"]).get("Event") for body in bodies(kiln, outputs["OpsQueueUrl"], 1, 20))
                return told.count("autoscaling:EC2_INSTANCE_LAUNCH") == 3

            wait_for("three launches", launches, 60)
            self.assertIn("autoscaling:TEST_NOTIFICATION", told)
            mails = json.loads(kiln.cli("mail", "--json").stdout)["mails"]
            self.assertTrue([mail for mail in mails if "Token=" in mail["body"]], mails)

            cfn.delete_stack(StackName="securecart")
            wait_for("the stack to be gone", lambda: all(s["StackStatus"] == "DELETE_COMPLETE" for s in cfn.list_stacks()["StackSummaries"]), 120)
            self.assertEqual((cw.describe_alarms()["MetricAlarms"], cw.list_dashboards()["DashboardEntries"]), ([], []))


if __name__ == "__main__":
    unittest.main()
