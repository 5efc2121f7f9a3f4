"""CloudFormation's calls by boto3, each at least once: those beside the deployments in test_cloudformation*.py."""
import json

from calls import Calls
from kiln import wait_for

TEMPLATE = """
Parameters:
  Size: {Type: String, Default: one}
  Bad: {Type: String, Default: "10.0.1.0/24"}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16, Tags: [{Key: size, Value: !Ref Size}]}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: !Ref Bad}}
"""
SLOW = """
Parameters:
  Wait: {Type: String, Default: "no"}
Conditions:
  Waits: !Equals [!Ref Wait, "yes"]
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16, Tags: [{Key: wait, Value: !Ref Wait}]}}
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Condition:
    Type: AWS::CloudFormation::WaitCondition
    Condition: Waits
    DependsOn: Vpc
    Properties: {Handle: !Ref Handle, Timeout: "600"}
"""


class CloudFormation(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cfn, cls.ec2 = cls.kiln.client("cloudformation"), cls.kiln.client("ec2")

    def message(self, call, **arguments):
        return self.refusal(call, **arguments)[1]

    def status(self, name):
        return self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]

    def becomes(self, name, status):
        wait_for(f"{name} to be {status}", lambda: self.status(name) == status, seconds=30)

    def vpc(self, name):
        return self.cfn.describe_stack_resource(StackName=name, LogicalResourceId="Vpc")["StackResourceDetail"]["PhysicalResourceId"]

    def vpc_tag(self, name, key):
        tags = self.ec2.describe_vpcs(VpcIds=[self.vpc(name)])["Vpcs"][0]["Tags"]
        return next(tag["Value"] for tag in tags if tag["Key"] == key)

    def waits(self, name):
        """The VPC is changed, and what comes after it is under way."""
        wait_for("the condition to be made", lambda: "Condition" in self.under_way(name))
        self.assertEqual(self.vpc_tag(name, "wait"), "yes")

    def under_way(self, name):
        resources = self.cfn.describe_stack_resources(StackName=name)["StackResources"]
        return [r["LogicalResourceId"] for r in resources if r["ResourceStatus"] == "CREATE_IN_PROGRESS"]

    def parameters(self, **values):
        return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]

    def test_an_update_is_called_off(self):
        cfn = self.cfn
        cfn.create_stack(StackName="slow", TemplateBody=SLOW)
        self.becomes("slow", "CREATE_COMPLETE")
        self.assertIn("CancelUpdateStack cannot be called from current stack status", self.message(cfn.cancel_update_stack, StackName="slow"))
        cfn.update_stack(StackName="slow", UsePreviousTemplate=True, Parameters=self.parameters(Wait="yes"))
        self.waits("slow")
        cfn.cancel_update_stack(StackName="slow")
        self.becomes("slow", "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual(self.vpc_tag("slow", "wait"), "no")
        reasons = [e.get("ResourceStatusReason", "") for e in cfn.describe_stack_events(StackName="slow")["StackEvents"]]
        self.assertTrue(any("cancelled" in reason for reason in reasons), reasons)
        cfn.delete_stack(StackName="slow")

    def test_a_way_back_that_fails_goes_on_without_what_is_gone(self):
        cfn = self.cfn
        cfn.create_stack(StackName="stuck", TemplateBody=SLOW)
        self.becomes("stuck", "CREATE_COMPLETE")
        cfn.update_stack(StackName="stuck", UsePreviousTemplate=True, Parameters=self.parameters(Wait="yes"))
        self.waits("stuck")
        self.ec2.delete_vpc(VpcId=self.vpc("stuck"))
        cfn.cancel_update_stack(StackName="stuck")
        self.becomes("stuck", "UPDATE_ROLLBACK_FAILED")
        cfn.continue_update_rollback(StackName="stuck", ResourcesToSkip=["Vpc"])
        self.becomes("stuck", "UPDATE_ROLLBACK_COMPLETE")
        cfn.delete_stack(StackName="stuck")

    def test_what_failed_stays_and_is_led_back(self):
        cfn = self.cfn
        cfn.create_stack(StackName="kept", TemplateBody=TEMPLATE)
        self.becomes("kept", "CREATE_COMPLETE")
        cfn.update_stack(StackName="kept", UsePreviousTemplate=True, DisableRollback=True, Parameters=self.parameters(Size="two", Bad="10.9.0.0/24"))
        self.becomes("kept", "UPDATE_FAILED")
        self.assertEqual(self.vpc_tag("kept", "size"), "two")
        cfn.rollback_stack(StackName="kept")
        self.becomes("kept", "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual(self.vpc_tag("kept", "size"), "one")
        self.assertIn("can not continue rollback", self.message(cfn.continue_update_rollback, StackName="kept"))
        cfn.delete_stack(StackName="kept")

    def test_protection_and_policies(self):
        cfn = self.cfn
        cfn.create_stack(StackName="safe", TemplateBody=TEMPLATE, EnableTerminationProtection=True)
        self.becomes("safe", "CREATE_COMPLETE")
        self.assertIn("TerminationProtection is enabled", self.message(cfn.delete_stack, StackName="safe"))
        summaries = cfn.list_stack_resources(StackName="safe")["StackResourceSummaries"]
        self.assertEqual(sorted(each["LogicalResourceId"] for each in summaries), ["Subnet", "Vpc"])
        self.assertEqual(cfn.get_template(StackName="safe")["TemplateBody"], TEMPLATE)
        self.assertNotIn("StackPolicyBody", cfn.get_stack_policy(StackName="safe"))
        deny = {"Statement": [{"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "LogicalResourceId/Vpc"},
                              {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}
        cfn.set_stack_policy(StackName="safe", StackPolicyBody=json.dumps(deny))
        self.assertEqual(json.loads(cfn.get_stack_policy(StackName="safe")["StackPolicyBody"]), deny)
        cfn.update_stack(StackName="safe", UsePreviousTemplate=True, Parameters=self.parameters(Size="two"))
        self.becomes("safe", "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual(self.vpc_tag("safe", "size"), "one")
        cfn.update_termination_protection(StackName="safe", EnableTerminationProtection=False)
        events = cfn.describe_events(StackName="safe")["OperationEvents"]
        self.assertTrue({"Vpc", "Subnet"} <= {each.get("LogicalResourceId") for each in events}, events[:3])
        cfn.delete_stack(StackName="safe")
        limits = {each["Name"]: each["Value"] for each in cfn.describe_account_limits()["AccountLimits"]}
        self.assertEqual(limits, {"StackOutputsLimit": 200})
