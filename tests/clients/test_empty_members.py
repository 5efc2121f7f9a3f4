"""What an answer says of what there is none of: some of AWS's lists are there and empty, others are
left out. The table is what AWS's own examples of calls show and what its users report; where those
are silent, a list is there.
"""
import json
import unittest

from kiln import Kiln

LEFT_OUT = object()


def at(answer, path):
    """What stands at a path of an answer; the place before it must be there."""
    *places, last = path
    for place in places:
        answer = answer[place]
    return answer.get(last, LEFT_OUT)


class Empty(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))

    def table(self, service, rows):
        client = self.kiln.client(service)
        for call, arguments, path, expected in rows:
            with self.subTest(call=call, path=path):
                self.assertEqual(at(getattr(client, call)(**arguments), path), expected)

    def test_ec2(self):
        ec2 = self.kiln.client("ec2")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        instance = made["Instances"][0]["InstanceId"]
        one = {"InstanceIds": [instance]}
        template = {"LaunchTemplateName": "bare", "LaunchTemplateData": {"InstanceType": "t3.micro"}}
        version = ec2.create_launch_template(**template)
        self.assertNotIn("Tags", version["LaunchTemplate"])
        shown = ["Reservations", 0, "Instances", 0]
        data = ["LaunchTemplateVersions", 0, "LaunchTemplateData"]
        versions = ("describe_launch_template_versions", {"LaunchTemplateName": "bare"})
        address = ec2.allocate_address()["AllocationId"]
        self.table("ec2", [
            ("describe_instances", one, [*shown, "Tags"], LEFT_OUT),
            ("describe_instances", one, [*shown, "Licenses"], LEFT_OUT),
            ("describe_instances", one, [*shown, "ElasticGpuAssociations"], LEFT_OUT),
            ("describe_instances", one, [*shown, "ProductCodes"], []),
            ("describe_instances", one, ["Reservations", 0, "Groups"], []),
            ("describe_instances", one, [*shown, "NetworkInterfaces", 0, "Ipv6Addresses"], []),
            ("describe_instances", one, [*shown, "NetworkInterfaces", 0, "Ipv4Prefixes"], LEFT_OUT),
            ("describe_instances", {"Filters": [{"Name": "instance-id", "Values": ["none"]}]}, ["Reservations"], []),
            ("describe_vpcs", {}, ["Vpcs", 0, "Tags"], LEFT_OUT),
            ("describe_subnets", {}, ["Subnets", 0, "Tags"], LEFT_OUT),
            ("describe_subnets", {}, ["Subnets", 0, "Ipv6CidrBlockAssociationSet"], []),
            ("describe_security_groups", {}, ["SecurityGroups", 0, "Tags"], LEFT_OUT),
            ("describe_security_group_rules", {}, ["SecurityGroupRules", 0, "Tags"], []),
            ("describe_volumes", {}, ["Volumes", 0, "Tags"], LEFT_OUT),
            ("describe_snapshots", {}, ["Snapshots", 0, "Tags"], LEFT_OUT),
            ("describe_images", {}, ["Images", 0, "Tags"], LEFT_OUT),
            ("describe_images", {}, ["Images", 0, "ProductCodes"], LEFT_OUT),
            ("describe_network_interfaces", {}, ["NetworkInterfaces", 0, "TagSet"], []),
            ("describe_network_interfaces", {}, ["NetworkInterfaces", 0, "Ipv4Prefixes"], LEFT_OUT),
            ("describe_route_tables", {}, ["RouteTables", 0, "Tags"], []),
            ("describe_route_tables", {}, ["RouteTables", 0, "PropagatingVgws"], []),
            ("describe_network_acls", {}, ["NetworkAcls", 0, "Tags"], []),
            ("describe_dhcp_options", {}, ["DhcpOptions", 0, "Tags"], LEFT_OUT),
            ("describe_addresses", {"AllocationIds": [address]}, ["Addresses", 0, "Tags"], LEFT_OUT),
            ("describe_availability_zones", {}, ["AvailabilityZones", 0, "Messages"], []),
            ("describe_instance_status", one | {"IncludeAllInstances": True}, ["InstanceStatuses", 0, "Events"], LEFT_OUT),
            ("describe_launch_templates", {}, ["LaunchTemplates", 0, "Tags"], LEFT_OUT),
            *[(*versions, [*data, name], LEFT_OUT) for name in (
                "BlockDeviceMappings", "NetworkInterfaces", "TagSpecifications", "ElasticGpuSpecifications", "ElasticInferenceAccelerators",
                "SecurityGroupIds", "SecurityGroups", "LicenseSpecifications",
            )],
        ])  # fmt: skip
        ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": ""}])
        self.table("ec2", [("describe_instances", one, [*shown, "Tags"], [{"Key": "a", "Value": ""}])])

    def test_iam(self):
        iam = self.kiln.client("iam")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
        made = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        self.assertNotIn("Tags", made)
        self.assertNotIn("Tags", iam.create_user(UserName="u")["User"])
        profile = iam.create_instance_profile(InstanceProfileName="p")["InstanceProfile"]
        self.assertEqual((profile["Roles"], "Tags" in profile), ([], False))
        policy = iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]
        self.assertNotIn("Tags", policy)
        iam.create_group(GroupName="g")
        asked = {"PolicyInputList": [document], "ActionNames": ["s3:GetObject"]}
        self.table("iam", [
            ("get_role", {"RoleName": "r"}, ["Role", "Tags"], LEFT_OUT),
            ("get_user", {"UserName": "u"}, ["User", "Tags"], LEFT_OUT),
            ("get_instance_profile", {"InstanceProfileName": "p"}, ["InstanceProfile", "Tags"], LEFT_OUT),
            ("get_policy", {"PolicyArn": policy["Arn"]}, ["Policy", "Tags"], []),
            ("get_policy", {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, ["Policy", "Tags"], []),
            ("list_policies", {"Scope": "Local"}, ["Policies", 0, "Tags"], LEFT_OUT),
            ("list_role_tags", {"RoleName": "r"}, ["Tags"], []),
            ("get_group", {"GroupName": "g"}, ["Users"], []),
            ("list_roles", {}, ["Roles", 0, "Tags"], LEFT_OUT),
            ("get_account_authorization_details", {"Filter": ["Role"]}, ["RoleDetailList", 0, "Tags"], LEFT_OUT),
            ("get_account_authorization_details", {"Filter": ["Role"]}, ["RoleDetailList", 0, "RolePolicyList"], []),
            ("get_account_authorization_details", {"Filter": ["User"]}, ["UserDetailList", 0, "UserPolicyList"], []),
            ("simulate_custom_policy", asked, ["EvaluationResults", 0, "MissingContextValues"], []),
            ("simulate_custom_policy", asked, ["EvaluationResults", 0, "EvalDecisionDetails"], LEFT_OUT),
        ])  # fmt: skip

    def test_cloudformation_and_auto_scaling(self):
        stacks = self.kiln.client("cloudformation")
        body = json.dumps({"Resources": {"H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
        stacks.create_stack(StackName="bare", TemplateBody=body)
        stacks.get_waiter("stack_create_complete").wait(StackName="bare", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        stack = {"StackName": "bare"}
        self.table("cloudformation", [
            ("describe_stacks", stack, ["Stacks", 0, "Outputs"], LEFT_OUT),
            ("describe_stacks", stack, ["Stacks", 0, "Parameters"], LEFT_OUT),
            ("describe_stacks", stack, ["Stacks", 0, "Tags"], []),
            ("validate_template", {"TemplateBody": body}, ["Parameters"], []),
            ("get_template_summary", {"TemplateBody": body}, ["Parameters"], []),
        ])  # fmt: skip
        scaling, ec2 = self.kiln.client("autoscaling"), self.kiln.client("ec2")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        template = ec2.create_launch_template(LaunchTemplateName="group", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"})
        scaling.create_auto_scaling_group(
            AutoScalingGroupName="bare", MinSize=0, MaxSize=0, AvailabilityZones=["us-east-1a"],
            LaunchTemplate={"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"]},
        )
        self.table("autoscaling", [
            ("describe_auto_scaling_groups", {}, ["AutoScalingGroups", 0, name], expected)
            for name, expected in [
                ("EnabledMetrics", []), ("LoadBalancerNames", []), ("SuspendedProcesses", []), ("Tags", []), ("TargetGroupARNs", []),
                ("TrafficSources", []), ("Instances", []), ("AvailabilityZoneIds", LEFT_OUT),
            ]
        ])  # fmt: skip

    def test_load_balancers(self):
        ec2, elb = self.kiln.client("ec2"), self.kiln.client("elbv2")
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        balancer = elb.create_load_balancer(Name="bare", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        group = elb.create_target_group(Name="bare", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)["Listeners"][0]["ListenerArn"]
        elb.create_rule(ListenerArn=listener, Priority=1, Actions=forward, Conditions=[{"Field": "path-pattern", "Values": ["/a*"]}])
        one = {"ListenerArn": listener}
        self.table("elbv2", [
            ("describe_listeners", {"ListenerArns": [listener]}, ["Listeners", 0, "Certificates"], LEFT_OUT),
            ("describe_listeners", {"ListenerArns": [listener]}, ["Listeners", 0, "AlpnPolicy"], LEFT_OUT),
            ("describe_rules", one, ["Rules", 0, "Conditions", 0, "RegexValues"], LEFT_OUT),
            ("describe_rules", one, ["Rules", 0, "Conditions", 0, "PathPatternConfig", "RegexValues"], LEFT_OUT),
            ("describe_rules", one, ["Rules", 0, "Transforms"], LEFT_OUT),
            ("describe_rules", one, ["Rules", 1, "Conditions"], []),
            ("describe_target_health", {"TargetGroupArn": group}, ["TargetHealthDescriptions"], []),
        ])  # fmt: skip


if __name__ == "__main__":
    unittest.main()
