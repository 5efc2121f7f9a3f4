"""EC2's calls by boto3, each at least once, by kind of thing. What machines and networks do is in test_machines*.py."""
import base64

from calls import Calls

QUICK = {"Delay": 1, "MaxAttempts": 60}


class Ec2(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ec2, cls.iam = cls.kiln.client("ec2"), cls.kiln.client("iam")
        cls.image = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def launch(self, **more):
        made = self.ec2.run_instances(ImageId=self.image, MinCount=1, MaxCount=1, InstanceType="t3.micro", **more)
        instance = made["Instances"][0]["InstanceId"]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[instance])
        self.ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig=QUICK)
        return instance


class Networks(Ec2):
    def setUp(self):
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]

    def way_out(self):
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        return gateway

    def test_blocks_of_a_vpc(self):
        ec2 = self.ec2
        block = ec2.associate_vpc_cidr_block(VpcId=self.vpc, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]["AssociationId"]
        blocks = lambda: [b["CidrBlock"] for b in ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"][0]["CidrBlockAssociationSet"] if b["CidrBlockState"]["State"] == "associated"]
        self.assertEqual(blocks(), ["10.0.0.0/16", "10.1.0.0/16"])
        self.assertEqual(self.refused(ec2.associate_vpc_cidr_block, VpcId=self.vpc, CidrBlock="10.1.0.0/17"), "CidrConflict")
        inside = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
        self.assertIn("10.1.1.0/24", [s["CidrBlock"] for s in ec2.describe_subnets(SubnetIds=[inside])["Subnets"]])
        ec2.delete_subnet(SubnetId=inside)
        ec2.disassociate_vpc_cidr_block(AssociationId=block)
        self.assertEqual(blocks(), ["10.0.0.0/16"])
        ec2.modify_subnet_attribute(SubnetId=self.subnet, MapPublicIpOnLaunch={"Value": True})
        self.assertTrue(ec2.describe_subnets(SubnetIds=[self.subnet])["Subnets"][0]["MapPublicIpOnLaunch"])

    def test_routes(self):
        ec2, gateway = self.ec2, self.way_out()
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        one, two = (ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
        ec2.create_route(RouteTableId=one, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        self.assertTrue(ec2.create_route(RouteTableId=one, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)["Return"])
        self.assertEqual(self.refused(ec2.create_route, RouteTableId=one, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat), "RouteAlreadyExists")
        ec2.replace_route(RouteTableId=one, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
        routes = lambda table: ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        self.assertIn((nat, "active"), [(r.get("NatGatewayId"), r["State"]) for r in routes(one)])
        association = ec2.associate_route_table(RouteTableId=one, SubnetId=self.subnet)["AssociationId"]
        moved = ec2.replace_route_table_association(AssociationId=association, RouteTableId=two)["NewAssociationId"]
        self.assertNotEqual(moved, association)
        self.assertEqual(self.refused(ec2.delete_route_table, RouteTableId=two), "DependencyViolation")
        ec2.disassociate_route_table(AssociationId=moved)
        ec2.delete_nat_gateway(NatGatewayId=nat)
        ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[nat], WaiterConfig=QUICK)
        self.assertIn((nat, "blackhole"), [(r.get("NatGatewayId"), r["State"]) for r in routes(one)])
        ec2.delete_route(RouteTableId=one, DestinationCidrBlock="0.0.0.0/0")
        for table in (one, two):
            ec2.delete_route_table(RouteTableId=table)
        ec2.release_address(AllocationId=address)
        self.assertEqual(self.refused(ec2.release_address, AllocationId=address), "InvalidAllocationID.NotFound")

    def test_descriptions_of_rules(self):
        ec2 = self.ec2
        group = ec2.create_security_group(GroupName="described", Description="d", VpcId=self.vpc)["GroupId"]
        web = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "one"}]}
        changed = {**web, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "two"}]}
        for authorize, describe, revoke, rules in [
            (ec2.authorize_security_group_ingress, ec2.update_security_group_rule_descriptions_ingress, ec2.revoke_security_group_ingress, "IpPermissions"),
            (ec2.authorize_security_group_egress, ec2.update_security_group_rule_descriptions_egress, ec2.revoke_security_group_egress, "IpPermissionsEgress"),
        ]:
            authorize(GroupId=group, IpPermissions=[web])
            describe(GroupId=group, IpPermissions=[changed])
            shown = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0][rules]
            self.assertIn(changed["IpRanges"], [rule["IpRanges"] for rule in shown])
            revoke(GroupId=group, IpPermissions=[web])
        ec2.delete_security_group(GroupId=group)

    def test_an_interface(self):
        ec2 = self.ec2
        interface = ec2.create_network_interface(SubnetId=self.subnet, Description="one")["NetworkInterface"]["NetworkInterfaceId"]
        which = {"NetworkInterfaceId": interface}
        ec2.modify_network_interface_attribute(**which, SourceDestCheck={"Value": False})
        self.assertFalse(ec2.describe_network_interface_attribute(**which, Attribute="sourceDestCheck")["SourceDestCheck"]["Value"])
        ec2.reset_network_interface_attribute(**which, SourceDestCheck="true")
        self.assertTrue(ec2.describe_network_interface_attribute(**which, Attribute="sourceDestCheck")["SourceDestCheck"]["Value"])
        ec2.modify_network_interface_attribute(**which, Description={"Value": "two"})
        self.assertEqual(ec2.describe_network_interface_attribute(**which, Attribute="description")["Description"]["Value"], "two")
        ec2.delete_network_interface(**which)
        self.assertEqual(self.refused(ec2.describe_network_interfaces, NetworkInterfaceIds=[interface]), "InvalidNetworkInterfaceID.NotFound")

    def test_a_subnet_that_a_zone_has_by_default(self):
        ec2 = self.ec2
        before = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}, {"Name": "availability-zone", "Values": ["us-east-1b"]}])["Subnets"][0]
        self.assertEqual(self.refused(ec2.create_default_subnet, AvailabilityZone="us-east-1b"), "DefaultSubnetAlreadyExistsInAvailabilityZone")
        ec2.delete_subnet(SubnetId=before["SubnetId"])
        made = ec2.create_default_subnet(AvailabilityZone="us-east-1b")["Subnet"]
        self.assertTrue(made["DefaultForAz"] and made["MapPublicIpOnLaunch"])

    def test_aws_s_own_prefix_lists(self):
        ec2 = self.ec2
        lists = {each["PrefixListName"]: each for each in ec2.describe_prefix_lists()["PrefixLists"]}
        self.assertEqual(sorted(lists), ["com.amazonaws.us-east-1.dynamodb", "com.amazonaws.us-east-1.s3"])
        s3 = lists["com.amazonaws.us-east-1.s3"]
        self.assertEqual(s3["Cidrs"], ["169.254.169.254/32"], "where S3 is for machines")
        self.assertEqual(lists["com.amazonaws.us-east-1.dynamodb"]["Cidrs"], [], "it is not built")
        named = [{"Name": "prefix-list-name", "Values": ["com.amazonaws.*.s3"]}]
        self.assertEqual([each["PrefixListId"] for each in ec2.describe_managed_prefix_lists(Filters=named)["PrefixLists"]], [s3["PrefixListId"]])
        entries = ec2.get_managed_prefix_list_entries(PrefixListId=s3["PrefixListId"])["Entries"]
        self.assertEqual([each["Cidr"] for each in entries], s3["Cidrs"])
        self.assertEqual(self.refused(ec2.get_managed_prefix_list_entries, PrefixListId="pl-00000000"), "InvalidPrefixListID.NotFound")
        group = ec2.create_security_group(GroupName="to-s3", Description="to S3", VpcId=self.vpc)["GroupId"]
        to_s3 = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": s3["PrefixListId"], "Description": "S3"}]}]
        rule = ec2.authorize_security_group_egress(GroupId=group, IpPermissions=to_s3)["SecurityGroupRules"][0]
        self.assertEqual(rule["PrefixListId"], s3["PrefixListId"])
        shown = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
        self.assertIn(to_s3[0]["PrefixListIds"], [each["PrefixListIds"] for each in shown])
        self.assertEqual(self.refused(ec2.authorize_security_group_egress, GroupId=group, IpPermissions=to_s3), "InvalidPermission.Duplicate")
        ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
        ec2.delete_security_group(GroupId=group)

    def test_what_there_is_of_it_and_what_not(self):
        ec2, here = self.ec2, [{"Name": "vpc-id", "Values": [self.vpc]}]
        self.assertIn("us-east-1", [r["RegionName"] for r in ec2.describe_regions()["Regions"]])
        self.assertIn("supported-platforms", [a["AttributeName"] for a in ec2.describe_account_attributes()["AccountAttributes"]])
        options = ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"][0]["DhcpOptionsId"]
        shown = ec2.describe_dhcp_options(DhcpOptionsIds=[options])["DhcpOptions"][0]["DhcpConfigurations"]
        self.assertIn(("domain-name-servers", "AmazonProvidedDNS"), [(c["Key"], c["Values"][0]["Value"]) for c in shown])
        lists = ec2.describe_network_acls(Filters=here)["NetworkAcls"]
        self.assertEqual([each["IsDefault"] for each in lists], [True])
        self.assertEqual(ec2.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"], [])
        self.assertEqual(ec2.describe_vpc_endpoints(Filters=here)["VpcEndpoints"], [])
        self.assertEqual(ec2.describe_vpc_peering_connections()["VpcPeeringConnections"], [])
        offered = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}])
        self.assertIn("us-east-1a", [each["Location"] for each in offered["InstanceTypeOfferings"]])


    def test_the_vpc_that_a_region_has_by_default(self):
        ec2 = self.kiln.client("ec2", region_name="eu-west-1")
        vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        self.assertEqual(self.refused(ec2.create_default_vpc), "DefaultVpcAlreadyExists")
        for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        gateway = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["InternetGateways"][0]["InternetGatewayId"]
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ec2.delete_internet_gateway(InternetGatewayId=gateway)
        ec2.delete_vpc(VpcId=vpc)
        made = ec2.create_default_vpc()["Vpc"]
        self.assertEqual((made["IsDefault"], made["CidrBlock"]), (True, "172.31.0.0/16"))
        subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [made["VpcId"]]}])["Subnets"]
        self.assertEqual({subnet["AvailabilityZone"] for subnet in subnets}, {f"eu-west-1{zone}" for zone in "abc"})


class Machines(Ec2):
    def test_its_role(self):
        ec2, iam = self.ec2, self.iam
        for name in ("one", "two"):
            iam.create_instance_profile(InstanceProfileName=name)
            self.addCleanup(iam.delete_instance_profile, InstanceProfileName=name)
        instance = self.launch()
        made = ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": "one"})["IamInstanceProfileAssociation"]
        self.assertEqual(self.refused(ec2.associate_iam_instance_profile, InstanceId=instance, IamInstanceProfile={"Name": "two"}), "IncorrectState")
        replaced = ec2.replace_iam_instance_profile_association(AssociationId=made["AssociationId"], IamInstanceProfile={"Name": "two"})
        association = replaced["IamInstanceProfileAssociation"]["AssociationId"]
        found = ec2.describe_iam_instance_profile_associations(Filters=[{"Name": "instance-id", "Values": [instance]}])["IamInstanceProfileAssociations"]
        self.assertEqual([(each["AssociationId"], each["IamInstanceProfile"]["Arn"].split("/")[-1], each["State"]) for each in found], [(association, "two", "associated")])
        shown = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        self.assertTrue(shown["IamInstanceProfile"]["Arn"].endswith("/two"))
        ec2.disassociate_iam_instance_profile(AssociationId=association)
        shown = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        self.assertNotIn("IamInstanceProfile", shown)

    def test_its_state_and_its_volume(self):
        ec2, instance = self.ec2, self.launch()
        ec2.get_waiter("instance_status_ok").wait(InstanceIds=[instance], WaiterConfig=QUICK)
        status = ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]
        self.assertEqual((status["InstanceStatus"]["Status"], status["SystemStatus"]["Status"]), ("ok", "ok"))
        volume = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"][0]
        self.assertEqual((volume["State"], volume["Attachments"][0]["Device"]), ("in-use", "/dev/xvda"))
        which = volume["VolumeId"]
        # Nobody reads all of a disk to say that it is good.
        self.assertEqual(ec2.describe_volume_status(VolumeIds=[which])["VolumeStatuses"][0]["VolumeStatus"]["Status"], "insufficient-data")
        with_filter = lambda name, value: [v["VolumeId"] for v in ec2.describe_volume_status(Filters=[{"Name": name, "Values": [value]}])["VolumeStatuses"]]
        self.assertIn(which, with_filter("volume-status.details-name", "io-enabled"))
        self.assertEqual(with_filter("event.event-type", "*"), [])
        self.assertFalse(ec2.describe_volume_attribute(VolumeId=which, Attribute="autoEnableIO")["AutoEnableIO"]["Value"])
        self.assertEqual(ec2.describe_volumes_modifications(Filters=[{"Name": "volume-id", "Values": [which]}])["VolumesModifications"], [])
        self.assertEqual(ec2.monitor_instances(InstanceIds=[instance])["InstanceMonitorings"][0]["Monitoring"]["State"], "enabled")
        self.assertEqual(ec2.unmonitor_instances(InstanceIds=[instance])["InstanceMonitorings"][0]["Monitoring"]["State"], "disabled")
        ec2.reset_instance_attribute(InstanceId=instance, Attribute="sourceDestCheck")
        self.assertTrue(ec2.describe_instance_attribute(InstanceId=instance, Attribute="sourceDestCheck")["SourceDestCheck"]["Value"])
        ec2.create_tags(Resources=[instance, which], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        ec2.delete_tags(Resources=[instance, which], Tags=[{"Key": "a"}, {"Key": "b", "Value": "other"}])
        tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance, which]}])["Tags"]
        self.assertEqual(sorted((t["ResourceId"], t["Key"], t["Value"]) for t in tags), sorted((each, "b", "2") for each in (instance, which)))

    def test_an_image_and_its_snapshot(self):
        ec2, instance = self.ec2, self.launch()
        image = ec2.create_image(InstanceId=instance, Name="taken", Description="one")["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig=QUICK)
        ec2.modify_image_attribute(ImageId=image, Description={"Value": "two"})
        self.assertEqual(ec2.describe_image_attribute(ImageId=image, Attribute="description")["Description"]["Value"], "two")
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": "111122223333"}]})
        self.assertEqual(ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"], [{"UserId": "111122223333"}])
        snapshot = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        shown = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
        self.assertEqual((shown["State"], shown["OwnerId"]), ("completed", self.kiln.info["account"]))
        self.assertEqual(self.refused(ec2.delete_snapshot, SnapshotId=snapshot), "InvalidSnapshot.InUse")
        ec2.deregister_image(ImageId=image)
        ec2.delete_snapshot(SnapshotId=snapshot)
        self.assertEqual(self.refused(ec2.describe_snapshots, SnapshotIds=[snapshot]), "InvalidSnapshot.NotFound")

    def test_addresses_have_names(self):
        address = self.ec2.allocate_address(Domain="vpc")
        found = self.ec2.describe_addresses_attribute(AllocationIds=[address["AllocationId"]], Attribute="domain-name")["Addresses"]
        self.assertEqual(found, [{"PublicIp": address["PublicIp"], "AllocationId": address["AllocationId"]}])
        self.ec2.release_address(AllocationId=address["AllocationId"])


class Templates(Ec2):
    def test_versions(self):
        ec2 = self.ec2
        data = {"ImageId": self.image, "InstanceType": "t3.micro"}
        template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
        which = {"LaunchTemplateId": template}
        made = ec2.create_launch_template_version(**which, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}, VersionDescription="larger")
        self.assertEqual(made["LaunchTemplateVersion"]["VersionNumber"], 2)
        given = {name: value for name, value in made["LaunchTemplateVersion"]["LaunchTemplateData"].items() if value != []}
        self.assertEqual(given, {"ImageId": self.image, "InstanceType": "t3.small"})
        ec2.create_launch_template_version(**which, LaunchTemplateData=data)
        shown = ec2.modify_launch_template(**which, DefaultVersion="2")["LaunchTemplate"]
        self.assertEqual((shown["DefaultVersionNumber"], shown["LatestVersionNumber"]), (2, 3))
        versions = ec2.describe_launch_template_versions(**which, Versions=["$Default", "$Latest"])["LaunchTemplateVersions"]
        self.assertEqual(sorted(v["VersionNumber"] for v in versions), [2, 3])
        gone = ec2.delete_launch_template_versions(**which, Versions=["1", "2", "9"])
        self.assertEqual([v["VersionNumber"] for v in gone["SuccessfullyDeletedLaunchTemplateVersions"]], [1])
        self.assertEqual(sorted(v["VersionNumber"] for v in gone["UnsuccessfullyDeletedLaunchTemplateVersions"]), [2, 9])
        instance = self.launch_of(template)
        self.assertEqual(instance["InstanceType"], "t3.small")
        data = ec2.get_launch_template_data(InstanceId=instance["InstanceId"])["LaunchTemplateData"]
        self.assertEqual((data["ImageId"], data["InstanceType"]), (self.image, "t3.small"))
        ec2.delete_launch_template(LaunchTemplateName="web")
        self.assertEqual(self.refused(ec2.describe_launch_templates, LaunchTemplateIds=[template]), "InvalidLaunchTemplateId.NotFound")

    def launch_of(self, template):
        made = self.ec2.run_instances(LaunchTemplate={"LaunchTemplateId": template}, MinCount=1, MaxCount=1)["Instances"][0]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[made["InstanceId"]])
        return made

    def test_keys(self):
        ec2 = self.ec2
        public = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
        made = ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=f"ssh-ed25519 {public} me@here".encode())
        self.assertTrue(made["KeyFingerprint"])
        self.assertEqual(self.refused(ec2.import_key_pair, KeyName="mine", PublicKeyMaterial=f"ssh-ed25519 {public}".encode()), "InvalidKeyPair.Duplicate")
        self.assertEqual(self.refused(ec2.import_key_pair, KeyName="other", PublicKeyMaterial=b"x"), "InvalidKey.Format")
        shown = ec2.describe_key_pairs(KeyNames=["mine"], IncludePublicKey=True)["KeyPairs"][0]
        self.assertIn(public, shown["PublicKey"])
        self.assertTrue(ec2.delete_key_pair(KeyName="mine")["Return"])
        self.assertEqual(self.refused(ec2.describe_key_pairs, KeyNames=["mine"]), "InvalidKeyPair.NotFound")
