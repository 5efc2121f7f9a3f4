"""Real machines through the AWS API: what RunInstances, stop, start, reboot and terminate say is
what happens, security groups are enforced, user data runs once, a killed kiln adopts its machines.

One kiln for all tests of this file: its base image takes a minute or two to build.
"""
import json
import time
import unittest

import botocore.exceptions

from images import imported
from kiln import Kiln, wait_for

SERVICES = "ec2"

KILN = None


def setUpModule():
    global KILN
    KILN = Kiln(machines="local")
    unittest.addModuleCleanup(KILN.close)
    KILN.with_base()


class Machines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ec2 = KILN.client("ec2")
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.httpd = imported(KILN)
        vpc = cls.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        cls.vpc = vpc
        cls.web = cls.ec2.create_security_group(GroupName="web", Description="port 8080 for all", VpcId=vpc)["GroupId"]
        cls.ec2.authorize_security_group_ingress(
            GroupId=cls.web, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        )

    def launch(self, image, groups=None, **more):
        made = self.ec2.run_instances(
            ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", SecurityGroupIds=groups or [self.web], **more
        )["Instances"][0]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[made["InstanceId"]])
        return made["InstanceId"]

    def state(self, instance):
        return self.describe(instance)["State"]["Name"]

    def describe(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def wait(self, instance, state, seconds=30):
        wait_for(f"{instance} {state}", lambda: self.state(instance) == state, seconds)

    def console(self, instance):
        """What GetConsoleOutput gives. The wire has it in base64; boto3 takes that off by itself."""
        return self.ec2.get_console_output(InstanceId=instance).get("Output", "")

    def console_with(self, instance, text, seconds=60):
        """The console once it holds the text; a failure shows all of it."""
        try:
            return wait_for(f"{text!r} in the console", lambda: text in (seen := self.console(instance)) and seen, seconds)
        except AssertionError as error:
            explained = KILN.cli("explain", instance, check=False).stdout
            raise AssertionError(f"{error}\nconsole of {instance}:\n{self.console(instance)}\n{explained}") from None

    def answers(self, instance, port, seconds=10):
        return KILN.cli("probe", instance, str(port), "--seconds", str(seconds), check=False).returncode == 0

    def test_a_machine_lives_as_its_state_says(self):
        instance = self.launch(self.httpd)
        self.wait(instance, "running")
        self.assertTrue(self.answers(instance, 8080))
        self.ec2.stop_instances(InstanceIds=[instance])
        self.wait(instance, "stopped")
        self.assertFalse(self.answers(instance, 8080, seconds=1))
        self.ec2.start_instances(InstanceIds=[instance])
        self.wait(instance, "running")
        self.assertTrue(self.answers(instance, 8080))
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.wait(instance, "terminated")
        self.assertNotIn(instance, [m["id"] for m in KILN.status()["machines"]])

    def test_a_port_that_is_not_opened_cannot_be_reached_and_rules_act_on_live_machines(self):
        closed = self.ec2.create_security_group(GroupName="closed", Description="nothing", VpcId=self.vpc)["GroupId"]
        instance = self.launch(self.httpd, [closed])
        self.wait(instance, "running")
        self.assertFalse(self.answers(instance, 8080, seconds=1))
        rule = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        self.ec2.authorize_security_group_ingress(GroupId=closed, IpPermissions=[rule])
        self.assertTrue(self.answers(instance, 8080))
        self.ec2.revoke_security_group_ingress(GroupId=closed, IpPermissions=[rule])
        wait_for("the port to close", lambda: not self.answers(instance, 8080, seconds=0), 10)

    def test_a_machine_that_dies_by_itself_says_why(self):
        instance = self.launch(self.httpd)
        self.wait(instance, "running")
        KILN.cli("fault", "kill", instance)
        self.wait(instance, "stopped")
        self.assertIn("SIGKILL", self.describe(instance)["StateReason"]["Message"])

    def test_user_data_runs_once_and_its_output_is_in_the_console(self):
        script = "#!/bin/sh\necho once-$((40 + 2))\ndate +%s%N >> /root/runs\ncat /root/runs | wc -l | sed 's/^/runs: /'\n"
        instance = self.launch(self.base, UserData=script)
        self.assertIn("once-42", self.console_with(instance, "user data finished with exit status 0"))
        self.ec2.reboot_instances(InstanceIds=[instance])
        wait_for("the second boot", lambda: next(m for m in KILN.status()["machines"] if m["id"] == instance)["boots"] == 2, 60)
        done = KILN.cli("shell", instance, "--", "cat", "/root/runs")
        self.assertEqual(len(done.stdout.split()), 1)

    def test_metadata_needs_a_token_where_tokens_are_required(self):
        instance = self.launch(self.base, MetadataOptions={"HttpTokens": "required"})
        self.wait(instance, "running")
        curl = lambda *words: KILN.cli("shell", instance, "--", "curl", "-s", "--max-time", "5", *words, check=False).stdout  # noqa: E731
        base = "http://169.254.169.254/latest"
        wait_for("the metadata service", lambda: curl("-o", "/dev/null", "-w", "%{http_code}", f"{base}/meta-data/instance-id") == "401", 30)
        token = curl("-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", f"{base}/api/token")
        self.assertEqual(curl("-H", f"X-aws-ec2-metadata-token: {token}", f"{base}/meta-data/instance-id"), instance)

    def test_metadata_tells_what_an_auto_scaling_group_makes_of_the_instance(self):
        groups, name = KILN.client("autoscaling"), f"told-{time.time_ns()}"
        groups.create_launch_configuration(LaunchConfigurationName=name, ImageId=self.base, InstanceType="t3.nano", MetadataOptions={"HttpTokens": "optional"})
        gone = lambda: not groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]  # noqa: E731
        self.addCleanup(lambda: (wait_for("the group's end", gone), groups.delete_launch_configuration(LaunchConfigurationName=name)))
        groups.create_auto_scaling_group(AutoScalingGroupName=name, LaunchConfigurationName=name, MinSize=0, MaxSize=1, DesiredCapacity=1, AvailabilityZones=["us-east-1a"])
        self.addCleanup(groups.delete_auto_scaling_group, AutoScalingGroupName=name, ForceDelete=True)
        members = lambda: groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]["Instances"]  # noqa: E731
        instance = wait_for("an instance", lambda: (found := members()) and found[0]["LifecycleState"] == "InService" and found[0]["InstanceId"])
        get = lambda path: KILN.cli("shell", instance, "--", "curl", "-sf", "--max-time", "5", f"http://169.254.169.254/{path}", check=False).stdout  # noqa: E731
        state = "latest/meta-data/autoscaling/target-lifecycle-state"
        wait_for("the target state", lambda: get(state) == "InService", 30)
        self.assertIn("autoscaling/", get("2021-07-15/meta-data/").split())
        self.assertNotIn("autoscaling/", get("2021-03-23/meta-data/").split())
        self.assertEqual(get("latest/meta-data/block-device-mapping/root"), self.describe(instance)["RootDeviceName"])
        groups.enter_standby(AutoScalingGroupName=name, InstanceIds=[instance], ShouldDecrementDesiredCapacity=True)
        wait_for("standby", lambda: get(state) == "Standby", 30)

    def test_metadata_gives_the_credentials_of_the_instance_s_role(self):
        iam, name = KILN.client("iam"), f"web-{time.time_ns()}"
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        instance = self.launch(
            self.base, IamInstanceProfile={"Name": name}, MetadataOptions={"HttpTokens": "optional", "InstanceMetadataTags": "enabled"},
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "ada"}]}], UserData="#!/bin/sh\n",
        )
        self.wait(instance, "running")
        get = lambda path: KILN.cli("shell", instance, "--", "curl", "-sf", "--max-time", "5", f"http://169.254.169.254/latest/{path}", check=False).stdout  # noqa: E731
        wait_for("the metadata service", lambda: get("meta-data/instance-id") == instance, 30)
        shown = self.describe(instance)
        self.assertEqual(get("meta-data/local-ipv4"), shown["PrivateIpAddress"])
        self.assertEqual(get("meta-data/network/interfaces/macs/").strip("/"), shown["NetworkInterfaces"][0]["MacAddress"])
        self.assertEqual(get("meta-data/tags/instance/Name"), "ada")
        self.assertEqual(get("user-data"), "#!/bin/sh\n")
        self.assertEqual(json.loads(get("dynamic/instance-identity/document"))["instanceId"], instance)
        self.assertEqual(get("meta-data/iam/security-credentials/"), name)
        given = json.loads(get(f"meta-data/iam/security-credentials/{name}"))
        self.assertEqual(given, json.loads(get(f"meta-data/iam/security-credentials/{name}")))
        sts = KILN.client("sts", aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"], aws_session_token=given["Token"])
        self.assertTrue(sts.get_caller_identity()["Arn"].endswith(f":assumed-role/{name}/{instance}"))

    def test_an_image_is_what_the_disk_was(self):
        instance = self.launch(self.base)
        self.wait(instance, "running")
        wait_for("a shell", lambda: KILN.cli("shell", instance, "--", "sh", "-c", "echo kept > /srv/kept && sync", check=False).returncode == 0, 30)
        image = self.ec2.create_image(InstanceId=instance, Name=f"kept-{time.time_ns()}")["ImageId"]
        wait_for("the image", lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", 60)
        copy = self.launch(image)
        self.wait(copy, "running")
        done = wait_for("a shell", lambda: (d := KILN.cli("shell", copy, "--", "cat", "/srv/kept", check=False)).returncode == 0 and d, 30)
        self.assertEqual(done.stdout, "kept\n")

    def test_machines_are_adopted_after_kill_9(self):
        instance = self.launch(self.httpd)
        self.wait(instance, "running")
        before = next(m for m in KILN.status()["machines"] if m["id"] == instance)
        KILN.kill()
        KILN.start()
        after = next(m for m in KILN.status()["machines"] if m["id"] == instance)
        self.assertEqual((before["pid"], before["boots"]), (after["pid"], after["boots"]))
        self.assertEqual(self.state(instance), "running")
        self.assertTrue(self.answers(instance, 8080))

    def test_dry_run_changes_nothing(self):
        before = len(self.ec2.describe_instances()["Reservations"])
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.ec2.run_instances(ImageId=self.httpd, MinCount=1, MaxCount=1, DryRun=True)
        self.assertEqual(caught.exception.response["Error"]["Code"], "DryRunOperation")
        self.assertEqual(len(self.ec2.describe_instances()["Reservations"]), before)


if __name__ == "__main__":
    unittest.main()
