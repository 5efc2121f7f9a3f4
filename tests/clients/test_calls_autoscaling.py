"""Auto Scaling's calls by boto3, each at least once. What groups do is in test_autoscaling.py."""

from calls import Calls
from kiln import wait_for


class AutoScaling(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.asg, cls.ec2, cls.elb = cls.kiln.client("autoscaling"), cls.kiln.client("ec2"), cls.kiln.client("elbv2")
        cls.image = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        subnets = cls.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        cls.vpc, cls.subnet = subnets[0]["VpcId"], subnets[0]["SubnetId"]
        cls.asg.create_launch_configuration(LaunchConfigurationName="old", ImageId=cls.image, InstanceType="t3.micro")

    def group(self, name, desired=0):
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchConfigurationName="old", MinSize=0, MaxSize=3, DesiredCapacity=desired, VPCZoneIdentifier=self.subnet,
        )
        self.addCleanup(self.asg.delete_auto_scaling_group, AutoScalingGroupName=name, ForceDelete=True)
        return {"AutoScalingGroupName": name}

    def show(self, group):
        return self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[group["AutoScalingGroupName"]])["AutoScalingGroups"][0]

    def test_tags(self):
        group = self.group("tagged")
        tag = {"ResourceId": "tagged", "ResourceType": "auto-scaling-group", "Key": "team", "Value": "a", "PropagateAtLaunch": True}
        self.asg.create_or_update_tags(Tags=[tag])
        self.asg.create_or_update_tags(Tags=[{**tag, "Value": "b"}])
        self.assertEqual(self.asg.describe_tags(Filters=[{"Name": "key", "Values": ["team"]}])["Tags"], [{**tag, "Value": "b"}])
        for value, found in (("true", 1), ("True", 1), ("FALSE", 0)):
            filters = [{"Name": "auto-scaling-group", "Values": ["tagged"]}, {"Name": "propagate-at-launch", "Values": [value]}]
            self.assertEqual(len(self.asg.describe_tags(Filters=filters)["Tags"]), found, value)
        self.assertEqual(self.refused(self.asg.describe_tags, Filters=[{"Name": "propagate-at-launch", "Values": ["maybe"]}]), "ValidationError")
        self.asg.set_desired_capacity(**group, DesiredCapacity=1)
        instance = wait_for("an instance", lambda: self.show(group)["Instances"])[0]["InstanceId"]
        tags = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance]}])["Tags"]
        self.assertIn(("team", "b"), [(each["Key"], each["Value"]) for each in tags])
        self.asg.delete_tags(Tags=[{key: tag[key] for key in ["ResourceId", "ResourceType", "Key"]}])
        self.assertEqual(self.show(group)["Tags"], [])

    def test_a_launch_template_is_shown_with_the_version_it_was_given(self):
        template = self.ec2.create_launch_template(LaunchTemplateName="plain", LaunchTemplateData={"ImageId": self.image, "InstanceType": "t3.micro"})
        known = {"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"], "LaunchTemplateName": "plain"}
        for number, given in enumerate(({}, {"Version": "$Default"}, {"Version": "$Latest"}, {"Version": "1"})):
            group = {"AutoScalingGroupName": f"templated-{number}"}
            self.asg.create_auto_scaling_group(**group, LaunchTemplate={"LaunchTemplateName": "plain", **given}, MinSize=0, MaxSize=1, VPCZoneIdentifier=self.subnet)
            self.addCleanup(self.asg.delete_auto_scaling_group, **group, ForceDelete=True)
            self.assertEqual(self.show(group)["LaunchTemplate"], {**known, **given})
        # Its instances are told the number, however it was found.
        self.asg.update_auto_scaling_group(AutoScalingGroupName="templated-0", DesiredCapacity=1)
        instance = wait_for("an instance", lambda: self.show({"AutoScalingGroupName": "templated-0"})["Instances"])[0]
        self.assertEqual(instance["LaunchTemplate"], {**known, "Version": "1"})

    def test_unknown_groups_are_told_as_each_call_tells_them(self):
        asg, none = self.asg, {"AutoScalingGroupName": "none"}
        tag = {"ResourceId": "none", "ResourceType": "auto-scaling-group", "Key": "k"}
        known = {
            "AutoScalingGroup name not found - null": lambda: asg.update_auto_scaling_group(**none, MinSize=1),
            "AutoScalingGroup name not found - AutoScalingGroup 'none' not found": lambda: asg.delete_auto_scaling_group(**none),
            "AutoScalingGroup not found - AutoScaling Group none not found": lambda: asg.create_or_update_tags(Tags=[tag]),
        }
        for expected, call in known.items():
            self.assertEqual(self.refusal(call), ("ValidationError", expected))

    def test_target_groups_and_traffic_sources(self):
        group = self.group("served")
        arns = [self.elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=self.vpc)["TargetGroups"][0]["TargetGroupArn"] for name in ["one", "two"]]
        self.asg.attach_load_balancer_target_groups(**group, TargetGroupARNs=arns[:1])
        self.asg.attach_traffic_sources(**group, TrafficSources=[{"Identifier": arns[1], "Type": "elbv2"}])
        self.assertEqual(sorted(self.show(group)["TargetGroupARNs"]), sorted(arns))
        states = lambda: {each["LoadBalancerTargetGroupARN"]: each["State"] for each in self.asg.describe_load_balancer_target_groups(**group)["LoadBalancerTargetGroups"]}
        wait_for("both to be there", lambda: states() == dict.fromkeys(arns, "Added"))
        sources = self.asg.describe_traffic_sources(**group)["TrafficSources"]
        self.assertEqual(sorted(each["Identifier"] for each in sources), sorted(arns))
        self.assertEqual(self.asg.describe_load_balancers(**group)["LoadBalancers"], [])
        self.asg.detach_load_balancer_target_groups(**group, TargetGroupARNs=arns[:1])
        self.asg.detach_traffic_sources(**group, TrafficSources=[{"Identifier": arns[1], "Type": "elbv2"}])
        wait_for("both to be gone", lambda: states() == {})
        self.assertEqual(self.refused(self.asg.attach_load_balancer_target_groups, **group, TargetGroupARNs=[arns[0] + "0"]), "ValidationError")

    def test_hooks(self):
        group = self.group("hooked")
        self.asg.put_lifecycle_hook(**group, LifecycleHookName="wait", LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING")
        hook = self.asg.describe_lifecycle_hooks(**group)["LifecycleHooks"][0]
        self.assertEqual((hook["HeartbeatTimeout"], hook["GlobalTimeout"], hook["DefaultResult"]), (3600, 172800, "ABANDON"))
        self.asg.set_desired_capacity(**group, DesiredCapacity=1)
        waiting = wait_for("one to wait", lambda: [i for i in self.show(group)["Instances"] if i["LifecycleState"] == "Pending:Wait"])[0]["InstanceId"]
        self.asg.record_lifecycle_action_heartbeat(**group, LifecycleHookName="wait", InstanceId=waiting)
        # Who waits for a hook that is taken away goes on.
        self.asg.delete_lifecycle_hook(**group, LifecycleHookName="wait")
        wait_for("it to serve", lambda: self.show(group)["Instances"][0]["LifecycleState"] == "InService")
        self.assertEqual(self.asg.describe_lifecycle_hooks(**group)["LifecycleHooks"], [])

    def test_metrics(self):
        group = self.group("measured")
        enable = {**group, "Granularity": "1Minute"}
        self.asg.enable_metrics_collection(**enable, Metrics=["GroupMinSize", "GroupMaxSize"])
        self.assertEqual({each["Metric"] for each in self.show(group)["EnabledMetrics"]}, {"GroupMinSize", "GroupMaxSize"})
        self.assertEqual(self.refused(self.asg.disable_metrics_collection, **group, Metrics=["none"]), "ValidationError")
        self.asg.disable_metrics_collection(**group)
        self.assertEqual(self.show(group)["EnabledMetrics"], [])

    def test_what_there_is(self):
        asg, group = self.asg, self.group("plain")
        limits = asg.describe_account_limits()
        self.assertEqual((limits["MaxNumberOfAutoScalingGroups"] >= limits["NumberOfAutoScalingGroups"], limits["NumberOfLaunchConfigurations"]), (True, 1))
        self.assertEqual([each["LaunchConfigurationName"] for each in asg.describe_launch_configurations()["LaunchConfigurations"]], ["old"])
        self.assertEqual(self.refused(asg.delete_launch_configuration, LaunchConfigurationName="old"), "ResourceInUse")
        self.assertEqual(sorted(each["AdjustmentType"] for each in asg.describe_adjustment_types()["AdjustmentTypes"]), ["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"])
        self.assertIn("autoscaling:EC2_INSTANCE_LAUNCH", asg.describe_auto_scaling_notification_types()["AutoScalingNotificationTypes"])
        self.assertEqual(asg.describe_lifecycle_hook_types()["LifecycleHookTypes"], ["autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"])
        self.assertIn("GroupMinSize", [each["Metric"] for each in asg.describe_metric_collection_types()["Metrics"]])
        self.assertIn("ReplaceUnhealthy", [each["ProcessName"] for each in asg.describe_scaling_process_types()["Processes"]])
        self.assertIn("OldestInstance", asg.describe_termination_policy_types()["TerminationPolicyTypes"])
        # Of these there are none, as they cannot be made.
        self.assertEqual(asg.describe_instance_refreshes(**group)["InstanceRefreshes"], [])
        self.assertEqual(asg.describe_notification_configurations()["NotificationConfigurations"], [])
        self.assertEqual(asg.describe_policies(**group)["ScalingPolicies"], [])
        self.assertEqual(asg.describe_scheduled_actions(**group)["ScheduledUpdateGroupActions"], [])
        self.assertEqual(asg.describe_warm_pool(**group)["Instances"], [])
        self.assertEqual(self.refused(asg.start_instance_refresh, **group), "NotImplemented")
