"""A machine's root against its neighbours in the subnet: frames in another's name while that one is
served, and scans. Frames are told one by one in `machines/local/tests/neighbours.rs`; here a machine
sends them itself, and what could be stolen is real: what the metadata service answers the victim.
"""
import subprocess
import unittest

from kiln import BINARY, Kiln, wait_for

KILN = None

# Sends frames in the victim's name for as long as its input is open, hears all that arrives at its
# interface, and prints what of it was not for itself.
THIEF = """
import os, select, socket, struct, sys
victim, own, gateway = sys.argv[1:4]
mac = lambda text: bytes(int(part, 16) for part in text.split(":"))
ip = socket.inet_aton
victim_mac, own_mac, gateway_mac = (mac(sys.argv[n]) for n in (4, 5, 6))
ALL = b"\\xff" * 6
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("eth0", 0))
def frame(to, sender, kind, body):
    return (to + sender + struct.pack(">H", kind) + body).ljust(60, b"\\0")
def arp(operation, mac, address, to, about):
    return struct.pack(">HHBBH", 1, 0x800, 6, 4, operation) + mac + ip(address) + to + ip(about)
def echo(source, to):
    head = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 1, 0, ip(source), ip(to)))
    total = sum(struct.unpack(">10H", head))
    head[10:12] = struct.pack(">H", ~((total & 0xffff) + (total >> 16)) & 0xffff)
    return bytes(head) + b"\\x08\\x00\\xf7\\xff\\0\\0\\0\\0"
frames = [
    frame(bytes.fromhex("0180c200000e"), victim_mac, 0x88cc, b"\\2\\7\\4"),
    frame(bytes.fromhex("0180c2000003"), victim_mac, 0x888e, b"\\1"),
    frame(ALL, victim_mac, 0x806, arp(1, own_mac, own, bytes(6), gateway)),
    frame(gateway_mac, victim_mac, 0x806, arp(1, own_mac, own, bytes(6), gateway)),
    frame(ALL, own_mac, 0x806, arp(2, own_mac, victim, ALL, victim)),
    frame(gateway_mac, own_mac, 0x806, arp(2, own_mac, victim, gateway_mac, gateway)),
    frame(victim_mac, own_mac, 0x806, arp(2, own_mac, gateway, victim_mac, victim)),
    frame(ALL, victim_mac, 0x800, echo(own, gateway)),
    frame(gateway_mac, own_mac, 0x800, echo(victim, gateway)),
    frame(bytes.fromhex("333300000001"), victim_mac, 0x86dd, b"\\x60" + bytes(39)),
]
print("sending", flush=True)
stolen = 0
while not select.select([0], [], [], 0)[0]:
    for one in frames:
        wire.send(one)
    while select.select([wire], [], [], 0.001)[0]:
        heard, (_, _, kind, _, _) = wire.recvfrom(4096)
        # 4: its own frames, going out.
        if kind != 4 and (heard[:6] == victim_mac or heard[12:14] == b"\\x08\\0" and heard[30:34] == ip(victim)):
            stolen += 1
print(stolen)
"""

# Asks every address of a large subnet, and more, for a port that nobody has.
SCAN = """
import ipaddress, socket, sys
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for address in ipaddress.ip_network(sys.argv[1]):
    try:
        asked.sendto(b"?", (str(address), 9))
    except OSError:
        pass
print(open("/proc/net/arp").read(), end="")
"""

# Asks the VPC's DNS for a name's addresses, and prints them sorted.
ASK = """
import socket, struct, sys
name = b"".join(bytes([len(label)]) + label.encode() for label in sys.argv[1].split(".")) + b"\\0"
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.settimeout(10)
asked.sendto(struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1), ("169.254.169.253", 53))
answer = asked.recv(4096)
records = answer[12 + len(name) + 4:]
print(*sorted(socket.inet_ntoa(records[at + 12:at + 16]) for at in range(0, len(records), 16)))
"""


def setUpModule():
    global KILN
    KILN = Kiln(machines="local")
    unittest.addModuleCleanup(KILN.close)
    KILN.with_base()


class Neighbours(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        ec2 = cls.ec2 = KILN.client("ec2")
        base = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.subnet = ec2.describe_subnets()["Subnets"][0]
        made = ec2.run_instances(ImageId=base, MinCount=2, MaxCount=2, InstanceType="t3.nano", SubnetId=cls.subnet["SubnetId"])
        cls.victim, cls.thief = [i["InstanceId"] for i in made["Instances"]]
        for instance in (cls.victim, cls.thief):
            wait_for("a shell", lambda: KILN.cli("shell", instance, "--", "true", check=False).returncode == 0, 60)

    def out(self, instance, *command):
        return KILN.cli("shell", instance, "--", *command).stdout

    def place(self, instance):
        """Address and hardware address of its first interface."""
        interface = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]
        return interface["PrivateIpAddress"], interface["MacAddress"]

    def fetch(self):
        """What the metadata service answers the victim."""
        script = "T=$(curl -sfm 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token) && curl -sfm 5 -H \"X-aws-ec2-metadata-token: $T\" http://169.254.169.254/latest/meta-data/instance-id"
        return self.out(self.victim, "sh", "-c", script)

    def test_frames_in_the_victims_name_bring_nothing(self):
        (victim, victim_mac), (own, own_mac) = self.place(self.victim), self.place(self.thief)
        gateway, _, _, gateway_mac, *_ = next(
            line.split() for line in self.out(self.thief, "cat", "/proc/net/arp").splitlines() if line.endswith("eth0")
        )
        command = [BINARY, "--state-dir", KILN.state, "shell", self.thief, "--", "python3", "-c", THIEF]
        thief = subprocess.Popen(
            [*command, victim, own, gateway, victim_mac, own_mac, gateway_mac], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            self.assertEqual(thief.stdout.readline(), "sending\n")
            for _ in range(20):
                self.assertEqual(self.fetch(), self.victim)
            stolen, _ = thief.communicate("\n", timeout=30)
        finally:
            thief.kill()
            thief.wait()
        self.assertEqual(stolen, "0\n")

    def test_an_interface_described_like_a_load_balancers_is_none_of_it(self):
        """Its description is AWS's own word for whose it is; a user can write the same."""
        elb, subnets = KILN.client("elbv2"), [s["SubnetId"] for s in self.ec2.describe_subnets()["Subnets"][:2]]
        made = elb.create_load_balancer(Name="true", Scheme="internal", Subnets=subnets)["LoadBalancers"][0]
        arn, name = made["LoadBalancerArn"], made["DNSName"]
        self.addCleanup(elb.delete_load_balancer, LoadBalancerArn=arn)
        described = f"ELB {arn.partition(':loadbalancer/')[2]}"
        false = self.ec2.create_network_interface(SubnetId=subnets[0], Description=described)["NetworkInterface"]
        self.addCleanup(self.ec2.delete_network_interface, NetworkInterfaceId=false["NetworkInterfaceId"])
        elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
        found = self.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [described]}])["NetworkInterfaces"]
        true = sorted(i["PrivateIpAddress"] for i in found if i["RequesterManaged"])
        self.assertEqual((len(true), len(found)), (2, 3))
        self.assertEqual(self.out(self.victim, "python3", "-c", ASK, name).split(), true)

    def test_a_scan_leaves_nothing_in_the_table_all_share(self):
        """A look at each of 4096 addresses makes no entry, and loopback has one that stays."""
        arp = self.out(self.thief, "python3", "-c", SCAN, self.subnet["CidrBlock"])
        on_wire = [line.split() for line in arp.splitlines()[1:] if line.endswith("eth0")]
        self.assertEqual([line[2] for line in on_wire], ["0x6"], "one neighbour, and it is written down")
        for table in ("0.0.0.0", "::1"):
            lasting = subprocess.run(["ip", "neigh", "show", table, "dev", "lo", "nud", "permanent"], capture_output=True, text=True)
            self.assertIn("PERMANENT", lasting.stdout, table)
        self.assertEqual(self.fetch(), self.victim)


if __name__ == "__main__":
    unittest.main()
