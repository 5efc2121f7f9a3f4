"""kill -9 of kiln at every stage of a stack's life: it goes on to the right end, nothing is lost or doubled."""
import unittest

from kiln import Kiln, wait_for

NET = """
Parameters: {Cidr: {Type: String, Default: 10.0.0.0/16}}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Cidr}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [0, !Cidr [!Ref Cidr, 2, 8]]}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [1, !Cidr [!Ref Cidr, 2, 8]]}}
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attachment: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: g, VpcId: !Ref Vpc}}
  Rule: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Group, IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: !Ref Cidr}}
  User: {Type: AWS::IAM::User}
  Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref User}}
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub '${Vpc} ${A} ${B}'}}
Outputs: {Vpc: {Value: !Ref Vpc}, User: {Value: !Ref User}, Note: {Value: !Ref Note}, Key: {Value: !Ref Key}}
"""
LATE = "  Late: {Type: AWS::EC2::Subnet, DependsOn: [Rule, Attachment, Note], Properties: {VpcId: !Ref Vpc, CidrBlock: 192.168.0.0/24}}\n"
CAPABILITIES = ["CAPABILITY_IAM"]


class Crashes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.cfn = cls.kiln.client("cloudformation")
        cls.ec2 = cls.kiln.client("ec2")
        cls.iam = cls.kiln.client("iam")
        cls.ssm = cls.kiln.client("ssm")

    def events(self, stack):
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=stack)
        events = [event for page in pages for event in page["StackEvents"]]
        return [f"{e['LogicalResourceId']} {e['ResourceStatus']} {e.get('ResourceStatusReason', '')}".strip() for e in reversed(events)]

    def status(self, stack):
        return self.cfn.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]

    def ends(self, stack, kills, before=0):
        """Kills kiln each time so many more events have happened; the status when all is still."""
        for more in kills:
            # At least one kill comes in the middle; a stack that is done earlier is killed at rest.
            wait_for("events", lambda: len(self.events(stack)) >= before + more or not self.status(stack).endswith("IN_PROGRESS"), every=0)
            self.kiln.kill()
            self.kiln.start()
        wait_for(f"{stack} to settle", lambda: not self.status(stack).endswith("IN_PROGRESS"))
        return self.status(stack)

    def there(self, stack):
        """What is there of a stack, asked of the services themselves."""
        mine = [{"Name": "tag:aws:cloudformation:stack-name", "Values": [stack]}]
        vpcs = [vpc["CidrBlock"] for vpc in self.ec2.describe_vpcs(Filters=mine)["Vpcs"]]
        groups = self.ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
        gateways = self.ec2.describe_internet_gateways(Filters=mine)["InternetGateways"]
        users = [user["UserName"] for user in self.iam.list_users()["Users"] if user["UserName"].startswith(f"{stack}-")]
        return {
            "vpcs": vpcs,
            "subnets": sorted(subnet["CidrBlock"] for subnet in self.ec2.describe_subnets(Filters=mine)["Subnets"]),
            "rules": [rule["IpRanges"][0]["CidrIp"] for group in groups for rule in group["IpPermissions"]],
            "attached": [len(gateway["Attachments"]) for gateway in gateways],
            "keys": [len(self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]) for user in users],
        }

    def expected(self, net):
        return {"vpcs": [f"{net}.0.0/16"], "subnets": [f"{net}.0.0/24", f"{net}.1.0/24"], "rules": [f"{net}.0.0/16"], "attached": [1], "keys": [1]}

    def life(self, name, kills):
        """Created, replaced, failed and gone back, removed; killed at these points of each."""
        gone = {"vpcs": [], "subnets": [], "rules": [], "attached": [], "keys": []}
        stack = self.cfn.create_stack(StackName=name, TemplateBody=NET, Capabilities=CAPABILITIES)["StackId"]
        self.assertEqual(self.ends(stack, kills), "CREATE_COMPLETE", self.events(stack))
        self.assertEqual(self.there(name), self.expected("10.0"))
        cidr = lambda net: [{"ParameterKey": "Cidr", "ParameterValue": f"{net}.0.0/16"}]  # noqa: E731
        before = len(self.events(stack))
        self.cfn.update_stack(StackName=name, UsePreviousTemplate=True, Capabilities=CAPABILITIES, Parameters=cidr("10.1"))
        self.assertEqual(self.ends(stack, kills, before), "UPDATE_COMPLETE", self.events(stack)[before:])
        self.assertEqual(self.there(name), self.expected("10.1"))
        before = len(self.events(stack))
        failing = NET.replace("Outputs:", f"{LATE}Outputs:")
        self.cfn.update_stack(StackName=name, TemplateBody=failing, Capabilities=CAPABILITIES, Parameters=cidr("10.2"))
        self.assertEqual(self.ends(stack, kills, before), "UPDATE_ROLLBACK_COMPLETE", self.events(stack)[before:])
        self.assertEqual(self.there(name), self.expected("10.1"), self.events(stack)[before:])
        outputs = {o["OutputKey"]: o["OutputValue"] for o in self.cfn.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]}
        self.assertEqual(self.iam.list_access_keys(UserName=outputs["User"])["AccessKeyMetadata"][0]["AccessKeyId"], outputs["Key"])
        self.assertIn(outputs["Vpc"], self.ssm.get_parameter(Name=outputs["Note"])["Parameter"]["Value"])
        before = len(self.events(stack))
        self.cfn.delete_stack(StackName=name)
        self.assertEqual(self.ends(stack, kills, before), "DELETE_COMPLETE", self.events(stack)[before:])
        self.assertEqual(self.there(name), gone)

    def test_killed_early(self):
        self.life("early", [1])

    def test_killed_again_and_again(self):
        self.life("often", [2, 6, 10, 14, 18, 22])

    def test_killed_in_the_middle_and_late(self):
        self.life("late", [12, 24, 36])

    def test_a_failed_creation_goes_back_through_crashes(self):
        failing = NET.replace("Outputs:", f"{LATE}Outputs:")
        stack = self.cfn.create_stack(StackName="back", TemplateBody=failing, Capabilities=CAPABILITIES)["StackId"]
        self.assertEqual(self.ends(stack, [8, 16, 24, 32]), "ROLLBACK_COMPLETE", self.events(stack))
        self.assertEqual(self.there("back"), {"vpcs": [], "subnets": [], "rules": [], "attached": [], "keys": []})


if __name__ == "__main__":
    unittest.main()
