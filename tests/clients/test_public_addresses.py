"""An instance is reached from the host where AWS would let the internet in: by ssh, by `kiln ssh`, and not
otherwise. How ports are judged one by one is in `machines/local/tests/public.rs`.
"""
import pathlib
import socket
import subprocess
import tempfile
import unittest

from images import imported
from kiln import BINARY, Kiln, wait_for

SERVICES = "ec2"


class PublicAddresses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2 = cls.kiln.client("ec2")
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.key = cls.home / "key.pem"
        cls.key.write_text(cls.ec2.create_key_pair(KeyName="key", KeyType="ed25519")["KeyMaterial"])
        cls.key.chmod(0o600)

    def group(self, *cidrs):
        group = self.ec2.create_security_group(GroupName=self.id()[-60:], Description="x")["GroupId"]
        for cidr in cidrs:
            self.authorize(group, cidr)
        return group

    def rule(self, cidr, port=22):
        return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}]

    def authorize(self, group, cidr):
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=self.rule(cidr))

    def launch(self, group=None, image=None, **more):
        if group:
            more["SecurityGroupIds"] = [group]
        made = self.ec2.run_instances(ImageId=image or self.base, InstanceType="t3.nano", MinCount=1, MaxCount=1, **more)
        instance = made["Instances"][0]["InstanceId"]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[instance])
        self.wait(instance, "running")
        return instance

    def show(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def wait(self, instance, state):
        wait_for(state, lambda: self.show(instance)["State"]["Name"] == state)

    def ssh(self, address, *command, name="host"):
        known = self.home / "known_hosts"
        options = ["-i", self.key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={known}", "-o", f"HostKeyAlias={name}"]
        return subprocess.run(["ssh", *options, "-o", "ConnectTimeout=5", f"admin@{address}", *command], capture_output=True, text=True, timeout=60)

    def refused(self, address, port=22):
        """Whether a connection is refused, and not only later: nobody is behind that port."""
        try:
            socket.create_connection((address, port), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    def kiln_ssh(self, *arguments):
        # ssh's own idea of home is the passwd file's; nothing else is to be left there.
        return subprocess.run([BINARY, "--state-dir", self.kiln.state, "ssh", *arguments], capture_output=True, text=True, timeout=60)

    def test_ssh_as_the_groups_say_over_a_life(self):
        # AWS's default group lets nobody in from outside.
        instance = self.launch(KeyName="key")
        shown = self.show(instance)
        address, group = shown["PublicIpAddress"], shown["SecurityGroups"][0]["GroupId"]
        self.assertTrue(address.startswith("127."))
        self.assertEqual(shown["PublicDnsName"].split(".")[0], f"ec2-{address.replace('.', '-')}")
        self.assertTrue(self.refused(address))
        told = self.kiln_ssh(instance).stderr
        self.assertIn(f"authorize-security-group-ingress --group-id {group}", told)

        self.authorize(group, "0.0.0.0/0")
        wait_for("sshd", lambda: self.ssh(address, "true", name=instance).returncode == 0)
        done = self.ssh(address, "sudo hostname && echo $SSH_CLIENT", name=instance)
        self.assertEqual(done.stdout.splitlines()[0], shown["PrivateDnsName"].split(".")[0])
        self.assertEqual(done.stdout.splitlines()[1].split()[0], "198.19.254.1", "the host, as machines see it")
        done = self.kiln_ssh("-i", self.key, instance, "--", "id", "-un")
        self.assertEqual(done.stdout, "admin\n", done.stderr)
        self.addCleanup(subprocess.run, ["ssh-keygen", "-R", instance], capture_output=True)

        # Inside the VPC the public name is the private address.
        name = shown["PublicDnsName"]
        found = self.ssh(address, "getent", "ahostsv4", name, name=instance).stdout
        self.assertEqual(found.split()[0], shown["PrivateIpAddress"])

        # kill -9: the next kiln has the address again.
        self.kiln.kill()
        self.assertTrue(self.refused(address))
        self.kiln.start()
        wait_for("the address", lambda: self.ssh(address, "true", name=instance).returncode == 0)

        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=self.rule("0.0.0.0/0"))
        wait_for("the port to close", lambda: self.refused(address))
        self.authorize(group, "127.0.0.1/32")
        wait_for("the port to open", lambda: self.ssh(address, "true", name=instance).returncode == 0)

        # Given back at stop; an Elastic IP stays.
        self.ec2.stop_instances(InstanceIds=[instance])
        self.wait(instance, "stopped")
        self.assertNotIn("PublicIpAddress", self.show(instance))
        wait_for("the address to be nobody's", lambda: self.refused(address))
        elastic = self.ec2.allocate_address()
        self.ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=instance)
        self.ec2.start_instances(InstanceIds=[instance])
        self.wait(instance, "running")
        self.assertEqual(self.show(instance)["PublicIpAddress"], elastic["PublicIp"])
        wait_for("sshd", lambda: self.ssh(elastic["PublicIp"], "true", name=instance).returncode == 0)
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=self.rule("127.0.0.1/32"))

    def test_what_stands_in_the_way_is_said(self):
        group = self.group("0.0.0.0/0")
        subnet = self.ec2.describe_subnets()["Subnets"][0]
        hidden = {"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "AssociatePublicIpAddress": False, "Groups": [group]}
        self.assertIn("has no public address", self.kiln_ssh(self.launch(NetworkInterfaces=[hidden])).stderr)

        web = self.launch(group, image=imported(self.kiln))
        self.assertIn("nothing listens on port 22", self.kiln_ssh(web).stderr)
        self.assertIn("there is no machine", self.kiln_ssh("i-0123456789abcdef0").stderr)
        keyless = self.launch(group)
        told = self.kiln_ssh(keyless, "--", "true").stderr
        self.assertIn("launched without a key pair", told)

        # Without the route to an internet gateway the address leads nowhere.
        address = self.show(keyless)["PublicIpAddress"]
        tables = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])["RouteTables"]
        gateway = next(r["GatewayId"] for r in tables[0]["Routes"] if r.get("GatewayId", "").startswith("igw-"))
        way = {"RouteTableId": tables[0]["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"}
        self.assertFalse(self.refused(address))
        self.ec2.delete_route(**way)
        try:
            wait_for("the address to lead nowhere", lambda: self.refused(address))
            self.assertIn("no internet gateway leads to", self.kiln_ssh(keyless).stderr)
        finally:
            self.ec2.create_route(**way, GatewayId=gateway)
        wait_for("the way in", lambda: not self.refused(address))


if __name__ == "__main__":
    unittest.main()
