"""Terraform with its AWS provider: the example shop and one resource of each further kind are planned,
made, found unchanged, changed in place and removed. Its state lies, locked, in a bucket of S3.
"""
import json
import shutil
import tempfile
import unittest

from kiln import ROOT, Kiln
from terraform_runs import Runs, needs_terraform, plugins

EXAMPLE = ROOT / "examples" / "securecart" / "terraform"
MORE = ROOT / "tests" / "clients" / "terraform"
MACHINES = '{"min": 1, "max": 4, "desired": %d}'


@needs_terraform
class Terraform(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = Kiln().start()
        cls.addClassCleanup(cls.kiln.close)
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        for file in [*EXAMPLE.glob("*.tf"), *MORE.glob("*.tf")]:
            shutil.copy(file, cls.work.name)
        cls.ec2, cls.s3, cls.ssm = (cls.kiln.client(service) for service in ("ec2", "s3", "ssm"))
        cls.s3.create_bucket(Bucket="state")
        cls.s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
        base = cls.ssm.get_parameter(Name="/aws/service/debian/release/12/latest/amd64")["Parameter"]["Value"]
        cls.ssm.put_parameter(Name="/securecart/image/current", Value=base, Type="String")

    def change(self, action, desired, changed, *more, expect=0):
        variables = ["-var", f"machines={MACHINES % desired}", "-var", f"changed={json.dumps(changed)}"]
        return self.terraform(action, "-input=false", *variables, *more, expect=expect)

    def test_a_shop_is_made_found_changed_and_removed(self):
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.change("apply", 2, False, "-auto-approve")
        self.check(2, 12, "hello", b"<h1>open</h1>", "admin", "10.0.0.0/8", "10")
        self.assertEqual(json.loads(self.terraform("output", "-json", "account")), "000000000000")
        # Two: there would be changes. Zero: all is as it was written down.
        self.change("plan", 2, False, "-detailed-exitcode")
        instance = self.admin()["InstanceId"]
        told = self.change("apply", 3, True, "-auto-approve")
        self.assertIn("0 added, 7 changed, 0 destroyed", told[-1000:])
        self.check(3, 12, "good evening", b"<h1>closed</h1>", "keeper", "10.20.0.0/16", "20")
        self.assertEqual(self.admin()["InstanceId"], instance, "changed in place")
        self.change("plan", 3, True, "-detailed-exitcode")
        self.change("destroy", 3, True, "-auto-approve")
        self.check_nothing_is_left()

    def admin(self):
        reservations = self.ec2.describe_instances(Filters=[{"Name": "key-name", "Values": ["admin"]}])["Reservations"]
        return reservations[0]["Instances"][0]

    def check(self, machines, size, greeting, page, name, admins, priority):
        """What was asked for is there, as another client sees it."""
        group = self.kiln.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
        self.assertEqual(group["DesiredCapacity"], machines)
        self.assertTrue(group["TargetGroupARNs"])
        admin = self.admin()
        self.assertIn({"Key": "Name", "Value": name}, admin["Tags"])
        address = self.ec2.describe_addresses()["Addresses"][0]
        self.assertEqual((address["InstanceId"], address["PublicIp"]), (admin["InstanceId"], admin["PublicIpAddress"]))
        volume = self.ec2.describe_volumes(VolumeIds=[admin["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"][0]
        self.assertEqual((volume["Size"], volume["VolumeType"]), (size, "gp3"))
        rules = self.ec2.describe_security_groups(GroupIds=[admin["SecurityGroups"][0]["GroupId"]])["SecurityGroups"][0]["IpPermissions"]
        self.assertEqual([r["CidrIp"] for rule in rules for r in rule["IpRanges"]], [admins])
        self.assertEqual(self.ssm.get_parameter(Name="/shop/greeting")["Parameter"]["Value"], greeting)
        self.assertEqual(self.ssm.get_parameter(Name="/shop/secret", WithDecryption=True)["Parameter"]["Value"], "hush")
        self.assertEqual(self.s3.get_object(Bucket="shop-files", Key="pages/a page+ü.html")["Body"].read(), page)
        balancers = self.kiln.client("elbv2")
        listener = balancers.describe_listeners(LoadBalancerArn=balancers.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"])["Listeners"][0]
        self.assertEqual([r["Priority"] for r in balancers.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]], [priority, "default"])
        state = json.loads(self.s3.get_object(Bucket="state", Key="shop/terraform.tfstate")["Body"].read())
        self.assertIn("aws_autoscaling_group", [resource["type"] for resource in state["resources"]])

    def check_nothing_is_left(self):
        for reservation in self.ec2.describe_instances()["Reservations"]:
            for instance in reservation["Instances"]:
                self.assertEqual(instance["State"]["Name"], "terminated")
        self.assertEqual([vpc for vpc in self.ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]], [])
        self.assertEqual(self.ec2.describe_volumes()["Volumes"] + self.ec2.describe_addresses()["Addresses"], [])
        self.assertEqual(self.ec2.describe_launch_templates()["LaunchTemplates"] + self.ec2.describe_key_pairs()["KeyPairs"], [])
        self.assertEqual([b["Name"] for b in self.s3.list_buckets()["Buckets"]], ["state"])
        # The state and no lock.
        self.assertEqual([o["Key"] for o in self.s3.list_objects_v2(Bucket="state")["Contents"]], ["shop/terraform.tfstate"])
        balancers = self.kiln.client("elbv2")
        self.assertEqual(balancers.describe_load_balancers()["LoadBalancers"] + balancers.describe_target_groups()["TargetGroups"], [])
        self.assertEqual(self.kiln.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"], [])
        iam = self.kiln.client("iam")
        self.assertEqual(iam.list_users()["Users"] + iam.list_instance_profiles()["InstanceProfiles"], [])
        self.assertEqual([role for role in iam.list_roles()["Roles"] if not role["Path"].startswith("/aws-service-role/")], [])


if __name__ == "__main__":
    unittest.main()
