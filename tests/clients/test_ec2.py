"""EC2 as its ordinary users call it: boto3, its paginators and waiters, and the AWS CLI against a
kiln with simulated machines. What machines really do is in test_machines.py.
"""
import unittest

import botocore.exceptions

from kiln import Kiln

QUICK = {"Delay": 1, "MaxAttempts": 60}


class Ec2(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.ec2 = cls.kiln.client("ec2")
        cls.image = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def refused(self, call, **arguments):
        """Code and message of the refusal."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            getattr(self.ec2, call)(**arguments)
        error = caught.exception.response["Error"]
        return error["Code"], error["Message"]

    def refusals(self, table):
        for call, arguments, code, message in table:
            with self.subTest(call=call, code=code):
                self.assertEqual(self.refused(call, **arguments), (code, message))

    def wait(self, waiter, **arguments):
        self.ec2.get_waiter(waiter).wait(WaiterConfig=QUICK, **arguments)

    def launch(self, **more):
        made = self.ec2.run_instances(**{"ImageId": self.image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", **more})
        ids = [instance["InstanceId"] for instance in made["Instances"]]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=ids)
        return ids

    def show(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def network(self):
        """A VPC with a subnet."""
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
        return vpc, subnet

    def test_a_network_is_built_and_taken_down_in_order(self):
        ec2 = self.ec2
        vpc, subnet = self.network()
        self.wait("vpc_available", VpcIds=[vpc])
        self.wait("subnet_available", SubnetIds=[subnet])
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
        nothing = "0123456789abcdef0"
        self.refusals(
            [
                ("delete_vpc", dict(VpcId=vpc), "DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted."),
                ("delete_internet_gateway", dict(InternetGatewayId=gateway), "DependencyViolation",
                 f"The internetGateway '{gateway}' has dependencies and cannot be deleted."),
                ("delete_route_table", dict(RouteTableId=table), "DependencyViolation",
                 f"The routeTable '{table}' has dependencies and cannot be deleted."),
                ("create_subnet", dict(VpcId=vpc, CidrBlock="10.0.1.128/25"), "InvalidSubnet.Conflict",
                 "The CIDR '10.0.1.128/25' conflicts with another subnet"),
                ("create_subnet", dict(VpcId=f"vpc-{nothing}", CidrBlock="10.0.2.0/24"), "InvalidVpcID.NotFound",
                 f"The vpc ID 'vpc-{nothing}' does not exist"),
                ("delete_subnet", dict(SubnetId=f"subnet-{nothing}"), "InvalidSubnetID.NotFound",
                 f"The subnet ID 'subnet-{nothing}' does not exist"),
                ("create_vpc", dict(CidrBlock="10.0.0.0/8"), "InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid."),
                ("delete_vpc", dict(VpcId=vpc, DryRun=True), "DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted."),
            ]
        )
        ec2.disassociate_route_table(AssociationId=association)
        ec2.delete_route_table(RouteTableId=table)
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ec2.delete_internet_gateway(InternetGatewayId=gateway)
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)
        self.assertEqual(self.refused("describe_vpcs", VpcIds=[vpc])[0], "InvalidVpcID.NotFound")

    def test_rules_of_a_group_are_there_once(self):
        ec2 = self.ec2
        vpc, _ = self.network()
        group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
        self.wait("security_group_exists", GroupIds=[group])
        allow = dict(GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
        rule = ec2.authorize_security_group_ingress(**allow)["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        other = ec2.create_security_group(GroupName="app", Description="app", VpcId=vpc)["GroupId"]
        ec2.authorize_security_group_ingress(
            GroupId=other, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": group}]}]
        )
        self.refusals(
            [
                ("create_security_group", dict(GroupName="web", Description="x", VpcId=vpc), "InvalidGroup.Duplicate",
                 f"The security group 'web' already exists for VPC '{vpc}'"),
                ("authorize_security_group_ingress", allow, "InvalidPermission.Duplicate",
                 'the specified rule "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists'),
                ("delete_security_group", dict(GroupId=group), "DependencyViolation", f"resource {group} has a dependent object"),
            ]
        )
        ec2.modify_security_group_rules(
            GroupId=group,
            SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 81, "ToPort": 81, "CidrIpv4": "10.0.0.0/8"}}],
        )
        shown = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"][0]
        self.assertEqual((shown["FromPort"], shown["CidrIpv4"], shown["IsEgress"]), (81, "10.0.0.0/8", False))
        ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule])
        self.assertEqual(self.refused("revoke_security_group_ingress", **allow)[0], "InvalidPermission.NotFound")
        ec2.delete_security_group(GroupId=other)
        ec2.delete_security_group(GroupId=group)

    def test_instances_go_through_their_states_and_waiters_see_it(self):
        first, second = self.launch(MinCount=2, MaxCount=2, ClientToken="twice")
        again = self.ec2.run_instances(ImageId=self.image, InstanceType="t3.micro", MinCount=2, MaxCount=2, ClientToken="twice")
        self.assertEqual({i["InstanceId"] for i in again["Instances"]}, {first, second})
        for waiter in ("instance_exists", "instance_running", "instance_status_ok", "system_status_ok"):
            self.wait(waiter, InstanceIds=[first, second])
        before = self.show(first)["PublicIpAddress"]
        self.ec2.stop_instances(InstanceIds=[first])
        self.wait("instance_stopped", InstanceIds=[first])
        stopped = self.show(first)
        self.assertEqual(stopped["StateReason"], {"Code": "Client.UserInitiatedShutdown", "Message": "Client.UserInitiatedShutdown: User initiated shutdown"})
        self.assertRegex(stopped["StateTransitionReason"], r"^User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)$")
        self.assertEqual((stopped.get("PublicIpAddress"), stopped["PublicDnsName"]), (None, ""))
        holders = self.ec2.describe_network_interfaces(Filters=[{"Name": "association.public-ip", "Values": [before]}])
        self.assertEqual(holders["NetworkInterfaces"], [])
        self.ec2.modify_instance_attribute(InstanceId=first, InstanceType={"Value": "t3.small"})
        self.ec2.start_instances(InstanceIds=[first])
        self.wait("instance_running", InstanceIds=[first])
        started = self.show(first)
        self.assertNotIn("StateReason", started)
        self.assertEqual(started["InstanceType"], "t3.small")
        self.assertRegex(started["PublicIpAddress"], r"^127\.")
        self.ec2.terminate_instances(InstanceIds=[first])
        self.wait("instance_terminated", InstanceIds=[first])
        self.refusals(
            [
                ("start_instances", dict(InstanceIds=[first]), "IncorrectInstanceState",
                 f"The instance '{first}' is not in a state from which it can be started."),
                ("run_instances", dict(ImageId=self.image, InstanceType="t3.micro", MinCount=1, MaxCount=2, ClientToken="twice"),
                 "IdempotentParameterMismatch", "The client token has already been used with different request parameters."),
            ]
        )

    def test_pages_and_filters(self):
        made = self.launch(MinCount=7, MaxCount=7, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "of", "Value": "pages"}]}])
        mine = [{"Name": "tag:of", "Values": ["pa*"]}, {"Name": "instance-type", "Values": ["t3.micro", "t3.nano"]}]
        pages = list(self.ec2.get_paginator("describe_instances").paginate(Filters=mine, PaginationConfig={"PageSize": 5}))
        ids = [i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"]]
        self.assertEqual((len(pages), sorted(ids)), (2, sorted(made)))
        self.wait("instance_running", InstanceIds=made)
        one = self.show(made[0])
        interface = one["NetworkInterfaces"][0]
        for name, value, count in [
            ("private-ip-address", one["PrivateIpAddress"], 1),
            ("network-interface.association.public-ip", one["PublicIpAddress"], 1),
            ("network-interface.attachment.attachment-id", interface["Attachment"]["AttachmentId"], 1),
            ("block-device-mapping.volume-id", one["BlockDeviceMappings"][0]["Ebs"]["VolumeId"], 1),
            ("launch-time", one["LaunchTime"].strftime("%Y-%m-%dT*"), 7),
            ("reservation-id", "r-*", 7),
            ("metadata-options.http-endpoint", "enabled", 7),
            ("instance-state-name", "stopped", 0),
            ("host-id", "*", 0),
        ]:
            with self.subTest(filter=name):
                found = self.ec2.describe_instances(Filters=[mine[0], {"Name": name, "Values": [value]}])["Reservations"]
                self.assertEqual(sum(len(r["Instances"]) for r in found), count)
        self.refusals(
            [
                ("describe_instances", dict(MaxResults=4), "InvalidParameterValue",
                 "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5."),
                ("describe_instances", dict(InstanceIds=made[:1], MaxResults=5), "InvalidParameterCombination",
                 "The parameter instancesSet cannot be used with the parameter maxResults"),
                ("describe_instances", dict(NextToken="made-up"), "InvalidNextToken", "The specified pagination token is not valid."),
                ("describe_instances", dict(Filters=[{"Name": "colour", "Values": ["red"]}]), "InvalidParameterValue", "The filter 'colour' is invalid"),
                ("describe_instances", dict(InstanceIds=["i-0123456789abcdef0"]), "InvalidInstanceID.NotFound",
                 "The instance ID 'i-0123456789abcdef0' does not exist"),
                ("describe_instances", dict(InstanceIds=["web"]), "InvalidInstanceID.Malformed", 'Invalid id: "web" (expecting "i-...")'),
            ]
        )

    def test_an_empty_parameter_is_none(self):
        """As packer's plainest build sends them, and loops that begin with an empty token."""
        group = self.ec2.create_security_group(GroupName="plain", Description="x", VpcId="")["GroupId"]
        shown = self.ec2.describe_security_groups(GroupIds=[group], NextToken="")["SecurityGroups"][0]
        default = self.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        self.assertEqual(shown["VpcId"], default)
        (made,) = self.launch(
            SecurityGroupIds=[group], KeyName="", SubnetId="", PrivateIpAddress="", UserData="", KernelId="", RamdiskId="", AdditionalInfo="",
            InstanceInitiatedShutdownBehavior="", IamInstanceProfile={"Name": ""},
            Placement={"Tenancy": "", "AvailabilityZone": "", "GroupName": "", "HostId": "", "Affinity": ""},
            CreditSpecification={"CpuCredits": ""}, LaunchTemplate={"LaunchTemplateId": "", "Version": ""},
        )
        self.assertEqual([g["GroupId"] for g in self.show(made)["SecurityGroups"]], [group])
        for call in ("describe_instances", "describe_vpcs", "describe_subnets", "describe_images", "describe_volumes", "describe_tags",
                     "describe_launch_templates", "describe_network_interfaces", "describe_route_tables", "describe_snapshots"):
            with self.subTest(call=call):
                getattr(self.ec2, call)(NextToken="")
        # A tag's empty value and a filter's are values; an empty attribute takes away what was there.
        self.ec2.create_tags(Resources=[made], Tags=[{"Key": "bare", "Value": ""}, {"Key": "full", "Value": "x"}])
        self.ec2.delete_tags(Resources=[made], Tags=[{"Key": "full", "Value": ""}])
        found = self.ec2.describe_instances(Filters=[{"Name": "tag:bare", "Values": [""]}])["Reservations"]
        self.assertEqual([i["InstanceId"] for r in found for i in r["Instances"]], [made])
        self.assertIn({"Key": "full", "Value": "x"}, self.show(made)["Tags"])
        interface = self.show(made)["NetworkInterfaces"][0]["NetworkInterfaceId"]
        for text in ("told", ""):
            self.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Description={"Value": text})
            self.assertEqual(self.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]["Description"], text)
        self.refusals(
            [
                ("create_security_group", dict(GroupName="no-text", Description=""), "MissingParameter",
                 "The request must contain the parameter GroupDescription"),
                ("run_instances", dict(ImageId="", MinCount=1, MaxCount=1), "MissingParameter", "The request must contain the parameter ImageId"),
                ("describe_instances", dict(InstanceIds=[""]), "MissingParameter", "The request must contain the parameter InstanceId"),
                ("run_instances", dict(ImageId=self.image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SecurityGroupIds=[""]), "InvalidParameterValue",
                 "Value () for parameter groupId is invalid. The value cannot be empty"),
                ("associate_iam_instance_profile", dict(InstanceId=made, IamInstanceProfile={"Name": ""}), "MissingParameter",
                 "The request must contain the parameter IamInstanceProfile"),
                ("delete_vpc", dict(VpcId=""), "MissingParameter", "The request must contain the parameter VpcId"),
            ]
        )

    def test_an_image_is_taken_copied_and_given_up(self):
        (source,) = self.launch()
        self.wait("instance_running", InstanceIds=[source])
        image = self.ec2.create_image(InstanceId=source, Name="taken", NoReboot=True)["ImageId"]
        self.wait("image_available", ImageIds=[image])
        copy = self.ec2.copy_image(Name="copied", SourceImageId=image, SourceRegion="us-east-1")["ImageId"]
        self.wait("image_exists", ImageIds=[copy])
        own = self.ec2.describe_images(Owners=["self"], Filters=[{"Name": "state", "Values": ["available"]}])["Images"]
        self.assertEqual({i["ImageId"] for i in own}, {image, copy})
        snapshot = next(i for i in own if i["ImageId"] == image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        self.refusals(
            [
                ("create_image", dict(InstanceId=source, Name="taken"), "InvalidAMIName.Duplicate", f"AMI name taken is already in use by AMI {image}"),
                ("delete_snapshot", dict(SnapshotId=snapshot), "InvalidSnapshot.InUse", f"The snapshot {snapshot} is currently in use by {image}"),
            ]
        )
        # As Terraform's aws_ami asks for it: what was not given is sent empty.
        again = self.ec2.register_image(
            Name="again", ImageLocation="", Architecture="x86_64", RootDeviceName="/dev/xvda", SriovNetSupport="simple", EnaSupport=False,
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
        )["ImageId"]
        shown = self.ec2.describe_images(ImageIds=[again])["Images"][0]
        self.assertEqual((shown["SriovNetSupport"], shown["EnaSupport"]), ("simple", False))
        # Types of the Nitro system need what this image does not have.
        self.assertEqual(
            self.refused("run_instances", ImageId=again, InstanceType="t3.micro", MinCount=1, MaxCount=1),
            ("InvalidParameterCombination", "Enhanced networking with the Elastic Network Adapter (ENA) is required for the 't3.micro' instance type. "
             "Ensure that you are using an AMI that is enabled for ENA."),
        )
        (plain,) = self.launch(ImageId=again, InstanceType="t2.micro")
        self.assertIs(self.show(plain)["EnaSupport"], False)
        self.assertEqual(self.ec2.describe_instance_attribute(InstanceId=plain, Attribute="enaSupport")["EnaSupport"], {"Value": False})
        self.ec2.stop_instances(InstanceIds=[plain])
        self.wait("instance_stopped", InstanceIds=[plain])
        self.assertEqual(self.refused("modify_instance_attribute", InstanceId=plain, InstanceType={"Value": "t3.micro"})[0], "InvalidParameterCombination")
        self.ec2.modify_instance_attribute(InstanceId=plain, EnaSupport={"Value": True})
        self.ec2.modify_instance_attribute(InstanceId=plain, InstanceType={"Value": "t3.micro"})
        self.assertIs(self.show(plain)["EnaSupport"], True)
        self.ec2.deregister_image(ImageId=again)
        self.ec2.deregister_image(ImageId=image)
        self.ec2.delete_snapshot(SnapshotId=snapshot)
        self.launch(ImageId=copy)
        self.assertEqual(
            self.refused("run_instances", ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1),
            ("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist"),
        )

    def test_an_image_is_named_by_a_parameter(self):
        alias = "resolve:ssm:/aws/service/debian/release/12/latest/amd64"
        run = dict(ImageId=alias, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        (direct,) = self.launch(ImageId=alias)
        self.assertEqual(self.show(direct)["ImageId"], self.image)
        self.kiln.client("ssm").put_parameter(Name="/shop/image", Type="String", Value=self.image)
        self.ec2.create_launch_template(
            LaunchTemplateName="by-alias", LaunchTemplateData={"ImageId": "resolve:ssm:/shop/image", "InstanceType": "t3.micro"}
        )
        made = self.ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "by-alias"}, MinCount=1, MaxCount=1)["Instances"][0]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[made["InstanceId"]])
        self.assertEqual(made["ImageId"], self.image)
        images = [
            self.ec2.describe_launch_template_versions(LaunchTemplateName="by-alias", ResolveAlias=resolve)["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"]
            for resolve in (False, True)
        ]
        self.assertEqual(images, ["resolve:ssm:/shop/image", self.image])
        code, message = self.refused("run_instances", **{**run, "ImageId": "resolve:ssm:/shop/none"})
        self.assertEqual(code, "InvalidParameterValue")
        self.assertIn("resolve:ssm:/shop/none", message)

    def test_the_catalogue_has_what_terraform_reads(self):
        kind = self.ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"][0]
        self.assertEqual((kind["VCpuInfo"]["DefaultVCpus"], kind["MemoryInfo"]["SizeInMiB"]), (2, 1024))
        self.assertEqual(kind["EbsInfo"]["EbsOptimizedSupport"], "default")
        self.assertIn("SupportedStrategies", kind["PlacementGroupInfo"])
        old = self.ec2.describe_instance_types(Filters=[{"Name": "current-generation", "Values": ["false"]}])["InstanceTypes"]
        self.assertIn("m1.small", {kind["InstanceType"] for kind in old})
        zones = self.kiln.aws("ec2", "describe-availability-zones")["AvailabilityZones"]
        self.assertEqual([zone["ZoneName"] for zone in zones], ["us-east-1a", "us-east-1b", "us-east-1c"])
        # Nobody names a type: AWS's default.
        made = self.kiln.aws("ec2", "run-instances", "--image-id", self.image)["Instances"][0]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[made["InstanceId"]])
        self.assertEqual(made["InstanceType"], "m1.small")

    def test_attributes_with_one_possible_value(self):
        (small,) = self.launch()
        (large,) = self.launch(InstanceType="m5.large")
        done = self.ec2.modify_instance_credit_specification(
            InstanceCreditSpecifications=[{"InstanceId": i, "CpuCredits": "unlimited"} for i in (small, large)]
        )
        self.assertEqual([i["InstanceId"] for i in done["SuccessfulInstanceCreditSpecifications"]], [small])
        failed = done["UnsuccessfulInstanceCreditSpecifications"]
        self.assertEqual([(i["InstanceId"], i["Error"]["Code"]) for i in failed], [(large, "InstanceCreditSpecification.NotSupported")])
        shown = self.ec2.describe_instance_credit_specifications(InstanceIds=[small, large])["InstanceCreditSpecifications"]
        self.assertEqual(shown, [{"InstanceId": small, "CpuCredits": "unlimited"}])
        self.ec2.modify_instance_maintenance_options(InstanceId=small, AutoRecovery="disabled")
        self.assertEqual(self.show(small)["MaintenanceOptions"]["AutoRecovery"], "disabled")
        self.assertEqual(self.ec2.get_password_data(InstanceId=small)["PasswordData"], "")

    def test_what_would_have_no_effect_is_refused_by_name(self):
        (instance,) = self.launch()
        self.wait("instance_running", InstanceIds=[instance])
        run = dict(ImageId=self.image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        disk = lambda **ebs: [{"DeviceName": "/dev/xvda", "Ebs": ebs}]
        for call, arguments, named in [
            ("run_instances", dict(run, CreditSpecification={"CpuCredits": "standard"}), "CpuCredits standard"),
            ("run_instances", dict(run, BlockDeviceMappings=disk(Iops=9000)), "Ebs.Iops"),
            ("run_instances", dict(run, BlockDeviceMappings=disk(Encrypted=True)), "Ebs.Encrypted"),
            ("run_instances", dict(run, BlockDeviceMappings=disk(DeleteOnTermination=False)), "DeleteOnTermination false"),
            ("modify_vpc_attribute", dict(VpcId=self.show(instance)["VpcId"], EnableNetworkAddressUsageMetrics={"Value": True}),
             "EnableNetworkAddressUsageMetrics"),
            ("create_volume", dict(AvailabilityZone="us-east-1a", Size=1), "ec2:CreateVolume"),
            ("create_dhcp_options", dict(DhcpConfigurations=[{"Key": "domain-name", "Values": ["x.test"]}]), "ec2:CreateDhcpOptions"),
        ]:
            with self.subTest(named=named):
                code, message = self.refused(call, **arguments)
                self.assertEqual(code, "NotImplemented")
                self.assertIn(named, message)
        self.assertEqual(self.show(instance)["Monitoring"], {"State": "disabled"})


if __name__ == "__main__":
    unittest.main()
