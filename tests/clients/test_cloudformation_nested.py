"""Templates that lie in S3, and stacks within stacks: as `package` and `deploy --s3-bucket` put them there."""
import json
import pathlib
import unittest

from kiln import wait_for
from stacks import Stacks

NOTE = "Resources: {N: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: %s}}}"
NET = """
Parameters: {Cidr: {Type: String}}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Cidr}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: g, VpcId: !Ref Vpc}}
Outputs: {Vpc: {Value: !Ref Vpc}, Group: {Value: !Ref Group}}
"""
MIDDLE = """
Parameters: {Cidr: {Type: String}}
Resources:
  Net: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./net.yaml, Parameters: {Cidr: !Ref Cidr}}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !GetAtt Net.Outputs.Vpc, CidrBlock: !Select [0, !Cidr [!Ref Cidr, 1, 8]]}}
Outputs: {Vpc: {Value: !GetAtt Net.Outputs.Vpc}}
"""
ROOT = """
Parameters: {Cidr: {Type: String, Default: 10.0.0.0/16}}
Resources:
  App: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./middle.yaml, Parameters: {Cidr: !Ref Cidr}, Tags: [{Key: part, Value: app}]}}
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !GetAtt App.Outputs.Vpc}}
Outputs: {Vpc: {Value: !GetAtt App.Outputs.Vpc}, App: {Value: !Ref App}, Note: {Value: !Ref Note}}
"""
LATE = "  Late: {Type: AWS::EC2::Subnet, DependsOn: [App, Note], Properties: {VpcId: !GetAtt App.Outputs.Vpc, CidrBlock: 192.168.0.0/24}}\n"


class Nested(Stacks):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ec2 = cls.kiln.client("ec2")
        cls.s3 = cls.kiln.client("s3")
        cls.s3.create_bucket(Bucket="templates")

    def put(self, key, body):
        """Puts a template into the bucket; its URL."""
        self.s3.put_object(Bucket="templates", Key=key, Body=body.encode())
        return f"https://templates.s3.us-east-1.amazonaws.com/{key}"

    def packed(self, root=ROOT):
        """The templates, packed by the AWS CLI: the text of the one at the top."""
        path, out = self.file("root.yaml", root), str(self.folder / "packed.yaml")
        self.file("middle.yaml", MIDDLE)
        self.file("net.yaml", NET)
        done = self.kiln.aws("cloudformation", "package", "--template-file", path, "--s3-bucket", "templates", "--s3-prefix", "parts", "--output-template-file", out, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return pathlib.Path(out).read_text()

    def family(self, stack):
        """The stack and those within it, from the top."""
        found = self.cfn.describe_stacks(StackName=stack)["Stacks"][0]
        parts = [r for r in self.cfn.describe_stack_resources(StackName=stack)["StackResources"] if r["ResourceType"] == "AWS::CloudFormation::Stack" and "PhysicalResourceId" in r]
        return [found] + [inner for part in parts for inner in self.family(part["PhysicalResourceId"])]

    def networks(self):
        """What the family has made, asked of EC2."""
        vpcs = {vpc["VpcId"]: vpc["CidrBlock"] for vpc in self.ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]}
        subnets = [subnet["CidrBlock"] for subnet in self.ec2.describe_subnets()["Subnets"] if subnet["VpcId"] in vpcs]
        groups = [group["GroupName"] for group in self.ec2.describe_security_groups()["SecurityGroups"] if group["VpcId"] in vpcs]
        return sorted(vpcs.values()), sorted(subnets), len([name for name in groups if name != "default"])

    def gone(self, name):
        stack = self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.cfn.delete_stack(StackName=name)
        return self.settled(stack)

    def test_packed_stacks_are_deployed_by_way_of_a_bucket(self):
        # Longer than may be sent with a call.
        body = self.packed() + "\n#" + "x" * 60_000
        path = self.file("long.yaml", body)
        deploy = ("cloudformation", "deploy", "--template-file", path, "--stack-name", "shop", "--tags", "team=shop")
        self.assertIn("--s3-bucket", self.kiln.aws(*deploy, check=False).stderr)
        done = self.kiln.aws(*deploy, "--s3-bucket", "templates", "--s3-prefix", "deployed", check=False)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        shop, app, net = self.family("shop")
        self.assertEqual([stack["StackStatus"] for stack in (shop, app, net)], ["CREATE_COMPLETE"] * 3)
        self.assertEqual((app["ParentId"], net["ParentId"]), (shop["StackId"], app["StackId"]))
        self.assertEqual({app["RootId"], net["RootId"]}, {shop["StackId"]})
        self.assertRegex(app["StackName"], "^shop-App-[A-Z0-9]{12}$")
        self.assertTrue(net["StackName"].startswith(app["StackName"] + "-Net-"), net["StackName"])
        tags = {tag["Key"]: tag["Value"] for tag in net["Tags"]}
        self.assertEqual(tags, {"team": "shop", "part": "app"})
        outputs = {o["OutputKey"]: o["OutputValue"] for o in shop["Outputs"]}
        self.assertEqual(outputs["App"], app["StackId"])
        self.assertEqual(self.ssm.get_parameter(Name=outputs["Note"])["Parameter"]["Value"], outputs["Vpc"])
        vpc = self.ec2.describe_vpcs(VpcIds=[outputs["Vpc"]])["Vpcs"][0]
        self.assertIn({"Key": "aws:cloudformation:stack-name", "Value": net["StackName"]}, vpc["Tags"])
        listed = {s["StackName"]: s.get("RootId") for s in self.cfn.list_stacks(StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]}
        self.assertEqual(listed[net["StackName"]], shop["StackId"])
        # The whole follows a parameter, and goes.
        cidr = [{"ParameterKey": "Cidr", "ParameterValue": "10.1.0.0/16"}]
        self.cfn.update_stack(StackName="shop", UsePreviousTemplate=True, Parameters=cidr)
        self.assertEqual(self.settled("shop"), "UPDATE_COMPLETE")
        self.assertEqual([stack["StackStatus"] for stack in self.family("shop")], ["UPDATE_COMPLETE"] * 3)
        self.assertEqual(self.networks(), (["10.1.0.0/16"], ["10.1.0.0/24"], 1))
        self.assertEqual(self.gone("shop"), "DELETE_COMPLETE")
        self.assertEqual(self.networks(), ([], [], 0))
        self.assertEqual(self.cfn.describe_stacks(StackName=net["StackId"])["Stacks"][0]["StackStatus"], "DELETE_COMPLETE")

    def test_a_family_of_stacks_comes_through_kills(self):
        def killed(stack, every):
            """Kills kiln whenever so many more events have happened in the family."""
            def count():
                return sum(len(self.cfn.describe_stack_events(StackName=s["StackId"])["StackEvents"]) for s in self.family(stack))

            def still():
                return not self.cfn.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"].endswith("IN_PROGRESS")

            for _ in range(4):
                seen = count()
                wait_for("events", lambda: count() >= seen + every or still(), every=0)
                self.kiln.kill()
                self.kiln.start()
            return self.settled(stack)

        body = self.packed()
        stack = self.cfn.create_stack(StackName="kills", TemplateBody=body)["StackId"]
        self.assertEqual(killed(stack, 3), "CREATE_COMPLETE")
        self.assertEqual(self.networks(), (["10.0.0.0/16"], ["10.0.0.0/24"], 1))
        before = {s["StackName"]: s["Outputs"] for s in self.family(stack)}
        cidr = [{"ParameterKey": "Cidr", "ParameterValue": "10.2.0.0/16"}]
        failing = self.packed(ROOT.replace("Outputs:", f"{LATE}Outputs:"))
        self.cfn.update_stack(StackName="kills", TemplateBody=failing, Parameters=cidr)
        self.assertEqual(killed(stack, 5), "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual([s["StackStatus"] for s in self.family(stack)], ["UPDATE_ROLLBACK_COMPLETE"] * 3)
        self.assertEqual({s["StackName"]: s["Outputs"] for s in self.family(stack)}, before)
        self.assertEqual(self.networks(), (["10.0.0.0/16"], ["10.0.0.0/24"], 1))
        self.cfn.delete_stack(StackName="kills")
        self.assertEqual(killed(stack, 3), "DELETE_COMPLETE")
        self.assertEqual(self.networks(), ([], [], 0))
        left = [s["StackName"] for s in self.cfn.describe_stacks()["Stacks"] if s["StackName"].startswith("kills")]
        self.assertEqual(left, [])

    def test_a_child_that_fails_is_told_of_by_its_parent(self):
        self.put("bad.yaml", "Resources: {S: {Type: AWS::EC2::Subnet, Properties: {VpcId: vpc-0123456789abcdef0, CidrBlock: 10.0.0.0/24}}}")
        url = f"{self.kiln.info['endpoint']}/templates/bad.yaml"
        stack = self.cfn.create_stack(StackName="bad", TemplateBody="Resources: {C: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: '%s'}}}" % url)["StackId"]
        self.assertEqual(self.settled(stack), "ROLLBACK_COMPLETE")
        events = self.cfn.describe_stack_events(StackName=stack)["StackEvents"]
        failed = next(e for e in events if e["ResourceStatus"] == "CREATE_FAILED")
        self.assertEqual(failed["ResourceStatusReason"], f"Embedded stack {failed['PhysicalResourceId']} was not successfully created: The following resource(s) failed to create: [S].")
        inner = self.cfn.describe_stack_events(StackName=failed["PhysicalResourceId"])["StackEvents"]
        self.assertIn("vpc-0123456789abcdef0", next(e for e in inner if e["LogicalResourceId"] == "S" and e["ResourceStatus"] == "CREATE_FAILED")["ResourceStatusReason"])
        self.assertEqual(inner[0]["ResourceStatus"], "DELETE_COMPLETE")

    def test_a_template_is_read_with_the_rights_of_who_asks(self):
        url = self.put("net.yaml", NOTE % "x")
        self.assertEqual(self.cfn.validate_template(TemplateURL=url)["Parameters"], [])
        self.assertEqual(self.cfn.get_template_summary(TemplateURL=f"{self.kiln.info['endpoint']}/templates/net.yaml")["ResourceTypes"], ["AWS::SSM::Parameter"])
        iam = self.kiln.client("iam")
        iam.create_user(UserName="ann")
        key = iam.create_access_key(UserName="ann")["AccessKey"]
        mine = self.kiln.client("cloudformation", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])

        def allow(*actions):
            statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
            iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}))

        allow("cloudformation:*")
        code, message = self.refused(mine.validate_template, TemplateURL=url)
        self.assertEqual(code, "ValidationError")
        self.assertRegex(message, r"(?s)^S3 error: .*s3:GetObject.*\nFor more information check http")
        allow("cloudformation:*", "s3:GetObject")
        self.assertEqual(mine.validate_template(TemplateURL=url)["Parameters"], [])
        # A nested stack is made with his rights too, whoever's turn it is.
        outer = "Resources: {C: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: '%s'}}}" % url
        allow("cloudformation:*", "ssm:*")
        stack = mine.create_stack(StackName="anns", TemplateBody=outer)["StackId"]
        self.assertEqual(self.settled(stack), "ROLLBACK_COMPLETE")
        reasons = [e.get("ResourceStatusReason", "") for e in self.cfn.describe_stack_events(StackName=stack)["StackEvents"]]
        self.assertTrue(any(reason.startswith("S3 error: ") and "s3:GetObject" in reason for reason in reasons), reasons)
        allow("cloudformation:*", "ssm:*", "s3:GetObject")
        mine.create_stack(StackName="ann", TemplateBody=outer)
        self.assertEqual(self.settled("ann"), "CREATE_COMPLETE")


if __name__ == "__main__":
    unittest.main()
