"""Network ACLs as machines meet them: judged at a subnet's border, in the order of their numbers, without memory."""
import unittest

from botocore.exceptions import ClientError
from images import imported
from kiln import Kiln, wait_for
from test_machines_network import ANYONE, tcp

SERVICES = "ec2"

KILN = None


def setUpModule():
    global KILN
    KILN = Kiln(machines="local")
    unittest.addModuleCleanup(KILN.close)
    KILN.with_base()


class Borders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ec2 = ec2 = KILN.client("ec2")
        image = imported(KILN)
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
        cls.here, cls.there = subnets[0]["SubnetId"], subnets[1]["SubnetId"]
        cls.block = {subnet["SubnetId"]: subnet["CidrBlock"] for subnet in subnets}
        group = ec2.create_security_group(GroupName="all", Description="all")["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", **ANYONE}])
        cls.vpc, cls.machines = vpc, {}
        for name, subnet in (("client", cls.here), ("neighbour", cls.here), ("server", cls.there)):
            made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.nano", SecurityGroupIds=[group], SubnetId=subnet)
            made = made["Instances"][0]
            cls.machines[name] = (made["InstanceId"], made["PrivateIpAddress"])
        ids = [instance for instance, _ in cls.machines.values()]
        ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def asks(self, near, far):
        (instance, _), (_, address) = self.machines[near], self.machines[far]
        script = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | /bin/busybox nc -w 1 {address} 8080"
        return KILN.cli("shell", instance, "--", "/bin/busybox", "sh", "-c", script, check=False).stdout.endswith("\nok\n")

    def entry(self, acl, number, egress, action, protocol="-1", cidr="0.0.0.0/0", ports=None):
        more = {"PortRange": {"From": ports[0], "To": ports[1]}} if ports else {}
        self.ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=number, Egress=egress, RuleAction=action, Protocol=protocol, CidrBlock=cidr, **more)

    def given(self, subnet, acl):
        """Puts the subnet under the ACL; gives back the one it followed."""
        found = self.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"]
        self.assertEqual(len(found), 1)
        association = next(a for a in found[0]["Associations"] if a["SubnetId"] == subnet)
        self.ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
        return found[0]["NetworkAclId"]

    def test_a_subnet_s_own_acl(self):
        wait_for("the server to answer", lambda: self.asks("client", "server"))
        acl = self.ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        before = self.given(self.there, acl)
        wait_for("an ACL without rules to let nothing in", lambda: not self.asks("client", "server"))
        # Neighbours of a subnet cross no border.
        self.given(self.here, acl)
        wait_for("the neighbour to answer", lambda: self.asks("client", "neighbour"))
        self.given(self.here, before)
        self.entry(acl, 100, False, "allow", "6", self.block[self.here], (8080, 8080))
        # Let in, but the answer may not leave: there is no memory.
        self.assertFalse(self.asks("client", "server"))
        self.entry(acl, 100, True, "allow", "6", self.block[self.here], (1024, 65535))
        wait_for("question and answer to pass", lambda: self.asks("client", "server"))
        self.entry(acl, 90, False, "deny", "6", f"{self.machines['client'][1]}/32", (8080, 8080))
        wait_for("the lower number to decide", lambda: not self.asks("client", "server"))
        self.assertTrue(self.asks("neighbour", "server"), "only the one is denied")
        # DNS and metadata are not for ACLs to stop.
        self.assertIn("server", KILN.cli("shell", self.machines["server"][0], "--", "/bin/busybox", "sh", "-c",
                                         "/bin/busybox nc -w 1 169.254.169.254 80 </dev/null && echo server").stdout)
        with self.assertRaisesRegex(ClientError, "DependencyViolation"):
            self.ec2.delete_network_acl(NetworkAclId=acl)
        self.given(self.there, before)
        wait_for("the default ACL to count again", lambda: self.asks("client", "server"))
        self.ec2.delete_network_acl(NetworkAclId=acl)

    def test_the_default_acl(self):
        default = self.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "default", "Values": ["true"]}])
        acl = default["NetworkAcls"][0]["NetworkAclId"]
        wait_for("the server to answer", lambda: self.asks("client", "server"))
        self.ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=False)
        wait_for("nothing to be let in", lambda: not self.asks("client", "server"))
        self.assertTrue(self.asks("client", "neighbour"))
        KILN.kill()
        KILN.start()
        self.assertFalse(self.asks("client", "server"), "a restart opens nothing")
        self.entry(acl, 100, False, "allow")
        wait_for("the server to answer again", lambda: self.asks("client", "server"))
        self.ec2.replace_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=True, RuleAction="deny", Protocol="-1", CidrBlock="0.0.0.0/0")
        wait_for("nothing to leave", lambda: not self.asks("client", "server"))
        self.ec2.replace_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=True, RuleAction="allow", Protocol="-1", CidrBlock="0.0.0.0/0")
        wait_for("the server to answer at last", lambda: self.asks("client", "server"))


class Refused(unittest.TestCase):
    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            getattr(KILN.client("ec2"), call)(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)

    def test_what_is_no_rule(self):
        ec2 = KILN.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        default = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"][0]["NetworkAclId"]
        good = dict(NetworkAclId=default, RuleNumber=7, Egress=False, RuleAction="allow", Protocol="-1", CidrBlock="10.0.0.7/8")
        for code, more in [
            ("NetworkAclEntryAlreadyExists", dict(RuleNumber=100)),
            ("InvalidParameterValue", dict(RuleNumber=0)),
            ("InvalidParameterValue", dict(RuleNumber=32767)),
            ("InvalidParameterValue", dict(CidrBlock="10.0.0.0/33")),
            ("InvalidParameterValue", dict(Protocol="nonsense")),
            ("MissingParameter", dict(Protocol="6")),
            ("MissingParameter", dict(Protocol="icmp")),
            ("InvalidParameterValue", dict(Protocol="6", PortRange={"From": 80, "To": 79})),
            ("InvalidParameterCombination", dict(Ipv6CidrBlock="::/0")),
            ("InvalidNetworkAclID.NotFound", dict(NetworkAclId="acl-01234567890abcdef")),
        ]:
            self.refused(code, "create_network_acl_entry", **{**good, **more})
        self.refused("InvalidNetworkAclEntry.NotFound", "replace_network_acl_entry", **good)
        self.refused("InvalidNetworkAclEntry.NotFound", "delete_network_acl_entry", NetworkAclId=default, RuleNumber=7, Egress=False)
        self.refused("InvalidParameterValue", "delete_network_acl", NetworkAclId=default)
        self.refused("InvalidAssociationID.NotFound", "replace_network_acl_association", NetworkAclId=default, AssociationId="aclassoc-01234567890abcdef")
        ec2.create_network_acl_entry(**good)
        ec2.create_network_acl_entry(**{**good, "RuleNumber": 8, "Protocol": "icmp", "IcmpTypeCode": {"Type": 8, "Code": -1}})
        shown = ec2.describe_network_acls(NetworkAclIds=[default])["NetworkAcls"][0]["Entries"]
        inwards = [(e["RuleNumber"], e["Protocol"], e["CidrBlock"], e["RuleAction"]) for e in shown if not e["Egress"]]
        self.assertEqual(inwards, [
            (7, "-1", "10.0.0.0/8", "allow"), (8, "1", "10.0.0.0/8", "allow"),
            (100, "-1", "0.0.0.0/0", "allow"), (32767, "-1", "0.0.0.0/0", "deny"),
        ])
        for number in range(200, 217):
            ec2.create_network_acl_entry(**{**good, "RuleNumber": number})
        self.refused("NetworkAclEntryLimitExceeded", "create_network_acl_entry", **{**good, "RuleNumber": 300})
        own = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]
        self.assertFalse(own["IsDefault"])
        self.assertEqual([e["RuleAction"] for e in own["Entries"]], ["deny", "deny"])
        self.refused("DependencyViolation", "delete_vpc", VpcId=vpc)
        ec2.delete_network_acl(NetworkAclId=own["NetworkAclId"])
        ec2.delete_vpc(VpcId=vpc)
