"""Auto Scaling through boto3: groups fill, heal, shrink and say truthfully why.

The control plane is the real one with simulated machines: a whole story takes seconds.
"""
import time
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for

KILN = None


def setUpModule():
    global KILN
    KILN = Kiln(machines="sim")
    unittest.addModuleCleanup(KILN.close)
    KILN.start()
    wait_for("the base image", lambda: KILN.status()["base_image"]["state"] == "ready", seconds=60)


class Groups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ec2, cls.elb, cls.asg = KILN.client("ec2"), KILN.client("elbv2"), KILN.client("autoscaling")
        cls.image = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        subnets = cls.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        cls.vpc = subnets[0]["VpcId"]
        cls.subnets = [s["SubnetId"] for s in sorted(subnets, key=lambda s: s["AvailabilityZone"])]
        cls.open = cls.ec2.create_security_group(GroupName="open", Description="all", VpcId=cls.vpc)["GroupId"]
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        cls.ec2.authorize_security_group_ingress(GroupId=cls.open, IpPermissions=[everything])
        cls.template = cls.ec2.create_launch_template(
            LaunchTemplateName="web",
            LaunchTemplateData={"ImageId": cls.image, "InstanceType": "t3.micro", "SecurityGroupIds": [cls.open]},
        )["LaunchTemplate"]["LaunchTemplateId"]

    def group(self, desired=3, **more):
        name = f"{self._testMethodName[:60]}-{time.time_ns() % 10**6}"
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName=name,
            **{
                "LaunchTemplate": {"LaunchTemplateId": self.template},
                "MinSize": 0,
                "MaxSize": 6,
                "DesiredCapacity": desired,
                "VPCZoneIdentifier": ",".join(self.subnets),
                **more,
            },
        )
        self.addCleanup(self.remove, name)
        return name

    def remove(self, name):
        if self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]:
            self.asg.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        wait_for(f"{name} to be gone", lambda: not self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"], 20)

    def see(self, name):
        return self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]

    def serving(self, name):
        return sorted(i["InstanceId"] for i in self.see(name)["Instances"] if i["LifecycleState"] == "InService")

    def wait_serving(self, name, n, without=()):
        def settled():
            serving = self.serving(name)
            return len(serving) == n == len(self.see(name)["Instances"]) and not set(without) & set(serving) and (serving or True)

        return wait_for(f"{n} instances in service", settled, 20, 0.02)

    def activities(self, name):
        return self.asg.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]

    def lifecycle(self, instance):
        found = self.asg.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"]
        return found[0]["LifecycleState"] if found else None

    def refused(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            getattr(self.asg, call)(**arguments)
        error = caught.exception.response["Error"]
        return error["Code"], error["Message"]

    def test_a_group_fills_and_spreads(self):
        name = self.group(3, Tags=[{"Key": "Team", "Value": "shop", "PropagateAtLaunch": True}, {"Key": "own", "Value": "1", "PropagateAtLaunch": False}])
        serving = self.wait_serving(name, 3)
        self.assertEqual(len({i["AvailabilityZone"] for i in self.see(name)["Instances"]}), 3)
        machine = self.ec2.describe_instances(InstanceIds=serving[:1])["Reservations"][0]["Instances"][0]
        tags = {t["Key"]: t["Value"] for t in machine["Tags"]}
        self.assertEqual((tags["Team"], tags["aws:autoscaling:groupName"]), ("shop", name))
        self.assertNotIn("own", tags)
        done = wait_for("the activities to end", lambda: (a := self.activities(name)) and all(x["StatusCode"] == "Successful" for x in a) and a)
        self.assertEqual(len(done), 3)
        self.assertRegex(done[0]["Cause"], r"^At \S+Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 3\.  At \S+Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 3\.$")
        self.assertEqual({a["Description"] for a in done}, {f"Launching a new EC2 instance: {i}" for i in serving})

    def test_a_dead_machine_is_replaced_and_the_cause_is_true(self):
        name = self.group(3)
        before = self.wait_serving(name, 3)
        began = time.monotonic()
        KILN.cli("fault", "kill", before[0])
        wait_for("the replacement", lambda: len(s := self.serving(name)) == 3 and before[0] not in s, 20, 0.01)
        took = time.monotonic() - began
        self.wait_serving(name, 3, without=before[:1])
        newest = self.activities(name)[:2]
        causes = {a["Description"].split(":")[0]: a["Cause"] for a in newest}
        self.assertRegex(causes["Terminating EC2 instance"], r"^At \S+Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped\.$")
        self.assertRegex(causes["Launching a new EC2 instance"], r"^At \S+Z an instance was launched in response to an unhealthy instance needing to be replaced\.$")
        print(f"replaced in {took * 1000:.0f} ms")
        self.assertLess(took, 2)

    def test_behind_a_load_balancer(self):
        group = self.elb.create_target_group(
            Name=f"t{time.time_ns() % 10**9}", Protocol="HTTP", Port=80, VpcId=self.vpc, HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}])
        balancer = self.elb.create_load_balancer(Name=f"b{time.time_ns() % 10**9}", Subnets=self.subnets, SecurityGroups=[self.open])["LoadBalancers"][0]["LoadBalancerArn"]
        self.addCleanup(self.elb.delete_load_balancer, LoadBalancerArn=balancer)
        self.elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=8081, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
        name = self.group(3, TargetGroupARNs=[group], HealthCheckType="ELB", HealthCheckGracePeriod=60)
        healthy = lambda: {t["Target"]["Id"] for t in self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] if t["TargetHealth"]["State"] == "healthy"}  # noqa: E731
        before = self.wait_serving(name, 3)
        wait_for("three healthy targets", lambda: healthy() == set(before), 40)
        wait_for("the target group InService", lambda: self.asg.describe_traffic_sources(AutoScalingGroupName=name)["TrafficSources"][0]["State"] == "InService", 10)
        began = time.monotonic()
        KILN.cli("fault", "kill", before[0])
        wait_for("the replacement healthy", lambda: len(h := healthy()) == 3 and before[0] not in h, 40, 0.01)
        print(f"replaced behind the load balancer in {(time.monotonic() - began) * 1000:.0f} ms")
        wait_for("the dead one gone from the targets", lambda: before[0] not in {t["Target"]["Id"] for t in self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]}, 20)
        after = self.wait_serving(name, 3, without=before[:1])
        # One that leaves alive is drained first.
        self.asg.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
        left = self.wait_serving(name, 2)
        wait_for("two targets", lambda: {t["Target"]["Id"] for t in self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]} == set(left), 20)
        cause = self.activities(name)[0]["Cause"]
        gone = (set(after) - set(left)).pop()
        self.assertRegex(cause, rf"^At \S+Z a user request explicitly set group desired capacity changing the desired capacity from 3 to 2\.  At \S+Z an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 3 to 2\.  At \S+Z instance {gone} was selected for termination\.$")
        self.asg.detach_traffic_sources(AutoScalingGroupName=name, TrafficSources=[{"Identifier": group}])
        wait_for("no targets", lambda: not self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"], 20)
        wait_for("the target group detached", lambda: not self.asg.describe_load_balancer_target_groups(AutoScalingGroupName=name)["LoadBalancerTargetGroups"], 10)

    def test_one_that_its_load_balancer_finds_ill_is_replaced_after_the_grace_period(self):
        group = self.elb.create_target_group(
            Name=f"t{time.time_ns() % 10**9}", Protocol="HTTP", Port=80, VpcId=self.vpc, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2
        )["TargetGroups"][0]["TargetGroupArn"]
        balancer = self.elb.create_load_balancer(Name=f"b{time.time_ns() % 10**9}", Subnets=self.subnets, SecurityGroups=[self.open])["LoadBalancers"][0]["LoadBalancerArn"]
        self.addCleanup(self.elb.delete_load_balancer, LoadBalancerArn=balancer)
        self.elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=8082, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
        # Nobody is let in, so the checks time out; EC2 finds nothing wrong.
        closed = self.ec2.create_security_group(GroupName=f"closed-{time.time_ns()}", Description="none", VpcId=self.vpc)["GroupId"]
        template = self.ec2.create_launch_template(
            LaunchTemplateName=f"closed-{time.time_ns()}", LaunchTemplateData={"ImageId": self.image, "InstanceType": "t3.micro", "SecurityGroupIds": [closed]}
        )["LaunchTemplate"]["LaunchTemplateId"]
        grace = 14
        name = self.group(1, LaunchTemplate={"LaunchTemplateId": template}, TargetGroupARNs=[group], HealthCheckType="ELB", HealthCheckGracePeriod=grace)
        first = self.wait_serving(name, 1)[0]
        began = time.monotonic()
        unhealthy = lambda: self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]["TargetHealth"]  # noqa: E731
        wait_for("the target to be unhealthy", lambda: unhealthy()["State"] == "unhealthy", 20)
        self.assertEqual((unhealthy()["Reason"], unhealthy()["Description"]), ("Target.Timeout", "Request timed out"))
        self.assertEqual((self.serving(name), self.see(name)["Instances"][0]["HealthStatus"]), ([first], "Healthy"), "the grace period protects it")
        wait_for("it to be replaced", lambda: first not in self.serving(name), 20)
        self.assertGreaterEqual(time.monotonic() - began, grace - 1)
        another = "in response to an unhealthy instance needing to be replaced"
        wait_for("another to be launched", lambda: any(another in a["Cause"] for a in self.activities(name)), 20)
        causes = {a["Description"]: a["Cause"] for a in self.activities(name)}
        ill = next(cause for what, cause in causes.items() if what.startswith(f"Terminating EC2 instance: {first}"))
        self.assertRegex(ill, r"^At \S+Z an instance was taken out of service in response to an ELB system health check failure\.$")

    def test_hooks_hold_instances_until_somebody_decides(self):
        launch = {"LifecycleHookName": "in", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "HeartbeatTimeout": 300}
        leave = {"LifecycleHookName": "out", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 300}
        name = self.group(1, LifecycleHookSpecificationList=[launch, leave])
        waiting = wait_for("Pending:Wait", lambda: [i["InstanceId"] for i in self.see(name)["Instances"] if i["LifecycleState"] == "Pending:Wait"])[0]
        self.assertEqual(self.activities(name)[0]["StatusCode"], "MidLifecycleAction")
        self.asg.record_lifecycle_action_heartbeat(AutoScalingGroupName=name, LifecycleHookName="in", InstanceId=waiting)
        self.asg.complete_lifecycle_action(AutoScalingGroupName=name, LifecycleHookName="in", InstanceId=waiting, LifecycleActionResult="ABANDON")
        second = wait_for("another", lambda: [i["InstanceId"] for i in self.see(name)["Instances"] if i["LifecycleState"] == "Pending:Wait" and i["InstanceId"] != waiting])[0]
        failed = [a for a in self.activities(name) if a["StatusCode"] == "Failed"]
        self.assertIn("was abandoned: Lifecycle Action Completed with ABANDON Result", failed[0]["StatusMessage"])
        self.asg.complete_lifecycle_action(AutoScalingGroupName=name, LifecycleHookName="in", InstanceId=second, LifecycleActionResult="CONTINUE")
        wait_for("InService", lambda: self.lifecycle(second) == "InService")
        self.asg.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=True)
        wait_for("Terminating:Wait", lambda: self.lifecycle(second) == "Terminating:Wait")
        running = self.ec2.describe_instances(InstanceIds=[second])["Reservations"][0]["Instances"][0]["State"]["Name"]
        self.assertEqual(running, "running")
        self.asg.complete_lifecycle_action(AutoScalingGroupName=name, LifecycleHookName="out", InstanceId=second, LifecycleActionResult="CONTINUE")
        wait_for("it to be gone", lambda: self.lifecycle(second) is None)
        code, message = self.refused("complete_lifecycle_action", AutoScalingGroupName=name, LifecycleHookName="out", InstanceId=second, LifecycleActionResult="CONTINUE")
        self.assertEqual((code, message), ("ValidationError", f"No active Lifecycle Action found with instance ID {second}"))

    def test_standby_detach_and_attach(self):
        name = self.group(2)
        one, two = self.wait_serving(name, 2)
        moved = self.asg.enter_standby(AutoScalingGroupName=name, InstanceIds=[one], ShouldDecrementDesiredCapacity=True)["Activities"][0]
        self.assertRegex(moved["Cause"], rf"^At \S+Z instance {one} was moved to standby in response to a user request, shrinking the capacity from 2 to 1\.$")
        wait_for("Standby", lambda: self.lifecycle(one) == "Standby")
        self.asg.exit_standby(AutoScalingGroupName=name, InstanceIds=[one])
        self.wait_serving(name, 2)
        self.asg.detach_instances(AutoScalingGroupName=name, InstanceIds=[one], ShouldDecrementDesiredCapacity=True)
        self.assertEqual(self.wait_serving(name, 1), [two])
        machine = self.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
        self.assertEqual(machine["State"]["Name"], "running")
        self.assertNotIn("aws:autoscaling:groupName", [t["Key"] for t in machine.get("Tags", [])])
        self.asg.attach_instances(AutoScalingGroupName=name, InstanceIds=[one])
        self.assertEqual(self.wait_serving(name, 2), [one, two])
        self.assertEqual(self.see(name)["DesiredCapacity"], 2)

    def test_reported_health_protection_and_suspended_processes(self):
        name = self.group(2)
        one, two = self.wait_serving(name, 2)
        self.asg.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["ReplaceUnhealthy"])
        self.asg.set_instance_health(InstanceId=one, HealthStatus="Unhealthy")
        waits = f"ReplaceUnhealthy and Terminate to be resumed; {one} is unhealthy"
        wait_for("the group to have looked", lambda: waits in KILN.cli("explain", name).stdout)
        self.assertEqual({i["HealthStatus"] for i in self.see(name)["Instances"]}, {"Healthy", "Unhealthy"})
        self.asg.resume_processes(AutoScalingGroupName=name)
        third = set(self.wait_serving(name, 2, without=[one])) - {two}
        self.assertIn("in response to a user health-check.", " ".join(a["Cause"] for a in self.activities(name)))
        self.asg.set_instance_protection(AutoScalingGroupName=name, InstanceIds=[two], ProtectedFromScaleIn=True)
        self.asg.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=0)
        self.assertEqual(wait_for("one left", lambda: (s := self.serving(name)) and len(self.see(name)["Instances"]) == 1 and s), [two])
        self.assertTrue(third)
        self.asg.set_instance_protection(AutoScalingGroupName=name, InstanceIds=[two], ProtectedFromScaleIn=False)
        self.wait_serving(name, 0)
        self.asg.delete_auto_scaling_group(AutoScalingGroupName=name)

    def test_a_launch_that_cannot_succeed_says_why(self):
        template = self.ec2.create_launch_template(LaunchTemplateName=f"bad-{time.time_ns()}", LaunchTemplateData={"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro"})
        name = self.group(1, LaunchTemplate={"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"]})
        failed = wait_for("a failed activity", lambda: [a for a in self.activities(name) if a["StatusCode"] == "Failed"])[0]
        self.assertIn("ami-0123456789abcdef0", failed["StatusMessage"])
        self.assertTrue(failed["StatusMessage"].endswith("Launching EC2 instance failed."))
        self.asg.update_auto_scaling_group(AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateId": self.template, "Version": "$Latest"})
        self.wait_serving(name, 1)

    def test_launch_configurations_still_work(self):
        lc = f"lc-{time.time_ns()}"
        self.asg.create_launch_configuration(LaunchConfigurationName=lc, ImageId=self.image, InstanceType="t3.micro", SecurityGroups=[self.open])
        name = f"by-{lc}"
        self.asg.create_auto_scaling_group(AutoScalingGroupName=name, LaunchConfigurationName=lc, MinSize=1, MaxSize=1, AvailabilityZones=["us-east-1b"])
        self.addCleanup(self.remove, name)
        self.wait_serving(name, 1)
        self.assertEqual(self.see(name)["Instances"][0]["AvailabilityZone"], "us-east-1b")
        self.assertEqual(self.refused("delete_launch_configuration", LaunchConfigurationName=lc)[0], "ResourceInUse")

    def test_what_is_wrong_is_refused_in_awss_words(self):
        name = self.group(0, MaxSize=2)
        again = dict(AutoScalingGroupName=name, MinSize=0, MaxSize=1, VPCZoneIdentifier=self.subnets[0], LaunchTemplate={"LaunchTemplateId": self.template})
        self.assertEqual(self.refused("create_auto_scaling_group", **again), ("AlreadyExists", f"AutoScalingGroup by this name already exists - A group with the name {name} already exists"))
        table = [
            ("set_desired_capacity", dict(AutoScalingGroupName=name, DesiredCapacity=3), "ValidationError", "New SetDesiredCapacity value 3 is above max value 2 for the AutoScalingGroup."),
            ("set_desired_capacity", dict(AutoScalingGroupName="nobody", DesiredCapacity=3), "ValidationError", "AutoScalingGroup name not found - AutoScalingGroup 'nobody' not found"),
            ("update_auto_scaling_group", dict(AutoScalingGroupName=name, MinSize=3), "ValidationError", "Max bound, 2, must be greater than or equal to min bound, 3"),
            ("create_auto_scaling_group", {**again, "AutoScalingGroupName": "x", "LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0"}}, "ValidationError", "You must use a valid fully-formed launch template."),
            ("create_auto_scaling_group", {**again, "AutoScalingGroupName": "x", "VPCZoneIdentifier": "subnet-0123456789abcdef0"}, "ValidationError", "subnet-0123456789abcdef0"),
            ("create_auto_scaling_group", {**again, "AutoScalingGroupName": "x", "TargetGroupARNs": ["arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/no/0123456789abcdef"]}, "ValidationError", "Provided Target Groups may not be valid"),
            ("put_lifecycle_hook", dict(AutoScalingGroupName=name, LifecycleHookName="h"), "ValidationError", "Lifecycle Transition"),
            ("put_scaling_policy", dict(AutoScalingGroupName=name, PolicyName="p"), "NotImplemented", "autoscaling:PutScalingPolicy"),
            ("terminate_instance_in_auto_scaling_group", dict(InstanceId="i-0123456789abcdef0", ShouldDecrementDesiredCapacity=True), "ValidationError", "Instance Id not found - No managed instance found for instance ID: i-0123456789abcdef0"),
        ]
        for call, arguments, code, message in table:
            with self.subTest(call=call, message=message):
                got = self.refused(call, **arguments)
                self.assertEqual(got[0], code)
                self.assertIn(message, got[1])
        self.assertEqual(self.asg.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"], [])


if __name__ == "__main__":
    unittest.main()
