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

    # Service Authorization Reference, "… Elastic Load Balancing V2", and the User Guide, "ELB API permissions to tag
    # resources during creation".
    def test_tags_of_load_balancing_decide(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
        group = {"Protocol": "HTTP", "Port": 80, "VpcId": vpc}
        prod, dev = ([{"Key": "env", "Value": env}] for env in ("prod", "dev"))
        own = self.kiln.client("elbv2")
        made = own.create_target_group(Name="of-prod", Tags=prod, **group)["TargetGroups"][0]["TargetGroupArn"]
        everything = allow("elasticloadbalancing:*")
        protected = deny("elasticloadbalancing:*", **equals("elasticloadbalancing:ResourceTag/env", "prod"))
        elb = self.client("elb-tags", everything, protected, service="elbv2")
        self.assertIn("explicit deny", self.refused(elb.delete_target_group, TargetGroupArn=made))
        self.refused(elb.remove_tags, ResourceArns=[made], TagKeys=["env"])
        other = elb.create_target_group(Name="of-dev", Tags=dev, **group)["TargetGroups"][0]["TargetGroupArn"]
        elb.add_tags(ResourceArns=[other], Tags=[{"Key": "more", "Value": "1"}])
        asked = deny("elasticloadbalancing:AddTags", **equals("aws:RequestTag/env", "prod"))
        elb = self.client("elb-asked", everything, asked, service="elbv2")
        self.refused(elb.add_tags, ResourceArns=[other], Tags=prod)
        self.refused(elb.create_target_group, Name="prod-too", Tags=prod, **group)
        creates = allow("elasticloadbalancing:CreateTargetGroup")
        elb = self.client("elb-creates", creates, service="elbv2")
        elb.create_target_group(Name="bare", **group)
        refused = self.refused(elb.create_target_group, Name="tagged", Tags=dev, **group)
        self.assertIn("elasticloadbalancing:AddTags ", refused)
        on_creation = allow("elasticloadbalancing:AddTags", **equals("elasticloadbalancing:CreateAction", "CreateTargetGroup"))
        elb = self.client("elb-tags-on-creation", creates, on_creation, service="elbv2")
        tagged = elb.create_target_group(Name="tagged", Tags=dev, **group)["TargetGroups"][0]["TargetGroupArn"]
        self.refused(elb.add_tags, ResourceArns=[tagged], Tags=dev)

    # Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2": every action,
    # those that list things among them, knows `ec2:Region`.
    def test_the_region_is_known_of_listings_too(self):
        here, there = (equals("ec2:Region", region) for region in (self.kiln.info["region"], "eu-south-9"))
        self.client("region-here", allow("ec2:*", **here)).describe_vpcs()
        self.refused(self.client("region-there", allow("ec2:*", **there)).describe_vpcs)

    # The same: DisassociateVpcCidrBlock is of a VPC.
    def test_a_block_is_of_its_vpc(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
        block = self.ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.3.0.0/16")["CidrBlockAssociation"]["AssociationId"]
        ec2 = self.client("block", allow("ec2:DisassociateVpcCidrBlock", self.arn("vpc", vpc)))
        first = self.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"][0]["AssociationId"]
        ec2.disassociate_vpc_cidr_block(AssociationId=block)
        other = self.client("other-block", allow("ec2:DisassociateVpcCidrBlock", self.arn("vpc", "vpc-1")))
        self.assertIn(vpc, self.refused(other.disassociate_vpc_cidr_block, AssociationId=first))

    # The same: ModifySecurityGroupRules is of the group and of each rule, whose own tags count.
    def test_rules_of_a_group_are_things_of_their_own(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.4.0.0/16")["Vpc"]["VpcId"]
        group = self.ec2.create_security_group(GroupName="ruled", Description="d", VpcId=vpc)["GroupId"]
        one = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "10.4.0.0/24"}
        ranges = [{"CidrIp": one["CidrIpv4"]}]
        permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": ranges}
        rule = self.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[permission], TagSpecifications=tags("security-group-rule", env="prod")
        )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        change = {"GroupId": group, "SecurityGroupRules": [{"SecurityGroupRuleId": rule, "SecurityGroupRule": one}]}
        modify = "ec2:ModifySecurityGroupRules"
        on_group = allow(modify, self.arn("security-group", group))
        refused = self.refused(self.client("group-only", on_group).modify_security_group_rules, **change)
        self.assertIn(self.arn("security-group-rule", rule), refused)
        on_rule = allow(modify, self.arn("security-group-rule", "*"), **equals("aws:ResourceTag/env", "prod"))
        self.client("group-and-rule", on_group, on_rule).modify_security_group_rules(**change)
        of_dev = allow(modify, self.arn("security-group-rule", "*"), **equals("aws:ResourceTag/env", "dev"))
        self.refused(self.client("rule-of-dev", on_group, of_dev).modify_security_group_rules, **change)

    # The same: ReplaceNetworkAclAssociation is of the subnet too, DetachNetworkInterface of the instance.
    def test_an_association_and_an_attachment_are_of_both_sides(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.5.1.0/24")["Subnet"]["SubnetId"]
        acl = self.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        of_subnet = [{"Name": "association.subnet-id", "Values": [subnet]}]
        associations = self.ec2.describe_network_acls(Filters=of_subnet)["NetworkAcls"][0]["Associations"]
        own = next(each for each in associations if each["SubnetId"] == subnet)["NetworkAclAssociationId"]
        replace = {"AssociationId": own, "NetworkAclId": acl}
        on_acls = allow("ec2:ReplaceNetworkAclAssociation", self.arn("network-acl", "*"))
        on_subnet = allow("ec2:ReplaceNetworkAclAssociation", self.arn("subnet", subnet))
        refused = self.refused(self.client("acls", on_acls).replace_network_acl_association, **replace)
        self.assertIn(self.arn("subnet", subnet), refused)
        # The default one, which nobody gave the subnet.
        first = self.ec2.describe_network_acls(Filters=of_subnet)["NetworkAcls"][0]["NetworkAclId"]
        kept = deny("ec2:*", self.arn("network-acl", first))
        self.refused(self.client("keeps-acl", allow("ec2:*"), kept).replace_network_acl_association, **replace)
        self.client("acls-and-subnet", on_acls, on_subnet).replace_network_acl_association(**replace)

        instance = self.ec2.describe_instances(InstanceIds=[self.dev])["Reservations"][0]["Instances"][0]
        interface = self.ec2.create_network_interface(SubnetId=instance["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
        attach = {"DeviceIndex": 1, "InstanceId": self.dev, "NetworkInterfaceId": interface}
        attachment = {"AttachmentId": self.ec2.attach_network_interface(**attach)["AttachmentId"]}
        on_interface = allow("ec2:DetachNetworkInterface", self.arn("network-interface", interface))
        on_instance = allow("ec2:DetachNetworkInterface", self.arn("instance", self.dev))
        refused = self.refused(self.client("interface", on_interface).detach_network_interface, **attachment)
        self.assertIn(self.arn("instance", self.dev), refused)
        self.client("interface-and-instance", on_interface, on_instance).detach_network_interface(**attachment)
        # No resource type in the reference.
        attribute = {"NetworkInterfaceId": interface, "Attribute": "description"}
        one = allow("ec2:DescribeNetworkInterfaceAttribute", self.arn("network-interface", interface))
        self.refused(self.client("attribute-of-one", one).describe_network_interface_attribute, **attribute)

    # The same: CopyImage and RegisterImage know snapshots.
    def test_copies_and_registrations_of_images_are_of_snapshots_too(self):
        region = self.kiln.info["region"]
        images, snapshots = (f"arn:aws:ec2:{region}::{kind}/*" for kind in ("image", "snapshot"))
        copy = {"Name": "copied", "SourceImageId": self.image, "SourceRegion": region}
        self.assertIn(snapshots, self.refused(self.client("images", allow("ec2:CopyImage", images)).copy_image, **copy))
        made = self.client("images-and-snapshots", allow("ec2:CopyImage", [images, snapshots])).copy_image(**copy)["ImageId"]
        snapshot = wait_for("the copy", lambda: self.snapshot(made))
        mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
        register = {"Name": "registered", "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": [mapping]}
        refused = self.refused(self.client("registers", allow("ec2:RegisterImage", images)).register_image, **register)
        self.assertIn(snapshot, refused)

    def snapshot(self, image):
        found = self.ec2.describe_images(ImageIds=[image])["Images"][0]
        return found["State"] == "available" and found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]

    # S3 User Guide, "Required permissions for Amazon S3 API operations".
    def test_operations_of_buckets_ask_for_the_actions_that_aws_names(self):
        self.kiln.client("s3").create_bucket(Bucket="actions")
        accelerate = {"AccelerateConfiguration": {"Status": "Suspended"}}
        notify = {"NotificationConfiguration": {}}
        cases = (
            ("delete_bucket_cors", "PutBucketCORS", {}),
            ("delete_bucket_lifecycle", "PutLifecycleConfiguration", {}),
            ("delete_bucket_ownership_controls", "PutBucketOwnershipControls", {}),
            ("delete_bucket_replication", "PutReplicationConfiguration", {}),
            ("put_bucket_accelerate_configuration", "PutAccelerateConfiguration", accelerate),
            ("put_bucket_notification_configuration", "PutBucketNotification", notify),
        )
        nobody = self.client("no-bucket", allow("s3:ListBucket"), service="s3")
        for n, (operation, action, arguments) in enumerate(cases):
            with self.subTest(operation):
                refused = self.refused(getattr(nobody, operation), Bucket="actions", **arguments)
                self.assertIn(f"s3:{action} ", refused)

    # The same: an ACL and a say in whose a new bucket's objects are need permissions of their own.
    def test_what_a_request_sets_beside_needs_permissions_too(self):
        self.kiln.client("s3").create_bucket(Bucket="beside")
        put = {"Bucket": "beside", "Key": "k", "Body": b"1"}
        s3 = self.client("puts", allow(["s3:PutObject", "s3:CreateBucket"]), service="s3")
        s3.put_object(**put)
        s3.create_bucket(Bucket="beside-2")
        acl = {"ACL": "bucket-owner-full-control"}
        self.assertIn("s3:PutObjectAcl ", self.refused(s3.put_object, **put, **acl))
        self.assertIn("s3:PutObjectAcl ", self.refused(s3.create_multipart_upload, Bucket="beside", Key="k", **acl))
        self.client("puts-acls", allow(["s3:PutObject", "s3:PutObjectAcl"]), service="s3").put_object(**put, **acl)
        owned = {"Bucket": "beside-3", "ObjectOwnership": "BucketOwnerEnforced"}
        self.assertIn("s3:PutBucketOwnershipControls ", self.refused(s3.create_bucket, **owned))

    # Service Authorization Reference, "… Amazon S3": `s3:ExistingObjectTag` is known of reads, tags and ACLs; the User
    # Guide, "Tagging and access control policies". A version is judged by its own tags.
    def test_a_version_is_judged_by_its_own_tags(self):
        own = self.kiln.client("s3")
        own.create_bucket(Bucket="tagged-versions")
        own.put_bucket_versioning(Bucket="tagged-versions", VersioningConfiguration={"Status": "Enabled"})
        secret, public = (
            own.put_object(Bucket="tagged-versions", Key="k", Body=b"1", Tagging=f"kind={kind}")["VersionId"]
            for kind in ("secret", "public")
        )
        protected = deny("s3:*", **equals("s3:ExistingObjectTag/kind", "secret"))
        s3 = self.client("tags-of-versions", allow("s3:*"), protected, service="s3")
        this, that = ({"Bucket": "tagged-versions", "Key": "k", "VersionId": version} for version in (public, secret))
        s3.get_object(**this)
        s3.get_object_tagging(**this)
        self.refused(s3.get_object, **that)
        self.refused(s3.get_object_tagging, **that)
        self.refused(s3.get_object_acl, **that)
        self.refused(s3.put_object_tagging, **that, Tagging={"TagSet": []})
        own.put_object_tagging(Bucket="tagged-versions", Key="k", Tagging={"TagSet": [{"Key": "kind", "Value": "secret"}]})
        self.refused(s3.delete_object_tagging, Bucket="tagged-versions", Key="k")

    # The same: ListBucketVersions knows `s3:prefix`.
    def test_a_listing_of_versions_may_be_limited_to_a_prefix(self):
        self.kiln.client("s3").create_bucket(Bucket="prefixes")
        s3 = self.client("prefix", allow("s3:ListBucketVersions", **equals("s3:prefix", "own/")), service="s3")
        s3.list_object_versions(Bucket="prefixes", Prefix="own/")
        self.refused(s3.list_object_versions, Bucket="prefixes", Prefix="other/")

    # Service Authorization Reference, "… AWS Identity and Access Management" and "… AWS CloudFormation": the
    # status of a deletion is of its role, the summary of a stack's template of the stack.
    def test_what_is_asked_about_is_named(self):
        self.iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
        task = self.iam.delete_service_linked_role(RoleName="AWSServiceRoleForEC2Spot")["DeletionTaskId"]
        role = "arn:aws:iam::*:role/aws-service-role/spot.amazonaws.com/*"
        for name, resource, may in (("task", role, True), ("no-task", "arn:aws:iam::*:role/other", False)):
            status = self.client(name, allow("iam:GetServiceLinkedRoleDeletionStatus", resource), service="iam")
            ask = status.get_service_linked_role_deletion_status
            ask(DeletionTaskId=task) if may else self.refused(ask, DeletionTaskId=task)
        body = json.dumps({"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}}}})
        own = self.kiln.client("cloudformation")
        for name in ("mine", "theirs"):
            own.create_stack(StackName=name, TemplateBody=body)
        summary = allow("cloudformation:GetTemplateSummary", f"arn:aws:cloudformation:{self.place}:stack/mine/*")
        cloudformation = self.client("summary", summary, service="cloudformation")
        cloudformation.get_template_summary(StackName="mine")
        self.refused(cloudformation.get_template_summary, StackName="theirs")
        self.refused(cloudformation.get_template_summary, TemplateBody=body)

    # Rights on a change set are rights on its stack, whichever stack is named beside its ARN; and a resource is its
    # stack's.
    def test_what_is_of_a_stack_is_judged_as_the_stack(self):
        own = self.kiln.client("cloudformation")
        body = {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}}}}
        sets = {}
        for name in ("ours", "not-ours"):
            own.create_stack(StackName=name, TemplateBody=json.dumps(body))
            own.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
            changed = json.dumps(body).replace('"v"', '"w"')
            sets[name] = own.create_change_set(StackName=name, ChangeSetName="next", TemplateBody=changed)["Id"]
        reads = ["cloudformation:GetTemplate", "cloudformation:DescribeStackResources", "cloudformation:DescribeEvents"]
        ours = self.client(
            "of-stack", allow(reads, f"arn:aws:cloudformation:{self.place}:stack/ours/*"), service="cloudformation"
        )
        ours.get_template(StackName="ours", ChangeSetName=sets["ours"])
        refused = self.refused(ours.get_template, StackName="ours", ChangeSetName=sets["not-ours"])
        self.assertIn("stack/not-ours/", refused)
        ours.describe_events(ChangeSetName=sets["ours"])
        self.refused(ours.describe_events, ChangeSetName=sets["not-ours"])
        # Which stack has it decides.
        made = {
            name: own.describe_stack_resources(StackName=name)["StackResources"][0]["PhysicalResourceId"]
            for name in ("ours", "not-ours")
        }
        ours.describe_stack_resources(PhysicalResourceId=made["ours"])
        self.refused(ours.describe_stack_resources, PhysicalResourceId=made["not-ours"])


if __name__ == "__main__":
    unittest.main()
