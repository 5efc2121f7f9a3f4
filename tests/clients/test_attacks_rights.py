"""Attacks on rights: somebody who may not hand on an administrator's role tries every way that would
give it to a machine or a stack of theirs.
"""
import json
import unittest

import botocore.exceptions

from kiln import Kiln

SERVICES = "iam"


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trusting(service):
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [trust]})


class Passing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.iam, cls.ec2 = cls.kiln.client("iam"), cls.kiln.client("ec2")
        cls.account, cls.region = cls.kiln.info["account"], cls.kiln.info["region"]
        cls.image = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.count = 0
        for name in ("admin", "plain"):
            cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting("ec2.amazonaws.com"))
            cls.iam.create_instance_profile(InstanceProfileName=name)
            cls.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        cls.iam.create_role(RoleName="builder", AssumeRolePolicyDocument=trusting("cloudformation.amazonaws.com"))
        cls.admin, cls.plain, cls.builder = (f"arn:aws:iam::{cls.account}:role/{name}" for name in ("admin", "plain", "builder"))

    @classmethod
    def user(cls, *statements):
        """Clients of a new user who may do everything but hand on a role, and what is given."""
        cls.count += 1
        name = f"user-{cls.count}"
        cls.iam.create_user(UserName=name)
        everything = allow(["ec2:*", "autoscaling:*", "cloudformation:*", "iam:Get*", "iam:AddRoleToInstanceProfile"])
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everything, *statements]})
        cls.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
        key = cls.iam.create_access_key(UserName=name)["AccessKey"]
        keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return lambda service: cls.kiln.client(service, **keys)

    def refused(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        return caught.exception.response["Error"]

    def not_passed(self, call, role, **arguments):
        error = self.refused(call, **arguments)
        self.assertIn(error["Code"], ("UnauthorizedOperation", "AccessDenied"))
        self.assertIn("iam:PassRole", error["Message"])
        self.assertIn(role, error["Message"])

    def template(self, name, profile):
        data = {"ImageId": self.image, "InstanceType": "t3.micro"}
        if profile:
            data["IamInstanceProfile"] = {"Name": profile}
        return self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]

    def group(self, name, template, version):
        scaling = self.kiln.client("autoscaling")
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=0, MaxSize=1, AvailabilityZones=[self.region + "a"],
            LaunchTemplate={"LaunchTemplateId": template, "Version": version},
        )

    def test_a_launch_configuration(self):
        made = dict(ImageId=self.image, InstanceType="t3.micro")
        profile = f"arn:aws:iam::{self.account}:instance-profile/admin"
        scaling = self.user(allow("iam:PassRole", self.plain))("autoscaling")
        for given in ("admin", profile):
            self.not_passed(scaling.create_launch_configuration, self.admin, LaunchConfigurationName="a", IamInstanceProfile=given, **made)
        scaling.create_launch_configuration(LaunchConfigurationName="b", IamInstanceProfile="plain", **made)
        # One that is not there could come to be with any role.
        error = self.refused(scaling.create_launch_configuration, LaunchConfigurationName="c", IamInstanceProfile="to-come", **made)
        self.assertEqual((error["Code"], error["Message"]), ("ValidationError", "Invalid IamInstanceProfile: to-come"))

    def test_conditions_of_passing(self):
        made = dict(ImageId=self.image, InstanceType="t3.micro", IamInstanceProfile="admin")
        to = lambda **keys: allow("iam:PassRole", self.admin, Condition={"StringLike": keys})
        instances = f"arn:aws:ec2:{self.region}:{self.account}:instance/*"
        for number, (good, keys) in enumerate([
            (False, {"iam:PassedToService": "lambda.amazonaws.com"}),
            (False, {"iam:AssociatedResourceArn": "arn:aws:ec2:eu-west-1:*:instance/*"}),
            (True, {"iam:PassedToService": "ec2.amazonaws.com", "iam:AssociatedResourceArn": instances}),
        ]):
            clients = self.user(to(**keys))
            with self.subTest(keys=keys):
                call = clients("autoscaling").create_launch_configuration
                run = clients("ec2").run_instances
                launch = dict(ImageId=self.image, InstanceType="t3.micro", MinCount=1, MaxCount=1, IamInstanceProfile={"Name": "admin"}, DryRun=True)
                if good:
                    call(LaunchConfigurationName=f"condition-{number}", **made)
                    self.assertEqual(self.refused(run, **launch)["Code"], "DryRunOperation")
                else:
                    self.not_passed(call, self.admin, LaunchConfigurationName=f"condition-{number}", **made)
                    self.not_passed(run, self.admin, **launch)

    def test_a_launch_template(self):
        template = self.template("admin", "admin")
        clients = self.user()
        named = {"LaunchTemplateId": template, "Version": "$Latest"}
        self.not_passed(clients("ec2").run_instances, self.admin, LaunchTemplate=named, MinCount=1, MaxCount=1)
        group = dict(AutoScalingGroupName="by-template", MinSize=0, MaxSize=1, AvailabilityZones=[self.region + "a"])
        self.not_passed(clients("autoscaling").create_auto_scaling_group, self.admin, LaunchTemplate=named, **group)
        plain = self.template("none", None)
        clients("autoscaling").create_auto_scaling_group(LaunchTemplate={"LaunchTemplateId": plain}, **group)
        self.not_passed(clients("autoscaling").update_auto_scaling_group, self.admin, AutoScalingGroupName="by-template", LaunchTemplate=named)
        to_come = self.template("to-come", "to-come")
        error = self.refused(
            clients("autoscaling").update_auto_scaling_group, AutoScalingGroupName="by-template", LaunchTemplate={"LaunchTemplateId": to_come}
        )
        self.assertEqual(error["Code"], "ValidationError")
        self.assertIn("Invalid IAM Instance Profile name", error["Message"])

    def test_what_a_group_s_template_becomes(self):
        """AWS launches whatever the template says by then; here whoever changes it is asked."""
        ec2 = self.user(allow("iam:PassRole", self.plain))("ec2")
        admin = {"IamInstanceProfile": {"Name": "admin"}}
        latest = self.template("latest", "plain")
        ec2.create_launch_template_version(LaunchTemplateId=latest, LaunchTemplateData=admin)
        ec2.create_launch_template_version(LaunchTemplateId=latest, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.nano"})
        self.group("latest", latest, "$Latest")
        self.not_passed(ec2.create_launch_template_version, self.admin, LaunchTemplateId=latest, LaunchTemplateData=admin)
        self.not_passed(ec2.create_launch_template_version, self.admin, LaunchTemplateName="latest", SourceVersion="2", LaunchTemplateData={"KeyName": "k"})
        to_come = {"IamInstanceProfile": {"Name": "to-come"}}
        self.not_passed(ec2.create_launch_template_version, "role/*", LaunchTemplateId=latest, LaunchTemplateData=to_come)
        # Taking the newest away makes the one before it the newest.
        self.not_passed(ec2.delete_launch_template_versions, self.admin, LaunchTemplateId=latest, Versions=["3"])
        ec2.create_launch_template_version(LaunchTemplateId=latest, LaunchTemplateData={"IamInstanceProfile": {"Name": "plain"}})
        ec2.modify_launch_template(LaunchTemplateId=latest, DefaultVersion="2")
        default = self.template("default", "plain")
        self.group("default", default, "$Default")
        ec2.create_launch_template_version(LaunchTemplateId=default, LaunchTemplateData=admin)
        self.not_passed(ec2.modify_launch_template, self.admin, LaunchTemplateId=default, DefaultVersion="2")
        self.not_passed(ec2.modify_launch_template, self.admin, LaunchTemplateName="default", DefaultVersion="$Latest")

    def test_a_running_instance(self):
        ec2 = self.user(allow("iam:PassRole", self.plain))("ec2")
        instance = ec2.run_instances(ImageId=self.image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        self.not_passed(ec2.associate_iam_instance_profile, self.admin, InstanceId=instance, IamInstanceProfile={"Name": "admin"})
        made = ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": "plain"})
        association = made["IamInstanceProfileAssociation"]["AssociationId"]
        self.not_passed(ec2.replace_iam_instance_profile_association, self.admin, AssociationId=association, IamInstanceProfile={"Name": "admin"})
        # One instance's role is not another's.
        other = self.user(allow("iam:PassRole", Condition={"ArnLike": {"iam:AssociatedResourceArn": "arn:aws:ec2:*:*:instance/i-0"}}))("ec2")
        self.not_passed(other.replace_iam_instance_profile_association, self.admin, AssociationId=association, IamInstanceProfile={"Name": "admin"})

    def test_an_instance_profile(self):
        self.iam.create_instance_profile(InstanceProfileName="empty")
        iam = self.user(allow("iam:PassRole", self.plain))("iam")
        self.not_passed(iam.add_role_to_instance_profile, self.admin, InstanceProfileName="empty", RoleName="admin")

    def test_a_stack(self):
        stacks = self.user(allow("iam:PassRole", self.admin))("cloudformation")
        body = json.dumps({"Resources": {"H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
        role = dict(RoleARN=self.builder)
        self.not_passed(stacks.create_stack, self.builder, StackName="s", TemplateBody=body, **role)
        stacks.create_stack(StackName="s", TemplateBody=body)
        stacks.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.not_passed(stacks.update_stack, self.builder, StackName="s", TemplateBody=body, **role)
        self.not_passed(stacks.create_change_set, self.builder, StackName="s", ChangeSetName="c", TemplateBody=body, **role)
        self.not_passed(stacks.delete_stack, self.builder, StackName="s", **role)

    def test_a_service_linked_role(self):
        made = self.iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="own")["Role"]["Arn"]
        template = self.template("linked", None)
        group = dict(MinSize=0, MaxSize=1, AvailabilityZones=[self.region + "a"], LaunchTemplate={"LaunchTemplateId": template})
        self.not_passed(self.user()("autoscaling").create_auto_scaling_group, made, AutoScalingGroupName="l", ServiceLinkedRoleARN=made, **group)
        scaling = self.user(allow("iam:PassRole", made))("autoscaling")
        scaling.create_auto_scaling_group(AutoScalingGroupName="l", ServiceLinkedRoleARN=made, **group)
        own = self.kiln.client("autoscaling")
        for wrong in (made + "-not", self.admin, "x"):
            error = self.refused(own.update_auto_scaling_group, AutoScalingGroupName="l", ServiceLinkedRoleARN=wrong)
            self.assertEqual((error["Code"], error["Message"]), ("ValidationError", "ARN specified for Service-Linked Role does not exist."))
        usual = made.removesuffix("_own")
        own.update_auto_scaling_group(AutoScalingGroupName="l", ServiceLinkedRoleARN=usual)
        self.assertEqual(self.iam.get_role(RoleName=usual.rsplit("/", 1)[-1])["Role"]["Arn"], usual)


if __name__ == "__main__":
    unittest.main()
