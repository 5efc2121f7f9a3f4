"""The door inside a VPC, attacked by a machine: whatever method, signature, host or path it tries, nothing passes
but what docs/security says. One kiln with open doors for its host, one with enforced ones.
"""
import json
import shlex
import unittest

from kiln import Kiln, wait_for

INSIDE = "http://169.254.169.254:4566"
KEY = "Action=CreateAccessKey&UserName=victim&Version=2010-05-08"
USER = "Action=CreateUser&UserName=intruder&Version=2010-05-08"
PARAMETER = json.dumps({"Name": "/intruder", "Value": "x", "Type": "String"})
JSON = "-H 'Content-Type: application/x-amz-json-1.1'"
PRESIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fiam%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=" + 64 * "0"
SIGNED = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/iam/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + 64 * "0"

# What curl is told; each asks for something that would be seen afterwards, or for a secret.
ATTACKS = {
    "GET": f"'{INSIDE}/?{KEY}'",
    "GET with the service's host": f"-H 'Host: iam.localhost' '{INSIDE}/?{KEY}'",
    "HEAD": f"--head '{INSIDE}/?{USER}'",
    "PUT": f"-X PUT -d '{USER}' {INSIDE}/",
    "DELETE": f"-X DELETE '{INSIDE}/?{USER}'",
    "OPTIONS": f"-X OPTIONS '{INSIDE}/?{USER}'",
    "a method of nobody's": f"-X SIGN '{INSIDE}/?{USER}'",
    "a form": f"-d '{KEY}' {INSIDE}/",
    "a form in the address": f"-X POST '{INSIDE}/?{USER}'",
    "a form beside a harmless one": f"-d 'Action=SignalResource&StackName=x&LogicalResourceId=x&UniqueId=x&Status=SUCCESS' '{INSIDE}/?{USER}'",
    "a form of another kind": f"-F Action=CreateUser -F UserName=intruder -F Version=2010-05-08 {INSIDE}/",
    "plain text": f"-H 'Content-Type: text/plain' -d '{USER}' {INSIDE}/",
    "JSON": f"{JSON} -H 'X-Amz-Target: AmazonSSM.PutParameter' -d {shlex.quote(PARAMETER)} {INSIDE}/",
    "JSON by GET": f"-X GET {JSON} -H 'X-Amz-Target: AmazonSSM.PutParameter' -d {shlex.quote(PARAMETER)} {INSIDE}/",
    "a client's headers": f"-H 'X-Amz-Date: 20260101T000000Z' -H 'amz-sdk-request: attempt=1' -d '{USER}' {INSIDE}/",
    "an empty Authorization": f"-H 'Authorization;' -d '{USER}' {INSIDE}/",
    "nonsense for a signature": f"-H 'Authorization: let me in' -d '{USER}' {INSIDE}/",
    "a password": f"-u root:root -d '{USER}' {INSIDE}/",
    "version 2 of the signature": f"-H 'Authorization: AWS a:b' {INSIDE}/intruder -X PUT",
    "a wrong signature": f"-H 'X-Amz-Date: 20260101T000000Z' -H {shlex.quote('Authorization: ' + SIGNED)} -d '{USER}' {INSIDE}/",
    "any keys": f"--aws-sigv4 aws:amz:us-east-1:iam --user 000000000000:any -d '{USER}' {INSIDE}/",
    "any keys by GET": f"--aws-sigv4 aws:amz:us-east-1:iam --user 000000000000:any '{INSIDE}/?{USER}'",
    "a presigned address": f"'{INSIDE}/?{USER}&{PRESIGNED}'",
    "half a presigned address": f"'{INSIDE}/?{USER}&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fiam%2Faws4_request'",
    "its names in small letters": f"'{INSIDE}/?{USER}&x-amz-signature=0'",
    "version 2 in the address": f"'{INSIDE}/secrets/one?AWSAccessKeyId=000000000000&Expires=99999999999&Signature=x'",
    "an object": f"{INSIDE}/secrets/one",
    "an object by host": f"-H 'Host: secrets.s3.localhost' {INSIDE}/one",
    "a bucket's listing": f"'{INSIDE}/secrets?list-type=2'",
    "an object put": f"-T /etc/hostname {INSIDE}/secrets/intruder",
    "an object removed": f"-X DELETE {INSIDE}/secrets/one",
    "a browser's form": f"-F key=intruder -F file=x {INSIDE}/secrets",
    "another path to it": f"--path-as-is '{INSIDE}/cloudformation-waitcondition/../secrets/one'",
    "a wait condition's path": f"-X PUT -d '{{}}' '{INSIDE}/cloudformation-waitcondition/us-east-1/000000000000/x?Signature=x'",
    "kiln's own control": f"{INSIDE}/status",
    "down": f"-X POST '{INSIDE}/down?machines=stop'",
    "HTTP/2": f"--http2-prior-knowledge '{INSIDE}/?{KEY}'",
}


class Door:
    """What both modes have in common."""

    auth = None

    @classmethod
    def setUpClass(cls):
        kiln = Kiln(machines="local", auth=cls.auth)
        cls.addClassCleanup(kiln.close)
        cls.kiln = kiln.with_base()
        cls.ec2, cls.iam, cls.s3, cls.ssm = (kiln.client(s) for s in ("ec2", "iam", "s3", "ssm"))
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.iam.create_user(UserName="victim")
        cls.s3.create_bucket(Bucket="secrets")
        cls.s3.put_object(Bucket="secrets", Key="one", Body=b"the-secret")
        cls.machine = cls.in_a_network_of_its_own()
        wait_for("a shell", lambda: cls.sh(cls.machine, "command -v curl"))

    @classmethod
    def sh(cls, instance, script):
        return cls.kiln.cli("shell", instance, "--", "sh", "-c", script, check=False).stdout

    @classmethod
    def network(cls):
        """A VPC, of the same addresses each time, and subnets in two zones."""
        vpc = cls.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            cls.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        return vpc, subnets

    @classmethod
    def in_a_network_of_its_own(cls):
        """A machine that no rule lets send anything."""
        vpc, subnets = cls.network()
        group = cls.ec2.create_security_group(VpcId=vpc, GroupName="mute", Description="no rules")["GroupId"]
        cls.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        asked = {"ImageId": cls.base, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", "SubnetId": subnets[0], "SecurityGroupIds": [group]}
        return cls.ec2.run_instances(**asked)["Instances"][0]["InstanceId"]

    def answers(self, attacks):
        """What each attack is answered: its status and its text."""
        script = "".join(f"echo {shlex.quote('## ' + name)}; curl -sS --max-time 20 -w ' HTTP %{{http_code}}\\n' {curl} 2>&1\n" for name, curl in attacks.items())
        parts = self.sh(self.machine, script).split("## ")[1:]
        self.assertEqual(len(parts), len(attacks), parts)
        return {name: part.partition("\n")[2] for name, part in zip(attacks, parts, strict=True)}

    def test_nothing_passes_but_what_is_meant_to(self):
        for name, text in self.answers(ATTACKS).items():
            with self.subTest(name):
                self.assertRegex(text, r"HTTP 4\d\d\n$")
                for secret in ("the-secret", "AccessKeyId>", "<Contents>", "<CreateUserResult"):
                    self.assertNotIn(secret, text)
        self.assertEqual(self.iam.list_access_keys(UserName="victim")["AccessKeyMetadata"], [])
        self.assertEqual([u["UserName"] for u in self.iam.list_users()["Users"]], ["victim"])
        self.assertEqual(self.ssm.describe_parameters()["Parameters"], [])
        self.assertEqual([o["Key"] for o in self.s3.list_objects_v2(Bucket="secrets")["Contents"]], ["one"])
        self.assertEqual([b["Name"] for b in self.s3.list_buckets()["Buckets"]], ["secrets"])

    def test_load_balancers_do_not_answer_there(self):
        """Not that of another VPC, whose addresses are the same, nor any by any spelling of its name."""
        elb = self.kiln.client("elbv2")
        vpc, subnets = self.network()
        group = self.ec2.create_security_group(VpcId=vpc, GroupName="web", Description="10.77 may come")["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.77.0.0/16"}, {"CidrIp": "127.0.0.1/32"}]}])
        made = elb.create_load_balancer(Name="theirs", Scheme="internal", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]
        page = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "their page", "ContentType": "text/plain"}}
        elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[page])
        elb.get_waiter("load_balancer_available").wait(Names=["theirs"], WaiterConfig={"Delay": 1})
        name = made["DNSName"]
        self.assertTrue(name.startswith("internal-"), name)
        short = name.removesuffix(".localdomain")
        self.assertNotEqual(short, name)
        attacks = {f"Host: {host}": f"-H 'Host: {host}' {INSIDE}/" for host in (name, short, f"{short}.:4566", f"{name}:80", f"{name}:4566", f"{name}.", f"{name}.:4566", name.upper())}
        attacks |= {
            "a form": f"-H 'Host: {name}' -d x=y {INSIDE}/",
            "a signature": f"-H 'Host: {name}' -H {shlex.quote('Authorization: ' + SIGNED)} {INSIDE}/",
            "a whole address": f"--request-target 'http://{name}/' {INSIDE}/",
            "a whole address with its port": f"--request-target 'http://{name}:4566/' {INSIDE}/",
            "kiln as a proxy": f"--proxy {INSIDE} http://{name}/",
            "a tunnel": f"--proxy {INSIDE} --proxytunnel http://{name}/",
            "HTTP/2": f"--http2-prior-knowledge -H 'Host: {name}' {INSIDE}/",
            "HTTP/1.0": f"--http1.0 -H 'Host: {name}' {INSIDE}/",
        }
        for attack, text in self.answers(attacks).items():
            with self.subTest(attack):
                self.assertNotIn("their page", text)
                self.assertRegex(text, r"HTTP (4\d\d|000)\n$")
        # From the host it is there, by all these spellings.
        import http.client

        for host in (name, short, f"{name}.", name.upper(), f"{name}:{self.kiln.port}"):
            link = http.client.HTTPConnection("127.0.0.1", self.kiln.port, timeout=20)
            link.request("GET", "/", headers={"Host": host})
            self.assertEqual(link.getresponse().read(), b"their page", host)
            link.close()


class OpenMode(Door, unittest.TestCase):
    auth = "open"

    def test_also_correctly_signed_calls_are_refused(self):
        user = self.iam.create_user(UserName="with-keys")["User"]["UserName"]
        keys = self.iam.create_access_key(UserName=user)["AccessKey"]
        self.addCleanup(self.iam.delete_user, UserName=user)
        self.addCleanup(self.iam.delete_access_key, UserName=user, AccessKeyId=keys["AccessKeyId"])
        ask = f"--aws-sigv4 aws:amz:us-east-1:sts --user '{keys['AccessKeyId']}:{keys['SecretAccessKey']}' -d 'Action=GetCallerIdentity&Version=2011-06-15' {INSIDE}/"
        self.assertIn("<Code>AccessDenied</Code>", self.answers({"signed": ask})["signed"])


class EnforcedMode(Door, unittest.TestCase):
    auth = "enforced"

    def test_an_address_counts_only_with_its_network(self):
        """A policy that names addresses means those outside; a machine's address is told with its VPC, as
        AWS tells it of calls that come by an endpoint."""
        [here] = [i for r in self.ec2.describe_instances(InstanceIds=[self.machine])["Reservations"] for i in r["Instances"]]

        def may(name, condition):
            self.iam.create_user(UserName=name)
            self.addCleanup(self.iam.delete_user, UserName=name)
            statement = {"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*", "Condition": condition}
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
            self.addCleanup(self.iam.delete_user_policy, UserName=name, PolicyName="p")
            keys = self.iam.create_access_key(UserName=name)["AccessKey"]
            self.addCleanup(self.iam.delete_access_key, UserName=name, AccessKeyId=keys["AccessKeyId"])
            user = f"--user '{keys['AccessKeyId']}:{keys['SecretAccessKey']}'"
            ask = f"--aws-sigv4 aws:amz:us-east-1:ec2 {user} -d 'Action=DescribeVpcs&Version=2016-11-15' {INSIDE}/"
            return "<vpcSet>" in self.answers({name: ask})[name]

        address = here["PrivateIpAddress"]
        self.assertFalse(may("by-address", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
        self.assertTrue(may("by-network", {"StringEquals": {"aws:SourceVpc": here["VpcId"]}}))
        self.assertTrue(may("by-both", {"IpAddress": {"aws:VpcSourceIp": address}, "StringEquals": {"aws:SourceVpc": here["VpcId"]}}))
        self.assertFalse(may("other", {"StringEquals": {"aws:SourceVpc": "vpc-00000000000000000"}}))


if __name__ == "__main__":
    unittest.main()
