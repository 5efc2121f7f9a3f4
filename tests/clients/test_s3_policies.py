"""Bucket policies with boto3: who they let in, from one account and from another, and what is refused as none."""
import json
import unittest

from botocore.exceptions import ClientError

from kiln import Kiln
from s3wire import Wire

OTHERS = "999988887777"
ALL = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})


class Policies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # In open mode twelve digits are the account: that is how somebody of another one comes to be.
        cls.kiln = Kiln(auth="open").start()
        cls.addClassCleanup(cls.kiln.close)
        theirs = cls.kiln.client("iam", aws_access_key_id=OTHERS, aws_secret_access_key="x")
        cls.other, cls.idle = cls.user(theirs, "eve", ALL), cls.user(theirs, "fay", None)
        cls.kiln.kill()
        cls.kiln.auth = "enforced"
        cls.kiln.start()
        cls.s3 = cls.kiln.client("s3")
        cls.ann = cls.user(cls.kiln.client("iam"), "ann", None)

    @classmethod
    def user(cls, iam, name, policy):
        iam.create_user(UserName=name)
        if policy:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return cls.kiln.client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])

    def bucket(self, name):
        self.s3.create_bucket(Bucket=name)
        self.s3.put_object(Bucket=name, Key="a", Body=b"words")
        return name

    def put(self, bucket, *statements):
        on = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": on, **each} for each in statements]}
        return self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))

    def refused(self, call, **arguments):
        with self.assertRaises(ClientError) as raised:
            call(**arguments)
        return raised.exception.response["Error"]["Code"]

    def reads(self, s3, bucket):
        try:
            return s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"words"
        except ClientError as error:
            self.assertEqual(error.response["Error"]["Code"], "AccessDenied")
            return False

    def test_a_policy_lives(self):
        bucket = self.bucket("lives")
        self.assertEqual(self.refused(self.s3.get_bucket_policy, Bucket=bucket), "NoSuchBucketPolicy")
        answer = self.put(bucket, {"Principal": {"AWS": "arn:aws:iam::000000000000:user/ann"}, "Action": "s3:GetObject"})
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
        read = json.loads(self.s3.get_bucket_policy(Bucket=bucket)["Policy"])
        self.assertEqual(read["Statement"][0]["Action"], "s3:GetObject")
        self.assertFalse(self.s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"])
        self.assertTrue(self.reads(self.ann, bucket))
        self.kiln.kill()
        self.kiln.start()
        self.assertTrue(self.reads(self.ann, bucket), "it is there after a restart")
        self.s3.delete_bucket_policy(Bucket=bucket)
        self.assertFalse(self.reads(self.ann, bucket))

    def test_what_is_none_is_refused(self):
        bucket = self.bucket("none")
        refused = lambda text: self.refused(self.s3.put_bucket_policy, Bucket=bucket, Policy=text)
        self.assertEqual(refused("no policy"), "MalformedPolicy")
        self.assertEqual(refused(ALL), "MalformedPolicy")
        wire = Wire(self.kiln)
        self.assertEqual(wire.send("PUT", f"/{bucket}?policy", b"").code, "MissingRequestBodyError")
        self.assertEqual(wire.send("PUT", f"/{bucket}?policy", b"{}", headers={"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}).code, "BadDigest")

    def test_another_account(self):
        bucket = self.bucket("shared")
        self.assertFalse(self.reads(self.other, bucket))
        self.put(bucket, {"Principal": {"AWS": OTHERS}, "Action": ["s3:GetObject", "s3:PutObject", "s3:GetBucketPolicy"]})
        self.assertTrue(self.reads(self.other, bucket))
        self.assertFalse(self.reads(self.idle, bucket), "her account has not said so")
        self.other.put_object(Bucket=bucket, Key="theirs", Body=b"hers")
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="theirs")["Body"].read(), b"hers")
        self.assertEqual(self.refused(self.other.delete_object, Bucket=bucket, Key="a"), "AccessDenied")
        self.assertEqual(self.refused(self.other.get_bucket_policy, Bucket=bucket), "MethodNotAllowed")
        self.assertEqual(self.refused(self.other.list_objects_v2, Bucket=bucket), "AccessDenied")
        self.s3.delete_bucket_policy(Bucket=bucket)
        self.assertFalse(self.reads(self.other, bucket))

    def test_block_public_access_decides(self):
        bucket = self.bucket("public")
        everyone = {"Principal": "*", "Action": "s3:GetObject"}
        with self.assertRaises(ClientError) as raised:
            self.put(bucket, everyone)
        self.assertEqual(raised.exception.response["Error"]["Code"], "AccessDenied")
        block = lambda **more: self.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=more)
        block(RestrictPublicBuckets=True)
        self.put(bucket, everyone)
        self.assertTrue(self.s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"])
        self.assertEqual((self.reads(self.other, bucket), self.reads(self.ann, bucket)), (False, True))
        block(BlockPublicPolicy=True)
        self.assertEqual((self.reads(self.other, bucket), self.reads(self.ann, bucket)), (True, True))


if __name__ == "__main__":
    unittest.main()
