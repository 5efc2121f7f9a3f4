"""Load balancers as a way out of the box: targets that lead to the host, to the metadata service, to the
platform's own doors, to itself or to another load balancer. AWS takes as `ip` targets what
is in the VPC's subnets or private; what is registered is asked only inside the VPC.
"""
import json
import socket
import threading
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for

SERVICES = "elbv2"

NEVER = [
    "127.0.0.1", "127.0.0.53", "0.0.0.0", "169.254.169.254", "169.254.169.253", "224.0.0.1", "255.255.255.255", "8.8.8.8",
    "198.19.255.2", "100.128.0.1", "172.32.0.1", "::1", "::ffff:127.0.0.1", "0x7f000001", "2130706433", "127.1", "localhost",
]


def own_addresses():
    """This host's addresses that another host could use."""
    found = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))  # Nothing is sent: the kernel only chooses an address.
        found.add(probe.getsockname()[0])
    except OSError:
        pass
    finally:
        probe.close()
    return sorted(ip for ip in found if not ip.startswith("127."))


class Listener:
    """A server on every address of the host that counts who came."""

    def __init__(self):
        self.came = 0
        self.socket = socket.create_server(("0.0.0.0", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            self.came += 1
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            link.close()

    def close(self):
        self.socket.close()


class Targets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2, cls.elb = cls.kiln.client("ec2"), cls.kiln.client("elbv2")
        cls.vpc = cls.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        subnets = cls.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [cls.vpc]}])["Subnets"]
        cls.subnets = sorted(subnets, key=lambda s: s["CidrBlock"])

    def targets(self, name):
        made = self.elb.create_target_group(
            Name=name, Protocol="HTTP", Port=80, VpcId=self.vpc, TargetType="ip", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2
        )
        return made["TargetGroups"][0]["TargetGroupArn"]

    def test_addresses_that_are_no_vpcs_are_not_registered(self):
        group = self.targets("never")
        for address in NEVER:
            for zone in ({}, {"AvailabilityZone": "all"}, {"AvailabilityZone": "us-east-1a"}):
                with self.subTest(address=address, **zone), self.assertRaises(botocore.exceptions.ClientError) as refused:
                    self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address, "Port": 80, **zone}])
                self.assertEqual(refused.exception.response["Error"]["Code"], "ValidationError")
        self.assertEqual(self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"], [])

    def test_nor_by_a_template(self):
        stacks = self.kiln.client("cloudformation")
        for number, address in enumerate(["127.0.0.1", "169.254.169.254", "8.8.8.8"]):
            name = f"attack-{number}"
            properties = {
                "VpcId": self.vpc, "Protocol": "HTTP", "Port": 80, "TargetType": "ip", "Name": name,
                "Targets": [{"Id": address, "AvailabilityZone": "all"}],
            }
            template = {"Resources": {"T": {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": properties}}}
            stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
            status = lambda: stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            wait_for("the stack to fail", lambda: status() in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED"))
            events = stacks.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [e.get("ResourceStatusReason", "") for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
            self.assertTrue(any(address in reason for reason in reasons), reasons)

    def test_what_is_registered_is_asked_only_inside_the_vpc(self):
        ec2, elb = self.ec2, self.elb
        open_group = ec2.create_security_group(GroupName="open", Description="open", VpcId=self.vpc)["GroupId"]
        everyone = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        ec2.authorize_security_group_ingress(GroupId=open_group, IpPermissions=everyone)
        shut_group = ec2.create_security_group(GroupName="shut", Description="shut", VpcId=self.vpc)["GroupId"]
        ids = [s["SubnetId"] for s in self.subnets]
        arns = {}
        for name, group in (("attacker", open_group), ("victim", shut_group), ("neighbour", open_group)):
            arns[name] = elb.create_load_balancer(Name=name, Subnets=ids, SecurityGroups=[group])["LoadBalancers"][0]["LoadBalancerArn"]
        answer = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "in"}}]
        for name in ("victim", "neighbour"):
            elb.create_listener(LoadBalancerArn=arns[name], Protocol="HTTP", Port=80, DefaultActions=answer)
        group = self.targets("ways-out")
        elb.create_listener(
            LoadBalancerArn=arns["attacker"], Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}]
        )
        elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=list(arns.values()), WaiterConfig={"Delay": 1})
        host = Listener()
        self.addCleanup(host.close)
        first = self.subnets[0]["CidrBlock"].rsplit(".", 1)[0]
        wanted = {}
        for address in (f"{first}.1", f"{first}.2"):
            for port in (80, 53, 4566):
                wanted[address, port] = {}
        vpc_block = self.subnets[0]["CidrBlock"].split(".")[:2]
        private = [ip for ip in own_addresses() if ip.startswith(("10.", "192.168.", "172.")) and ip.split(".")[:2] != vpc_block]
        for address in [*private, "10.255.255.1"]:
            wanted[address, host.port] = {"AvailabilityZone": "all"}
        for name in arns:
            description = f"ELB {arns[name].split('loadbalancer/')[1]}"
            found = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [description]}])
            wanted[found["NetworkInterfaces"][0]["PrivateIpAddress"], 80] = {}
        registered = []
        for (address, port), zone in wanted.items():
            try:
                elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address, "Port": port, **zone}])
                registered.append((address, port))
            except botocore.exceptions.ClientError as error:
                # A host may have a public address only.
                self.assertEqual(error.response["Error"]["Code"], "ValidationError")

        def states():
            found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            return {(t["Target"]["Id"], t["Target"]["Port"]): t["TargetHealth"]["State"] for t in found}

        wait_for("all targets to be judged", lambda: "initial" not in states().values() and len(states()) == len(registered))
        healthy = [target for target, state in states().items() if state == "healthy"]
        # Neither another load balancer, though its groups let it in: two could send a request round and round.
        self.assertEqual(healthy, [])
        self.assertEqual(host.came, 0)


if __name__ == "__main__":
    unittest.main()
