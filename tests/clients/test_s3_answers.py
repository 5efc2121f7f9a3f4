"""S3's answers as AWS has them, where clients lean on them: conditions, parts, versions, encryption, tags, listings."""
import base64
import hashlib
import unittest
import urllib.parse

from botocore.exceptions import ClientError

from kiln import Kiln
from s3wire import Wire

PART = 5 << 20
KEY = bytes(32)


def b64(data):
    return base64.b64encode(data).decode()


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = Kiln().start()
        cls.addClassCleanup(cls.kiln.close)
        cls.s3, cls.wire = cls.kiln.client("s3"), Wire(cls.kiln)
        cls.s3.create_bucket(Bucket="said")

    def refused(self, call, **arguments):
        with self.assertRaises(ClientError) as raised:
            call(**arguments)
        return raised.exception.response["Error"]["Code"]

    def headers(self, answer):
        return answer["ResponseMetadata"]["HTTPHeaders"]

    def test_a_range_of_what_is_still_the_same(self):
        put = self.s3.put_object(Bucket="said", Key="range", Body=b"0123456789")
        modified = self.headers(self.s3.head_object(Bucket="said", Key="range"))["last-modified"]
        for condition, status, body in [
            (put["ETag"], 206, b"234"),
            ('"another"', 200, b"0123456789"),
            ("W/" + put["ETag"], 200, b"0123456789"),
            (modified, 206, b"234"),
            ("Mon, 01 Jan 2001 00:00:00 GMT", 200, b"0123456789"),
        ]:
            answer = self.wire.send("GET", "/said/range", headers={"Range": "bytes=2-4", "If-Range": condition})
            self.assertEqual((answer.status, answer.body), (status, body), condition)

    def test_a_part_of_what_has_none(self):
        self.s3.put_object(Bucket="said", Key="plain", Body=b"0123456789", ChecksumAlgorithm="SHA256")
        got = self.s3.get_object(Bucket="said", Key="plain", PartNumber=1, ChecksumMode="ENABLED")
        self.assertEqual((got["ResponseMetadata"]["HTTPStatusCode"], got["ContentRange"]), (206, "bytes 0-9/10"))
        self.assertNotIn("PartsCount", got)
        self.assertEqual(got["ChecksumSHA256"], b64(hashlib.sha256(b"0123456789").digest()))
        self.assertEqual(self.refused(self.s3.get_object, Bucket="said", Key="plain", PartNumber=2), "InvalidPartNumber")
        for number in ("0", "-1", "10001", "a"):
            self.assertEqual(self.wire.send("GET", f"/said/plain?partNumber={number}").code, "InvalidArgument", number)
        self.s3.put_object(Bucket="said", Key="empty", Body=b"")
        self.assertEqual(self.s3.get_object(Bucket="said", Key="empty", PartNumber=1)["ResponseMetadata"]["HTTPStatusCode"], 200)

    def upload(self, key, **how):
        which = {"Bucket": "said", "Key": key}
        upload = self.s3.create_multipart_upload(**which, **how)["UploadId"]
        parts = []
        for number, body in [(2, b"a" * PART), (5, b"b")]:
            part = self.s3.upload_part(**which, UploadId=upload, PartNumber=number, Body=body, **{k: v for k, v in how.items() if k == "ChecksumAlgorithm"})
            parts.append({"PartNumber": number, "ETag": part["ETag"], **{k: v for k, v in part.items() if k.startswith("Checksum")}})
        return {**which, "UploadId": upload, "MultipartUpload": {"Parts": parts}}

    def test_parts_of_a_composite_object_have_their_own_checksums(self):
        self.s3.complete_multipart_upload(**self.upload("composite", ChecksumAlgorithm="SHA256"))
        sums = [b64(hashlib.sha256(body).digest()) for body in (b"a" * PART, b"b")]
        for number, wanted in enumerate(sums, 1):
            got = self.s3.head_object(Bucket="said", Key="composite", PartNumber=number, ChecksumMode="ENABLED")
            self.assertEqual((got["ChecksumSHA256"], got["ChecksumType"], got["PartsCount"]), (wanted, "COMPOSITE", 2))
        self.assertTrue(self.s3.head_object(Bucket="said", Key="composite", ChecksumMode="ENABLED")["ChecksumSHA256"].endswith("-2"))
        told = self.s3.get_object_attributes(Bucket="said", Key="composite", ObjectAttributes=["ObjectParts"])["ObjectParts"]
        self.assertEqual([(p["PartNumber"], p["Size"], p["ChecksumSHA256"]) for p in told["Parts"]], [(2, PART, sums[0]), (5, 1, sums[1])])
        self.assertEqual((told["TotalPartsCount"], told["IsTruncated"], told["PartNumberMarker"]), (2, False, 0))
        page = self.s3.get_object_attributes(Bucket="said", Key="composite", ObjectAttributes=["ObjectParts"], MaxParts=1)["ObjectParts"]
        self.assertEqual((len(page["Parts"]), page["IsTruncated"], page["NextPartNumberMarker"]), (1, True, 2))
        rest = self.s3.get_object_attributes(Bucket="said", Key="composite", ObjectAttributes=["ObjectParts"], PartNumberMarker=2)["ObjectParts"]
        self.assertEqual([p["PartNumber"] for p in rest["Parts"]], [5])

    def test_an_upload_is_completed_twice(self):
        this = self.upload("twice")
        first, second = (self.s3.complete_multipart_upload(**this) for _ in range(2))
        for answer in (first, second):
            answer.pop("ResponseMetadata")
        self.assertEqual(first, second)
        port = urllib.parse.urlsplit(self.kiln.info["endpoint"]).port
        self.assertEqual(urllib.parse.urlsplit(first["Location"]).port, port)
        self.assertEqual(self.refused(self.s3.complete_multipart_upload, **{**this, "MultipartUpload": {"Parts": this["MultipartUpload"]["Parts"][:1]}}), "InvalidPart")
        self.s3.delete_object(Bucket="said", Key="twice")
        self.assertEqual(self.refused(self.s3.complete_multipart_upload, **this), "NoSuchUpload")

    def test_a_part_is_copied_of_bytes_that_are_there(self):
        self.s3.put_object(Bucket="said", Key="ten", Body=b"0123456789")
        upload = {"Bucket": "said", "Key": "of-ten"}
        upload["UploadId"] = self.s3.create_multipart_upload(**upload)["UploadId"]
        copy = lambda span: self.s3.upload_part_copy(**upload, PartNumber=1, CopySource="said/ten", CopySourceRange=span)
        self.assertIn("ETag", copy("bytes=0-9")["CopyPartResult"])
        for span in ["bytes=0-10", "bytes=10-10", "bytes=5-", "bytes=-5", "bytes=5-4", "0-9", "bytes=a-b"]:
            self.assertEqual(self.refused(copy, span=span), "InvalidArgument", span)
        self.s3.abort_multipart_upload(**upload)

    def test_half_of_a_customers_key_is_not_none(self):
        self.s3.put_object(Bucket="said", Key="own", Body=b"x")
        of = "x-amz-server-side-encryption-customer-"
        whole = {of + "algorithm": "AES256", of + "key": b64(KEY), of + "key-MD5": b64(hashlib.md5(KEY).digest())}
        for method, path, of_whole in [("PUT", "/said/own", "NotImplemented"), ("GET", "/said/own", "InvalidRequest"), ("POST", "/said/own?uploads", "NotImplemented")]:
            self.assertEqual(self.wire.send(method, path, b"y" if method == "PUT" else b"", whole).code, of_whole)
            for left_out in whole:
                half = {name: value for name, value in whole.items() if name != left_out}
                self.assertEqual(self.wire.send(method, path, b"y" if method == "PUT" else b"", half).code, "InvalidArgument", (method, left_out))
        self.assertEqual(self.wire.send("HEAD", "/said/own", headers={of + "key": b64(KEY)}).status, 400)
        copy = {"x-amz-copy-source": "/said/own", "x-amz-copy-source-server-side-encryption-customer-key": b64(KEY)}
        self.assertEqual(self.wire.send("PUT", "/said/copied", headers=copy).code, "InvalidArgument")
        for method in ("GET", "HEAD"):
            answer = self.wire.send(method, "/said/own", headers={"x-amz-server-side-encryption": "AES256"})
            self.assertEqual((answer.status, answer.code), (400, "InvalidArgument" if method == "GET" else None))
        self.assertEqual(self.s3.get_object(Bucket="said", Key="own")["Body"].read(), b"x")

    def test_a_delete_has_conditions(self):
        put = self.s3.put_object(Bucket="said", Key="gone", Body=b"x")
        for wrong in ('"other"', '"' + "0" * 32 + '"'):
            self.assertEqual(self.refused(self.s3.delete_object, Bucket="said", Key="gone", IfMatch=wrong), "PreconditionFailed")
        self.assertEqual(self.refused(self.s3.delete_object, Bucket="said", Key="not-there", IfMatch="*"), "PreconditionFailed")
        deleted = self.s3.delete_objects(Bucket="said", Delete={"Objects": [{"Key": "gone", "ETag": '"other"'}, {"Key": "not-there", "ETag": put["ETag"]}]})
        self.assertEqual([each["Code"] for each in deleted["Errors"]], ["PreconditionFailed"] * 2)
        sized = self.s3.delete_objects(Bucket="said", Delete={"Objects": [{"Key": "gone", "Size": 9}]})
        self.assertEqual([each["Code"] for each in sized["Errors"]], ["NotImplemented"], "refused by name, not deleted")
        answer = self.s3.delete_object(Bucket="said", Key="gone", IfMatch=put["ETag"])
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertNotIn("x-amz-version-id", self.headers(answer))

    def test_writes_have_the_conditions_that_s3_takes(self):
        put = lambda **how: self.s3.put_object(Bucket="said", Key="if", Body=b"x", **how)
        etag = put()["ETag"]
        for how in ({"IfMatch": "*"}, {"IfNoneMatch": etag}, {"IfMatch": etag, "IfNoneMatch": "*"}):
            self.assertEqual(self.refused(put, **how), "NotImplemented", how)
        put(IfMatch=etag)
        self.assertEqual(self.refused(put, IfNoneMatch="*"), "PreconditionFailed")

    def test_a_copy_onto_itself_changes_something(self):
        this = {"Bucket": "said", "Key": "self", "CopySource": "said/self"}
        self.s3.put_object(Bucket="said", Key="self", Body=b"x", Metadata={"a": "1"})
        self.assertEqual(self.refused(self.s3.copy_object, **this), "InvalidRequest")
        for change in ({"StorageClass": "STANDARD"}, {"ServerSideEncryption": "AES256"}, {"MetadataDirective": "REPLACE", "Metadata": {"a": "2"}}):
            self.s3.copy_object(**this, **change)
        self.assertEqual(self.s3.head_object(Bucket="said", Key="self")["Metadata"], {"a": "2"})

    def test_null_versions_are_told_where_aws_tells_them(self):
        self.s3.create_bucket(Bucket="suspended")
        this = {"Bucket": "suspended", "Key": "k"}
        put = self.s3.put_object(**this, Body=b"0")
        self.assertNotIn("VersionId", put)
        self.assertNotIn("VersionId", self.s3.get_object(**this))
        self.s3.put_bucket_versioning(Bucket="suspended", VersioningConfiguration={"Status": "Suspended", "MFADelete": "Disabled"})
        self.assertEqual(self.s3.get_bucket_versioning(Bucket="suspended")["MFADelete"], "Disabled")
        self.assertNotIn("VersionId", self.s3.put_object(**this, Body=b"1"))
        copied = self.s3.copy_object(**this, CopySource="suspended/k", StorageClass="STANDARD")
        self.assertFalse({"VersionId", "CopySourceVersionId"} & set(copied))
        self.assertEqual(self.s3.get_object(**this)["VersionId"], "null")
        self.assertEqual(self.s3.head_object(**this)["VersionId"], "null")
        self.assertEqual(self.s3.delete_object(**this)["VersionId"], "null")

    def test_a_delete_marker_says_what_may_be_done_to_it(self):
        self.s3.create_bucket(Bucket="marked")
        self.s3.put_bucket_versioning(Bucket="marked", VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object(Bucket="marked", Key="k", Body=b"x")
        marker = self.s3.delete_object(Bucket="marked", Key="k")["VersionId"]
        for method in ("GET", "HEAD"):
            answer = self.wire.send(method, f"/marked/k?versionId={marker}")
            told = {name: answer.headers.get(name) for name in ("allow", "x-amz-delete-marker", "x-amz-version-id")}
            self.assertEqual((answer.status, told), (405, {"allow": "DELETE", "x-amz-delete-marker": "true", "x-amz-version-id": marker}))
            self.assertIn("last-modified", answer.headers)
        self.assertEqual(self.wire.send("GET", f"/marked/k?versionId={marker}").element("Method"), "GET")
        self.assertEqual(self.wire.send("GET", "/marked/k").code, "NoSuchKey")

    def test_a_bucket_is_made_or_refused_in_aws_s_words(self):
        create = lambda **how: self.s3.create_bucket(Bucket="new-one", **how)
        self.assertEqual(self.refused(create, ACL="public-read"), "InvalidBucketAclWithObjectOwnership")
        self.assertEqual(self.refused(create, GrantRead="id=x"), "InvalidBucketAclWithObjectOwnership")
        self.assertEqual(self.refused(create, ACL="private", GrantRead="id=x"), "InvalidRequest")
        for headers, code in [({"x-amz-acl": "secret"}, "InvalidArgument"), ({"x-amz-object-ownership": "Mine"}, "InvalidArgument")]:
            self.assertEqual(self.wire.send("PUT", "/new-one", headers=headers).code, code)
        place = lambda where: f"<CreateBucketConfiguration><LocationConstraint>{where}</LocationConstraint></CreateBucketConfiguration>".encode()
        west = Wire(self.kiln, "us-west-2")
        for wire, where, code in [
            (self.wire, "us-east-1", "InvalidLocationConstraint"),
            (self.wire, "mars-1", "InvalidLocationConstraint"),
            (west, "us-east-1", "IllegalLocationConstraintException"),
            (west, "mars-1", "IllegalLocationConstraintException"),
        ]:
            self.assertEqual(wire.send("PUT", "/new-one", place(where)).code, code)
        self.assertEqual(west.send("PUT", "/new-one").code, "IllegalLocationConstraintException")
        self.assertEqual(self.wire.send("PUT", "/new-one", b"<CreateBucketConfiguration>").code, "MalformedXML")
        made = west.send("PUT", "/new-one", place("us-west-2"))
        self.assertEqual((made.status, made.headers["location"]), (200, f"http://{self.wire.host}/new-one/"))
        self.assertEqual(self.s3.create_bucket(Bucket="first-one")["Location"], "/first-one")

    def test_the_expected_owner_is_an_account(self):
        for owner, code in [("000000000000", None), ("111111111111", "AccessDenied"), ("me", "InvalidBucketOwnerAWSAccountID"), ("1" * 13, "InvalidBucketOwnerAWSAccountID")]:
            for method, path in [("GET", "/said"), ("PUT", "/said/owned")]:
                self.assertEqual(self.wire.send(method, path, headers={"x-amz-expected-bucket-owner": owner}).code, code, owner)

    def test_head_of_a_bucket(self):
        answer = self.wire.send("HEAD", "/said")
        told = {name: answer.headers.get(name) for name in ("x-amz-bucket-region", "x-amz-access-point-alias", "content-type")}
        self.assertEqual((answer.status, answer.body, told), (200, b"", {"x-amz-bucket-region": "us-east-1", "x-amz-access-point-alias": "false", "content-type": "application/xml"}))
        self.assertEqual(self.wire.send("HEAD", "/not-there").status, 404)
        self.assertEqual(Wire(self.kiln, "eu-west-1").send("HEAD", "/said").headers["x-amz-bucket-region"], "us-east-1")

    def test_answers_without_a_body_are_204(self):
        tags = {"TagSet": [{"Key": "a", "Value": "1"}]}
        self.s3.put_object(Bucket="said", Key="204", Body=b"")
        for call, arguments in [
            (self.s3.put_bucket_tagging, {"Tagging": tags}),
            (self.s3.delete_bucket_tagging, {}),
            (self.s3.delete_bucket_encryption, {}),
            (self.s3.delete_bucket_cors, {}),
            (self.s3.delete_bucket_lifecycle, {}),
            (self.s3.delete_bucket_policy, {}),
            (self.s3.delete_bucket_replication, {}),
            (self.s3.delete_bucket_website, {}),
            (self.s3.delete_object_tagging, {"Key": "204"}),
            (self.s3.delete_object, {"Key": "204"}),
        ]:
            self.assertEqual(call(Bucket="said", **arguments)["ResponseMetadata"]["HTTPStatusCode"], 204, call.__name__)

    def test_tags_are_refused_in_aws_s_words(self):
        self.s3.put_object(Bucket="said", Key="tags", Body=b"")
        said = lambda error: (error.response["Error"]["Code"], error.response["Error"]["Message"])
        for tags, of_object, of_bucket in [
            ([("a", "1"), ("a", "2")], "Cannot provide multiple Tags with the same key", None),
            ([("aws:x", "1")], "Your TagKey cannot be prefixed with aws:", "System tags cannot be added/updated by requester"),
            ([("<", "1")], "The TagKey you have provided is invalid", None),
            ([("k" * 129, "1")], "The TagKey you have provided is invalid", None),
            ([("a", "?")], "The TagValue you have provided is invalid", None),
            ([("a", "v" * 257)], "The TagValue you have provided is invalid", None),
        ]:
            tagging = {"TagSet": [{"Key": key, "Value": value} for key, value in tags]}
            for call, arguments, text in [(self.s3.put_object_tagging, {"Key": "tags"}, of_object), (self.s3.put_bucket_tagging, {}, of_bucket or of_object)]:
                with self.assertRaises(ClientError) as raised:
                    call(Bucket="said", Tagging=tagging, **arguments)
                self.assertEqual(said(raised.exception), ("InvalidTag", text))
        self.assertEqual(self.refused(self.s3.put_object_tagging, Bucket="said", Key="tags", Tagging={"TagSet": [{"Key": str(n), "Value": ""} for n in range(11)]}), "BadRequest")
        self.assertEqual(self.refused(self.s3.put_object, Bucket="said", Key="tags", Tagging="a=1&a=2"), "InvalidArgument")
        self.s3.put_object_tagging(Bucket="said", Key="tags", Tagging={"TagSet": [{"Key": "ü /+-=._:@", "Value": "日本"}]})

    def test_an_encoding_is_given_back_as_it_came(self):
        for given, shown in [("gzip", "gzip"), ("deflate, gzip", "deflate, gzip"), ("aws-chunked, gzip", "gzip"), ("gzip,aws-chunked", "gzip"), ("aws-chunked", None)]:
            self.s3.put_object(Bucket="said", Key="encoded", Body=b"x", ContentEncoding=given)
            self.assertEqual(self.s3.head_object(Bucket="said", Key="encoded").get("ContentEncoding"), shown, given)

    def test_listings_are_asked_for_in_numbers(self):
        for query in ["max-keys=-1", "max-keys=a", "list-type=2&max-keys=-1", "versions&max-keys=-1", "uploads&max-uploads=-1", "uploads&max-uploads=a", "encoding-type=none"]:
            answer = self.wire.send("GET", f"/said?{query}")
            self.assertEqual((answer.code, answer.element("ArgumentValue")), ("InvalidArgument", query.rsplit("=", 1)[1]), query)
        upload = self.s3.create_multipart_upload(Bucket="said", Key="listed")["UploadId"]
        for query in ["max-parts=-1", "part-number-marker=-1", "part-number-marker=a"]:
            self.assertEqual(self.wire.send("GET", f"/said/listed?uploadId={upload}&{query}").code, "InvalidArgument", query)
        self.s3.abort_multipart_upload(Bucket="said", Key="listed", UploadId=upload)
        self.assertEqual(self.wire.send("GET", "/?max-buckets=0").code, "InvalidArgument")
        for query in ["delimiter=", "list-type=2&delimiter=", "versions&delimiter=", "uploads&delimiter="]:
            self.assertNotIn(b"<Delimiter", self.wire.send("GET", f"/said?{query}").body, query)
        self.assertEqual(self.wire.send("GET", "/said?max-keys=0").status, 200)

    def test_settings_that_say_what_holds_are_taken(self):
        s3, this = self.s3, {"Bucket": "said"}
        s3.put_bucket_accelerate_configuration(**this, AccelerateConfiguration={"Status": "Suspended"})
        self.assertEqual(s3.get_bucket_accelerate_configuration(**this)["Status"], "Suspended")
        s3.put_bucket_logging(**this, BucketLoggingStatus={})
        s3.put_bucket_notification_configuration(**this, NotificationConfiguration={})
        s3.put_bucket_request_payment(**this, RequestPaymentConfiguration={"Payer": "BucketOwner"})
        enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        s3.put_bucket_ownership_controls(**this, OwnershipControls=enforced)
        self.assertEqual(self.refused(s3.put_bucket_acl, **this, ACL="private"), "AccessControlListNotSupported")
        s3.delete_bucket_ownership_controls(**this)
        self.assertEqual(self.refused(s3.get_bucket_ownership_controls, **this), "OwnershipControlsNotFoundError")
        s3.put_bucket_acl(**this, ACL="private")
        self.assertEqual(self.refused(s3.put_bucket_acl, **this, ACL="public-read"), "NotImplemented")
        s3.put_bucket_ownership_controls(**this, OwnershipControls=enforced)
        self.assertEqual(s3.get_bucket_ownership_controls(**this)["OwnershipControls"], enforced)
        acl = {key: value for key, value in s3.get_bucket_acl(**this).items() if key in ("Owner", "Grants")}
        s3.put_bucket_acl(**this, AccessControlPolicy=acl)
        s3.put_object(**this, Key="acl", Body=b"")
        s3.put_object_acl(**this, Key="acl", ACL="bucket-owner-full-control")
        self.assertEqual(self.refused(s3.put_object_acl, **this, Key="acl", ACL="public-read"), "AccessControlListNotSupported")
        for call, arguments in [
            (s3.put_bucket_accelerate_configuration, {"AccelerateConfiguration": {"Status": "Enabled"}}),
            (s3.put_bucket_request_payment, {"RequestPaymentConfiguration": {"Payer": "Requester"}}),
            (s3.put_bucket_logging, {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "said", "TargetPrefix": ""}}}),
        ]:
            self.assertEqual(self.refused(call, **this, **arguments), "NotImplemented", call.__name__)


if __name__ == "__main__":
    unittest.main()
