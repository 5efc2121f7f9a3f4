"""Load balancers by their names: exactly what DescribeLoadBalancers gives, asked with curl inside a
machine of the VPC, and both names on the host (docs/decisions/0011-load-balancer-names.md).
"""
import subprocess
import unittest
from urllib.parse import urlsplit

from kiln import Kiln, wait_for
from test_load_balancers import ask


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        kiln = Kiln(machines="local")
        cls.addClassCleanup(kiln.close)
        cls.kiln = kiln.with_base()
        cls.ec2, cls.elb = cls.kiln.client("ec2"), cls.kiln.client("elbv2")
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.vpc = cls.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        found = cls.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [cls.vpc]}])["Subnets"]
        cls.subnets = sorted(s["SubnetId"] for s in found)

    def machine(self, subnet):
        asked = {"ImageId": self.base, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", "SubnetId": subnet}
        return self.ec2.run_instances(**asked)["Instances"][0]["InstanceId"]

    def curl(self, instance, *words):
        """curl's output inside a machine, and how it ended."""
        script = 'curl -sS --max-time 20 "$@"; echo " exit $?"'
        return self.kiln.cli("shell", instance, "--", "sh", "-c", script, "sh", *words, check=False).stdout.strip()

    def balancer(self, name, scheme, group):
        asked = {"Name": name, "Scheme": scheme, "Subnets": self.subnets, "SecurityGroups": [group]}
        arn = self.elb.create_load_balancer(**asked)["LoadBalancers"][0]["LoadBalancerArn"]
        page = {"StatusCode": "200", "MessageBody": f"page of {name}", "ContentType": "text/plain"}
        action = {"Type": "fixed-response", "FixedResponseConfig": page}
        self.elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[action])
        self.elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
        return self.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["DNSName"]

    def test_the_given_name_is_for_machines_and_both_are_for_the_host(self):
        group = self.ec2.create_security_group(GroupName="web", Description="all", VpcId=self.vpc)["GroupId"]
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        other = self.ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
        elsewhere = self.ec2.create_subnet(VpcId=other, CidrBlock="10.99.1.0/24")["Subnet"]["SubnetId"]
        one, stranger = self.machine(self.subnets[0]), self.machine(elsewhere)
        names = {"inside": self.balancer("inside", "internal", group), "outside": self.balancer("outside", "internet-facing", group)}
        for instance in (one, stranger):
            wait_for("a shell", lambda i=instance: "exit 0" in self.curl(i, "--version"))
        for name, given in names.items():
            with self.subTest(name):
                self.assertRegex(given, rf"^(internal-)?{name}-\d+\.us-east-1\.elb\.localhost\.localdomain$")
                self.assertEqual(self.curl(one, f"http://{given}/"), f"page of {name} exit 0")
                # In another VPC there is no such name: curl cannot resolve it.
                self.assertEqual(self.curl(stranger, f"http://{given}/"), "exit 6")
                # On the host: by both names at the main port, and curl knows the one that status shows.
                short = given.removesuffix(".localdomain")
                for host in (given, short, given.upper(), f"{given}.:{self.kiln.port}"):
                    self.assertEqual(ask("127.0.0.1", self.kiln.port, host), (200, f"page of {name}"), host)
                url = next(l for l in self.kiln.status()["load_balancers"] if l["name"] == name)["urls"][0]
                self.assertEqual(urlsplit(url).hostname, short)
                done = subprocess.run(["curl", "-sS", "-m", "20", url], capture_output=True, text=True, timeout=30)
                self.assertEqual((done.stdout, done.returncode), (f"page of {name}", 0), done.stderr)
                for host in (given, short):
                    self.assertIn(f"{host} is the load balancer {name}", self.kiln.cli("explain", host).stdout)


if __name__ == "__main__":
    unittest.main()
