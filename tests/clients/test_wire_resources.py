"""Policies that speak of single resources: their ARNs, their tags, the tags and properties asked for."""
import json
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for

RUN = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*", **more):
    return {**allow(action, resource, **more), "Effect": "Deny"}


def equals(key, value):
    return {"Condition": {"StringEquals": {key: value}}}


def tags(kind, **values):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in values.items()]}]


class Resources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.iam, cls.ec2 = cls.kiln.client("iam"), cls.kiln.client("ec2")
        cls.asg = cls.kiln.client("autoscaling")
        alias = "/aws/service/debian/release/12/latest/amd64"
        ssm = cls.kiln.client("ssm")
        cls.image = wait_for("the base image", lambda: ssm.get_parameter(Name=alias)["Parameter"]["Value"])
        cls.place = f"{cls.kiln.info['region']}:{cls.kiln.info['account']}"
        run = {**RUN, "ImageId": cls.image}
        cls.dev, cls.prod = (
            cls.ec2.run_instances(**run, TagSpecifications=tags("instance", env=env))["Instances"][0]["InstanceId"]
            for env in ("dev", "prod")
        )

    def client(self, name, *statements, service="ec2"):
        """A client of a new user that has these statements as its only policy."""
        self.iam.create_user(UserName=name)
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return self.kiln.client(service, **keys)

    def refused(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertIn(error["Code"], ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException"), error["Message"])
        return error["Message"]

    def arn(self, kind, name):
        return f"arn:aws:ec2:{self.place}:{kind}/{name}"

    def test_a_deny_of_one_instance_protects_it(self):
        ec2 = self.client("deny", allow("ec2:*"), deny("ec2:*", self.arn("instance", self.prod)))
        self.assertIn("explicit deny", self.refused(ec2.terminate_instances, InstanceIds=[self.prod]))
        self.refused(ec2.modify_instance_attribute, InstanceId=self.prod, DisableApiTermination={"Value": False})
        self.refused(ec2.create_tags, Resources=[self.dev, self.prod], Tags=[{"Key": "a", "Value": "b"}])
        ec2.modify_instance_attribute(InstanceId=self.dev, DisableApiTermination={"Value": False})

    def test_tags_of_things_decide(self):
        ec2 = self.client("tags", allow("ec2:ModifyInstanceAttribute", **equals("ec2:ResourceTag/env", "dev")))
        change = {"DisableApiTermination": {"Value": False}}
        ec2.modify_instance_attribute(InstanceId=self.dev, **change)
        self.assertIn(self.prod, self.refused(ec2.modify_instance_attribute, InstanceId=self.prod, **change))

    def test_a_launch_is_judged_by_all_it_touches(self):
        small = {"Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}
        session = {"Condition": {"StringNotEquals": {"ec2:MetadataHttpTokens": "required"}}}
        instances = "arn:aws:ec2:*:*:instance/*"
        ec2 = self.client(
            "launch",
            allow("ec2:RunInstances"),
            deny("ec2:RunInstances", instances, **small),
            deny("ec2:RunInstances", instances, **session),
        )
        run = {**RUN, "ImageId": self.image, "MetadataOptions": {"HttpTokens": "required"}}
        ec2.run_instances(**run)
        self.refused(ec2.run_instances, **{**run, "InstanceType": "t3.large"})
        self.refused(ec2.run_instances, **{**run, "MetadataOptions": {"HttpTokens": "optional"}})
        message = self.refused(ec2.run_instances, **run, TagSpecifications=tags("instance", env="dev"))
        self.assertIn("ec2:CreateTags", message)
        # What a launch template adds is judged as well.
        data = {"InstanceType": "t3.large", "MetadataOptions": {"HttpTokens": "required"}, "ImageId": self.image}
        self.ec2.create_launch_template(LaunchTemplateName="large", LaunchTemplateData=data)
        self.refused(ec2.run_instances, LaunchTemplate={"LaunchTemplateName": "large"}, MinCount=1, MaxCount=1)

    def test_an_alias_hides_no_image(self):
        image = f"arn:aws:ec2:{self.kiln.info['region']}::image/{self.image}"
        ec2 = self.client("alias", allow(["ec2:RunInstances", "ssm:GetParameters"]), deny("ec2:RunInstances", image))
        alias = "resolve:ssm:/aws/service/debian/release/12/latest/amd64"
        self.assertIn(image, self.refused(ec2.run_instances, **RUN, ImageId=alias))

    def test_nobody_gets_a_role_by_launching(self):
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = self.iam.create_role(RoleName="strong", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        self.iam.create_instance_profile(InstanceProfileName="strong")
        self.iam.add_role_to_instance_profile(InstanceProfileName="strong", RoleName="strong")
        data = {"ImageId": self.image, "InstanceType": "t3.micro", "IamInstanceProfile": {"Name": "strong"}}
        self.ec2.create_launch_template(LaunchTemplateName="strong", LaunchTemplateData=data)
        template = {"LaunchTemplate": {"LaunchTemplateName": "strong"}}
        group = {"MinSize": 0, "MaxSize": 1, "AvailabilityZones": [self.kiln.info["region"] + "a"], **template}
        may = allow(["ec2:*", "autoscaling:*"])
        ec2, asg = self.client("launcher", may), self.client("scaler", may, service="autoscaling")
        run = {"MinCount": 1, "MaxCount": 1, **template}
        for dry in (True, False):
            self.assertIn("iam:PassRole", self.refused(ec2.run_instances, **run, DryRun=dry))
        message = self.refused(asg.create_auto_scaling_group, AutoScalingGroupName="strong", **group)
        self.assertTrue(message.startswith("You are not authorized to use launch template: lt-"), message)
        asg = self.client("scaler-2", may, allow("iam:PassRole", role), service="autoscaling")
        asg.create_auto_scaling_group(AutoScalingGroupName="strong", **group)
        asg = self.client("scaler-3", allow(["autoscaling:*", "ec2:Describe*"]), service="autoscaling")
        self.refused(asg.create_auto_scaling_group, AutoScalingGroupName="no-launch", **group)

    def test_tags_asked_for_decide(self):
        ec2 = self.client(
            "asked",
            allow("ec2:CreateVpc", **equals("aws:RequestTag/team", "a")),
            allow("ec2:CreateTags", self.arn("*", "*"), **equals("ec2:CreateAction", "CreateVpc")),
        )
        self.refused(ec2.create_vpc, CidrBlock="10.0.0.0/16")
        made = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags("vpc", team="a"))["Vpc"]["VpcId"]
        self.refused(ec2.create_tags, Resources=[made], Tags=[{"Key": "a", "Value": "b"}])

    def test_tags_of_parameters_and_roles_decide(self):
        own = self.kiln.client("ssm")
        for team in "ab":
            tagged = [{"Key": "team", "Value": team}]
            own.put_parameter(Name=f"/tagged/{team}", Value=team, Type="String", Tags=tagged)
            self.iam.create_user(UserName=f"tagged-{team}", Tags=tagged)
        ssm = self.client(
            "param",
            allow("ssm:GetParameter*", **equals("aws:ResourceTag/team", "a")),
            allow("ssm:PutParameter", **equals("aws:RequestTag/team", "a")),
            allow("ssm:GetParameter", f"arn:aws:ssm:{self.kiln.info['region']}::parameter/aws/service/*"),
            service="ssm",
        )
        self.assertEqual(ssm.get_parameter(Name="/tagged/a")["Parameter"]["Value"], "a")
        self.refused(ssm.get_parameter, Name="/tagged/b")
        self.refused(ssm.get_parameters, Names=["/tagged/a", "/tagged/b"])
        ssm.put_parameter(Name="/tagged/c", Value="c", Type="String", Tags=[{"Key": "team", "Value": "a"}])
        self.refused(ssm.put_parameter, Name="/tagged/d", Value="d", Type="String")
        ssm.get_parameter(Name="/aws/service/debian/release/12/latest/amd64")
        iam = self.client(
            "people",
            allow("iam:GetUser", **equals("iam:ResourceTag/team", "a")),
            allow("iam:TagUser", **{"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["note"]}}}),
            service="iam",
        )
        iam.get_user(UserName="tagged-a")
        self.refused(iam.get_user, UserName="tagged-b")
        iam.tag_user(UserName="tagged-b", Tags=[{"Key": "note", "Value": "x"}])
        self.refused(iam.tag_user, UserName="tagged-b", Tags=[{"Key": "team", "Value": "a"}])

    def test_groups_have_arns_and_tags(self):
        data = {"ImageId": self.image, "InstanceType": "t3.micro"}
        self.ec2.create_launch_template(LaunchTemplateName="group", LaunchTemplateData=data)
        for name in ("one", "two"):
            self.asg.create_auto_scaling_group(
                AutoScalingGroupName=name,
                MinSize=0,
                MaxSize=1,
                LaunchTemplate={"LaunchTemplateName": "group"},
                AvailabilityZones=[self.kiln.info["region"] + "a"],
                Tags=[{"Key": "env", "Value": name}],
            )
        arn = f"arn:aws:autoscaling:{self.place}:autoScalingGroup:*:autoScalingGroupName/one"
        asg = self.client("by-name", allow("autoscaling:*", arn), service="autoscaling")
        asg.set_desired_capacity(AutoScalingGroupName="one", DesiredCapacity=0)
        self.refused(asg.set_desired_capacity, AutoScalingGroupName="two", DesiredCapacity=0)
        tagged = allow("autoscaling:*", **equals("autoscaling:ResourceTag/env", "two"))
        asg = self.client("by-tag", tagged, service="autoscaling")
        self.refused(asg.delete_auto_scaling_group, AutoScalingGroupName="one")
        asg.delete_auto_scaling_group(AutoScalingGroupName="two")

    def test_a_new_load_balancer_has_a_name_to_judge(self):
        arn = f"arn:aws:elasticloadbalancing:{self.place}:targetgroup/shop/*"
        elb = self.client("elb", allow("elasticloadbalancing:CreateTargetGroup", arn), service="elbv2")
        vpc = self.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        group = {"Protocol": "HTTP", "Port": 80, "VpcId": vpc}
        elb.create_target_group(Name="shop", **group)
        self.refused(elb.create_target_group, Name="other", **group)


if __name__ == "__main__":
    unittest.main()
