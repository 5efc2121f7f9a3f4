"""Stacks by boto3 and the AWS CLI: deploy, change, fail, go back, survive a crash, remove."""
import json
import subprocess
import tempfile
import time
import unittest

import botocore.exceptions

from kiln import ROOT, Kiln, wait_for

SHOP = ROOT / "examples" / "securecart" / "cloudformation" / "shop.yaml"

NET = """
Parameters:
  Cidr: {Type: String, Default: 10.7.0.0/16}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Cidr}}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [0, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]], AvailabilityZone: !Select [0, !GetAZs '']}
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub '${Vpc}/${Subnet}'}}
Outputs:
  Vpc: {Value: !Ref Vpc}
  Subnet: {Value: !Ref Subnet}
  Note: {Value: !Ref Note}
"""


class Stacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.cfn = cls.kiln.client("cloudformation")
        cls.ec2 = cls.kiln.client("ec2")
        cls.ssm = cls.kiln.client("ssm")

    def refused(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        return error["Code"], error["Message"]

    def outputs(self, name):
        stack = self.cfn.describe_stacks(StackName=name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def story(self, name):
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=name)
        events = [event for page in pages for event in page["StackEvents"]]
        return [
            f"{event['LogicalResourceId']} {event['ResourceStatus']} {event.get('ResourceStatusReason', '')}".strip()
            for event in reversed(events)
        ]

    def deploy(self, name, body, *more, check=True):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(body)
            file.flush()
            # The CLI names its change set after the second, and one that changes nothing stays: two
            # deployments within one second are refused, as on AWS.
            second = int(time.time())
            wait_for("the next second", lambda: int(time.time()) != second, 5)
            done = subprocess.run(
                ["aws", "cloudformation", "deploy", "--stack-name", name, "--template-file", file.name, *more],
                env=self.kiln.environ(), capture_output=True, text=True, timeout=300,
            )
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def wait(self, name, what):
        self.cfn.get_waiter(what).wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})

    def settled(self, name):
        def status():
            stack = self.cfn.describe_stacks(StackName=name)["Stacks"][0]
            return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack["StackStatus"]

        return wait_for(f"{name} to settle", status, seconds=120)

    def test_deploy_again_change_and_delete(self):
        first = self.deploy("net", NET)
        self.assertIn("Successfully created/updated stack - net", first.stdout)
        before = self.outputs("net")
        vpc = self.ec2.describe_vpcs(VpcIds=[before["Vpc"]])["Vpcs"][0]
        tags = {tag["Key"]: tag["Value"] for tag in vpc["Tags"]}
        self.assertEqual(tags["aws:cloudformation:logical-id"], "Vpc")
        same = self.deploy("net", NET, "--no-fail-on-empty-changeset")
        self.assertIn("No changes to deploy", same.stdout + same.stderr)
        self.deploy("net", NET, "--parameter-overrides", "Cidr=10.8.0.0/16")
        after = self.outputs("net")
        self.assertNotEqual(before["Vpc"], after["Vpc"])
        self.assertEqual(after["Note"], before["Note"], "changed in place")
        self.assertEqual(self.ssm.get_parameter(Name=after["Note"])["Parameter"]["Value"], f"{after['Vpc']}/{after['Subnet']}")
        self.assertEqual(self.refused(self.ec2.describe_vpcs, VpcIds=[before["Vpc"]])[0], "InvalidVpcID.NotFound")
        stack_id = self.cfn.describe_stacks(StackName="net")["Stacks"][0]["StackId"]
        self.cfn.delete_stack(StackName="net")
        self.wait(stack_id, "stack_delete_complete")
        self.assertEqual(self.refused(self.ec2.describe_vpcs, VpcIds=[after["Vpc"]])[0], "InvalidVpcID.NotFound")
        self.assertEqual(self.refused(self.cfn.describe_stacks, StackName="net"), ("ValidationError", "Stack with id net does not exist"))

    def test_a_failure_removes_what_was_made(self):
        bad = NET.replace("Outputs:", "  Bad: {Type: AWS::EC2::Subnet, DependsOn: Note, Properties: {VpcId: !Ref Vpc, CidrBlock: 192.168.0.0/24}}\nOutputs:")
        self.cfn.create_stack(StackName="bad", TemplateBody=bad)
        self.assertEqual(self.settled("bad"), "ROLLBACK_COMPLETE")
        story = self.story("bad")
        self.assertTrue(any(line.startswith("Bad CREATE_FAILED") and "192.168.0.0/24" in line for line in story), story)
        self.assertIn("bad ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Bad]. Rollback requested by user.", story)
        mine = [{"Name": "tag:aws:cloudformation:stack-name", "Values": ["bad"]}]
        self.assertEqual(self.ec2.describe_vpcs(Filters=mine)["Vpcs"], [])
        self.assertEqual(self.ec2.describe_subnets(Filters=mine)["Subnets"], [])

    def test_a_failed_update_goes_back(self):
        self.cfn.create_stack(StackName="back", TemplateBody=NET)
        self.wait("back", "stack_create_complete")
        before = self.outputs("back")
        value = self.ssm.get_parameter(Name=before["Note"])["Parameter"]["Value"]
        bad = NET.replace("Outputs:", "  Bad: {Type: AWS::EC2::Subnet, DependsOn: Note, Properties: {VpcId: !Ref Vpc, CidrBlock: 192.168.0.0/24}}\nOutputs:")
        self.cfn.update_stack(StackName="back", TemplateBody=bad, Parameters=[{"ParameterKey": "Cidr", "ParameterValue": "10.9.0.0/16"}])
        self.assertEqual(self.settled("back"), "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual(self.outputs("back"), before)
        self.assertEqual(self.ssm.get_parameter(Name=before["Note"])["Parameter"]["Value"], value)
        mine = [{"Name": "tag:aws:cloudformation:stack-name", "Values": ["back"]}]
        self.assertEqual([vpc["VpcId"] for vpc in self.ec2.describe_vpcs(Filters=mine)["Vpcs"]], [before["Vpc"]])
        self.cfn.delete_stack(StackName="back")
        self.wait("back", "stack_delete_complete")

    def test_change_sets_show_what_would_happen(self):
        self.cfn.create_stack(StackName="set", TemplateBody=NET)
        self.wait("set", "stack_create_complete")
        self.cfn.create_change_set(StackName="set", ChangeSetName="wider", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Cidr", "ParameterValue": "10.10.0.0/16"}])
        self.cfn.get_waiter("change_set_create_complete").wait(StackName="set", ChangeSetName="wider")
        shown = self.cfn.describe_change_set(StackName="set", ChangeSetName="wider", IncludePropertyValues=True)
        changes = {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in shown["Changes"]}
        self.assertEqual(changes["Vpc"]["Replacement"], "True")
        detail = next(d for d in changes["Vpc"]["Details"] if d["ChangeSource"] == "ParameterReference")
        self.assertEqual(detail["CausingEntity"], "Cidr")
        self.assertEqual(detail["Target"]["AfterValue"], "10.10.0.0/16")
        self.assertEqual(changes["Note"]["Replacement"], "False")
        self.cfn.delete_change_set(StackName="set", ChangeSetName="wider")
        self.cfn.delete_stack(StackName="set")
        self.wait("set", "stack_delete_complete")

    def test_nothing_is_made_of_a_wrong_template(self):
        for body, expected in [
            ("Resources: {A: {Type: AWS::No::Such}}", "Unrecognized resource types: [AWS::No::Such]"),
            ("Resources: {A: {Type: AWS::EC2::VPC, Properties: {Colour: red}}}", "Colour"),
            ("Resources: {A: {Type: AWS::EC2::VPC, DependsOn: B}, B: {Type: AWS::EC2::VPC, DependsOn: A}}", "Circular dependency"),
            ("Resources: {A: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Nope}}}", "[Nope]"),
        ]:
            code, message = self.refused(self.cfn.create_stack, StackName="wrong", TemplateBody=body)
            self.assertEqual(code, "ValidationError")
            self.assertIn(expected, message)
        self.assertIn("does not exist", self.refused(self.cfn.describe_stacks, StackName="wrong")[1])

    def test_a_stack_has_its_owners_rights_only(self):
        iam = self.kiln.client("iam")
        iam.create_user(UserName="builder")
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["cloudformation:*", "ssm:*"], "Resource": "*"}]}
        iam.put_user_policy(UserName="builder", PolicyName="p", PolicyDocument=json.dumps(allow))
        key = iam.create_access_key(UserName="builder")["AccessKey"]
        cfn = self.kiln.client("cloudformation", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        cfn.create_stack(StackName="poor", TemplateBody="Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}")
        self.assertEqual(self.settled("poor"), "ROLLBACK_COMPLETE")
        failed = next(line for line in self.story("poor") if line.startswith("Vpc CREATE_FAILED"))
        self.assertIn("not authorized to perform", failed)
        cfn.create_stack(StackName="rich", TemplateBody="Resources: {N: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: x}}}")
        self.assertEqual(self.settled("rich"), "CREATE_COMPLETE")

    def test_kill_in_the_middle_goes_on_to_the_right_end(self):
        many = "Resources:\n" + "".join(
            f"  V{n}: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: 10.{n}.0.0/16}}}}\n"
            f"  S{n}: {{Type: AWS::EC2::Subnet, Properties: {{VpcId: !Ref V{n}, CidrBlock: 10.{n}.0.0/24}}}}\n"
            f"  P{n}: {{Type: AWS::SSM::Parameter, DependsOn: S{n}, Properties: {{Type: String, Value: !Ref S{n}}}}}\n"
            for n in range(20)
        )
        mine = [{"Name": "tag:aws:cloudformation:stack-name", "Values": ["crash"]}]
        self.cfn.create_stack(StackName="crash", TemplateBody=many)
        for pause in (0.01, 0.03, 0.06):
            time.sleep(pause)
            self.kiln.kill()
            self.kiln.start()
        self.assertEqual(self.settled("crash"), "CREATE_COMPLETE", self.story("crash"))
        self.assertEqual(len(self.ec2.describe_vpcs(Filters=mine)["Vpcs"]), 20)
        self.assertEqual(len(self.ec2.describe_subnets(Filters=mine)["Subnets"]), 20)
        stack_id = self.cfn.describe_stacks(StackName="crash")["Stacks"][0]["StackId"]
        self.cfn.delete_stack(StackName="crash")
        time.sleep(0.03)
        self.kiln.kill()
        self.kiln.start()
        self.wait(stack_id, "stack_delete_complete")
        self.assertEqual(self.ec2.describe_vpcs(Filters=mine)["Vpcs"], [])

    def test_the_shop_on_simulated_machines(self):
        alias = "/aws/service/debian/release/12/latest/amd64"
        image = wait_for("the base image", lambda: self.ssm.get_parameter(Name=alias))["Parameter"]["Value"]
        self.ssm.put_parameter(Name="/securecart/image/current", Value=image, Type="String", DataType="aws:ec2:image")
        done = self.deploy("shop", SHOP.read_text(), "--capabilities", "CAPABILITY_IAM", check=False)
        self.assertEqual(done.returncode, 0, f"{done.stdout} {done.stderr} {self.story('shop')}")
        group = self.kiln.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[self.outputs("shop")["GroupName"]])["AutoScalingGroups"][0]
        self.assertEqual(len(group["Instances"]), 3)
        self.cfn.delete_stack(StackName="shop")
        self.wait("shop", "stack_delete_complete")
        mine = [{"Name": "tag:aws:cloudformation:stack-name", "Values": ["shop"]}]
        self.assertEqual(self.ec2.describe_vpcs(Filters=mine)["Vpcs"], [])


if __name__ == "__main__":
    unittest.main()
