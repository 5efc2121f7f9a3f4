"""Bodies that are not what their heads say, to every served operation of S3 that takes one: none is carried out."""
import base64
import hashlib
import unittest
import zlib

import services
from kiln import Kiln
from s3wire import Wire

SERVICES = "s3"


def base64_of(data):
    return base64.b64encode(data).decode()


def md5(body):
    return base64_of(hashlib.md5(body).digest())


def crc32(body):
    return base64_of(zlib.crc32(body).to_bytes(4, "big"))


TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
DELETE = b"<Delete><Object><Key>gone</Key></Object></Delete>"
AES = b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
POLICY = b'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::checked/*"}]}'
BODIES = {
    "CreateBucket": ("PUT", "/checked-new", b"<CreateBucketConfiguration/>"),
    "DeleteObjects": ("POST", "/checked?delete", DELETE),
    "PutBucketAccelerateConfiguration": ("PUT", "/checked?accelerate", b"<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>"),
    "PutBucketAcl": ("PUT", "/checked?acl", b"<AccessControlPolicy/>"),
    "PutBucketCors": ("PUT", "/checked?cors", b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>"),
    "PutBucketEncryption": ("PUT", "/checked?encryption", AES),
    "PutBucketLifecycleConfiguration": ("PUT", "/checked?lifecycle", b"<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"),
    "PutBucketLogging": ("PUT", "/checked?logging", b"<BucketLoggingStatus/>"),
    "PutBucketNotificationConfiguration": ("PUT", "/checked?notification", b"<NotificationConfiguration/>"),
    "PutBucketOwnershipControls": ("PUT", "/checked?ownershipControls", b"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>"),
    "PutBucketPolicy": ("PUT", "/checked?policy", POLICY),
    "PutBucketRequestPayment": ("PUT", "/checked?requestPayment", b"<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"),
    "PutBucketTagging": ("PUT", "/checked?tagging", TAGS),
    "PutBucketVersioning": ("PUT", "/checked?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
    "PutObject": ("PUT", "/checked/new", b"words"),
    "PutObjectAcl": ("PUT", "/checked/gone?acl", b"<AccessControlPolicy/>"),
    "PutObjectTagging": ("PUT", "/checked/gone?tagging", TAGS),
    "PutPublicAccessBlock": ("PUT", "/checked?publicAccessBlock", b"<PublicAccessBlockConfiguration/>"),
    "UploadPart": ("PUT", "/checked/upload?partNumber=1&uploadId={upload}", b"part"),
}
# Its checksums are of the object that it makes, not of its body.
OF_AN_OBJECT = {"CompleteMultipartUpload": ("POST", "/checked/upload?uploadId={upload}", b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>")}


class Integrity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = Kiln().start()
        cls.addClassCleanup(cls.kiln.close)
        cls.s3, cls.wire = cls.kiln.client("s3"), Wire(cls.kiln)
        cls.s3.create_bucket(Bucket="checked")
        cls.s3.put_object(Bucket="checked", Key="gone", Body=b"still here")
        cls.upload = cls.s3.create_multipart_upload(Bucket="checked", Key="upload")["UploadId"]

    def send(self, operation, headers, payload="UNSIGNED-PAYLOAD", body=None):
        method, path, good = {**BODIES, **OF_AN_OBJECT}[operation]
        return self.wire.send(method, path.format(upload=self.upload), good if body is None else body, headers, payload)

    def nothing_was_done(self):
        """As setUpClass left it."""
        self.assertEqual([each["Key"] for each in self.s3.list_objects_v2(Bucket="checked")["Contents"]], ["gone"])
        self.assertEqual(self.s3.get_object_tagging(Bucket="checked", Key="gone")["TagSet"], [])
        self.assertEqual([each["Name"] for each in self.s3.list_buckets()["Buckets"]], ["checked"])
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket="checked"))
        self.assertNotIn("Parts", self.s3.list_parts(Bucket="checked", Key="upload", UploadId=self.upload))
        with self.assertRaises(self.s3.exceptions.ClientError):
            self.s3.get_bucket_tagging(Bucket="checked")
        with self.assertRaises(self.s3.exceptions.ClientError):
            self.s3.get_bucket_policy(Bucket="checked")
        with self.assertRaises(self.s3.exceptions.ClientError):
            self.s3.get_bucket_cors(Bucket="checked")
        with self.assertRaises(self.s3.exceptions.ClientError):
            self.s3.get_bucket_lifecycle_configuration(Bucket="checked")
        self.assertNotIn("Status", self.s3.get_bucket_accelerate_configuration(Bucket="checked"))
        self.assertTrue(all(self.s3.get_public_access_block(Bucket="checked")["PublicAccessBlockConfiguration"].values()))

    def test_no_operation_with_a_body_is_left_out(self):
        model = self.s3.meta.service_model
        served = services.served("s3")
        with_body = {name for name in served if (shape := model.operation_model(name).input_shape) and shape.serialization.get("payload")}
        self.assertEqual(with_body, {*BODIES, *OF_AN_OBJECT})

    def test_a_wrong_digest_stops_every_operation(self):
        other = b"other bytes"
        for operation in [*BODIES, *OF_AN_OBJECT]:
            wrong = [
                ({"Content-MD5": md5(other)}, "BadDigest"),
                ({"Content-MD5": "no digest"}, "InvalidDigest"),
                ({"Content-MD5": base64_of(b"too short")}, "InvalidDigest"),
            ]
            if operation in BODIES:
                sums = {
                    "crc32": crc32(other),
                    "crc32c": base64_of(b"0000"),
                    "crc64nvme": base64_of(b"00000000"),
                    "sha1": base64_of(hashlib.sha1(other).digest()),
                    "sha256": base64_of(hashlib.sha256(other).digest()),
                }
                wrong += [({f"x-amz-checksum-{name}": value}, "BadDigest") for name, value in sums.items()]
                wrong += [
                    ({"x-amz-checksum-crc32": "AAAA"}, "InvalidRequest"),
                    ({"x-amz-checksum-crc17": "AAAAAA=="}, "InvalidRequest"),
                    ({"x-amz-checksum-sha512": base64_of(b"0" * 64)}, "NotImplemented"),
                    ({"x-amz-checksum-crc32": sums["crc32"], "x-amz-checksum-sha1": sums["sha1"]}, "InvalidRequest"),
                    ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest"),
                    ({"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": sums["crc32"]}, "InvalidRequest"),
                    ({"x-amz-sdk-checksum-algorithm": "ROT13", "x-amz-checksum-crc32": sums["crc32"]}, "InvalidRequest"),
                    ({"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-checksum-crc32": sums["crc32"]}, "InvalidRequest"),
                    ({"x-amz-trailer": "x-amz-meta-late"}, "InvalidRequest"),
                    ({"x-amz-trailer": "x-amz-checksum-crc32"}, "MalformedTrailerError"),
                ]
            for headers, code in wrong:
                with self.subTest(operation, **headers):
                    self.assertEqual(self.send(operation, headers).code, code)
            with self.subTest(operation, payload="another digest"):
                self.assertEqual(self.send(operation, {}, hashlib.sha256(other).hexdigest()).code, "XAmzContentSHA256Mismatch")
            with self.subTest(operation, payload="no digest"):
                self.assertEqual(self.send(operation, {}, "words").code, "InvalidArgument")
        self.nothing_was_done()

    def test_a_wrong_digest_after_the_body_stops_every_operation(self):
        for operation, (_, _, body) in BODIES.items():
            for trailer, announced, code in [
                (f"x-amz-checksum-crc32:{crc32(b'other')}", "x-amz-checksum-crc32", "BadDigest"),
                (f"x-amz-checksum-sha1:{crc32(b'other')}", "x-amz-checksum-crc32", "MalformedTrailerError"),
                (f"x-amz-checksum-crc32:{crc32(b'other')}", None, "MalformedTrailerError"),
                (None, "x-amz-checksum-crc32", "MalformedTrailerError"),
            ]:
                with self.subTest(operation, trailer=trailer, announced=announced):
                    chunks = b"%x\r\n%s\r\n0\r\n" % (len(body), body) + (f"{trailer}\r\n".encode() if trailer else b"") + b"\r\n"
                    headers = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(body))}
                    if announced:
                        headers["x-amz-trailer"] = announced
                    self.assertEqual(self.send(operation, headers, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", chunks).code, code)
        self.nothing_was_done()

    def test_some_bodies_are_taken_from_nobody_unchecked(self):
        for operation in ["DeleteObjects", "PutBucketTagging"]:
            answer = self.send(operation, {})
            self.assertEqual((answer.code, answer.element("Message")), ("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"))
        for operation in ["DeleteObjects", "PutBucketTagging", "PutBucketVersioning", "PutObjectTagging", "PutPublicAccessBlock", "PutBucketEncryption"]:
            self.assertEqual(self.send(operation, {"Content-MD5": md5(b"")}, body=b"").code, "MissingRequestBodyError", operation)
        self.nothing_was_done()

    def test_right_digests_are_taken(self):
        which = {"Bucket": "checked", "Key": "gone"}
        for headers in [{"Content-MD5": md5(TAGS)}, {"x-amz-checksum-crc32": crc32(TAGS), "x-amz-sdk-checksum-algorithm": "CRC32"}, {"Content-MD5": md5(TAGS), "x-amz-checksum-crc32": crc32(TAGS)}]:
            self.assertEqual(self.send("PutObjectTagging", headers).status, 200)
            self.assertEqual(len(self.s3.get_object_tagging(**which)["TagSet"]), 1)
            self.s3.delete_object_tagging(**which)
        chunks = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(TAGS), TAGS, crc32(TAGS).encode())
        headers = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(TAGS)), "x-amz-trailer": "x-amz-checksum-crc32"}
        self.assertEqual(self.send("PutObjectTagging", headers, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", chunks).status, 200)
        self.s3.delete_object_tagging(**which)
        self.assertEqual(self.send("PutObjectTagging", {}, hashlib.sha256(TAGS).hexdigest()).status, 200)
        self.s3.delete_object_tagging(**which)


if __name__ == "__main__":
    unittest.main()
