"""Texts that a user can write and a service writes too: descriptions of interfaces, tags that begin with `aws:`.

What is whose is decided by what only the service can have set. Wire only: machines are simulated.
"""
import json
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.ec2, cls.elb, cls.cfn, cls.asg = (cls.kiln.client(s) for s in ("ec2", "elbv2", "cloudformation", "autoscaling"))
        cls.subnets = [s["SubnetId"] for s in cls.ec2.describe_subnets()["Subnets"]]

    def refused(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        return caught.exception.response["Error"]["Code"]

    def described(self, text):
        return self.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [text]}])["NetworkInterfaces"]

    def test_a_load_balancer_keeps_to_its_own_interfaces(self):
        made = self.elb.create_load_balancer(Name="true", Scheme="internal", Subnets=self.subnets[:2])["LoadBalancers"][0]
        arn = made["LoadBalancerArn"]
        text = f"ELB {arn.partition(':loadbalancer/')[2]}"
        false = self.ec2.create_network_interface(SubnetId=self.subnets[2], Description=text)["NetworkInterface"]
        groups = [g["GroupId"] for g in false["Groups"]]
        # It needs one of its own in that zone, whatever is there by that name.
        self.elb.set_subnets(LoadBalancerArn=arn, Subnets=self.subnets[:3])
        own = lambda: [i for i in self.described(text) if i["RequesterManaged"]]  # noqa: E731
        wait_for("an interface of its own in the third zone", lambda: {i["SubnetId"] for i in own()} == set(self.subnets[:3]))
        other = self.ec2.create_security_group(GroupName="other", Description="other")["GroupId"]
        self.elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[other])
        wait_for("its own to have the group", lambda: all([g["GroupId"] for g in i["Groups"]] == [other] for i in own()))
        self.elb.delete_load_balancer(LoadBalancerArn=arn)
        wait_for("its own to be gone", lambda: not own())
        left = self.described(text)
        self.assertEqual([i["NetworkInterfaceId"] for i in left], [false["NetworkInterfaceId"]])
        self.assertEqual([g["GroupId"] for g in left[0]["Groups"]], groups)

    def test_nobody_sets_a_services_tags(self):
        tag = lambda key: [{"Key": key, "Value": "x"}]  # noqa: E731
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        one = {"ImageId": image, "InstanceType": "t3.nano"}
        balancer = self.elb.create_load_balancer(Name="tagged", Subnets=self.subnets[:2])["LoadBalancers"][0]["LoadBalancerArn"]
        self.ec2.create_launch_template(LaunchTemplateName="plain", LaunchTemplateData=one)
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName="g", MinSize=0, MaxSize=0, LaunchTemplate={"LaunchTemplateName": "plain"}, AvailabilityZones=["us-east-1a"]
        )
        for key in ("aws:cloudformation:stack-id", "aws:autoscaling:groupName", "aws:ec2launchtemplate:id", "AWS:x"):
            of = [{"ResourceType": "instance", "Tags": tag(key)}]
            group = [{"ResourceId": "g", "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True, **tag(key)[0]}]
            for call, arguments in (
                (self.ec2.create_tags, {"Resources": [self.subnets[0]], "Tags": tag(key)}),
                (self.ec2.run_instances, {**one, "MinCount": 1, "MaxCount": 1, "TagSpecifications": of}),
                # Where the template's own tags of that kind are put on, too.
                (self.ec2.run_instances, {"LaunchTemplate": {"LaunchTemplateName": "plain"}, "MinCount": 1, "MaxCount": 1, "TagSpecifications": of}),
                (self.ec2.create_launch_template, {"LaunchTemplateName": "bad", "LaunchTemplateData": {**one, "TagSpecifications": of}}),
                (self.ec2.create_launch_template_version, {"LaunchTemplateName": "plain", "LaunchTemplateData": {**one, "TagSpecifications": of}}),
                (self.asg.create_or_update_tags, {"Tags": group}),
                (self.elb.add_tags, {"ResourceArns": [balancer], "Tags": tag(key)}),
                (self.elb.remove_tags, {"ResourceArns": [balancer], "TagKeys": [key]}),
                (self.elb.create_target_group, {"Name": "bad", "TargetType": "ip", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1", "Tags": tag(key)}),
            ):
                with self.subTest(key=key, call=call.__name__):
                    self.assertIn(self.refused(call, **arguments), ("InvalidParameterValue", "ValidationError"))
        self.assertEqual(self.ec2.describe_instances()["Reservations"], [])

    def test_nor_does_a_template(self):
        """CloudFormation itself puts them on; those of the template would win."""
        for n, key in enumerate(("aws:cloudformation:stack-id", "Aws:Autoscaling:groupName")):
            tags = [{"Key": key, "Value": "arn:aws:cloudformation:us-east-1:1:stack/other/1"}]
            data = {"ImageId": "ami-1", "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}]}
            for kind, properties in (
                ("AWS::EC2::VPC", {"CidrBlock": "10.9.0.0/16", "Tags": tags}),
                ("AWS::SSM::Parameter", {"Type": "String", "Value": "x", "Tags": {key: "x"}}),
                ("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": data}),
            ):
                name = f"tags-{n}-{kind.rsplit('::', 1)[1]}"
                with self.subTest(name):
                    body = json.dumps({"Resources": {"R": {"Type": kind, "Properties": properties}}})
                    self.cfn.create_stack(StackName=name, TemplateBody=body, OnFailure="DO_NOTHING")
                    wait_for("the end", lambda: self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "CREATE_FAILED")
                    events = self.cfn.describe_stack_events(StackName=name)["StackEvents"]
                    reasons = [e.get("ResourceStatusReason", "") for e in events if e["LogicalResourceId"] == "R"]
                    self.assertTrue(any("aws: prefixed tag key names are not allowed" in r for r in reasons), reasons)


if __name__ == "__main__":
    unittest.main()
