"""What comes to S3 without a signature of Version 4, or in another form than its clients send: answered as S3 does, in XML."""
import datetime
import hashlib
import hmac
import http.client
import json
import socket
import unittest

import botocore.config
from botocore.exceptions import ClientError

from kiln import Kiln, wait_for
from s3wire import Answer, Wire


class S3Wire(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = Kiln().start()
        cls.addClassCleanup(cls.kiln.close)
        cls.s3, cls.wire = cls.kiln.client("s3"), Wire(cls.kiln)
        cls.s3.create_bucket(Bucket="docs")
        cls.s3.put_object(Bucket="docs", Key="k", Body=b"as it was")

    def tearDown(self):
        self.assertEqual(self.s3.get_object(Bucket="docs", Key="k")["Body"].read(), b"as it was")

    def unsigned(self, method, path, body=b"", **headers):
        return self.wire.send(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}, sign=False)

    def test_whoever_does_not_sign_is_told_so_by_s3(self):
        form = b"--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--x--\r\n"
        preflight = {"Origin": "http://page.test", "Access-Control-Request-Method": "PUT"}
        for method, path, body, headers, status, code in [
            ("GET", "/docs/k", b"", {}, 403, "AccessDenied"),
            ("GET", "/docs", b"", {}, 403, "AccessDenied"),
            ("PUT", "/docs/k", b"new", {}, 403, "AccessDenied"),
            ("PUT", "/docs/k.json", b"{}", {"Content-Type": "application/json"}, 403, "AccessDenied"),
            ("PUT", "/other", b"", {}, 403, "AccessDenied"),
            ("DELETE", "/docs/k", b"", {}, 403, "AccessDenied"),
            ("DELETE", "/docs", b"", {}, 403, "AccessDenied"),
            ("POST", "/docs?delete", b"<Delete/>", {}, 403, "AccessDenied"),
            ("POST", "/docs/k?uploads", b"", {}, 403, "AccessDenied"),
            ("POST", "/docs?delete", b"<Delete/>", {"Content-Type": "application/x-www-form-urlencoded"}, 403, "AccessDenied"),
            ("POST", "/docs", form, {"Content-Type": "multipart/form-data; boundary=x"}, 501, "NotImplemented"),
            ("OPTIONS", "/docs/k", b"", preflight, 403, "AccessForbidden"),
            ("OPTIONS", "/docs/k", b"", {}, 400, "BadRequest"),
            ("PATCH", "/docs/k", b"", {}, 405, "MethodNotAllowed"),
            ("POST", "/docs/k", b"", {}, 405, "MethodNotAllowed"),
        ]:
            with self.subTest(method=method, path=path, **headers):
                answer = self.wire.send(method, path, body, headers, sign=False)
                self.assertEqual((answer.status, answer.code), (status, code), answer)
                self.assertIn("xml", answer.headers["content-type"])
                self.assertTrue(answer.element("RequestId"))
        self.assertEqual(self.unsigned("HEAD", "/docs/k").status, 403)

    def test_what_is_not_allowed_says_what_is(self):
        for path, allowed, what in [("/docs/k", "DELETE, GET, HEAD, PUT", "OBJECT"), ("/docs", "DELETE, GET, HEAD, PUT", "BUCKET")]:
            answer = self.wire.send("PATCH", path)
            self.assertEqual((answer.headers["allow"], answer.element("Method"), answer.element("ResourceType")), (allowed, "PATCH", what))

    def test_anybody_may_ask_where_a_bucket_is(self):
        self.assertEqual(self.unsigned("HEAD", "/docs").headers["x-amz-bucket-region"], "us-east-1")

    def test_other_ways_to_sign(self):
        for value, status, code in [
            ("AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", 400, "InvalidRequest"),
            ("Basic dXNlcjpwYXNz", 400, "InvalidArgument"),
            ("Bearer abc", 400, "InvalidArgument"),
            ("AWS4-HMAC-SHA256 Credential=x", 400, "AuthorizationHeaderMalformed"),
        ]:
            for method, path in [("PUT", "/docs/k"), ("DELETE", "/docs/k"), ("GET", "/docs")]:
                answer = self.unsigned(method, path, Authorization=value)
                self.assertEqual((answer.status, answer.code), (status, code), (method, value))
                self.assertNotIn(b"dXNlcjpwYXNz", answer.body)
        # Version 2 names no service; nobody else has it.
        self.assertEqual(self.unsigned("GET", "/", Authorization="AWS AKIA:abc=").code, "InvalidRequest")
        for query, code in [
            ("AWSAccessKeyId=AKIA&Expires=9999999999&Signature=YWJj", "InvalidAccessKeyId"),
            (f"AWSAccessKeyId={self.kiln.info['access_key']}&Expires=9999999999&Signature=YWJj", "SignatureDoesNotMatch"),
            ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x", "AuthorizationQueryParametersError"),
        ]:
            for method in ("PUT", "DELETE", "GET"):
                self.assertEqual(self.unsigned(method, f"/docs/k?{query}").code, code, (method, query))

    def test_calls_of_other_services_are_not_taken_for_s3s(self):
        for method, path, body, headers in [
            ("POST", "/", b"Action=ListUsers&Version=2010-05-08", {"Content-Type": "application/x-www-form-urlencoded"}),
            ("GET", "/?Action=ListUsers&Version=2010-05-08", b"", {}),
            ("POST", "/x", b"{}", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.GetParameter"}),
        ]:
            self.assertIn("MissingAuthenticationToken", self.wire.send(method, path, body, headers, sign=False).body.decode())

    def raw(self, head, body=b""):
        host, port = self.wire.host.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(head.encode("latin-1") + b"\r\n\r\n" + body)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return Answer(response)

    def test_a_body_of_no_known_length(self):
        for path in ("/docs/k", "/docs/k?tagging", "/docs?versioning"):
            signed = self.wire.signed("PUT", path, {})
            lines = "".join(f"\r\n{name}: {value}" for name, value in signed.items())
            answer = self.raw(f"PUT {path} HTTP/1.1\r\nHost: {self.wire.host}{lines}\r\nTransfer-Encoding: chunked", b"3\r\nnew\r\n0\r\n\r\n")
            self.assertEqual((answer.status, answer.code, answer.element("Header")), (501, "NotImplemented", "Transfer-Encoding"))
            streamed = self.wire.signed("PUT", path, {}, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            lines = "".join(f"\r\n{name}: {value}" for name, value in streamed.items())
            answer = self.raw(f"PUT {path} HTTP/1.1\r\nHost: {self.wire.host}{lines}\r\nContent-Length: 3", b"abc")
            self.assertEqual((answer.status, answer.code), (411, "MissingContentLength"))

    def test_whoever_waits_with_the_body_is_told_that_nothing_follows(self):
        """Refused before their body, clients may not use the connection again; one that did would read old answers."""
        for attempt in range(20):
            with self.assertRaises(ClientError) as raised:
                self.s3.put_object(Bucket="docs", Key="k", Body=b"new", IfNoneMatch="*")
            self.assertEqual(raised.exception.response["Error"]["Code"], "PreconditionFailed", attempt)
            with self.assertRaises(ClientError) as raised:
                self.s3.put_object(Bucket="docs", Key="k", Body=b"new", IfMatch="*")
            self.assertEqual(raised.exception.response["Error"]["Code"], "NotImplemented", attempt)
        signed = self.wire.signed("PUT", "/docs/k", {"If-Match": "*", "Expect": "100-continue"})
        answer = self.wire.send("PUT", "/docs/k", headers=signed, sign=False)
        self.assertEqual(answer.headers["connection"], "close")

    def test_a_region_that_is_none_or_another_is_named(self):
        for region in ("US", "mars-1", "us-east-9", "eu-west-1", "cn-north-1"):
            wire = Wire(self.kiln, region)
            answer = wire.send("GET", "/docs")
            self.assertEqual((answer.status, answer.code, answer.element("Region")), (400, "AuthorizationHeaderMalformed", "us-east-1"), region)
            self.assertEqual(answer.headers["x-amz-bucket-region"], "us-east-1")
        for region in ("US", "mars-1"):
            for method, path in [("GET", "/"), ("PUT", "/other"), ("GET", "/docs?location"), ("GET", "/not-there")]:
                answer = Wire(self.kiln, region).send(method, path)
                self.assertEqual((answer.code, answer.element("Region")), ("AuthorizationHeaderMalformed", "us-east-1"), (region, path))
        version_4 = botocore.config.Config(signature_version="s3v4")
        url = self.kiln.client("s3", region_name="eu-west-1", config=version_4).generate_presigned_url("get_object", Params={"Bucket": "docs", "Key": "k"})
        answer = self.unsigned("GET", url.split(self.wire.host, 1)[1])
        self.assertEqual((answer.code, answer.element("Region")), ("AuthorizationQueryParametersError", "us-east-1"))

    def test_headers_that_are_not_ascii(self):
        """The example of the S3 User Guide: bytes of UTF-8 are read one by one, and come back in RFC 2047's words."""
        given = "ÄMÄZÕÑ S3".encode().decode("latin-1")
        for name, value, shown in [
            ("x-amz-meta-raw", given, "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?="),
            ("x-amz-meta-word", "=?UTF-8?Q?=C3=A4?=", "=?UTF-8?B?w6Q=?="),
            ("x-amz-meta-plain", "plain", "plain"),
            ("Content-Disposition", 'attachment; filename="é.txt"', 'attachment; filename="é.txt"'),
            ("Content-Language", "ü", "ü"),
            ("Cache-Control", given, given),
        ]:
            signed = self.raw_signed("PUT", "/docs/named", {name: value})
            answer = self.raw(f"PUT /docs/named HTTP/1.1\r\nHost: {self.wire.host}{signed}\r\nContent-Length: 1", b"x")
            self.assertEqual(answer.status, 200, (name, answer))
            for method in ("HEAD", "GET"):
                answer = self.wire.send(method, "/docs/named")
                self.assertEqual(answer.headers[name.lower()], shown, name)
        for value in ("日本", "a\nb"):
            url = self.s3.generate_presigned_url("get_object", Params={"Bucket": "docs", "Key": "k", "ResponseContentDisposition": value})
            answer = self.unsigned("GET", url.split(self.wire.host, 1)[1])
            self.assertEqual((answer.code, answer.element("ArgumentName")), ("InvalidArgument", "response-content-disposition"))

    def raw_signed(self, method, path, extra):
        """Header lines with a signature over bytes as they are sent, which botocore does not make."""
        info, sha = self.kiln.info, lambda data: hashlib.sha256(data).hexdigest()
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{info['region']}/s3/aws4_request"
        headers = {"host": self.wire.host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": now, **{name.lower(): value for name, value in extra.items()}}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{' '.join(headers[name].split(' '))}\n" for name in sorted(headers))
        canonical = f"{method}\n{path}\n\n{lines}\n{names}\nUNSIGNED-PAYLOAD".encode("latin-1")
        key = b"AWS4" + info["secret"].encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        signature = hmac.new(key, f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{sha(canonical)}".encode(), "sha256").hexdigest()
        authorization = f"AWS4-HMAC-SHA256 Credential={info['access_key']}/{scope}, SignedHeaders={names}, Signature={signature}"
        sent = {**headers, "authorization": authorization}
        return "".join(f"\r\n{name}: {value}" for name, value in sent.items() if name != "host")

    def test_a_website_is_not_there(self):
        for path in ("/", "/index.html"):
            answer = self.unsigned("GET", path, Host=f"docs.s3-website-us-east-1.localhost:{self.wire.host.split(':')[1]}")
            self.assertEqual((answer.status, answer.code), (404, "NoSuchWebsiteConfiguration"))

    def test_a_bucket_of_a_template_that_is_written_out(self):
        stacks = self.kiln.client("cloudformation")
        properties = {
            "AccessControl": "Private",
            "AccelerateConfiguration": {"AccelerationStatus": "Suspended"},
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}]},
            "CorsConfiguration": {"CorsRules": []},
            "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": False}},
            "ObjectLockEnabled": False,
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        }
        names = ["Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"]
        outputs = {name: {"Value": {"Fn::GetAtt": ["Store", name]}} for name in names}
        template = {"Resources": {"Store": {"Type": "AWS::S3::Bucket", "Properties": properties}}, "Outputs": outputs}
        stacks.create_stack(StackName="Full", TemplateBody=json.dumps(template))
        stack = wait_for("the stack", lambda: next(s for s in stacks.describe_stacks(StackName="Full")["Stacks"] if s["StackStatus"] == "CREATE_COMPLETE"))
        told = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        bucket = told["Arn"].removeprefix("arn:aws:s3:::")
        self.assertEqual(told, {
            "Arn": f"arn:aws:s3:::{bucket}",
            "DomainName": f"{bucket}.s3.localhost",
            "DualStackDomainName": f"{bucket}.s3.dualstack.us-east-1.localhost",
            "RegionalDomainName": f"{bucket}.s3.us-east-1.localhost",
            "WebsiteURL": f"http://{bucket}.s3-website-us-east-1.localhost",
        })
        self.assertEqual(self.s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"], "Suspended")
        self.assertTrue(self.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]["BucketKeyEnabled"])
        # Each of the names leads to the bucket.
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        for name in ("DomainName", "DualStackDomainName", "RegionalDomainName"):
            self.assertEqual(self.unsigned("GET", "/k", Host=told[name]).code, "AccessDenied")


if __name__ == "__main__":
    unittest.main()
