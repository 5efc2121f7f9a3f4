"""More than one network interface and more than one address of a real machine: what a second one lets
in, where answers and connections leave, what a reboot, a kill -9 of kiln and a detachment do to it.
"""
import unittest

from images import imported
from kiln import Kiln, wait_for
from test_ec2_addresses import CONNECT

FROM = CONNECT.replace(", 2)", ', 2, ("%s", 0))')
META = "http://169.254.169.254/latest"
MACS = f"""
import urllib.request
def ask(path, method="GET", **headers):
    return urllib.request.urlopen(urllib.request.Request("{META}/" + path, method=method, headers=headers), timeout=5).read().decode()
token = ask("api/token", "PUT", **{{"X-aws-ec2-metadata-token-ttl-seconds": "60"}})
base = "meta-data/network/interfaces/macs/"
for mac in ask(base, **{{"X-aws-ec2-metadata-token": token}}).split():
    read = lambda name: ask(base + mac + name, **{{"X-aws-ec2-metadata-token": token}})
    print(read("device-number"), read("interface-id"), ",".join(read("local-ipv4s").split()))
"""


class Interfaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2 = ec2 = cls.kiln.client("ec2")
        cls.base = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.httpd = imported(cls.kiln)
        cls.subnet = ec2.describe_subnets()["Subnets"][0]
        vpc, zone = cls.subnet["VpcId"], cls.subnet["AvailabilityZone"]
        cls.second = ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.200.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        cls.closed, cls.open = (
            ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("closed", "open")
        )
        ec2.authorize_security_group_ingress(GroupId=cls.open, CidrIp="0.0.0.0/0", IpProtocol="tcp", FromPort=8080, ToPort=8080)
        cls.client = cls.launch(cls.httpd)[0]

    @classmethod
    def launch(cls, image, **more):
        made = cls.ec2.run_instances(
            ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=1, SubnetId=cls.subnet["SubnetId"], SecurityGroupIds=[cls.closed], **more
        )["Instances"][0]
        id, address = made["InstanceId"], made["PrivateIpAddress"]
        cls.ec2.get_waiter("instance_running").wait(InstanceIds=[id], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return id, address

    def sh(self, instance, *command):
        return self.kiln.cli("shell", instance, "--", *command, check=False).stdout

    def asks(self, address):
        """Whether the client, a neighbour of the first interface, gets the page at an address."""
        script = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | /bin/busybox nc -w 1 {address} 8080"
        return self.sh(self.client, "/bin/busybox", "sh", "-c", script).endswith("\nok\n")

    def create(self, **more):
        made = self.ec2.create_network_interface(SubnetId=self.second, Groups=[self.open], **more)["NetworkInterface"]
        return made["NetworkInterfaceId"], made["PrivateIpAddress"]

    def attach(self, interface, instance, index=1):
        return self.ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=index)["AttachmentId"]

    def show(self, interface):
        return self.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]

    def attached(self, interface):
        wait_for("the attachment", lambda: self.show(interface).get("Attachment", {}).get("Status") == "attached")

    def available(self, interface):
        self.ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[interface], WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def links(self, instance):
        """The interfaces of the busybox machine, as it sees them."""
        return sorted(self.sh(instance, "/bin/busybox", "ls", "/sys/class/net").split())

    def end(self, *instances):
        self.ec2.terminate_instances(InstanceIds=list(instances))
        self.ec2.get_waiter("instance_terminated").wait(InstanceIds=list(instances), WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def test_a_second_interface_of_a_running_system(self):
        ec2 = self.ec2
        serve = "#!/bin/sh\nmkdir /www; echo ok > /www/index.html; cd /www; systemd-run --working-directory=/www python3 -m http.server 8080\n"
        web, first = self.launch(self.base, UserData=serve)
        interface, address = self.create()
        attachment = self.attach(interface, web)
        self.attached(interface)
        wait_for("the page at the second interface", lambda: self.asks(address))
        self.assertFalse(self.asks(first), "the first interface is closed")
        self.assertIn(address, self.sh(web, "ip", "-br", "address", "show", "eth1"))
        self.assertIn(f"1 {interface} {address}\n", self.sh(web, "python3", "-c", MACS))

        # Its groups are its own.
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[self.closed])
        wait_for("the door to close", lambda: not self.asks(address))
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[self.open])
        wait_for("the door to open", lambda: self.asks(address))

        # A further address, then an Elastic IP for it alone.
        more = ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=1)
        more = more["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
        wait_for("the page at the further address", lambda: self.asks(more))
        self.assertIn(f"1 {interface} {address},{more}\n", self.sh(web, "python3", "-c", MACS))
        goes_out = lambda own: self.sh(web, "python3", "-c", FROM % own).strip()  # noqa: E731
        self.assertEqual(goes_out(more), "silent")
        allocation = ec2.allocate_address()["AllocationId"]
        with self.assertRaisesRegex(Exception, "multiple interfaces attached to instance"):
            ec2.associate_address(AllocationId=allocation, InstanceId=web)
        ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=interface, PrivateIpAddress=more)
        wait_for("the way out", lambda: goes_out(more) in ("open", "refused"))
        self.assertEqual(goes_out(address), "silent", "the interface's first address has no public one")

        ec2.reboot_instances(InstanceIds=[web])
        wait_for("the machine to come up again", lambda: "2" in self.boots(web))
        up = lambda: self.sh(web, "systemctl", "is-system-running").strip() == "running"  # noqa: E731
        wait_for("its systemd to take orders", up)
        self.sh(web, "systemd-run", "--working-directory=/www", "python3", "-m", "http.server", "8080")
        wait_for("the page after a reboot", lambda: self.asks(address) and self.asks(more))

        ec2.unassign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=[more])
        wait_for("the address to be gone", lambda: more not in self.sh(web, "ip", "-br", "address", "show", "eth1"))
        self.assertFalse(self.asks(more))
        self.assertNotIn("AssociationId", ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0])
        ec2.detach_network_interface(AttachmentId=attachment, Force=True)
        self.available(interface)
        self.assertEqual(self.sh(web, "ip", "-br", "link", "show", "eth1"), "")
        self.assertNotIn(address, self.sh(web, "ip", "rule"))
        self.assertFalse(self.asks(address))
        ec2.delete_network_interface(NetworkInterfaceId=interface)
        self.end(web)

    def boots(self, instance):
        return [str(m["boots"]) for m in self.kiln.status()["machines"] if m["id"] == instance]

    def test_a_killed_kiln_goes_on_attaching_and_detaching(self):
        web, _ = self.launch(self.httpd)
        interface, address = self.create()
        attachment = self.attach(interface, web, index=2)
        self.kiln.kill()
        self.kiln.start()
        self.attached(interface)
        self.assertTrue(self.asks(address))
        self.assertEqual(self.links(web), ["eth0", "eth2", "lo"])
        self.kiln.kill()
        self.kiln.start()
        self.assertTrue(self.asks(address), "it stays while kiln is away and after")
        self.ec2.detach_network_interface(AttachmentId=attachment)
        self.kiln.kill()
        self.kiln.start()
        self.available(interface)
        self.assertEqual(self.links(web), ["eth0", "lo"])
        self.assertFalse(self.asks(address))

        # At rest it is only noted; the machine boots with it.
        self.ec2.stop_instances(InstanceIds=[web])
        self.ec2.get_waiter("instance_stopped").wait(InstanceIds=[web], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.attach(interface, web)
        self.attached(interface)
        self.ec2.start_instances(InstanceIds=[web])
        wait_for("the page after a start", lambda: self.asks(address))
        self.end(web)
        self.assertEqual(self.show(interface)["Status"], "available")


if __name__ == "__main__":
    unittest.main()
