"""Regions are AWS's, each with its partition and its zones' ids; a name that is none is refused as AWS refuses it."""
import json
import subprocess
import tempfile
import unittest

import botocore.session
from botocore.exceptions import ClientError

import services
from kiln import BINARY, Kiln, wait_for

PARTITIONS = {"us-east-1": ("aws", "amazonaws.com"), "cn-north-1": ("aws-cn", "amazonaws.com.cn"), "us-gov-west-1": ("aws-us-gov", "amazonaws.com")}


class Regions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = Kiln().start()
        cls.addClassCleanup(cls.kiln.close)

    def at(self, region, service):
        return self.kiln.client(service, region_name=region)

    def test_a_region_that_is_none_is_no_empty_world(self):
        calls = [
            ("ec2", "describe_vpcs", "AuthFailure"),
            ("iam", "list_users", "SignatureDoesNotMatch"),
            ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
            ("cloudformation", "describe_stacks", "SignatureDoesNotMatch"),
            ("autoscaling", "describe_auto_scaling_groups", "SignatureDoesNotMatch"),
            ("elbv2", "describe_load_balancers", "SignatureDoesNotMatch"),
            ("ssm", "describe_parameters", "InvalidSignatureException"),
            ("kms", "list_keys", "InvalidSignatureException"),
            ("sqs", "list_queues", "InvalidSignatureException"),
            ("sns", "list_topics", "SignatureDoesNotMatch"),
            ("cloudwatch", "list_metrics", "InvalidSignatureException"),
            ("cloudtrail", "lookup_events", "InvalidSignatureException"),
            ("events", "list_rules", "InvalidSignatureException"),
            ("logs", "describe_log_groups", "InvalidSignatureException"),
            ("scheduler", "list_schedules", "InvalidSignatureException"),
            ("secretsmanager", "list_secrets", "InvalidSignatureException"),
            ("s3", "list_buckets", "AuthorizationHeaderMalformed"),
        ]
        self.assertEqual(sorted(service for service, _, _ in calls), sorted(services.botocore_names()), "a call of each service")
        for region in ("mars-1", "us-east-9", "US", "us-east-1a"):
            for service, call, code in calls:
                with self.subTest(region=region, service=service), self.assertRaises(ClientError) as raised:
                    getattr(self.at(region, service), call)()
                self.assertEqual(raised.exception.response["Error"]["Code"], code)
        with self.assertRaises(ClientError) as raised:
            self.at("mars-1", "sts").get_caller_identity()
        self.assertIn("Credential should be scoped to a valid region", str(raised.exception))

    def test_a_region_that_is_named_is_one_too(self):
        ec2 = self.at("us-east-1", "ec2")
        image = next(i for i in ec2.describe_images()["Images"])["ImageId"]
        for region in ("mars-1", "cn-north-1"):
            with self.assertRaises(ClientError) as raised:
                ec2.copy_image(Name="copy", SourceImageId=image, SourceRegion=region)
            self.assertEqual(raised.exception.response["Error"]["Code"], "InvalidParameterValue")
        zones = {"Fn::Select": [0, {"Fn::GetAZs": "mars-1"}]}
        template = {"Resources": {"V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "z", "Value": zones}]}}}}
        with self.assertRaises(ClientError) as raised:
            self.at("us-east-1", "cloudformation").create_stack(StackName="Nowhere", TemplateBody=json.dumps(template))
        self.assertIn("mars-1 in Fn::GetAZs is not a region", str(raised.exception))

    def test_regions_are_those_of_the_partition(self):
        known = botocore.session.get_session()
        for region, (partition, suffix) in PARTITIONS.items():
            ec2 = self.at(region, "ec2")
            told = ec2.describe_regions(AllRegions=True)["Regions"]
            self.assertEqual([r["RegionName"] for r in told], sorted(known.get_available_regions("ec2", partition)))
            self.assertTrue(all(r["Endpoint"] == f"ec2.{r['RegionName']}.{suffix}" for r in told))
            others = next(name for name in PARTITIONS if name != region)
            with self.assertRaises(ClientError):
                ec2.describe_regions(RegionNames=[others])
        status = {r["RegionName"]: r["OptInStatus"] for r in self.at("us-east-1", "ec2").describe_regions()["Regions"]}
        self.assertEqual((status["us-east-1"], status["ap-southeast-5"]), ("opt-in-not-required", "opted-in"))

    def test_zones_have_aws_s_ids(self):
        for region, names, ids in [
            ("us-east-1", "abc", ["use1-az1", "use1-az2", "use1-az3"]),
            ("ap-southeast-5", "abc", ["apse5-az1", "apse5-az2", "apse5-az3"]),
            ("ap-northeast-1", "acd", ["apne1-az1", "apne1-az2", "apne1-az4"]),
            ("us-gov-east-1", "abc", ["usge1-az1", "usge1-az2", "usge1-az3"]),
            ("cn-northwest-1", "abc", ["cnnw1-az1", "cnnw1-az2", "cnnw1-az3"]),
        ]:
            zones = self.at(region, "ec2").describe_availability_zones()["AvailabilityZones"]
            self.assertEqual([z["ZoneName"] for z in zones], [region + letter for letter in names])
            self.assertEqual([z["ZoneId"] for z in zones], ids)
        seen = set()
        for region in self.at("us-east-1", "ec2").describe_regions()["Regions"]:
            ids = {z["ZoneId"] for z in self.at(region["RegionName"], "ec2").describe_availability_zones()["AvailabilityZones"]}
            self.assertFalse(ids & seen, region)
            seen |= ids

    def test_what_is_made_in_a_partition_is_named_by_it(self):
        template = json.dumps({
            "Resources": {"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}, "Store": {"Type": "AWS::S3::Bucket"}},
            "Outputs": {name: {"Value": {"Ref": f"AWS::{name}"}} for name in ("Partition", "URLSuffix", "Region")} | {"Arn": {"Value": {"Fn::GetAtt": ["Store", "Arn"]}}},
        })
        for region, (partition, suffix) in PARTITIONS.items():
            identity = self.at(region, "sts").get_caller_identity()
            self.assertEqual(identity["Arn"], f"arn:{partition}:iam::{identity['Account']}:root")
            stacks = self.at(region, "cloudformation")
            made = stacks.create_stack(StackName="Partition", TemplateBody=template)["StackId"]
            self.assertTrue(made.startswith(f"arn:{partition}:cloudformation:{region}:"), made)
            stack = wait_for("the stack", lambda: next(s for s in stacks.describe_stacks(StackName=made)["Stacks"] if s["StackStatus"] == "CREATE_COMPLETE"))
            told = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
            self.assertEqual((told["Partition"], told["URLSuffix"], told["Region"]), (partition, suffix, region))
            self.assertTrue(told["Arn"].startswith(f"arn:{partition}:s3:::"), told)
            name = f"role-{partition}"
            trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:{partition}:iam::{identity['Account']}:root"}}]}
            iam = self.at(region, "iam")
            role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
            self.assertEqual(role["Arn"], f"arn:{partition}:iam::{identity['Account']}:role/{name}")
            iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:{partition}:iam::aws:policy/AmazonEC2ReadOnlyAccess")
            user = iam.create_user(UserName=f"user-{partition}")["User"]["UserName"]
            allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role["Arn"]}]}
            iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(allow))
            key = iam.create_access_key(UserName=user)["AccessKey"]
            theirs = self.kiln.client("sts", region_name=region, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
            session = theirs.assume_role(RoleArn=role["Arn"], RoleSessionName="session")
            self.assertEqual(session["AssumedRoleUser"]["Arn"], f"arn:{partition}:sts::{identity['Account']}:assumed-role/{name}/session")
            keys = session["Credentials"]
            ec2 = self.kiln.client("ec2", region_name=region, aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"])
            self.assertTrue(ec2.describe_vpcs()["Vpcs"])

    def test_kiln_begins_in_a_region_that_is_one(self):
        with tempfile.TemporaryDirectory() as state:
            for region in ("mars-1", "US", "us-east-1a", ""):
                done = subprocess.run([BINARY, "--state-dir", state, "up", "--port", "0", "--machines", "sim", "--region", region], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn("AWS has no such region", done.stderr)


if __name__ == "__main__":
    unittest.main()
