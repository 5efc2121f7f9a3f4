"""Objects under keys of KMS, with boto3: what is said of them, who may read them, and what lies on the disk."""

import base64
import hashlib
import json
import pathlib
import unittest

from calls import Calls

SERVICES = "s3 kms iam"
PART = 5 << 20


class Kms(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3, cls.kms = cls.kiln.client("s3"), cls.kiln.client("kms")
        cls.s3.create_bucket(Bucket="sealed")
        cls.key = cls.kms.create_key()["KeyMetadata"]["Arn"]

    def on_disk(self):
        return {path.name: path.read_bytes() for path in pathlib.Path(self.kiln.state, "s3/data").iterdir()}

    def user(self, name, *statements):
        iam = self.kiln.client("iam")
        iam.create_user(UserName=name)
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", "Action": action} for action in statements]}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.kiln.client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])

    def test_an_object_is_sealed_under_the_key_and_says_so(self):
        s3, before = self.s3, self.on_disk()
        body = bytes(range(256)) * 1024
        put = s3.put_object(Bucket="sealed", Key="a", Body=body, ServerSideEncryption="aws:kms", SSEKMSKeyId=self.key)
        self.assertEqual((put["ServerSideEncryption"], put["SSEKMSKeyId"]), ("aws:kms", self.key))
        self.assertNotIn("BucketKeyEnabled", put)
        self.assertNotEqual(put["ETag"].strip('"'), hashlib.md5(body).hexdigest())
        [sealed] = [data for name, data in self.on_disk().items() if name not in before]
        self.assertEqual(len(sealed), len(body) + 4 * 44, "four chunks of 64 KiB, each with salt, nonce and tag")
        self.assertNotIn(body[:64], sealed)
        head = s3.head_object(Bucket="sealed", Key="a")
        self.assertEqual((head["ServerSideEncryption"], head["SSEKMSKeyId"], head["ContentLength"]), ("aws:kms", self.key, len(body)))
        self.assertEqual(s3.get_object(Bucket="sealed", Key="a")["Body"].read(), body)
        for first, last in [(0, 0), (65535, 65536), (100_000, 250_000), (262_143, 262_143)]:
            part = s3.get_object(Bucket="sealed", Key="a", Range=f"bytes={first}-{last}")["Body"].read()
            self.assertEqual(part, body[first:last + 1])
        s3.put_object(Bucket="sealed", Key="empty", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=self.key)
        self.assertEqual(s3.get_object(Bucket="sealed", Key="empty")["Body"].read(), b"")

    def test_copies_and_parts(self):
        s3 = self.s3
        s3.put_object(Bucket="sealed", Key="plain", Body=b"words" * 2_000_000)
        copied = s3.copy_object(Bucket="sealed", Key="copy", CopySource="sealed/plain", ServerSideEncryption="aws:kms", SSEKMSKeyId=self.key)
        self.assertEqual(copied["SSEKMSKeyId"], self.key)
        back = s3.copy_object(Bucket="sealed", Key="back", CopySource="sealed/copy")
        self.assertEqual(back["ServerSideEncryption"], "AES256", "as the bucket has it where nobody says otherwise")
        self.assertEqual(s3.get_object(Bucket="sealed", Key="back")["Body"].read(), b"words" * 2_000_000)
        which = {"Bucket": "sealed", "Key": "parts"}
        begun = s3.create_multipart_upload(**which, ServerSideEncryption="aws:kms", SSEKMSKeyId=self.key)
        this = {**which, "UploadId": begun["UploadId"]}
        one = s3.upload_part(**this, PartNumber=1, Body=b"1" * PART)
        self.assertEqual((begun["SSEKMSKeyId"], one["SSEKMSKeyId"]), (self.key, self.key))
        two = s3.upload_part_copy(**this, PartNumber=2, CopySource="sealed/copy", CopySourceRange="bytes=70000-70099")["CopyPartResult"]
        done = s3.complete_multipart_upload(**this, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": one["ETag"]}, {"PartNumber": 2, "ETag": two["ETag"]}]})
        self.assertEqual((done["SSEKMSKeyId"], done["ETag"][-3:]), (self.key, '-2"'))
        self.assertEqual(s3.get_object(**which, Range=f"bytes={PART - 5}-")["Body"].read(), b"1" * 5 + (b"words" * 2_000_000)[70000:70100])

    def test_who_reads_needs_the_right_to_the_key(self):
        s3 = self.s3
        s3.put_object(Bucket="sealed", Key="secret", Body=b"words", ServerSideEncryption="aws:kms", SSEKMSKeyId=self.key)
        without = self.user("without", "s3:*")
        self.assertEqual(self.refused(without.get_object, Bucket="sealed", Key="secret"), "AccessDenied")
        self.assertEqual(without.head_object(Bucket="sealed", Key="secret")["SSEKMSKeyId"], self.key)
        self.assertEqual(self.refused(without.head_object, Bucket="sealed", Key="secret", ChecksumMode="ENABLED"), "403")
        self.assertEqual(self.refused(without.put_object, Bucket="sealed", Key="secret", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=self.key), "AccessDenied")
        reader = self.user("reader", "s3:*", "kms:Decrypt")
        self.assertEqual(reader.get_object(Bucket="sealed", Key="secret")["Body"].read(), b"words")
        self.assertEqual(self.refused(reader.copy_object, Bucket="sealed", Key="c", CopySource="sealed/secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=self.key), "AccessDenied")
        self.kms.disable_key(KeyId=self.key)
        self.assertEqual(self.refused(s3.get_object, Bucket="sealed", Key="secret"), "KMS.DisabledException")
        self.kms.enable_key(KeyId=self.key)
        gone = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000"
        self.assertEqual(self.refused(s3.put_object, Bucket="sealed", Key="x", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=gone), "KMS.NotFoundException")
        for wrong in [{"SSEKMSKeyId": self.key}, {"ServerSideEncryption": "AES256", "SSEKMSKeyId": self.key}]:
            self.assertEqual(self.refused(s3.put_object, Bucket="sealed", Key="x", Body=b"x", **wrong), "InvalidArgument")
        self.assertEqual(self.refused(s3.put_object, Bucket="sealed", Key="x", Body=b"x", ServerSideEncryption="aws:kms:dsse"), "NotImplemented")

    def test_the_context_is_the_object_and_what_the_writer_says(self):
        context = base64.b64encode(json.dumps({"team": "shop"}).encode()).decode()
        put = self.s3.put_object(Bucket="sealed", Key="bound", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=self.key, SSEKMSEncryptionContext=context)
        self.assertEqual(json.loads(base64.b64decode(put["SSEKMSEncryptionContext"])), {"team": "shop"})
        only = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": ["kms:Put*", "kms:Describe*", "kms:Generate*"], "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {
                "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::sealed/bound", "kms:ViaService": "s3.us-east-1.amazonaws.com"}}},
        ]})
        bound = self.kms.create_key(Policy=only)["KeyMetadata"]["Arn"]
        for key in ("bound", "free"):
            self.s3.put_object(Bucket="sealed", Key=key, Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=bound)
        self.assertEqual(self.s3.get_object(Bucket="sealed", Key="bound")["Body"].read(), b"x")
        self.assertEqual(self.refused(self.s3.get_object, Bucket="sealed", Key="free"), "AccessDenied")
        self.assertEqual(self.refused(self.s3.put_object, Bucket="sealed", Key="x", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSEncryptionContext="?"), "InvalidArgument")

    def test_a_buckets_default(self):
        s3 = self.s3
        s3.create_bucket(Bucket="by-default")
        rule = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key}, "BucketKeyEnabled": True}]}
        s3.put_bucket_encryption(Bucket="by-default", ServerSideEncryptionConfiguration=rule)
        self.assertEqual(s3.get_bucket_encryption(Bucket="by-default")["ServerSideEncryptionConfiguration"], rule)
        put = s3.put_object(Bucket="by-default", Key="a", Body=b"x")
        self.assertEqual((put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]), ("aws:kms", self.key, True))
        # The data key is shared for a while: a key that is off now is not asked.
        s3.get_object(Bucket="by-default", Key="a")
        self.kms.disable_key(KeyId=self.key)
        s3.put_object(Bucket="by-default", Key="b", Body=b"y")
        self.assertEqual(s3.get_object(Bucket="by-default", Key="b")["Body"].read(), b"y")
        self.assertEqual(self.refused(s3.put_object, Bucket="by-default", Key="c", Body=b"z", BucketKeyEnabled=False), "KMS.DisabledException")
        self.kms.enable_key(KeyId=self.key)
        self.assertEqual(s3.put_object(Bucket="by-default", Key="own", Body=b"x", ServerSideEncryption="AES256")["ServerSideEncryption"], "AES256")
        managed = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": False}]}
        s3.put_bucket_encryption(Bucket="by-default", ServerSideEncryptionConfiguration=managed)
        put = s3.put_object(Bucket="by-default", Key="d", Body=b"x")
        aliases = {each["AliasName"]: each.get("TargetKeyId", "") for each in self.kms.list_aliases()["Aliases"]}
        self.assertTrue(put["SSEKMSKeyId"].endswith(aliases["alias/aws/s3"]))
        self.kiln.kill()
        self.kiln.start()
        self.assertEqual(s3.get_object(Bucket="by-default", Key="d")["Body"].read(), b"x")
        self.assertEqual(s3.get_object(Bucket="by-default", Key="a")["Body"].read(), b"x")
        s3.delete_bucket_encryption(Bucket="by-default")
        self.assertEqual(s3.put_object(Bucket="by-default", Key="e", Body=b"x")["ServerSideEncryption"], "AES256")


if __name__ == "__main__":
    unittest.main()
