"""`DryRun` says "would have succeeded" only of what would: a call is carried out up to what it would
write, so what is wrong with it is said as the call itself says it, and nothing is changed.
"""
import json
import unittest

import botocore.exceptions

import services
from kiln import Kiln

NOTHING = "0123456789abcdef0"
# What required members hold, by name; ids are of things that are not there.
VALUES = {
    "InstanceId": f"i-{NOTHING}", "VpcId": f"vpc-{NOTHING}", "SubnetId": f"subnet-{NOTHING}", "GroupId": f"sg-{NOTHING}",
    "ImageId": f"ami-{NOTHING}", "NetworkInterfaceId": f"eni-{NOTHING}", "AttachmentId": f"eni-attach-{NOTHING}",
    "InternetGatewayId": f"igw-{NOTHING}", "NatGatewayId": f"nat-{NOTHING}", "RouteTableId": f"rtb-{NOTHING}", "SnapshotId": f"snap-{NOTHING}",
    "VolumeId": f"vol-{NOTHING}", "LaunchTemplateId": f"lt-{NOTHING}", "AllocationId": f"eipalloc-{NOTHING}", "AssociationId": f"rtbassoc-{NOTHING}",
    "SourceImageId": f"ami-{NOTHING}", "SourceRegion": "us-east-1", "CidrBlock": "10.0.0.0/16", "MinCount": 1, "MaxCount": 1, "DeviceIndex": 1,
}  # fmt: skip


class DryRuns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.ec2 = cls.kiln.client("ec2")
        cls.image = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def said(self, call, **arguments):
        """Code and message of a refusal; none when there was none."""
        try:
            getattr(self.ec2, call)(**arguments)
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        return None

    def test_a_wrong_launch_is_wrong(self):
        good = dict(ImageId=self.image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/28")["Subnet"]["SubnetId"]
        other = self.ec2.create_security_group(GroupName="other", Description="x")["GroupId"]
        disk = lambda **ebs: [{"DeviceName": "/dev/xvda", "Ebs": ebs}]
        for wrong in [
            dict(ImageId=f"ami-{NOTHING}"),
            dict(ImageId="ami-x"),
            dict(InstanceType="x9.large"),
            dict(InstanceType="t4g.micro"),
            dict(MinCount=0),
            dict(MinCount=3, MaxCount=2),
            dict(MinCount=2000, MaxCount=2000),
            dict(KeyName="nobody"),
            dict(SubnetId=f"subnet-{NOTHING}"),
            dict(SubnetId="x"),
            dict(SubnetId=subnet, SecurityGroupIds=[other]),
            dict(SubnetId=subnet, PrivateIpAddress="10.0.2.1"),
            dict(SubnetId=subnet, MinCount=50, MaxCount=50),
            dict(SecurityGroupIds=[f"sg-{NOTHING}"]),
            dict(SecurityGroups=["nobody"]),
            dict(Placement={"AvailabilityZone": "us-east-1z"}),
            dict(Placement={"Tenancy": "dedicated"}),
            dict(IamInstanceProfile={"Name": "nobody"}),
            dict(UserData="x" * 30_000),
            dict(BlockDeviceMappings=disk(VolumeSize=1)),
            dict(BlockDeviceMappings=disk(Encrypted=True)),
            dict(LaunchTemplate={"LaunchTemplateName": "nobody"}),
            dict(MetadataOptions={"HttpPutResponseHopLimit": 65}),
            dict(CpuOptions={"CoreCount": 1}),
            dict(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "aws:x", "Value": "y"}]}]),
            dict(NetworkInterfaces=[{"DeviceIndex": 1}]),
            dict(CreditSpecification={"CpuCredits": "standard"}),
        ]:  # fmt: skip
            with self.subTest(**wrong):
                told = self.said("run_instances", **{**good, **wrong}, DryRun=True)
                self.assertNotEqual(told[0], "DryRunOperation")
                self.assertEqual(told, self.said("run_instances", **{**good, **wrong}))
        before = self.world()
        self.assertEqual(self.said("run_instances", **good, DryRun=True)[0], "DryRunOperation")
        self.assertEqual(self.world(), before)

    def world(self):
        """Everything of which a call could have made one more."""
        listings = ["describe_instances", "describe_vpcs", "describe_subnets", "describe_security_groups", "describe_network_interfaces",
                    "describe_volumes", "describe_snapshots", "describe_images", "describe_key_pairs", "describe_launch_templates",
                    "describe_addresses", "describe_internet_gateways", "describe_nat_gateways", "describe_route_tables", "describe_tags"]  # fmt: skip
        answers = {name: getattr(self.ec2, name)() for name in listings}
        return {name: {k: v for k, v in answer.items() if k != "ResponseMetadata"} for name, answer in answers.items()}

    def required(self, shape):
        """The least that the model of a call demands."""
        return {name: self.value(name, shape.members[name]) for name in shape.required_members}

    def value(self, name, shape):
        if shape.type_name == "structure":
            return self.required(shape)
        if shape.type_name == "list":
            return [self.value(name.removesuffix("s"), shape.member)]
        if name in VALUES:
            return VALUES[name]
        if getattr(shape, "enum", None):
            return shape.enum[0]
        return {"integer": 1, "long": 1, "boolean": True, "blob": b"x", "float": 1.0, "double": 1.0}.get(shape.type_name, "nobody")

    def test_every_operation_says_what_it_would(self):
        served = set(services.served("ec2"))
        methods = {operation: method for method, operation in self.ec2.meta.method_to_api_mapping.items()}
        asked = refused = 0
        for operation in sorted(served):
            shape = self.ec2.meta.service_model.operation_model(operation).input_shape
            if "DryRun" not in shape.members:
                continue
            arguments = self.required(shape)
            with self.subTest(operation=operation, **arguments):
                before = self.world()
                dry = self.said(methods[operation], **arguments, DryRun=True)
                self.assertIsNotNone(dry)
                self.assertEqual(self.world(), before)
                real = self.said(methods[operation], **arguments)
                self.assertEqual(dry[0], real[0] if real else "DryRunOperation", (dry, real))
                asked, refused = asked + 1, refused + bool(real)
        self.assertGreater(asked, 100)
        self.assertGreater(refused, 60)

    def test_who_may_not_is_told_so_first(self):
        iam = self.kiln.client("iam")
        iam.create_user(UserName="nobody")
        key = iam.create_access_key(UserName="nobody")["AccessKey"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:CreateVpc", "Resource": "*"}]}
        iam.put_user_policy(UserName="nobody", PolicyName="p", PolicyDocument=json.dumps(policy))
        own, self.ec2 = self.ec2, self.kiln.client("ec2", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        self.addCleanup(setattr, self, "ec2", own)
        self.assertEqual(self.said("delete_vpc", VpcId=f"vpc-{NOTHING}", DryRun=True)[0], "UnauthorizedOperation")
        self.assertEqual(self.said("run_instances", ImageId=self.image, MinCount=1, MaxCount=1, DryRun=True)[0], "UnauthorizedOperation")
        self.assertEqual(self.said("create_vpc", CidrBlock="10.0.0.0/16", DryRun=True)[0], "DryRunOperation")
        self.assertEqual(self.said("create_vpc", CidrBlock="10.0.0.0/8", DryRun=True)[0], "InvalidVpc.Range")


if __name__ == "__main__":
    unittest.main()
