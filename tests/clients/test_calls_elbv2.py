"""Elastic Load Balancing's calls by boto3, each at least once: what can be changed of a balancer, its listeners,
rules and target groups. What is done with requests is in test_data_plane.py and test_load_balancers.py.
"""

from calls import Calls
from kiln import wait_for


class Elbv2(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.elb, cls.ec2 = cls.kiln.client("elbv2"), cls.kiln.client("ec2")
        subnets = cls.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        cls.vpc = subnets[0]["VpcId"]
        cls.subnets = [s["SubnetId"] for s in sorted(subnets, key=lambda s: s["AvailabilityZone"])]

    def balancer(self, name):
        made = self.elb.create_load_balancer(Name=name, Subnets=self.subnets[:2], Tags=[{"Key": "a", "Value": "1"}])
        arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        self.addCleanup(self.elb.delete_load_balancer, LoadBalancerArn=arn)
        self.elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        return arn

    def targets(self, name):
        made = self.elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=self.vpc)
        return made["TargetGroups"][0]["TargetGroupArn"]

    def fixed(self, status):
        return [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status}}]

    def test_a_balancer(self):
        elb, arn = self.elb, self.balancer("web")
        show = lambda: elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        self.assertEqual(self.refused(elb.create_load_balancer, Name="web", Subnets=self.subnets[1:3]), "DuplicateLoadBalancerName")
        group = self.ec2.create_security_group(GroupName="lb", Description="lb", VpcId=self.vpc)["GroupId"]
        self.assertEqual(elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[group])["SecurityGroupIds"], [group])
        self.assertEqual(show()["SecurityGroups"], [group])
        zones = elb.set_subnets(LoadBalancerArn=arn, Subnets=self.subnets[1:3])["AvailabilityZones"]
        self.assertEqual(sorted(zone["SubnetId"] for zone in zones), sorted(self.subnets[1:3]))
        interfaces = lambda: {
            (i["SubnetId"], i["Groups"][0]["GroupId"])
            for i in self.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB app/web/*"]}])["NetworkInterfaces"]
        }
        wait_for("its interfaces to be there", lambda: interfaces() == {(subnet, group) for subnet in self.subnets[1:3]})
        self.assertEqual(self.refused(elb.set_subnets, LoadBalancerArn=arn, Subnets=self.subnets[:1]), "ValidationError")
        self.assertEqual(elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")["IpAddressType"], "ipv4")
        changed = elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "30"}])
        self.assertIn({"Key": "idle_timeout.timeout_seconds", "Value": "30"}, changed["Attributes"])
        self.assertIn({"Key": "idle_timeout.timeout_seconds", "Value": "30"}, elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
        self.assertEqual(elb.describe_capacity_reservation(LoadBalancerArn=arn).get("CapacityReservationState", []), [])

        elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "b", "Value": "2"}])
        elb.remove_tags(ResourceArns=[arn], TagKeys=["a"])
        self.assertEqual(elb.describe_tags(ResourceArns=[arn])["TagDescriptions"], [{"ResourceArn": arn, "Tags": [{"Key": "b", "Value": "2"}]}])
        protect = {"Key": "deletion_protection.enabled", "Value": "true"}
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[protect])
        self.assertEqual(self.refused(elb.delete_load_balancer, LoadBalancerArn=arn), "OperationNotPermitted")
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{**protect, "Value": "false"}])
        elb.delete_load_balancer(LoadBalancerArn=arn)
        self.assertEqual(self.refused(elb.describe_load_balancers, Names=["web"]), "LoadBalancerNotFound")
        wait_for("its interfaces to be gone", lambda: interfaces() == set())
        self.ec2.delete_security_group(GroupId=group)

    def test_a_listener_and_its_rules(self):
        elb, arn, blue, green = self.elb, self.balancer("rules"), self.targets("blue"), self.targets("green")
        listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=self.fixed("404"))["Listeners"][0]["ListenerArn"]
        self.assertEqual(self.refused(elb.create_listener, LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=self.fixed("403")), "DuplicateListener")
        changed = elb.modify_listener(ListenerArn=listener, Port=8080, DefaultActions=[{"Type": "forward", "TargetGroupArn": blue}])["Listeners"][0]
        self.assertEqual((changed["Port"], changed["DefaultActions"][0]["TargetGroupArn"]), (8080, blue))
        self.assertEqual([each["ListenerArn"] for each in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]], [listener])
        server = {"Key": "routing.http.response.server.enabled", "Value": "true"}
        self.assertIn(server, elb.modify_listener_attributes(ListenerArn=listener, Attributes=[server])["Attributes"])
        self.assertIn(server, elb.describe_listener_attributes(ListenerArn=listener)["Attributes"])
        hide = [{**server, "Value": "false"}]
        self.assertEqual(self.refused(elb.modify_listener_attributes, ListenerArn=listener, Attributes=hide), "NotImplemented")

        path = lambda text: [{"Field": "path-pattern", "PathPatternConfig": {"Values": [text]}}]
        rule = lambda priority, text, actions: elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=path(text), Actions=actions)["Rules"][0]["RuleArn"]
        forward = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": blue, "Weight": 95}, {"TargetGroupArn": green, "Weight": 5}]}}]
        first, second = rule(10, "/a/*", forward), rule(20, "/b/*", self.fixed("200"))
        self.assertEqual(self.refused(elb.create_rule, ListenerArn=listener, Priority=10, Conditions=path("/c"), Actions=forward), "PriorityInUse")
        self.assertEqual(self.refused(elb.delete_target_group, TargetGroupArn=green), "ResourceInUse")
        host = [{"Field": "host-header", "HostHeaderConfig": {"Values": ["shop.example"]}}]
        changed = elb.modify_rule(RuleArn=second, Conditions=host, Actions=self.fixed("503"))["Rules"][0]
        self.assertEqual((changed["Conditions"][0]["Field"], changed["Actions"][0]["FixedResponseConfig"]["StatusCode"]), ("host-header", "503"))
        regex = [{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/[a-z]{2}(-[A-Z]{2})?/i/"]}}]
        changed = elb.modify_rule(RuleArn=second, Conditions=regex)["Rules"][0]["Conditions"][0]
        self.assertEqual((changed["RegexValues"], changed["PathPatternConfig"]["RegexValues"]), (["^/[a-z]{2}(-[A-Z]{2})?/i/"],) * 2)
        for conditions, expected in (
            (path("^/[a-z]{2}/"), "Condition value '^/[a-z]{2}/' contains a character that is not valid"),
            ([{"Field": "path-pattern", "Values": ["/a", "/b"]}], "The 'path-pattern' field contains too many values; the limit is '1'"),
            ([{"Field": "host-header", "HostHeaderConfig": {"Values": [f"{n}.example" for n in "abcdef"]}}], "A rule can only have '5' condition values"),
        ):
            self.assertEqual(self.refusal(elb.modify_rule, RuleArn=second, Conditions=conditions), ("ValidationError", expected))
        elb.set_rule_priorities(RulePriorities=[{"RuleArn": first, "Priority": 20}, {"RuleArn": second, "Priority": 10}])
        shown = [(each["Priority"], each["RuleArn"]) for each in elb.describe_rules(ListenerArn=listener)["Rules"]]
        self.assertEqual(shown[:2], [("10", second), ("20", first)])
        self.assertEqual(shown[2][0], "default")
        self.assertEqual(self.refused(elb.delete_rule, RuleArn=shown[2][1]), "OperationNotPermitted")
        elb.delete_rule(RuleArn=first)
        elb.delete_target_group(TargetGroupArn=green)
        elb.delete_listener(ListenerArn=listener)
        self.assertEqual(self.refused(elb.describe_rules, ListenerArn=listener), "ListenerNotFound")
        self.assertEqual(elb.describe_listeners(LoadBalancerArn=arn)["Listeners"], [])
        elb.delete_target_group(TargetGroupArn=blue)

    def test_a_target_group(self):
        elb, arn = self.elb, self.targets("own")
        changed = elb.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/healthz", HealthyThresholdCount=2)["TargetGroups"][0]
        self.assertEqual((changed["HealthCheckPath"], changed["HealthyThresholdCount"]), ("/healthz", 2))
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "7"}
        self.assertIn(delay, elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])["Attributes"])
        self.assertIn(delay, elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"])
        few = {"Key": "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "Value": "50"}
        self.assertIn(few, elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[few])["Attributes"])
        by_name = [{"Key": "target_group_health.dns_failover.minimum_healthy_targets.count", "Value": "2"}]
        self.assertEqual(self.refused(elb.modify_target_group_attributes, TargetGroupArn=arn, Attributes=by_name), "NotImplemented")
        nobody = elb.describe_target_health(TargetGroupArn=arn, Targets=[{"Id": "i-0123456789abcdef0", "Port": 8080}])["TargetHealthDescriptions"][0]
        self.assertEqual((nobody["HealthCheckPort"], nobody["TargetHealth"]["Reason"]), ("8080", "Target.NotRegistered"))
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        machine = self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]["InstanceId"]
        self.ec2.get_waiter("instance_running").wait(InstanceIds=[machine], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": machine}])
        health = lambda: [(t["Target"]["Id"], t["TargetHealth"]["State"], t["TargetHealth"].get("Reason")) for t in elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]]
        wait_for("it to be unused", lambda: health() == [(machine, "unused", "Target.NotInUse")])
        elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": machine}])
        wait_for("it to be gone", lambda: health() == [])
        self.ec2.terminate_instances(InstanceIds=[machine])
        elb.delete_target_group(TargetGroupArn=arn)
        self.assertEqual(self.refused(elb.describe_target_groups, Names=["own"]), "TargetGroupNotFound")

    def test_what_an_account_has(self):
        limits = {each["Name"]: each["Max"] for each in self.elb.describe_account_limits()["Limits"]}
        self.assertEqual(limits["application-load-balancers"], "50")
        # Policies of secure listeners, which are not built: it says so instead of showing none.
        self.assertEqual(self.refused(self.elb.describe_ssl_policies), "NotImplemented")
