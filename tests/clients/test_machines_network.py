"""Security groups and the metadata service as machines meet them: who reaches whom, what a change
does to live machines, who gets a token.
"""
import unittest

from images import imported
from kiln import Kiln, wait_for

SERVICES = "ec2"

KILN = None
BASE = "http://169.254.169.254/latest"

# Asks for a token and prints the hop limits of the packets that bring the answer.
HOPS = """
import socket, struct
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
wire.settimeout(5)
link = socket.create_connection(("169.254.169.254", 80), 5)
link.sendall(b"PUT /latest/api/token HTTP/1.1\\r\\nHost: x\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\n\\r\\n")
while True:
    packet = wire.recv(2048)
    head = (packet[0] & 15) * 4
    if packet[9] == 6 and packet[12:16] == socket.inet_aton("169.254.169.254") and b"HTTP/1.1 200" in packet[head:]:
        print(packet[8])
        break
"""


def setUpModule():
    global KILN
    KILN = Kiln(machines="local")
    unittest.addModuleCleanup(KILN.close)
    KILN.with_base()


def tcp(port, **peer):
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}]


ANYONE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


class Cases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ec2 = KILN.client("ec2")
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.httpd = imported(KILN)

    def group(self, name):
        return self.ec2.create_security_group(GroupName=f"{name}-{self.id()[-40:]}", Description=name)["GroupId"]

    def launch(self, groups, image=None, **more):
        made = self.ec2.run_instances(ImageId=image or self.httpd, MinCount=1, MaxCount=1, InstanceType="t3.nano", SecurityGroupIds=groups, **more)
        made = made["Instances"][0]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[made["InstanceId"]])
        return made["InstanceId"], made["PrivateIpAddress"]

    def running(self, *ids):
        self.ec2.get_waiter("instance_running").wait(InstanceIds=list(ids), WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def busybox(self, instance, script):
        return KILN.cli("shell", instance, "--", "/bin/busybox", "sh", "-c", script, check=False).stdout

    def asks(self, instance, address, port=8080):
        """Whether a machine gets the page of another."""
        return self.busybox(instance, f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | /bin/busybox nc -w 1 {address} {port}").endswith("\nok\n")

    def eventually(self, what, check, seconds=10):
        wait_for(what, check, seconds)


class Groups(Cases):
    def test_a_group_admits_the_members_of_another_and_nobody_else(self):
        front, back, other = self.group("front"), self.group("back"), self.group("other")
        self.ec2.authorize_security_group_ingress(GroupId=back, IpPermissions=tcp(8080, UserIdGroupPairs=[{"GroupId": front}]))
        (web, address), (client, _), (stranger, _) = self.launch([back]), self.launch([front]), self.launch([other])
        self.running(web, client, stranger)
        self.eventually("a member to be let in", lambda: self.asks(client, address))
        self.assertFalse(self.asks(stranger, address), "a stranger in the same VPC")
        self.assertNotEqual(KILN.cli("probe", web, "8080", "--seconds", "1", check=False).returncode, 0, "from outside")
        self.ec2.modify_instance_attribute(InstanceId=stranger, Groups=[other, front])
        self.eventually("a machine that joins to be let in", lambda: self.asks(stranger, address))
        self.ec2.modify_instance_attribute(InstanceId=stranger, Groups=[other])
        self.eventually("a machine that leaves to be shut out", lambda: not self.asks(stranger, address))
        self.ec2.revoke_security_group_ingress(GroupId=back, IpPermissions=tcp(8080, UserIdGroupPairs=[{"GroupId": front}]))
        self.eventually("the rule to be gone", lambda: not self.asks(client, address))

    def test_what_may_leave(self):
        web, mute = self.group("web"), self.group("mute")
        self.ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=tcp(8080, **ANYONE))
        self.ec2.authorize_security_group_ingress(GroupId=mute, IpPermissions=tcp(8080, **ANYONE))
        all_out = [{"IpProtocol": "-1", **ANYONE}]
        self.ec2.revoke_security_group_egress(GroupId=mute, IpPermissions=all_out)
        (server, address), (client, own) = self.launch([web]), self.launch([mute])
        self.running(server, client)
        # Answers leave by the connection they belong to.
        self.eventually("an answer of the mute machine", lambda: self.asks(server, own))
        self.assertFalse(self.asks(client, address))
        self.ec2.authorize_security_group_egress(GroupId=mute, IpPermissions=tcp(8080, IpRanges=[{"CidrIp": f"{address}/32"}]))
        self.eventually("what is allowed to leave", lambda: self.asks(client, address))

    def test_a_machine_cannot_take_another_s_address(self):
        web, trusted, other = self.group("web"), self.group("trusted"), self.group("other")
        (friend, lent), (liar, own) = self.launch([trusted]), self.launch([other])
        (server, address) = self.launch([web])
        self.ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=tcp(8080, IpRanges=[{"CidrIp": f"{lent}/32"}]))
        self.running(friend, liar, server)
        self.eventually("the friend to be let in", lambda: self.asks(friend, address))
        self.ec2.terminate_instances(InstanceIds=[friend])
        self.ec2.get_waiter("instance_terminated").wait(InstanceIds=[friend], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        self.assertFalse(self.asks(liar, address))
        change = f"/bin/busybox ip address flush dev eth0; /bin/busybox ip address add {lent}/20 dev eth0; /bin/busybox ip -o address show dev eth0"
        self.assertIn(lent, self.busybox(liar, change), "inside it has the address")
        self.assertNotIn(own, self.busybox(liar, "/bin/busybox ip -o address show dev eth0"))
        self.assertFalse(self.asks(liar, address))

    def test_what_is_open_when_a_rule_goes(self):
        """As on EC2: a connection that is tracked goes on, one of a rule that is open to all ends, and
        neither lets in anybody new."""
        front, by_group, by_all = self.group("front"), self.group("by-group"), self.group("by-all")
        rules = {by_group: tcp(8080, UserIdGroupPairs=[{"GroupId": front}]), by_all: tcp(8080, **ANYONE)}
        for group, rule in rules.items():
            self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
        (tracked, one), (untracked, two), (client, _) = self.launch([by_group]), self.launch([by_all]), self.launch([front])
        self.running(tracked, untracked, client)
        for address in (one, two):
            self.eventually("the page", lambda: self.asks(client, address))
            # The second half of the request waits until it is told to go on.
            ask = "printf 'GET / HTTP/1.0\\r\\n'; until [ -e /go ]; do /bin/busybox usleep 20000; done; printf '\\r\\n'; /bin/busybox sleep 9"
            self.busybox(client, f"{{ ( {ask} ) | /bin/busybox nc {address} 8080; }} > /got-{address} 2>&1 < /dev/null &")
            self.eventually("the connection", lambda: f"{address}:8080" in self.busybox(client, "/bin/busybox netstat -tn | /bin/busybox grep ESTAB"))
        for group, rule in rules.items():
            self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)
        for address in (one, two):
            self.eventually("the rule to be gone", lambda: not self.asks(client, address))
        self.busybox(client, "echo > /go")
        self.eventually("the page by the tracked connection", lambda: self.busybox(client, f"/bin/busybox cat /got-{one}").endswith("\nok\n"))
        self.assertEqual(self.busybox(client, f"/bin/busybox cat /got-{two}"), "")


class Metadata(Cases):
    def curl(self, instance, *words):
        return KILN.cli("shell", instance, "--", "curl", "-s", "--max-time", "5", *words, check=False).stdout

    def status(self, instance, *words):
        return self.curl(instance, "-o", "/dev/null", "-w", "%{http_code}", *words)

    def token(self, instance, seconds=60):
        return self.curl(instance, "-X", "PUT", "-H", f"X-aws-ec2-metadata-token-ttl-seconds: {seconds}", f"{BASE}/api/token")

    def test_tokens(self):
        instance, _ = self.launch([self.group("any")], self.base, MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1})
        other, _ = self.launch([self.group("else")], self.base, MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 3})
        for machine in (instance, other):
            wait_for("the metadata service", lambda: self.status(machine, f"{BASE}/api/token") == "405", 30)
        name = f"{BASE}/meta-data/instance-id"
        self.assertEqual(self.status(instance, name), "401", "no token")
        with_token = lambda token: ["-H", f"X-aws-ec2-metadata-token: {token}"]  # noqa: E731
        good = self.token(instance)
        self.assertEqual(self.curl(instance, *with_token(good), name), instance)
        another = ("y" if good[0] == "x" else "x") + good[1:]
        self.assertEqual(self.status(instance, *with_token(another), name), "401", "another token")
        self.assertEqual(self.status(instance, *with_token(self.token(other)), name), "401", "another machine's token")
        self.assertEqual(self.curl(other, name), other, "where tokens are optional")
        self.assertEqual(self.status(other, *with_token("nonsense"), name), "401", "a wrong token is wrong there too")
        ask = ["-X", "PUT", f"{BASE}/api/token"]
        ttl = lambda seconds: ["-H", f"X-aws-ec2-metadata-token-ttl-seconds: {seconds}"]  # noqa: E731
        self.assertEqual(self.status(instance, *ask), "400", "no life")
        self.assertEqual(self.status(instance, *ttl(0), *ask), "400")
        self.assertEqual(self.status(instance, *ttl(21601), *ask), "400", "more than six hours")
        self.assertEqual(self.status(instance, *ttl(60), "-H", "X-Forwarded-For: 10.0.0.1", *ask), "403", "a proxy asks")
        short = self.token(instance, 1)
        wait_for("the token to end", lambda: self.status(instance, *with_token(short), name) == "401", 10)
        for machine, hops in [(instance, "1"), (other, "3")]:
            self.assertEqual(KILN.cli("shell", machine, "--", "python3", "-c", HOPS).stdout.strip(), hops)
        # A change holds at once.
        self.ec2.modify_instance_metadata_options(InstanceId=other, HttpTokens="required")
        self.assertEqual(self.status(other, name), "401")
        self.ec2.modify_instance_metadata_options(InstanceId=other, HttpEndpoint="disabled")
        self.assertEqual(self.status(other, *with_token(self.token(other)), name), "403")


if __name__ == "__main__":
    unittest.main()
