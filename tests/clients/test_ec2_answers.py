"""What EC2 answers to what is nearly right: codes and texts that clients' own tests look for. Where
AWS's documents are silent, the test says so.
"""
import base64
import subprocess
import tempfile
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for

QUICK = {"Delay": 1, "MaxAttempts": 60}
NOTHING = "0123456789abcdef0"


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.ec2 = cls.kiln.client("ec2")
        cls.image = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.one = dict(ImageId=cls.image, InstanceType="t3.micro", MinCount=1, MaxCount=1)

    def refused(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            getattr(self.ec2, call)(**arguments)
        error = caught.exception.response["Error"]
        return error["Code"], error["Message"]

    def refusals(self, table):
        for call, arguments, code, message in table:
            with self.subTest(call=call, **arguments):
                self.assertEqual(self.refused(call, **arguments), (code, message))

    def launch(self, **more):
        ids = [i["InstanceId"] for i in self.ec2.run_instances(**{**self.one, **more})["Instances"]]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=ids)
        return ids

    def test_client_tokens(self):
        (first,) = self.launch(ClientToken="gone")
        self.assertEqual(self.launch(ClientToken="gone"), [first])
        self.ec2.terminate_instances(InstanceIds=[first])
        self.ec2.get_waiter("instance_terminated").wait(InstanceIds=[first], WaiterConfig=QUICK)
        self.assertEqual(self.refused("run_instances", **self.one, ClientToken="gone")[0], "IdempotentInstanceTerminated")
        for call, arguments in [
            ("run_instances", self.one), ("create_launch_template", dict(LaunchTemplateName="token", LaunchTemplateData={"ImageId": self.image})),
            ("create_nat_gateway", dict(SubnetId=f"subnet-{NOTHING}", ConnectivityType="public")),
        ]:
            for wrong in ("x" * 65, "ü"):
                self.assertEqual(self.refused(call, **arguments, ClientToken=wrong)[0], "InvalidParameterValue", (call, wrong))
        self.launch(ClientToken="x" * 64)

    def test_tags_that_metadata_cannot_tell(self):
        """AWS's text is not documented; it is the one that its users report."""
        told = {"InstanceMetadataTags": "enabled"}
        tagged = lambda key: [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": "x"}]}]
        text = lambda key: (
            "InvalidParameterValue",
            f"'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\\\-_+=,.@:]{{1,255}}), "
            "and must not be a reserved name ('.', '..', '_index')",
        )
        template = {"ImageId": self.image, "InstanceType": "t3.micro", "MetadataOptions": told, "TagSpecifications": tagged("a b")}
        self.ec2.create_launch_template(LaunchTemplateName="tagged", LaunchTemplateData=template)
        (shown,) = self.launch(MetadataOptions=told, TagSpecifications=tagged("good-_+=,.@:"))
        (hidden,) = self.launch(TagSpecifications=tagged("a/b"))
        refusals = [
            ("run_instances", dict(LaunchTemplate={"LaunchTemplateName": "tagged"}, MinCount=1, MaxCount=1), *text("a b")),
            ("modify_instance_metadata_options", dict(InstanceId=hidden, InstanceMetadataTags="enabled"), *text("a/b")),
        ]
        for key in ("a/b", "a b", ".", "..", "_index", "ü"):
            refusals.append(("run_instances", dict(**self.one, MetadataOptions=told, TagSpecifications=tagged(key)), *text(key)))
            refusals.append(("create_tags", dict(Resources=[shown], Tags=[{"Key": key, "Value": "x"}]), *text(key)))
        self.refusals(refusals)
        self.ec2.create_tags(Resources=[hidden], Tags=[{"Key": "a b", "Value": "x"}])
        self.ec2.delete_tags(Resources=[hidden], Tags=[{"Key": "a b"}, {"Key": "a/b"}])
        self.ec2.modify_instance_metadata_options(InstanceId=hidden, InstanceMetadataTags="enabled")

    def test_image_attributes(self):
        (source,) = self.launch()
        self.ec2.get_waiter("instance_running").wait(InstanceIds=[source], WaiterConfig=QUICK)
        image = self.ec2.create_image(InstanceId=source, Name="shared", NoReboot=True)["ImageId"]
        self.ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig=QUICK)
        permission = dict(ImageId=image, Attribute="launchPermission")
        allowed = lambda: self.ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]
        self.ec2.modify_image_attribute(**permission, OperationType="add", UserIds=["111122223333"])
        self.ec2.modify_image_attribute(**permission, LaunchPermission={"Add": [{"Group": "all"}]})
        self.assertEqual(allowed(), [{"Group": "all"}, {"UserId": "111122223333"}])
        self.ec2.modify_image_attribute(**permission, OperationType="remove", UserGroups=["all"])
        self.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [{"UserId": "111122223333"}]})
        self.assertEqual(allowed(), [])
        self.refusals([
            ("modify_image_attribute", dict(**permission, UserIds=["111122223333"]), "MissingParameter", "The request must contain the parameter OperationType"),
            ("modify_image_attribute", permission, "InvalidParameterCombination", "No attributes specified."),
            ("modify_image_attribute", dict(**permission, LaunchPermission={}), "InvalidParameterCombination", "No attributes specified."),
            ("modify_image_attribute", dict(**permission, OperationType="add"), "InvalidParameterCombination", "No attributes specified."),
            ("modify_image_attribute", dict(**permission, OperationType="add", UserIds=["me"]), "InvalidAMIAttributeItemValue",
             'Invalid attribute item value "me" for userId item type.'),
            ("modify_image_attribute", dict(**permission, OperationType="add", UserGroups=["some"]), "InvalidAMIAttributeItemValue",
             'Invalid attribute item value "some" for userGroup item type.'),
            ("describe_images", dict(ImageIds=[f"ami-{NOTHING}"]), "InvalidAMIID.NotFound", f"The image id '[ami-{NOTHING}]' does not exist"),
            ("describe_images", dict(ImageIds=[self.image, f"ami-{NOTHING}", "ami-12345678"]), "InvalidAMIID.NotFound",
             f"The image ids '[ami-{NOTHING}, ami-12345678]' do not exist"),
        ])  # fmt: skip

    def test_no_instances_named(self):
        for call in ("terminate_instances", "stop_instances", "start_instances", "reboot_instances", "unmonitor_instances"):
            for none in ([], [""]):
                with self.subTest(call=call, none=none):
                    told = self.refused(call, InstanceIds=none)
                    self.assertEqual(told, ("MissingParameter", "The request must contain the parameter InstanceId"))

    def test_keys_in_every_form(self):
        with tempfile.TemporaryDirectory() as folder:
            run = lambda *words: subprocess.run(words, check=True, capture_output=True, cwd=folder).stdout
            run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa")
            forms = {
                "openssh": run("ssh-keygen", "-y", "-f", "rsa"),
                "rfc4716": run("ssh-keygen", "-e", "-m", "RFC4716", "-f", "rsa"),
                "pem": run("ssh-keygen", "-e", "-m", "PKCS8", "-f", "rsa"),
                "pkcs1": run("ssh-keygen", "-e", "-m", "PEM", "-f", "rsa"),
            }
            private = open(f"{folder}/rsa", "rb").read()
        body = b"".join(line for line in forms["pem"].splitlines() if not line.startswith(b"-----"))
        forms["base64"], forms["der"] = body, base64.b64decode(body)
        prints = {name: self.ec2.import_key_pair(KeyName=name, PublicKeyMaterial=key)["KeyFingerprint"] for name, key in forms.items()}
        self.assertEqual(len(set(prints.values())), 1, prints)
        listed = self.ec2.describe_key_pairs(KeyNames=list(forms), IncludePublicKey=True)["KeyPairs"]
        self.assertEqual({pair["PublicKey"].split()[1] for pair in listed}, {forms["openssh"].split()[1].decode()})
        for wrong in (private, b"nothing", forms["rfc4716"][:-40]):
            self.assertEqual(self.refused("import_key_pair", KeyName="wrong", PublicKeyMaterial=wrong)[0], "InvalidKey.Format")

    def test_filters_find_nothing_by_what_is_no_id(self):
        """AWS's documents are silent; its listings find nothing, where an id in the request is refused."""
        for call, key, name in [
            ("describe_instances", "Reservations", "instance-id"), ("describe_instances", "Reservations", "vpc-id"),
            ("describe_instance_status", "InstanceStatuses", "event.code"), ("describe_subnets", "Subnets", "vpc-id"),
            ("describe_security_groups", "SecurityGroups", "group-id"), ("describe_security_group_rules", "SecurityGroupRules", "group-id"),
            ("describe_security_group_rules", "SecurityGroupRules", "security-group-rule-id"),
            ("describe_network_interfaces", "NetworkInterfaces", "subnet-id"), ("describe_volumes", "Volumes", "attachment.instance-id"),
            ("describe_route_tables", "RouteTables", "association.subnet-id"), ("describe_addresses", "Addresses", "allocation-id"),
            ("describe_nat_gateways", "NatGateways", "vpc-id"), ("describe_images", "Images", "image-id"), ("describe_snapshots", "Snapshots", "volume-id"),
            ("describe_iam_instance_profile_associations", "IamInstanceProfileAssociations", "instance-id"), ("describe_key_pairs", "KeyPairs", "key-pair-id"),
            ("describe_tags", "Tags", "resource-id"), ("describe_vpcs", "Vpcs", "dhcp-options-id"),
        ]:  # fmt: skip
            with self.subTest(call=call, filter=name):
                argument = "Filter" if call == "describe_nat_gateways" else "Filters"
                self.assertEqual(getattr(self.ec2, call)(**{argument: [{"Name": name, "Values": ["no-id"]}]})[key], [])

    def test_launch_templates(self):
        data = {"ImageId": self.image, "InstanceType": "t3.micro"}
        made = self.ec2.create_launch_template(LaunchTemplateName="one", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
        unknown = f"lt-{NOTHING}"
        which = (
            "To describe the launch template data for all your launch templates, for ‘--versions’ specify ‘$Latest’, ‘$Default’, or both, "
            "and omit ‘--launch-template-id’, ‘--launch-template-name’, and version numbers. To describe the launch template data for a specific "
            "launch template, specify ‘--launch-template-id’ or ‘--launch-template-name’, and for ‘--versions’ specify one or more of the "
            "following values: ‘$Latest’, ‘$Default’, or one or more version numbers."
        )
        none = "At least one of the launch templates specified in the request does not exist."
        both = dict(LaunchTemplateId=made, LaunchTemplateName="one")
        self.refusals([
            ("describe_launch_template_versions", {}, "MissingParameter", which),
            ("describe_launch_template_versions", dict(Versions=["1"]), "InvalidParameterValue", which),
            ("describe_launch_template_versions", dict(LaunchTemplateName="two"), "InvalidLaunchTemplateName.NotFoundException",
             "The specified launch template, with template name two, does not exist."),
            ("describe_launch_template_versions", dict(LaunchTemplateId=unknown), "InvalidLaunchTemplateId.NotFound",
             f"The specified launch template, with template ID {unknown}, does not exist."),
            ("describe_launch_templates", dict(LaunchTemplateNames=["one", "two"]), "InvalidLaunchTemplateName.NotFoundException", none),
            ("modify_launch_template", dict(LaunchTemplateName="two", DefaultVersion="1"), "InvalidLaunchTemplateName.NotFoundException", none),
            ("modify_launch_template", dict(DefaultVersion="1"), "MissingParameter",
             "The request must contain the parameter launch template ID or launch template name"),
            ("modify_launch_template", dict(**both, DefaultVersion="1"), "InvalidParameterCombination",
             "Either provide launch template ID or launch template name to modify the template."),
            ("delete_launch_template", dict(LaunchTemplateName="two"), "InvalidLaunchTemplateName.NotFoundException", none),
            ("delete_launch_template", {}, "MissingParameter", "The request must contain the parameter launch template ID or launch template name"),
        ])  # fmt: skip
        self.assertEqual(self.refused("delete_launch_template", **both)[0], "InvalidParameterCombination")
        found = self.ec2.describe_launch_template_versions(Versions=["$Latest", "$Default"])["LaunchTemplateVersions"]
        self.assertIn(made, {version["LaunchTemplateId"] for version in found})

    def test_a_second_block_of_a_vpc(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = self.ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]
        self.assertEqual(made["CidrBlockState"], {"State": "associating"})
        blocks = self.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"]
        self.assertEqual({block["CidrBlockState"]["State"] for block in blocks}, {"associated"})
        gone = self.ec2.disassociate_vpc_cidr_block(AssociationId=made["AssociationId"])["CidrBlockAssociation"]
        self.assertEqual(gone["CidrBlockState"], {"State": "disassociating"})

    def test_what_a_launch_could_not_have_is_refused_when_its_template_is_made(self):
        data = {"ImageId": self.image, "InstanceType": "t3.micro"}
        disk = lambda **ebs: {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": ebs}]}
        template = lambda more: dict(LaunchTemplateName="said", LaunchTemplateData={**data, **more})
        for name, more in [
            ("InstanceMarketOptions", {"InstanceMarketOptions": {"MarketType": "spot"}}),
            ("KernelId", {"KernelId": "aki-12345678"}),
            ("Placement.Tenancy", {"Placement": {"Tenancy": "dedicated"}}),
            ("Ebs.Encrypted", disk(Encrypted=True)),
            ("Ebs.VolumeInitializationRate", disk(VolumeSize=10, VolumeInitializationRate=100)),
            ("Ebs.Throughput", disk(VolumeType="gp3", Throughput=250)),
            ("Ebs.Iops", disk(VolumeType="gp3", Iops=4000)),
            ("NetworkInterfaces.InterfaceType", {"NetworkInterfaces": [{"DeviceIndex": 0, "InterfaceType": "efa"}]}),
        ]:
            with self.subTest(name):
                code, message = self.refused("create_launch_template", **template(more))
                self.assertEqual(code, "NotImplemented")
                self.assertIn(name, message)
                self.assertIn("CreateLaunchTemplate", message)
        # What holds anyway is taken, and launched.
        holds = {
            "Monitoring": {"Enabled": False}, "EbsOptimized": True, "DisableApiStop": False, "CreditSpecification": {"CpuCredits": "unlimited"},
            "Placement": {"Tenancy": "default"}, "EnclaveOptions": {"Enabled": False}, "HibernationOptions": {"Configured": False},
            "MaintenanceOptions": {"AutoRecovery": "disabled"}, "CapacityReservationSpecification": {"CapacityReservationPreference": "none"},
            **disk(VolumeType="gp3", VolumeSize=10, Iops=3000, Throughput=125, Encrypted=False, DeleteOnTermination=True),
        }  # fmt: skip
        # Of a device that is left out nothing else counts; AWS takes both in a template.
        holds["BlockDeviceMappings"].append({"DeviceName": "/dev/sdf", "NoDevice": "", "Ebs": {"VolumeSize": 5, "Encrypted": True}})
        self.ec2.create_launch_template(**template(holds))
        (made,) = self.ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "said"}, MinCount=1, MaxCount=1)["Instances"]
        self.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
        for kind in ("gp2", "standard"):
            told = self.refused("run_instances", **self.one, **disk(VolumeType=kind, Iops=3000))
            self.assertEqual(told, ("InvalidParameterCombination", f"The parameter iops is not supported for {kind} volumes."))
            # AWS's documents have no words for it; these are what its callers report.
            told = self.refused("run_instances", **self.one, **disk(VolumeType=kind, Throughput=125))
            self.assertEqual(told, ("InvalidBlockDeviceMapping", "throughput cannot be specified with the volumeType of device '/dev/xvda'"))

    def test_a_device_that_is_left_out(self):
        """A launch configuration says it by a flag, EC2 by an empty text."""
        scaling = self.kiln.client("autoscaling")
        left_out = {"DeviceName": "/dev/sdf", "NoDevice": True}
        scaling.create_launch_configuration(
            LaunchConfigurationName="left-out", ImageId=self.image, InstanceType="t3.micro", BlockDeviceMappings=[left_out]
        )
        shown = scaling.describe_launch_configurations(LaunchConfigurationNames=["left-out"])["LaunchConfigurations"][0]
        self.assertEqual(shown["BlockDeviceMappings"], [left_out])
        group = dict(AutoScalingGroupName="left-out")
        scaling.create_auto_scaling_group(**group, LaunchConfigurationName="left-out", MinSize=1, MaxSize=1, AvailabilityZones=["us-east-1a"])
        self.addCleanup(scaling.delete_auto_scaling_group, **group, ForceDelete=True)
        members = lambda: scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["left-out"])["AutoScalingGroups"][0]["Instances"]
        wait_for("the machine", lambda: [m for m in members() if m["LifecycleState"] == "InService"])

    def test_members_that_would_have_no_effect_are_refused_by_name(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        for call, name, arguments in [
            ("run_instances", "AdditionalInfo", dict(self.one, AdditionalInfo="x")),
            ("create_vpc", "Ipv6NetmaskLength", dict(CidrBlock="10.0.0.0/16", Ipv6NetmaskLength=56)),
            ("associate_vpc_cidr_block", "Ipv6NetmaskLength", dict(VpcId=vpc, CidrBlock="10.1.0.0/16", Ipv6NetmaskLength=56)),
            ("create_subnet", "Ipv6NetmaskLength", dict(VpcId=vpc, CidrBlock="10.0.1.0/24", Ipv6NetmaskLength=64)),
            ("modify_subnet_attribute", "DisableLniAtDeviceIndex", dict(SubnetId=subnet, DisableLniAtDeviceIndex={"Value": True})),
        ]:
            with self.subTest(call=call, member=name):
                code, message = self.refused(call, **arguments)
                self.assertEqual(code, "NotImplemented")
                self.assertIn(name, message)

    def test_account_attributes(self):
        shown = {a["AttributeName"]: a["AttributeValues"][0]["AttributeValue"] for a in self.ec2.describe_account_attributes()["AccountAttributes"]}
        self.assertEqual(
            set(shown),
            {"supported-platforms", "default-vpc", "max-instances", "max-elastic-ips", "vpc-max-elastic-ips", "vpc-max-security-groups-per-interface"},
        )
        self.assertTrue(shown["default-vpc"].startswith("vpc-"))
        # As many as there are addresses to give.
        self.assertEqual((shown["max-elastic-ips"], shown["vpc-max-elastic-ips"]), ("7802880", "7802880"))
        one = self.ec2.describe_account_attributes(AttributeNames=["supported-platforms"])["AccountAttributes"]
        self.assertEqual(one, [{"AttributeName": "supported-platforms", "AttributeValues": [{"AttributeValue": "VPC"}]}])

    def test_the_hypervisor_is_what_aws_says(self):
        """The API Reference: of an instance "The value xen is used for both Xen and Nitro hypervisors"."""
        (made,) = self.launch()
        shown = self.ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]
        kinds = self.ec2.describe_instance_types(InstanceTypes=["t3.micro", "t2.micro", "m1.small", "m6g.large"])["InstanceTypes"]
        self.assertEqual(shown["Hypervisor"], "xen")
        self.assertEqual(
            {kind["InstanceType"]: (kind["Hypervisor"], kind["NetworkInfo"]["EnaSupport"]) for kind in kinds},
            # What the image needs is a fact of the type too.
            {"t3.micro": ("nitro", "required"), "t2.micro": ("xen", "unsupported"), "m1.small": ("xen", "unsupported"), "m6g.large": ("nitro", "required")},
        )


if __name__ == "__main__":
    unittest.main()
