"""S3 with boto3 and the AWS CLI: bodies in parts, listings, presigned URLs, policies, signed chunks, kill -9."""
import datetime
import hashlib
import hmac
import http.client
import io
import json
import os
import pathlib
import tempfile
import unittest
import urllib.parse
import urllib.request

import botocore.config
from botocore.exceptions import ClientError

from kiln import Kiln


class S3(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = Kiln().start()
        cls.addClassCleanup(cls.kiln.close)
        cls.s3 = cls.kiln.client("s3")
        cls.s3.create_bucket(Bucket="docs")

    def refused(self, call, **arguments):
        with self.assertRaises(ClientError) as raised:
            call(**arguments)
        return raised.exception.response["Error"]["Code"]

    def test_twenty_mebibytes_in_parts_survive_kill_9(self):
        data = os.urandom(20 << 20)
        self.s3.upload_fileobj(io.BytesIO(data), "docs", "big", ExtraArgs={"Metadata": {"of": "chance"}})
        self.kiln.kill()
        self.kiln.start()
        head = self.s3.head_object(Bucket="docs", Key="big", ChecksumMode="ENABLED")
        self.assertTrue(head["ETag"].endswith('-3"') and head["ChecksumCRC32"].endswith("-3"), head)
        self.assertEqual(head["Metadata"], {"of": "chance"})
        got = io.BytesIO()
        self.s3.download_fileobj("docs", "big", got)
        self.assertEqual(hashlib.sha256(got.getvalue()).digest(), hashlib.sha256(data).digest())
        part = self.s3.get_object(Bucket="docs", Key="big", Range=f"bytes={(8 << 20) - 5}-{(8 << 20) + 4}")
        self.assertEqual(part["ResponseMetadata"]["HTTPStatusCode"], 206)
        self.assertEqual(part["Body"].read(), data[(8 << 20) - 5:(8 << 20) + 5])

    def test_listings_in_pages(self):
        self.s3.create_bucket(Bucket="pages")
        for key in ["a b", "d/1", "d/2", "e/ü", "z"]:
            self.s3.put_object(Bucket="pages", Key=key, Body=key.encode())
        pages = list(self.s3.get_paginator("list_objects_v2").paginate(Bucket="pages", Delimiter="/", PaginationConfig={"PageSize": 2}))
        seen = [[o["Key"] for o in p.get("Contents", [])] + [c["Prefix"] for c in p.get("CommonPrefixes", [])] for p in pages]
        self.assertEqual(seen, [["a b", "d/"], ["z", "e/"]])

    def test_errors_are_s3s_own(self):
        self.assertEqual(self.refused(self.s3.get_object, Bucket="docs", Key="no"), "NoSuchKey")
        self.assertEqual(self.refused(self.s3.get_object, Bucket="no-bucket", Key="no"), "NoSuchBucket")
        versions = {"Status": "Enabled"}
        refused = self.refused(self.s3.put_bucket_versioning, Bucket="docs", VersioningConfiguration=versions)
        self.assertEqual(refused, "NotImplemented")

    def test_presigned_urls(self):
        # boto3's default outside newer regions is version 2 of the signature, which is refused.
        s3 = self.kiln.client("s3", config=botocore.config.Config(signature_version="s3v4"))
        put = s3.generate_presigned_url("put_object", Params={"Bucket": "docs", "Key": "signed"})
        urllib.request.urlopen(urllib.request.Request(put, data=b"by url", method="PUT"))
        get = s3.generate_presigned_url("get_object", Params={"Bucket": "docs", "Key": "signed"})
        self.assertEqual(urllib.request.urlopen(get).read(), b"by url")

    def test_the_command_line(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "in").mkdir()
            (pathlib.Path(folder) / "in" / "x.txt").write_text("x")
            for arguments in [("mb", "s3://cli"), ("sync", f"{folder}/in", "s3://cli/in"), ("cp", "s3://cli/in/x.txt", f"{folder}/out")]:
                done = self.kiln.aws("s3", *arguments, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual((pathlib.Path(folder) / "out").read_text(), "x")
            self.assertIn("in/x.txt", self.kiln.aws("s3", "ls", "--recursive", "s3://cli", check=False).stdout)
            self.assertEqual(self.kiln.aws("s3", "rb", "--force", "s3://cli", check=False).returncode, 0)

    def test_policies_decide(self):
        iam = self.kiln.client("iam")
        iam.create_user(UserName="reader")
        allowed = [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::docs/open/*"}]
        document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=document)
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        theirs = self.kiln.client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        for name in ["open/a", "closed/a"]:
            self.s3.put_object(Bucket="docs", Key=name, Body=b"a")
        self.assertEqual(theirs.get_object(Bucket="docs", Key="open/a")["Body"].read(), b"a")
        self.assertEqual(self.refused(theirs.get_object, Bucket="docs", Key="closed/a"), "AccessDenied")
        self.assertEqual(self.refused(theirs.put_object, Bucket="docs", Key="open/b", Body=b""), "AccessDenied")

    def test_signed_chunks(self):
        self.assertEqual(self.put_chunked("good", b"chunked words", spoil=False), 200)
        self.assertEqual(self.s3.get_object(Bucket="docs", Key="good")["Body"].read(), b"chunked words")
        self.assertEqual(self.put_chunked("bad", b"chunked words", spoil=True), 403)
        self.assertEqual(self.refused(self.s3.get_object, Bucket="docs", Key="bad"), "NoSuchKey")

    def put_chunked(self, key, data, spoil):
        """One signed chunk; spoiled, its signature is of other words."""
        info, sha = self.kiln.info, lambda b: hashlib.sha256(b).hexdigest()
        host = urllib.parse.urlsplit(info["endpoint"]).netloc
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{info['region']}/s3/aws4_request"
        signing = b"AWS4" + info["secret"].encode()
        for part in scope.split("/"):
            signing = hmac.new(signing, part.encode(), "sha256").digest()
        mac = lambda text: hmac.new(signing, text.encode(), "sha256").hexdigest()
        marker = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        headers = {"host": host, "x-amz-content-sha256": marker, "x-amz-date": now, "x-amz-decoded-content-length": str(len(data))}
        names = ";".join(headers)
        canonical = "\n".join(["PUT", f"/docs/{key}", "", *[f"{n}:{v}" for n, v in headers.items()], "", names, marker])
        previous = seed = mac(f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{sha(canonical.encode())}")
        body = b""
        for chunk in [data, b""]:
            signed = b"other words" if spoil and chunk else chunk
            previous = mac(f"AWS4-HMAC-SHA256-PAYLOAD\n{now}\n{scope}\n{previous}\n{sha(b'')}\n{sha(signed)}")
            body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + b"\r\n"
        headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={info['access_key']}/{scope}, SignedHeaders={names}, Signature={seed}"
        connection = http.client.HTTPConnection(host)
        self.addCleanup(connection.close)
        connection.request("PUT", f"/docs/{key}", body, headers)
        return connection.getresponse().status

    def test_cloudformation_package_and_a_bucket_of_a_stack(self):
        template = {"Resources": {"Store": {"Type": "AWS::S3::Bucket", "Properties": {"Tags": [{"Key": "a", "Value": "b"}]}}},
                    "Outputs": {"Name": {"Value": {"Ref": "Store"}}}}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "t.json"
            path.write_text(json.dumps(template))
            outer = pathlib.Path(folder) / "outer.json"
            inner = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "t.json"}}
            outer.write_text(json.dumps({"Resources": {"Inner": inner}}))
            packed = self.kiln.aws("cloudformation", "package", "--template-file", str(outer), "--s3-bucket", "docs", "--s3-prefix", "pack", "--use-json", check=False)
            self.assertEqual(packed.returncode, 0, packed.stderr)
            uploaded = self.s3.list_objects_v2(Bucket="docs", Prefix="pack/")["Contents"]
            self.assertIn(b"AWS::S3::Bucket", self.s3.get_object(Bucket="docs", Key=uploaded[0]["Key"])["Body"].read())
            done = self.kiln.aws("cloudformation", "deploy", "--stack-name", "Buckets", "--template-file", str(path), check=False)
            self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        stack = self.kiln.client("cloudformation").describe_stacks(StackName="Buckets")["Stacks"][0]
        name = stack["Outputs"][0]["OutputValue"]
        tags = {t["Key"]: t["Value"] for t in self.s3.get_bucket_tagging(Bucket=name)["TagSet"]}
        self.assertEqual((tags["a"], tags["aws:cloudformation:stack-name"]), ("b", "Buckets"))


if __name__ == "__main__":
    unittest.main()
