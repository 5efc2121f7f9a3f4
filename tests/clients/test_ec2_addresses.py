"""What public addresses and a VPC's DNS do for a real machine: the way through an internet gateway
is for those who have a public address, its name leads to the machine, DNS can be switched off.
"""
import unittest

from kiln import Kiln, wait_for

# The far side of the way out: packets to it do not leave the host, so that it refuses or answers;
# where there is no way, nothing comes back.
CONNECT = """
import socket
try:
    socket.create_connection(("198.19.255.2", 81), 2).close()
    print("open")
except TimeoutError:
    print("silent")
except OSError:
    print("refused")
"""


class Addresses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2 = cls.kiln.client("ec2")

    def sh(self, *command):
        return self.kiln.cli("shell", self.instance, "--", *command, check=False)

    def show(self):
        return self.ec2.describe_instances(InstanceIds=[self.instance])["Reservations"][0]["Instances"][0]

    def wait(self, state):
        wait_for(state, lambda: self.show()["State"]["Name"] == state, 60)

    def goes_out(self):
        return self.sh("python3", "-c", CONNECT).stdout.strip() in ("open", "refused")

    def resolves(self, name):
        return self.sh("getent", "ahostsv4", name).stdout.split(" ")[0]

    def test_an_elastic_address_opens_the_way_out_and_has_a_name(self):
        ec2 = self.ec2
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        subnet = ec2.describe_subnets()["Subnets"][0]
        made = ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1,
            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "AssociatePublicIpAddress": False}],
        )["Instances"][0]
        self.instance = made["InstanceId"]
        self.wait("running")
        wait_for("a shell", lambda: self.sh("true").returncode == 0)
        self.assertFalse(self.goes_out(), "without a public address")

        allocation = ec2.allocate_address()["AllocationId"]
        association = ec2.associate_address(AllocationId=allocation, InstanceId=self.instance)["AssociationId"]
        wait_for("the way out", self.goes_out)
        name = self.show()["PublicDnsName"]
        self.assertEqual(self.resolves(name), made["PrivateIpAddress"])
        for on in (False, True):
            ec2.modify_vpc_attribute(VpcId=subnet["VpcId"], EnableDnsSupport={"Value": on})
            self.assertEqual(self.resolves(name), made["PrivateIpAddress"] if on else "")

        ec2.disassociate_address(AssociationId=association)
        wait_for("no way out", lambda: not self.goes_out())
        ec2.stop_instances(InstanceIds=[self.instance], SkipOsShutdown=True)
        self.wait("stopped")
        ec2.terminate_instances(InstanceIds=[self.instance])
        self.wait("terminated")


if __name__ == "__main__":
    unittest.main()
