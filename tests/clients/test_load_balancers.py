"""A load balancer with real machines behind it, made by boto3: it forwards, its security groups are
enforced on both sides, a machine of the VPC reaches it, it survives kill -9, and leaves nothing.
"""
import http.client
import subprocess
import tempfile
import unittest

import botocore.exceptions

from images import docker_archive
from kiln import Kiln, wait_for

SERVICES = "elbv2"


def ask(address, port, host=None):
    """Status and body of one GET, or why there was none."""
    link = http.client.HTTPConnection(address, port, timeout=5)
    try:
        link.request("GET", "/", headers={"Host": host} if host else {})
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        return type(error).__name__, str(error)
    except http.client.HTTPException as error:
        return type(error).__name__, str(error)
    finally:
        link.close()


class LoadBalancers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2, cls.elb = cls.kiln.client("ec2"), cls.kiln.client("elbv2")
        with tempfile.TemporaryDirectory() as directory:
            cls.image = cls.kiln.cli("image", "import", str(docker_archive(directory)), "--name", "httpd").stdout.strip()
        cls.vpc = cls.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        subnets = cls.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [cls.vpc]}])["Subnets"]
        cls.subnets = sorted(s["SubnetId"] for s in subnets)

    def group(self, name):
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]

    def health(self, targets):
        found = self.elb.describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]
        return {t["Target"]["Id"]: (t["TargetHealth"]["State"], t["TargetHealth"].get("Reason")) for t in found}

    def test_requests_reach_machines_only_as_security_groups_allow(self):
        ec2, elb, kiln = self.ec2, self.elb, self.kiln
        front, back = self.group("front"), self.group("back")
        everyone = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        from_front = [{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": front}]}]
        ec2.authorize_security_group_ingress(GroupId=front, IpPermissions=everyone)
        machines = ec2.run_instances(
            ImageId=self.image, MinCount=2, MaxCount=2, InstanceType="t3.micro", SecurityGroupIds=[back], SubnetId=self.subnets[0]
        )["Instances"]
        ids = [m["InstanceId"] for m in machines]
        ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})

        balancer = elb.create_load_balancer(Name="web", Subnets=self.subnets, SecurityGroups=[front])["LoadBalancers"][0]
        arn, name = balancer["LoadBalancerArn"], balancer["DNSName"]
        self.assertRegex(name, r"^web-\d+\.us-east-1\.elb\.localhost\.localdomain$")
        targets = elb.create_target_group(
            Name="web", Protocol="HTTP", Port=8080, VpcId=self.vpc, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2
        )["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=targets, Targets=[{"Id": i} for i in ids])
        self.assertEqual(set(self.health(targets).values()), {("unused", "Target.NotInUse")})
        elb.create_listener(
            LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}]
        )
        elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
        interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"ELB {arn.split('loadbalancer/')[1]}"]}])
        self.assertEqual(len(interfaces["NetworkInterfaces"]), len(self.subnets))
        self.assertTrue(all(i["RequesterManaged"] for i in interfaces["NetworkInterfaces"]))

        # The machines let nobody in yet: the checks fail because packets are dropped.
        wait_for("unhealthy targets", lambda: set(self.health(targets).values()) == {("unhealthy", "Target.Timeout")}, 40)
        ec2.authorize_security_group_ingress(GroupId=back, IpPermissions=from_front)
        elb.get_waiter("target_in_service").wait(TargetGroupArn=targets, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

        # From the host: on the main port by name, and on an address of its own.
        shown = next(l for l in kiln.status()["load_balancers"] if l["name"] == "web")
        self.assertEqual(shown["urls"][0], f"http://{name.removesuffix('.localdomain')}:{kiln.port}/")
        own = shown["urls"][1].removeprefix("http://").removesuffix("/").split(":")[0]
        self.assertTrue(own.startswith("127.") and own != "127.0.0.1", own)
        self.assertEqual(ask("127.0.0.1", kiln.port, name), (200, "ok\n"))
        self.assertEqual(ask(own, 80), (200, "ok\n"))
        for none in ("none.us-east-1.elb.localhost", "none.us-east-1.elb.localhost.localdomain"):
            self.assertEqual(ask("127.0.0.1", kiln.port, none)[0], 404)

        # Its own security group is enforced, and rules act at once.
        ec2.revoke_security_group_ingress(GroupId=front, IpPermissions=everyone)
        wait_for("nobody to be let in", lambda: ask(own, 80)[0] != 200, 10)
        self.assertEqual(ask("127.0.0.1", kiln.port, name)[0], 403)
        ec2.authorize_security_group_ingress(GroupId=front, IpPermissions=everyone)
        wait_for("everybody to be let in", lambda: ask(own, 80) == (200, "ok\n"), 10)

        # A machine of the VPC reaches it at its interface.
        inside = interfaces["NetworkInterfaces"][0]["PrivateIpAddress"]
        pid = next(m["pid"] for m in kiln.status()["machines"] if m["id"] == ids[1])
        asked = ["nsenter", "-t", str(pid), "-n", "curl", "-s", "-m", "5", f"http://{inside}/"]
        self.assertEqual(subprocess.run(asked, capture_output=True, text=True, timeout=20).stdout, "ok\n")

        # kill -9: the machines go on, everything else is made again from the records.
        kiln.kill()
        kiln.start()
        address = ("127.0.0.1", kiln.port, name)
        wait_for("it to answer again", lambda: ask(*address) == (200, "ok\n"), 30)
        # The port is another one: clients are made anew.
        ec2, elb = kiln.client("ec2"), kiln.client("elbv2")
        type(self).ec2, type(self).elb = ec2, elb

        # A stopped machine gets nothing more, the other serves.
        ec2.stop_instances(InstanceIds=ids[:1])
        wait_for("it to be unused", lambda: self.health(targets)[ids[0]] == ("unused", "Target.InvalidState"), 20)
        self.assertEqual({ask(*address) for _ in range(10)}, {(200, "ok\n")})
        elb.deregister_targets(TargetGroupArn=targets, Targets=[{"Id": ids[0]}])
        wait_for("it to be gone", lambda: list(self.health(targets)) == ids[1:], 20)

        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            elb.delete_target_group(TargetGroupArn=targets)
        self.assertEqual(caught.exception.response["Error"]["Code"], "ResourceInUse")
        elb.delete_load_balancer(LoadBalancerArn=arn)
        elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
        elb.delete_target_group(TargetGroupArn=targets)
        ec2.terminate_instances(InstanceIds=ids)
        wait_for("its interfaces to be gone", lambda: not ec2.describe_network_interfaces()["NetworkInterfaces"], 30)
        self.assertNotEqual(ask(own, 80)[0], 200)


if __name__ == "__main__":
    unittest.main()
