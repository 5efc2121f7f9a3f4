"""What stops one from taking all: connections at every door, sizes of log lines and of the log.

Bounds of connections are shares of the descriptors that kiln may have (`doors/src/kinds.rs`).
"""
import contextlib
import http.client
import json
import os
import re
import socket
import stat
import subprocess
import tempfile
import unittest
import urllib.request

from kiln import BINARY, Kiln, wait_for

ALONE = "it floods the host with connections and counts those that are refused"

# Holds connections from inside a machine until it is killed: how many were made and how many live is written anew
# all the time, since refused ones are closed at once, which may take a moment to arrive.
HOLD = """
import os, socket, sys, time
address, port, count, said = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
held = []
for n in range(count):
    s = socket.socket()
    s.settimeout(5)
    try:
        s.connect((address, port))
    except OSError:
        continue
    held.append(s)
def lives(s):
    s.setblocking(False)
    try:
        return s.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
alive = held
while True:
    alive = [s for s in alive if lives(s)]
    open(said + ".new", "w").write(f"{len(held)} {len(alive)}")
    os.rename(said + ".new", said)
    time.sleep(0.2)
"""


def descriptors(kiln):
    return len(os.listdir(f"/proc/{kiln.process.pid}/fd"))


def doors(kiln):
    return {(d["door"], d["place"]): d for d in kiln.status()["doors"]}


class Host(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))

    def balancer(self, name):
        """The loopback address of a load balancer that answers by itself."""
        elb, ec2 = self.kiln.client("elbv2"), self.kiln.client("ec2")
        subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = ec2.create_security_group(VpcId=vpc, GroupName=name, Description="all")["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        arn = elb.create_load_balancer(Name=name, Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]["LoadBalancerArn"]
        page = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "a page", "ContentType": "text/plain"}}
        elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[page])
        elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
        urls = next(l for l in self.kiln.status()["load_balancers"] if l["name"] == name)["urls"]
        return urls[1].removeprefix("http://").split(":")[0], arn

    def fill(self, address, port):
        """Opens connections until one is closed at once; gives them all back when it is left."""
        held = contextlib.ExitStack()
        self.addCleanup(held.close)
        for n in range(10_000):
            link = held.enter_context(socket.create_connection((address, port), timeout=20))
            if n % 50 == 49:
                self.assertLess(descriptors(self.kiln), 15_000)
                link.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    self.assertEqual(link.recv(1), b"")
                    return held
        self.fail("10,000 connections and no end")

    def test_the_api_s_door_is_full_and_nothing_else(self):
        address, _ = self.balancer("beside")
        with self.fill("127.0.0.1", self.kiln.port):
            self.assertGreater(doors(self.kiln)[("api", "")]["refused"], 0)
            self.assertEqual(urllib.request.urlopen(f"http://{address}/", timeout=20).read(), b"a page")
            self.assertEqual(self.kiln.cli("status", "--json").returncode, 0)
        wait_for("room", lambda: self.kiln.client("sts").get_caller_identity())
        lines = re.findall("too many connections", self.kiln.log())
        self.assertLess(len(lines), 20, "the log tells of it seldom")

    def test_a_load_balancer_s_door_is_full_and_nothing_else(self):
        (full, arn), (other, _) = self.balancer("full"), self.balancer("other")
        with self.fill(full, 80):
            self.assertGreater(doors(self.kiln)[("load balancer", arn)]["refused"], 0)
            self.assertEqual(urllib.request.urlopen(f"http://{other}/", timeout=20).read(), b"a page")
            self.kiln.client("sts").get_caller_identity()
        wait_for("room", lambda: urllib.request.urlopen(f"http://{full}/", timeout=20).read() == b"a page")

    def test_a_caller_s_text_is_one_line_and_has_an_end(self):
        def send(headers, body):
            link = http.client.HTTPConnection("127.0.0.1", self.kiln.port, timeout=60)
            self.addCleanup(link.close)
            link.request("POST", "/", body=body, headers=headers)
            answer = link.getresponse()
            return answer.status, answer.read()

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        forged = "%0a2026-01-01T00:00:00Z  INFO kiln: all is well%1b%5b2J%c2%9b%e2%80%ae"
        for text in ("x" * (8 << 20), forged):
            for where in (f"Action={text}&Version=2010-05-08", f"Action=ListUsers&Version={text}", f"Action=ListUsers&Version=2010-05-08&X={text}"):
                status, answer = send(form, where)
                self.assertIn(status, range(400, 500))
                self.assertLess(len(answer), 4_000)
        for target in ("AmazonSSM." + "y" * 60_000, "y" * 60_000 + ".PutParameter"):
            self.assertLess(len(send({"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}, "{}")[1]), 4_000)
        # Who is let in makes records, too.
        cfn = self.kiln.client("cloudformation")
        for name in ("z" * 100_000, "a\x1b[2J\nb\u202e"):
            with self.assertRaises(cfn.exceptions.ClientError):
                cfn.describe_stacks(StackName=name)
        shown = self.kiln.cli("logs", "-n", "200").stdout
        log = self.kiln.log()
        for text in (shown, log):
            self.assertLess(max(map(len, text.split("\n"))), 9_000)
            self.assertNotRegex(text, "[\x1b\x9b\u202e]")
        self.assertIn("cloudformation:DescribeStacks", shown)
        self.assertFalse([line for line in log.splitlines() if line.startswith("2026-01-01T00:00:00Z")])


class Log(unittest.TestCase):
    def test_the_log_is_set_aside_when_it_is_full(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as state:
            command = [BINARY, "--state-dir", state]
            up = [*command, "up", "--detach", "--no-wait", "--machines", "sim", "--port", "0", "--log-size", "65536"]
            subprocess.run(up, check=True, capture_output=True, timeout=60)
            try:
                with open(f"{state}/state.json") as file:
                    port = int(json.load(file)["endpoint"].rsplit(":", 1)[1])
                link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                for n in range(1_000):
                    link.request("POST", "/", body=f"Action=Refused{n}&Version=2010-05-08", headers={"Content-Type": "application/x-www-form-urlencoded"})
                    link.getresponse().read()
                link.close()
                files = {name: os.stat(f"{state}/{name}") for name in os.listdir(state) if name.startswith("kiln.log")}
                self.assertEqual(set(files), {"kiln.log", "kiln.log.1"})
                for name, found in files.items():
                    self.assertLess(found.st_size, 80_000, name)
                    self.assertEqual(stat.S_IMODE(found.st_mode), 0o600, name)
                told = subprocess.run([*command, "logs", "--server", "-n", "5"], check=True, capture_output=True, text=True, timeout=20).stdout
                self.assertIn("Refused999", told)
            finally:
                subprocess.run([*command, "down"], check=True, capture_output=True, timeout=60)


class Machines(unittest.TestCase):
    """Two machines of one VPC: one takes all that it gets of every door, the other goes on."""

    @classmethod
    def setUpClass(cls):
        kiln = Kiln(machines="local")
        cls.addClassCleanup(kiln.close)
        cls.kiln = kiln.with_base()
        cls.ec2, cls.elb = kiln.client("ec2"), kiln.client("elbv2")
        base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        asked = {"ImageId": base, "MinCount": 2, "MaxCount": 2, "InstanceType": "t3.micro", "MetadataOptions": {"HttpTokens": "optional"}}
        cls.greedy, cls.modest = (i["InstanceId"] for i in cls.ec2.run_instances(**asked)["Instances"])
        for machine in (cls.greedy, cls.modest):
            wait_for("a shell", lambda m=machine: cls.sh(m, "command -v curl"))

    @classmethod
    def sh(cls, instance, script):
        return cls.kiln.cli("shell", instance, "--", "sh", "-c", script, check=False).stdout

    def refused(self, door):
        """How many connections all doors of this kind have refused so far."""
        return sum(figure["refused"] for figure in self.kiln.status()["doors"] if figure["door"] == door)

    def held(self, door, address, port, count=700):
        """Has the greedy one take connections; how many it holds once all others are known to be refused."""
        before = self.refused(door)
        self.sh(self.greedy, f"cat > /tmp/hold.py <<'EOF'\n{HOLD}\nEOF\nrm -f /tmp/said; ulimit -n 4096; nohup python3 /tmp/hold.py {address} {port} {count} /tmp/said >/dev/null 2>&1 & echo $! > /tmp/pid")
        self.addCleanup(self.sh, self.greedy, "kill $(cat /tmp/pid)")

        def settled():
            made, alive = map(int, self.sh(self.greedy, "cat /tmp/said").split())
            return (alive,) if made == alive + self.refused(door) - before else None

        return wait_for("every connection to be held or refused", settled, 60)[0]

    def test_metadata(self):
        self.assertEqual(self.held("metadata", "169.254.169.254", 80), 32)
        self.assertEqual(self.sh(self.modest, "curl -s --max-time 10 http://169.254.169.254/latest/meta-data/instance-id"), self.modest)
        [figure] = [d for d in self.kiln.status()["doors"] if d["door"] == "metadata" and d["refused"]]
        self.assertEqual(figure["refused"], 700 - 32)

    def test_the_api(self):
        self.assertEqual(self.held("api in a VPC", "169.254.169.254", 4566), 64)
        answer = self.sh(self.modest, "curl -s --max-time 10 -w '%{http_code}' http://169.254.169.254:4566/")
        self.assertTrue(answer.endswith("403"), answer)

    def test_dns(self):
        self.assertLessEqual(self.held("dns", "169.254.169.253", 53), 64)
        name = self.ec2.describe_instances(InstanceIds=[self.modest])["Reservations"][0]["Instances"][0]["PrivateDnsName"]
        self.assertIn(name, self.sh(self.modest, f"getent ahostsv4 {name}"))

    def test_a_load_balancer(self):
        subnets = [s["SubnetId"] for s in self.ec2.describe_subnets()["Subnets"]][:2]
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = self.ec2.create_security_group(VpcId=vpc, GroupName="inside", Description="all")["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        made = self.elb.create_load_balancer(Name="inside", Scheme="internal", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]
        page = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "a page", "ContentType": "text/plain"}}
        self.elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[page])
        self.elb.get_waiter("load_balancer_available").wait(Names=["inside"], WaiterConfig={"Delay": 1})
        interfaces = self.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB app/inside/*"]}])["NetworkInterfaces"]
        address = interfaces[0]["PrivateIpAddress"]
        wait_for("the page", lambda: self.sh(self.modest, f"curl -s --max-time 5 http://{address}/") == "a page")
        self.assertEqual(self.held("load balancer in a VPC", address, 80), 256)
        self.assertEqual(self.sh(self.modest, f"curl -s --max-time 10 http://{address}/"), "a page")


if __name__ == "__main__":
    unittest.main()
