"""Requests nobody means: made from AWS's own models and then broken, against a running kiln.

Whatever comes in, kiln answers, in AWS's way: no 500, no panic, no hang, no end of the process, and
memory stays bounded. The choice is random but repeats itself: KILN_FUZZ_SEED and KILN_FUZZ_COUNT
change it, and a failure prints the request.
"""
import http.client
import json
import os
import pathlib
import random
import re
import string
import unittest
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.serialize
import botocore.session

import services
from kiln import Kiln

SEED = int(os.environ.get("KILN_FUZZ_SEED", "20260131"))
# Requests for each served operation.
COUNT = int(os.environ.get("KILN_FUZZ_COUNT", "4"))
# Real answers take milliseconds; this is for a busy machine.
HANG = 60
# Beside what kiln holds at rest.
MOST_MEMORY = 400 << 20

WORDS = [
    "", " ", "a", "0", "-1", "*", "true", "null", "$Latest", "i-0123456789abcdef0", "vpc-12345678", "sg-", "/", "//",
    "../../etc/passwd", "arn:aws:iam::000000000000:role/a", "arn:", "arn:aws:ec2:us-east-1::image/ami-1", "10.0.0.0/16",
    "10.0.0.0/99", "::/0", "<a>&amp;</a>", "\u0000", "\ud7ff\uffff\U0001f600", "%s%n%x", "{{resolve:ssm:a}}", "${aws:a}",
    "{}", "[]", '{"Version":"2012-10-17","Statement":[]}', "Resources: {A: {Type: 'AWS::SSM::Parameter'}}", "!Sub '${A}'",
    "&a [*a,*a]", "2012-10-17", "2999-12-31T23:59:59Z", "99999999999999999999", "1e400", "NaN", "a" * 300, "x" * 70_000,
    "[" * 5_000, "-----BEGIN", "resolve:ssm:/a", "eyJ", "k1:", "azE6YQ",
]  # fmt: skip
SEEN = re.compile(r"\b(?:i|vpc|subnet|sg|sgr|eni|ami|lt|rtb|igw|vol|snap|eipalloc|key)-[0-9a-f]{17}\b|\barn:aws:[\w:/.-]+|(?<=Name>)[\w-]+(?=<)")
NUMBERS = [0, 1, -1, 2**31, -(2**31) - 1, 2**63, -(2**63), 2**64, 65536, 1.5, 1e300]


POLICY = {
    "Version": "2012-10-17",
    "Statement": [{
        "Sid": "a", "Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:aws:s3:::a/${aws:username}",
        "Condition": {"StringLike": {"aws:PrincipalTag/a": ["*"]}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    }],
}  # fmt: skip


class Made:
    """Values for a shape, mostly of the right kind."""

    def __init__(self, rng):
        self.rng = rng
        # What answers named: requests about things that exist go deeper.
        self.seen = []

    def learn(self, text):
        for found in SEEN.findall(text)[:20]:
            if found not in self.seen:
                self.seen.append(found)
        del self.seen[:-300]

    def request(self, shape):
        """The input of an operation: now only what is required, now nearly everything."""
        self.share = self.rng.choice([0, 0.05, 0.1, 0.25, 0.6])
        return self.structure(shape, 0) if shape else {}

    def value(self, shape, name, depth):
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, depth)
        if kind == "list":
            return [self.value(shape.member, name, depth + 1) for _ in range(self.rng.choice([0, 1, 1, 2, 3]))]
        if kind == "map":
            return {self.text(""): self.value(shape.value, name, depth + 1) for _ in range(self.rng.choice([0, 1, 2]))}
        if kind == "boolean":
            return self.rng.random() < 0.5
        if kind in ("integer", "long"):
            return self.rng.choice(NUMBERS[:9]) if self.rng.random() < 0.4 else self.rng.randint(0, 20)
        if kind in ("float", "double"):
            return self.rng.choice(NUMBERS)
        if kind == "timestamp":
            return self.rng.choice([0, 1_700_000_000, 253402300799])
        if kind == "blob":
            return self.text("").encode("utf-8", "replace")
        if shape.enum and self.rng.random() < 0.9:
            return self.rng.choice(shape.enum)
        return self.text(name)

    def structure(self, shape, depth):
        if depth > 6:
            return {}
        needed = set(shape.required_members)
        return {
            name: self.value(member, name, depth + 1)
            for name, member in shape.members.items()
            if name != "DryRun" and (name in needed and self.rng.random() < 0.97 or self.rng.random() < self.share)
        }

    def text(self, name):
        """Mostly something that a member of this name could mean."""
        if self.rng.random() < 0.2:
            return self.rng.choice(WORDS)
        kinds = {"Vpc": "vpc-", "Subnet": "subnet-", "Instance": "i-", "Group": "sg-", "Image": "ami-", "Route": "rtb-"}
        prefix = next((prefix for word, prefix in kinds.items() if word in name and "Id" in name), None)
        prefix = "arn:" if "Arn" in name else prefix
        if "Cidr" in name:
            return f"10.{self.rng.randint(0, 9)}.{self.rng.randint(0, 3)}.0/{self.rng.choice([16, 16, 24, 28])}"
        if "Document" in name:
            return json.dumps(POLICY)
        fitting = [each for each in self.seen if prefix is None or each.startswith(prefix)]
        if fitting and self.rng.random() < 0.8:
            return self.rng.choice(fitting)
        return "".join(self.rng.choices(string.ascii_lowercase, k=self.rng.randint(1, 12)))


class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim", auth="open"))
        cls.session = botocore.session.get_session()
        cls.connection = http.client.HTTPConnection("127.0.0.1", cls.kiln.port, timeout=HANG)

    def setUp(self):
        self.rng = random.Random(SEED)

    def memory(self):
        status = pathlib.Path(f"/proc/{self.kiln.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) << 10

    def end_of_log(self):
        return "\n".join(line[:500] for line in self.kiln.log().splitlines()[-5:])

    def send(self, headers, body, method="POST", path="/"):
        """One request; what matters is that there is an answer."""
        told = f"{method} {path} {headers} {body[:2000]!r}"
        try:
            try:
                self.connection.request(method, path, body=body, headers=headers)
                answer = self.connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A refusal before the body was read ends the connection after the answer; the next call sees it.
                self.connection.close()
                self.connection.request(method, path, body=body, headers=headers)
                answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            alive = self.kiln.process.poll() is None
            self.fail(f"no answer ({error!r}; alive: {alive}) to {told}\n{self.end_of_log()}")
        if answer.status >= 500 and answer.status != 501:
            self.fail(f"{answer.status} {text[:500]!r} to {told}\n{self.end_of_log()}")
        return answer.status, text

    def scope(self, service):
        # Open mode reads the region and the account from it, and verifies nothing.
        return {
            "Authorization": f"AWS4-HMAC-SHA256 Credential=000000000000/20260131/us-east-1/{service}/aws4_request, "
            "SignedHeaders=host, Signature=" + "0" * 64
        }

    def settle(self, before):
        self.assertIsNone(self.kiln.process.poll(), "kiln ended")
        self.assertNotIn("panicked", self.kiln.log())
        self.assertLess(self.memory() - before, MOST_MEMORY)
        status, _ = self.send(self.scope("sts"), b"Action=GetCallerIdentity&Version=2011-06-15")
        self.assertEqual(status, 200)

    def break_text(self, text, breaks=(0, 0, 1, 2, 8)):
        """Bytes of a request with a few of them changed."""
        data = bytearray(text)
        for _ in range(self.rng.choice(breaks)):
            if not data:
                break
            at = self.rng.randrange(len(data))
            match self.rng.randrange(5):
                case 0:
                    data[at] = self.rng.randrange(256)
                case 1:
                    del data[at : at + self.rng.randint(1, 20)]
                case 2:
                    data[at:at] = self.rng.choice([b"\xff\xfe", b"%", b"%zz", b"&", b"=", b".1.", b'"', b"{", b"\0"])
                case 3:
                    data[at:at] = bytes(data[at : at + 40])
                case 4:
                    data = data[:at]
        return bytes(data)

    def test_every_served_operation(self):
        before = self.memory()
        made, counts = Made(self.rng), {}
        for service in services.botocore_names():
            of_service = {}
            model = self.session.get_service_model(service)
            signing = model.metadata.get("signingName", model.metadata["endpointPrefix"])
            for name in services.served(service):
                operation = model.operation_model(name)
                for _ in range(COUNT):
                    value = made.request(operation.input_shape)
                    method, path, headers, body = self.request(model, operation, value)
                    body = self.break_text(body, (0, 0, 0, 0, 0, 0, 1, 3))
                    status, text = self.send({**headers, **self.scope(signing)}, body, method, path)
                    of_service[status] = of_service.get(status, 0) + 1
                    made.learn(text.decode("utf-8", "replace"))
            counts[service] = of_service
        # Most are refused, but not all: those that are not reach the handlers.
        for service, of_service in counts.items():
            # Chance makes no request of CloudTrail's one operation that is in order: each of its members limits what is found.
            if service == "cloudtrail":
                continue
            self.assertGreater(sum(of_service.get(status, 0) for status in (200, 204)), 0, (service, counts))
        self.assertGreater(sum(of_service.get(200, 0) for of_service in counts.values()), 100, counts)
        self.settle(before)

    def request(self, model, operation, value):
        if model.metadata["protocol"] == "json":
            version = model.metadata["jsonVersion"]
            target = f"{model.metadata['targetPrefix']}.{operation.name}"
            headers = {"Content-Type": f"application/x-amz-json-{version}", "X-Amz-Target": target}
            body = json.dumps(value, default=lambda raw: raw.decode("utf-8", "replace"), ensure_ascii=False)
            return "POST", "/", headers, body.encode("utf-8", "surrogatepass")
        protocol = model.metadata["protocol"]
        serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
        if protocol.startswith("rest"):
            return self.rest_request(serializer, operation, value)
        if protocol == "smithy-rpc-v2-cbor":
            return self.cbor_request(serializer, operation, value)
        form = serializer.serialize_to_request(value, operation)["body"]
        for key in list(form):
            if key in ("Action", "Version"):
                continue
            chance = self.rng.random()
            if chance < 0.02:
                form[f"{key}.{self.rng.choice(['1', '0', 'member.1', 'x', '4294967296', '1.1.1'])}"] = form.pop(key)
            elif chance < 0.04:
                form[key] = self.rng.choice(WORDS)
        return "POST", "/", {"Content-Type": "application/x-www-form-urlencoded"}, urllib.parse.urlencode(form).encode()

    def cbor_request(self, serializer, operation, value):
        """The same of a client that speaks CBOR; a byte in fifty is another one."""
        sent = serializer.serialize_to_request(self.within_64_bits(value), operation)
        body = bytearray(sent["body"])
        for at in range(len(body)):
            if self.rng.random() < 0.02:
                body[at] = self.rng.randrange(256)
        return "POST", sent["url_path"], dict(sent["headers"]), bytes(body)

    def within_64_bits(self, value):
        """What CBOR has whole numbers for."""
        if isinstance(value, dict):
            return {name: self.within_64_bits(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.within_64_bits(member) for member in value]
        return max(-(2**64), min(2**64 - 1, value)) if isinstance(value, int) and not isinstance(value, bool) else value

    def rest_request(self, serializer, operation, value):
        """Method, path, headers and body; botocore refuses labels that are not there or empty."""
        labels = [name for name, member in operation.input_shape.members.items() if member.serialization.get("location") == "uri"] if operation.input_shape else []
        value.update({name: value.get(name) or "a" for name in labels})
        if "Bucket" in labels and self.rng.random() < 0.8:
            # A few buckets and keys, so that calls meet what others made.
            value["Bucket"] = self.rng.choice(["bucket-a", "bucket-b"])
            value.update({"Key": self.rng.choice("klm")} if "Key" in labels else {})
        request = serializer.serialize_to_request(value, operation)
        url = botocore.awsrequest.AWSRequest(request["method"], "http://x" + request["url_path"], params=request["query_string"])
        path = url.prepare().url.removeprefix("http://x")
        if self.rng.random() < 0.05:
            path += self.rng.choice(["?acl", "&acl", "?", "&uploadId=%ff", "&partNumber=-1", "/..", "%00", "//", "?versionId"])
        headers = {}
        for name, text in request["headers"].items():
            text = self.rng.choice(WORDS) if self.rng.random() < 0.02 else str(text)
            # What no client's library would send as a header is said in others' tests by hand.
            headers[re.sub(r"[^\w-]", "-", name, flags=re.ASCII)] = re.sub(r"[^ -~]", "?", text)[:8_000].strip()
        body = request["body"]
        return request["method"], path, headers, body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)

    def test_absurd_sizes_and_depths(self):
        before = self.memory()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        many = b"".join(b"&InstanceId.%d=i-%d" % (n, n) for n in range(300_000))
        deep = b"&" + b".".join([b"Filter.1"] * 100) + b"=a"
        for tail in (many, deep, b"&InstanceId.4294967295=a", b"&" + b"a" * 2_000_000 + b"=1", b"&" * 1_000_000):
            status, text = self.send({**form, **self.scope("ec2")}, b"Action=DescribeInstances&Version=2016-11-15" + tail)
            self.assertLess(status, 500)
            self.assertIn(b"<Response><Errors>" if status >= 400 else b"<DescribeInstancesResponse", text)
        target = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.GetParameters", **self.scope("ssm")}
        bodies = [
            b'{"Names":' + b"[" * 500_000,
            b'{"x":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
            b'{"Names":[' + b'"a",' * 3_000_000 + b'"a"]}',
            b'{"Names":[' + b"{}," * 3_000_000 + b"{}]}",
            b'{"Names":["' + b"a" * 15_000_000 + b'"]}',
            b'{"Names":["\xff\xfe"]}',
            b'{"Names":["\\ud800"]}',
            b"[]", b"null", b"1", b'"a"', b"{", b"\xef\xbb\xbf{}",
        ]  # fmt: skip
        for body in bodies:
            status, text = self.send(target, body)
            self.assertEqual(status, 400, body[:40])
            self.assertIn(json.loads(text)["__type"], ("SerializationException", "ValidationException"), body[:40])
        self.settle(before)

    def test_documents_in_requests(self):
        """Policies and templates are read by parsers of their own."""
        before = self.memory()
        template = """
AWSTemplateFormatVersion: 2010-09-09
Parameters: {A: {Type: String, AllowedPattern: '[a-z]*', Default: a}}
Mappings: {M: {a: {b: c}}}
Conditions: {C: !Equals [!Ref A, b]}
Resources:
  P: {Type: 'AWS::SSM::Parameter', Condition: C, Properties: {Type: String, Value: !Sub '${A}-${AWS::Region}'}}
  Q: {Type: 'AWS::SSM::Parameter', DependsOn: P, Properties: {Type: String, Value: !If [C, !GetAtt P.Value, !FindInMap [M, !Ref A, b]]}}
Outputs: {O: {Value: !Join ['', !Split [',', !Select [0, [a, b]]]], Export: {Name: !Ref A}}}
"""
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
        )
        calls = [
            ("iam", "CreatePolicy&Version=2010-05-08&PolicyName=p&PolicyDocument=", json.dumps(POLICY)),
            ("iam", "SimulateCustomPolicy&Version=2010-05-08&ActionNames.member.1=s3:GetObject&PolicyInputList.member.1=", json.dumps(POLICY)),
            ("cloudformation", "ValidateTemplate&Version=2010-05-15&TemplateBody=", template),
            ("cloudformation", "GetTemplateSummary&Version=2010-05-15&TemplateBody=", template),
            ("cloudformation", "CreateChangeSet&Version=2010-05-15&StackName=s&ChangeSetName=c&ChangeSetType=CREATE&TemplateBody=", template),
        ]  # fmt: skip
        for service, action, document in calls:
            for n in range(COUNT * 15):
                text = {0: bomb.encode(), 1: b"[" * 20_000, 2: b'{"a":' * 9_000, 3: b"- " * 20_000}.get(n)
                text = text or self.break_text(document.encode())
                body = f"Action={action}".encode() + urllib.parse.quote_from_bytes(text).encode()
                self.send({"Content-Type": "application/x-www-form-urlencoded", **self.scope(service)}, body)
        self.settle(before)

    def test_heads_that_are_no_heads(self):
        before = self.memory()
        scopes = ["", "a", "AKIA/20260131/us-east-1/sts/aws4_request", "/////", "AKIA/x/../../aws4_request", "a" * 9_000]
        for credential in scopes:
            for prefix in ("", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=", "Basic ", "AWS AKIA:", "Bearer "):
                header = {"Authorization": f"{prefix}{credential}, SignedHeaders=;;;host;\u00ff, Signature=zz"}
                self.send(header, b"Action=GetCallerIdentity&Version=2011-06-15")
        for target in ("", ".", "AmazonSSM", "AmazonSSM.", ".GetParameter", "AmazonSSM." + "a" * 50_000, "\u00e4.\u00f6", "A.B.C"):
            status, _ = self.send({"X-Amz-Target": target}, b"{}")
            self.assertIn(status, (400, 501))
        for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "X"):
            for path in ("/", "/?", "/?Action", "/?Action=%ff%", "/%00", "//a//b", "/?X-Amz-Algorithm=a&X-Amz-Credential=%2f%2f%2f", "/service/A/operation/B"):
                self.send({}, b"", method, path)
        self.settle(before)


class Judged(unittest.TestCase):
    """The same requests, signed by a user: policies are asked about whatever they name."""

    def test_every_served_operation(self):
        with Kiln(machines="sim") as kiln:
            iam = kiln.client("iam")
            iam.create_user(UserName="u")
            every = {"Effect": "Allow", "Action": "*", "Resource": "*"}
            # With a condition on a resource's tag each resource is looked at.
            odd = {**every, "Effect": "Deny", "Condition": {"StringEquals": {"aws:ResourceTag/none": "none"}}}
            document = json.dumps({"Version": "2012-10-17", "Statement": [every, odd]})
            iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)
            key = iam.create_access_key(UserName="u")["AccessKey"]
            test = Broken("test_every_served_operation")
            test.kiln, test.rng, test.session = kiln, random.Random(SEED), botocore.session.get_session()
            test.connection = http.client.HTTPConnection("127.0.0.1", kiln.port, timeout=HANG)
            keys = botocore.credentials.Credentials(key["AccessKeyId"], key["SecretAccessKey"])

            def signed(headers, body, method, path):
                service = headers["Authorization"].split("/")[3]
                request = botocore.awsrequest.AWSRequest(method, kiln.info["endpoint"] + path, data=body)
                for name, text in headers.items():
                    if name != "Authorization":
                        request.headers[name] = text
                signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
                signer(keys, service, "us-east-1").add_auth(request)
                return dict(request.headers)

            plain = test.send
            test.send = lambda headers, body, method="POST", path="/": plain(signed(headers, body, method, path), body, method, path)
            test.test_every_served_operation()


if __name__ == "__main__":
    unittest.main()
