"""What goes through a load balancer to real machines: streams, upgrades, weights, drains, faults.

Each machine's network namespace holds a server that can be told to misbehave (backend.py).
"""
import base64
import collections
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from images import docker_archive
from kiln import Kiln, wait_for

SERVICES = "elbv2"

PORT = 9000


class DataPlane(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2, cls.elb = cls.kiln.client("ec2"), cls.kiln.client("elbv2")
        with tempfile.TemporaryDirectory() as directory:
            image = cls.kiln.cli("image", "import", str(docker_archive(directory)), "--name", "httpd").stdout.strip()
        cls.vpc = cls.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        subnets = sorted(s["SubnetId"] for s in cls.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [cls.vpc]}])["Subnets"])
        everybody = cls.ec2.create_security_group(GroupName="open", Description="open", VpcId=cls.vpc)["GroupId"]
        cls.ec2.authorize_security_group_ingress(GroupId=everybody, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        machines = cls.ec2.run_instances(
            ImageId=image, MinCount=2, MaxCount=2, InstanceType="t3.micro", SecurityGroupIds=[everybody], SubnetId=subnets[0]
        )["Instances"]
        cls.ids = [m["InstanceId"] for m in machines]
        cls.ec2.get_waiter("instance_running").wait(InstanceIds=cls.ids, WaiterConfig={"Delay": 1})
        cls.servers = []
        server = pathlib.Path(__file__).with_name("backend.py")
        for name, machine in zip("ab", cls.ids):
            pid = next(m["pid"] for m in cls.kiln.status()["machines"] if m["id"] == machine)
            command = ["nsenter", "-t", str(pid), "-n", sys.executable, str(server), str(PORT), name]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            cls.servers.append(process)
            cls.addClassCleanup(process.communicate)
            cls.addClassCleanup(process.kill)
        balancer = cls.elb.create_load_balancer(Name="web", Subnets=subnets, SecurityGroups=[everybody])["LoadBalancers"][0]
        cls.arn, cls.name = balancer["LoadBalancerArn"], balancer["DNSName"]
        cls.both, cls.a, cls.b = (cls.target_group(*given) for given in [("both", cls.ids), ("a", cls.ids[:1]), ("b", cls.ids[1:])])
        cls.listen(80, [{"Type": "forward", "TargetGroupArn": cls.both}])
        groups = [{"TargetGroupArn": cls.a, "Weight": 3}, {"TargetGroupArn": cls.b, "Weight": 1}]
        cls.listen(8080, [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}])
        for group in (cls.both, cls.a, cls.b):
            cls.elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig={"Delay": 1})
        urls = next(l for l in cls.kiln.status()["load_balancers"] if l["name"] == "web")["urls"]
        cls.own = urls[1].removeprefix("http://").split(":")[0]

    @classmethod
    def target_group(cls, name, ids):
        group = cls.elb.create_target_group(
            Name=name, Protocol="HTTP", Port=PORT, VpcId=cls.vpc, HealthCheckPath="/health", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2
        )["TargetGroups"][0]["TargetGroupArn"]
        cls.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": i} for i in ids])
        return group

    @classmethod
    def listen(cls, port, actions):
        cls.elb.create_listener(LoadBalancerArn=cls.arn, Protocol="HTTP", Port=port, DefaultActions=actions)

    def ways(self):
        """The two ways from the host: address and what `Host` says."""
        return [((self.own, 80), "shop.example"), (("127.0.0.1", self.kiln.port), f"{self.name}:{self.kiln.port}")]

    def ask(self, path, at=None, host="shop.example", method="GET", body=None):
        """Status, answering server and body of one request."""
        link = http.client.HTTPConnection(*(at or (self.own, 80)), timeout=30)
        try:
            link.request(method, path, body=body, headers={"Host": host})
            answer = link.getresponse()
            return answer.status, answer.getheader("X-Backend"), answer.read()
        finally:
            link.close()

    def health(self, machine):
        found = self.elb.describe_target_health(TargetGroupArn=self.both, Targets=[{"Id": machine}])["TargetHealthDescriptions"]
        return found[0]["TargetHealth"]

    def test_weights_are_kept_exactly(self):
        took = collections.Counter(self.ask("/", (self.own, 8080))[1] for _ in range(40))
        self.assertEqual(took, {"a": 30, "b": 10})

    def test_targets_see_who_asked_and_where(self):
        for at, host in self.ways():
            seen = json.loads(self.ask("/x?y=z", at, host)[2])
            self.assertEqual(seen["line"], "GET /x?y=z HTTP/1.1")
            wanted = {"host": host, "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-port": str(at[1])}
            self.assertEqual(wanted, {name: seen["headers"][name] for name in wanted})
        self.assertEqual(json.loads(self.ask("/", (self.own, 8080))[2])["headers"]["host"], "shop.example:8080")

    def test_bodies_stream_both_ways(self):
        for at, host in self.ways():
            pieces = (b"x" * (1 << 20) for _ in range(64))
            self.assertEqual(json.loads(self.ask("/", at, host, "PUT", pieces)[2])["size"], 64 << 20)
            link = http.client.HTTPConnection(*at, timeout=10)
            began = time.monotonic()
            link.request("GET", "/events", headers={"Host": host})
            answer = link.getresponse()
            self.assertEqual(answer.read(9), b"data: 1\n\n")
            first = time.monotonic() - began
            answer.read()
            last = time.monotonic() - began
            link.close()
            self.assertGreater(last - first, 0.5, "the first event came before the last was made")

    def test_web_sockets_are_tunnelled(self):
        for at, host in self.ways():
            with socket.create_connection(at, timeout=10) as link:
                key = base64.b64encode(os.urandom(16)).decode()
                head = f"GET /web-socket HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
                link.sendall(head.encode())
                stream = link.makefile("rb")
                self.assertIn(b" 101 ", stream.readline())
                while stream.readline() != b"\r\n":
                    pass
                for text in (b"hello", b"again"):
                    link.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)
                    self.assertEqual(stream.read(2 + len(text)), bytes([0x81, len(text)]) + text)

    def test_http2_with_prior_knowledge(self):
        for at, host in self.ways():
            asked = ["curl", "-sS", "-m", "10", "--http2-prior-knowledge", "-H", f"Host: {host}", "-w", "\n%{http_version} %{http_code}", f"http://{at[0]}:{at[1]}/x"]
            answer, _, version = subprocess.run(asked, capture_output=True, text=True, timeout=20).stdout.rpartition("\n")
            self.assertEqual((json.loads(answer)["line"], version), ("GET /x HTTP/1.1", "2 200"))

    def test_a_target_that_hangs_up_is_502_and_a_silent_one_504(self):
        self.assertEqual(self.ask("/hang-up")[0], 502)
        timeout = lambda seconds: self.elb.modify_load_balancer_attributes(  # noqa: E731
            LoadBalancerArn=self.arn, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": seconds}]
        )
        timeout("1")
        self.addCleanup(timeout, "60")

        def timed():
            began = time.monotonic()
            status = self.ask("/slow?3")[0]
            return (status, round(time.monotonic() - began)) == (504, 1)

        wait_for("the new timeout to hold", timed, 30)

    def test_a_request_under_way_survives_deregistration(self):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.ask("/told?2"))) for _ in range(4)]
        [thread.start() for thread in threads]
        self.addCleanup(lambda: self.elb.register_targets(TargetGroupArn=self.both, Targets=[{"Id": self.ids[0]}]))
        for server in self.servers * 2:
            self.assertEqual(server.stdout.readline(), b"asked\n", "two requests have reached each machine")
        self.elb.deregister_targets(TargetGroupArn=self.both, Targets=[{"Id": self.ids[0]}])
        wait_for("it to drain", lambda: self.health(self.ids[0])["State"] == "draining", 5)
        self.assertEqual(self.health(self.ids[0])["Reason"], "Target.DeregistrationInProgress")
        self.assertEqual({self.ask("/")[1] for _ in range(10)}, {"b"}, "new requests go elsewhere")
        self.assertEqual(answers, [], "and those under way are still there")
        [thread.join() for thread in threads]
        self.assertEqual(sorted((status, name) for status, name, _ in answers), [(200, "a")] * 2 + [(200, "b")] * 2)
        wait_for("it to have left", lambda: self.health(self.ids[0])["Reason"] == "Target.NotRegistered", 10)


if __name__ == "__main__":
    unittest.main()
