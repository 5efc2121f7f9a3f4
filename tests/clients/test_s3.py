"""S3 with boto3 and the AWS CLI: bodies in parts, listings, presigned URLs, policies, signed chunks, kill -9."""
import datetime
import hashlib
import hmac
import http.client
import io
import json
import os
import pathlib
import re
import socket
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

import botocore.awsrequest
import botocore.config
from botocore.auth import S3SigV4Auth
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from kiln import Kiln, wait_for


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
        refused = self.refused(self.s3.put_bucket_accelerate_configuration, Bucket="docs", AccelerateConfiguration={"Status": "Enabled"})
        self.assertEqual(refused, "NotImplemented")

    def test_presigned_urls(self):
        # boto3's default in the first region is version 2 of the signature.
        for s3 in [self.s3, self.kiln.client("s3", config=botocore.config.Config(signature_version="s3v4"))]:
            put = s3.generate_presigned_url("put_object", Params={"Bucket": "docs", "Key": "signed", "ContentType": "text/x"})
            self.assertEqual(self.by_url(put, b"by url", {"Content-Type": "text/y"}), (403, "SignatureDoesNotMatch"))
            self.assertEqual(self.by_url(put, b"by url", {"Content-Type": "text/x"})[0], 200)
            get = s3.generate_presigned_url("get_object", Params={"Bucket": "docs", "Key": "signed"})
            self.assertEqual(self.by_url(get), (200, b"by url"))
            self.assertEqual(self.by_url(get.replace("/signed?", "/other?")), (403, "SignatureDoesNotMatch"))
            self.assertEqual(self.by_url(get + "&acl"), (403, "SignatureDoesNotMatch"))
        past = self.s3.generate_presigned_url("get_object", Params={"Bucket": "docs", "Key": "signed"}, ExpiresIn=-5)
        self.assertEqual(self.by_url(past), (403, "AccessDenied"))
        shown = self.kiln.aws("s3", "presign", "s3://docs/signed", check=False).stdout.strip()
        self.assertEqual(self.by_url(shown), (200, b"by url"))

    def by_url(self, url, data=None, headers={}):
        """The status, and the body or the error's code."""
        request = urllib.request.Request(url, data=data, headers=headers, method="PUT" if data else "GET")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, re.search("<Code>(.*)</Code>", error.read().decode())[1]

    def test_what_is_asked_of_a_part_is_not_done_to_the_whole(self):
        """No sub-resource, served or not, is mistaken for the object or the bucket that it is of."""
        self.s3.create_bucket(Bucket="parts")
        self.s3.put_object(Bucket="parts", Key="k", Body=b"as it was")
        for method, path, code in [
            ("PUT", "/parts/k?acl", "MissingSecurityHeader"),
            ("PUT", "/parts/k?retention", "NotImplemented"),
            ("PUT", "/parts/k?uploadId=x", "MethodNotAllowed"),
            ("PUT", "/parts/k?partNumber=1", "MethodNotAllowed"),
            ("PUT", "/parts/k?lifecycle", "MethodNotAllowed"),
            ("DELETE", "/parts/k?acl", "MethodNotAllowed"),
            ("GET", "/parts/k?torrent", "NotImplemented"),
            ("GET", "/parts?analytics", "NotImplemented"),
            ("PUT", "/parts?replication", "NotImplemented"),
            ("DELETE", "/parts?versioning", "MethodNotAllowed"),
            ("DELETE", "/parts?inventory&id=x", "NotImplemented"),
            ("POST", "/parts", "NotImplemented"),
            ("OPTIONS", "/parts/k", "BadRequest"),
        ]:
            with self.subTest(method=method, path=path):
                answer = self.send(method, path)
                self.assertIn(f"<Code>{code}</Code>", answer)
                self.assertIn("<RequestId>", answer)
                self.assertEqual(self.s3.get_object(Bucket="parts", Key="k")["Body"].read(), b"as it was")

    def signed(self, method, path, **headers):
        """The head of a request whose body is not part of its signature."""
        host = urllib.parse.urlsplit(self.kiln.info["endpoint"]).netloc
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = botocore.awsrequest.AWSRequest(method, f"http://{host}{path}", headers=headers)
        signer = S3SigV4Auth(Credentials(self.kiln.info["access_key"], self.kiln.info["secret"]), "s3", self.kiln.info["region"])
        signer.payload = lambda _: "UNSIGNED-PAYLOAD"
        signer.add_auth(request)
        return host, {**request.headers}

    def send(self, method, path, body=b"", **headers):
        host, headers = self.signed(method, path, **headers)
        connection = http.client.HTTPConnection(host)
        self.addCleanup(connection.close)
        connection.request(method, path, body, headers)
        return connection.getresponse().read().decode()

    def raw(self, path, body, **headers):
        """A connection on which a PUT's head and some bytes were sent."""
        host, headers = self.signed("PUT", path, **headers)
        connection = socket.create_connection(host.split(":"), timeout=30)
        self.addCleanup(connection.close)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode() + body)
        return connection

    def test_an_absurd_length_is_refused_before_the_body(self):
        answer = self.raw("/docs/huge", b"abc", Content_Length="99999999999999").recv(4096)
        self.assertIn(b"EntityTooLarge", answer)
        chunked = self.raw("/docs/huge", b"3\r\nabc\r\n0\r\n\r\n", Transfer_Encoding="chunked").recv(4096)
        self.assertIn(b" 501 ", chunked)
        self.assertIn(b"<Code>NotImplemented</Code>", chunked)
        self.assertIn(b"<Header>Transfer-Encoding</Header>", chunked)

    def test_who_hangs_up_leaves_no_half_of_an_object_and_loses_none(self):
        self.s3.create_bucket(Bucket="hung")
        # At every moment: before, during and after the body.
        for n in range(40):
            body = b"a" * 1000 if n % 2 else b"a" * 500
            self.raw(f"/hung/{n}", body, Content_Length="1000").close()
        files = self.kiln.state / "s3"
        wait_for("what was half-written to go", lambda: not list((files / "staging").iterdir()))

        # What came whole may still be on its way in when its sender is long gone: the bucket goes once nothing comes any more.
        def emptied():
            stored = self.s3.list_objects_v2(Bucket="hung").get("Contents", [])
            for one in stored:
                self.assertEqual(self.s3.get_object(Bucket="hung", Key=one["Key"])["Body"].read(), b"a" * 1000)
            if stored:
                self.s3.delete_objects(Bucket="hung", Delete={"Objects": [{"Key": one["Key"]} for one in stored]})
            try:
                self.s3.delete_bucket(Bucket="hung")
            except ClientError as error:
                self.assertEqual(error.response["Error"]["Code"], "BucketNotEmpty")
                return False
            return True

        wait_for("the bucket to be empty", emptied)
        wait_for("what came too late to go", lambda: not list((files / "staging").iterdir()))

    def test_keys_of_any_form(self):
        self.s3.create_bucket(Bucket="keys")
        keys = ["a b", "a+b", "ü/日本", "//", "../up", "..", "./a", "a/../b", "trail/", "%41", "?q", "&=#", "é" * 512, "<&>\"'", "a\tb", "a\rb", "\x01"]
        for key in keys:
            self.s3.put_object(Bucket="keys", Key=key, Body=key.encode())
        self.assertEqual(self.refused(self.s3.put_object, Bucket="keys", Key="y" * 1025, Body=b""), "KeyTooLongError")
        for listing, keyed in [("list_objects_v2", "Contents"), ("list_objects", "Contents"), ("list_object_versions", "Versions")]:
            pages = self.s3.get_paginator(listing).paginate(Bucket="keys", PaginationConfig={"PageSize": 3})
            self.assertEqual([o["Key"] for p in pages for o in p[keyed]], sorted(keys, key=str.encode), listing)
        for key in keys:
            self.assertEqual(self.s3.get_object(Bucket="keys", Key=key)["Body"].read(), key.encode())
        # Terraform encodes the source whole, others all but its slash.
        for source in ["keys%2Fa%2Bb", "/keys/a%2Bb"]:
            self.assertIn("<CopyObjectResult", self.send("PUT", "/keys/copied", x_amz_copy_source=source))
            self.assertEqual(self.s3.get_object(Bucket="keys", Key="copied")["Body"].read(), b"a+b")
        self.assertEqual(self.refused(self.s3.copy_object, Bucket="keys", Key="copied", CopySource="keys"), "InvalidArgument")
        names = {path.name for path in (self.kiln.state / "s3").rglob("*")}
        self.assertEqual([n for n in names - {"data", "staging"} if not re.fullmatch("[0-9a-f]{32}", n)], [], "keys are no names of files")

    def test_versions(self):
        self.s3.create_bucket(Bucket="kept")
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket="kept"))
        self.s3.put_object(Bucket="kept", Key="a", Body=b"0", Tagging="n=0")
        self.s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        self.assertEqual(self.s3.get_bucket_versioning(Bucket="kept")["Status"], "Enabled")
        ids = ["null"] + [self.s3.put_object(Bucket="kept", Key="a", Body=b"%d" % n)["VersionId"] for n in (1, 2, 3)]
        self.s3.put_object(Bucket="kept", Key="b/1", Body=b"b")
        deleted = self.s3.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": "a"}, {"Key": "b/1"}]})["Deleted"]
        self.assertEqual([one["DeleteMarker"] for one in deleted], [True, True])
        with self.assertRaises(ClientError) as gone:
            self.s3.head_object(Bucket="kept", Key="a")
        self.assertEqual(gone.exception.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"], "true")
        self.assertEqual(self.s3.list_objects_v2(Bucket="kept")["KeyCount"], 0)
        for n, version in enumerate(ids):
            self.assertEqual(self.s3.get_object(Bucket="kept", Key="a", VersionId=version)["Body"].read(), b"%d" % n)
        pages = list(self.s3.get_paginator("list_object_versions").paginate(Bucket="kept", PaginationConfig={"PageSize": 2}))
        listed = [(v["Key"], v["VersionId"], v["IsLatest"]) for p in pages for v in p.get("Versions", [])]
        self.assertEqual([(key, version) for key, version, _ in listed], [("a", v) for v in reversed(ids)] + [("b/1", listed[-1][1])])
        self.assertFalse(any(latest for _, _, latest in listed))
        markers = [m for p in pages for m in p.get("DeleteMarkers", [])]
        self.assertEqual([(m["Key"], m["IsLatest"]) for m in markers], [("a", True), ("b/1", True)])
        rolled = self.s3.list_object_versions(Bucket="kept", Delimiter="/")
        self.assertEqual([p["Prefix"] for p in rolled["CommonPrefixes"]], ["b/"])
        self.assertEqual(self.s3.get_object_tagging(Bucket="kept", Key="a", VersionId="null")["TagSet"], [{"Key": "n", "Value": "0"}])
        copied = self.s3.copy_object(Bucket="kept", Key="a", CopySource={"Bucket": "kept", "Key": "a", "VersionId": ids[1]})
        self.assertEqual((copied["CopySourceVersionId"], self.s3.get_object(Bucket="kept", Key="a")["Body"].read()), (ids[1], b"1"))
        self.kiln.kill()
        self.kiln.start()
        self.assertEqual(self.s3.get_object(Bucket="kept", Key="a", VersionId=ids[2])["Body"].read(), b"2")
        self.assertEqual(self.refused(self.s3.delete_bucket, Bucket="kept"), "BucketNotEmpty")
        everything = [{"Key": o["Key"], "VersionId": o["VersionId"]} for kind in ("Versions", "DeleteMarkers") for o in self.s3.list_object_versions(Bucket="kept")[kind]]
        self.assertNotIn("Errors", self.s3.delete_objects(Bucket="kept", Delete={"Objects": everything}))
        self.s3.delete_bucket(Bucket="kept")

    def test_what_a_bucket_and_an_object_say_of_themselves(self):
        self.s3.create_bucket(Bucket="said")
        acl = self.s3.get_bucket_acl(Bucket="said")
        self.assertEqual(acl["Grants"], [{"Grantee": {"ID": acl["Owner"]["ID"], "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}])
        block = lambda: self.s3.get_public_access_block(Bucket="said")["PublicAccessBlockConfiguration"]
        self.assertTrue(all(block().values()))
        self.s3.put_public_access_block(Bucket="said", PublicAccessBlockConfiguration={"BlockPublicAcls": True})
        self.assertEqual([name for name, on in block().items() if on], ["BlockPublicAcls"])
        self.s3.delete_public_access_block(Bucket="said")
        self.assertEqual(self.refused(self.s3.get_public_access_block, Bucket="said"), "NoSuchPublicAccessBlockConfiguration")
        rule = lambda algorithm: {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, "BucketKeyEnabled": True}]}
        self.s3.put_bucket_encryption(Bucket="said", ServerSideEncryptionConfiguration=rule("AES256"))
        self.assertEqual(self.s3.get_bucket_encryption(Bucket="said")["ServerSideEncryptionConfiguration"], rule("AES256"))
        self.assertEqual(self.refused(self.s3.put_bucket_encryption, Bucket="said", ServerSideEncryptionConfiguration=rule("aws:kms:dsse")), "NotImplemented")
        put = self.s3.put_object(Bucket="said", Key="k", Body=b"words", ChecksumAlgorithm="SHA256")
        told = self.s3.get_object_attributes(Bucket="said", Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"])
        self.assertEqual((told["ETag"], told["ObjectSize"], told["StorageClass"]), (put["ETag"].strip('"'), 5, "STANDARD"))
        self.assertEqual(told["Checksum"], {"ChecksumSHA256": put["ChecksumSHA256"], "ChecksumType": "FULL_OBJECT"})
        with self.assertRaises(ClientError) as unchanged:
            self.s3.get_object(Bucket="said", Key="k", IfNoneMatch=put["ETag"])
        self.assertEqual(unchanged.exception.response["ResponseMetadata"]["HTTPHeaders"]["etag"], put["ETag"])
        self.assertEqual(self.refused(self.s3.put_object, Bucket="said", Key="k", Body=b"", ChecksumCRC32="zz"), "InvalidRequest")

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
        template = {"Resources": {"Store": {"Type": "AWS::S3::Bucket", "Properties": {"Tags": [{"Key": "a", "Value": "b"}], "VersioningConfiguration": {"Status": "Enabled"}}}},
                    "Outputs": {"Name": {"Value": {"Ref": "Store"}}}}
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "t.json").write_text(json.dumps(template))
            outer = pathlib.Path(folder) / "outer.json"
            inner = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "t.json"}}
            outer.write_text(json.dumps({"Resources": {"Inner": inner}}))
            packed = self.kiln.aws("cloudformation", "package", "--template-file", str(outer), "--s3-bucket", "docs", "--s3-prefix", "pack", "--use-json", check=False)
            self.assertEqual(packed.returncode, 0, packed.stderr)
            uploaded = self.s3.list_objects_v2(Bucket="docs", Prefix="pack/")["Contents"]
            self.assertIn(b"AWS::S3::Bucket", self.s3.get_object(Bucket="docs", Key=uploaded[0]["Key"])["Body"].read())
        stacks = self.kiln.client("cloudformation")
        stacks.create_stack(StackName="Buckets", TemplateBody=json.dumps(template))
        stack = wait_for("the stack", lambda: next(s for s in stacks.describe_stacks(StackName="Buckets")["Stacks"] if s["StackStatus"] == "CREATE_COMPLETE"))
        name = stack["Outputs"][0]["OutputValue"]
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=name)["Status"], "Enabled")
        tags = {t["Key"]: t["Value"] for t in self.s3.get_bucket_tagging(Bucket=name)["TagSet"]}
        self.assertEqual((tags["a"], tags["aws:cloudformation:stack-name"]), ("b", "Buckets"))


if __name__ == "__main__":
    unittest.main()
