"""S3's calls by boto3, each at least once. Bodies, versions and clients are in test_s3.py."""

from calls import Calls

PART = 5 << 20


class S3(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.kiln.client("s3")
        cls.s3.create_bucket(Bucket="shop")

    def test_an_upload_in_parts(self):
        s3, which = self.s3, {"Bucket": "shop", "Key": "large"}
        s3.put_object(Bucket="shop", Key="source", Body=b"s" * PART)
        upload = s3.create_multipart_upload(**which, ContentType="text/plain", Tagging="a=1")["UploadId"]
        this = {**which, "UploadId": upload}
        self.assertEqual([each["UploadId"] for each in s3.list_multipart_uploads(Bucket="shop")["Uploads"]], [upload])
        one = s3.upload_part(**this, PartNumber=1, Body=b"1" * PART)["ETag"]
        two = s3.upload_part_copy(**this, PartNumber=2, CopySource={"Bucket": "shop", "Key": "source"}, CopySourceRange="bytes=0-9")["CopyPartResult"]["ETag"]
        self.assertEqual([(p["PartNumber"], p["Size"], p["ETag"]) for p in s3.list_parts(**this)["Parts"]], [(1, PART, one), (2, 10, two)])
        parts = [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]
        self.assertEqual(self.refused(s3.complete_multipart_upload, **this, MultipartUpload={"Parts": parts[::-1]}), "InvalidPartOrder")
        self.assertEqual(self.refused(s3.complete_multipart_upload, **this, MultipartUpload={"Parts": [{**parts[0], "ETag": two}]}), "InvalidPart")
        done = s3.complete_multipart_upload(**this, MultipartUpload={"Parts": parts})
        self.assertTrue(done["ETag"].endswith('-2"'), done["ETag"])
        head = s3.head_object(**which)
        self.assertEqual((head["ContentLength"], head["ContentType"], head["ETag"]), (PART + 10, "text/plain", done["ETag"]))
        self.assertEqual(s3.get_object_tagging(**which)["TagSet"], [{"Key": "a", "Value": "1"}])
        self.assertEqual(s3.list_multipart_uploads(Bucket="shop").get("Uploads", []), [])
        given_up = s3.create_multipart_upload(**which)["UploadId"]
        s3.abort_multipart_upload(**which, UploadId=given_up)
        self.assertEqual(self.refused(s3.list_parts, **which, UploadId=given_up), "NoSuchUpload")

    def test_tags(self):
        s3, which = self.s3, {"Bucket": "shop", "Key": "tagged"}
        s3.put_object(**which, Body=b"x")
        tags = {"TagSet": [{"Key": "a", "Value": "1"}]}
        s3.put_object_tagging(**which, Tagging=tags)
        self.assertEqual(s3.get_object_tagging(**which)["TagSet"], tags["TagSet"])
        s3.delete_object_tagging(**which)
        self.assertEqual(s3.get_object_tagging(**which)["TagSet"], [])
        s3.delete_object(**which)
        s3.delete_object(**which)
        self.assertEqual(self.refused(s3.get_object_tagging, **which), "NoSuchKey")
        self.assertEqual(self.refused(s3.get_bucket_tagging, Bucket="shop"), "NoSuchTagSet")
        s3.put_bucket_tagging(Bucket="shop", Tagging=tags)
        self.assertEqual(s3.get_bucket_tagging(Bucket="shop")["TagSet"], tags["TagSet"])
        s3.delete_bucket_tagging(Bucket="shop")
        self.assertEqual(self.refused(s3.get_bucket_tagging, Bucket="shop"), "NoSuchTagSet")

    def test_what_a_bucket_has_and_has_not(self):
        s3, bucket = self.s3, {"Bucket": "shop"}
        s3.head_bucket(**bucket)
        self.assertEqual(self.refused(s3.head_bucket, Bucket="none-of-ours"), "404")
        self.assertIsNone(s3.get_bucket_location(**bucket)["LocationConstraint"])
        self.assertEqual(s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]["Rules"], [{"ObjectOwnership": "BucketOwnerEnforced"}])
        self.assertEqual(s3.get_bucket_request_payment(**bucket)["Payer"], "BucketOwner")
        self.assertNotIn("Status", s3.get_bucket_accelerate_configuration(**bucket))
        self.assertNotIn("LoggingEnabled", s3.get_bucket_logging(**bucket))
        self.assertNotIn("QueueConfigurations", s3.get_bucket_notification_configuration(**bucket))
        sse = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
        s3.put_bucket_encryption(**bucket, ServerSideEncryptionConfiguration=sse)
        s3.delete_bucket_encryption(**bucket)
        shown = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(shown["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})
        for call, code in [
            (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
            (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
            (s3.get_bucket_policy, "NoSuchBucketPolicy"),
            (s3.get_bucket_policy_status, "NoSuchBucketPolicy"),
            (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
            (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
            (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        ]:
            self.assertEqual(self.refused(call, **bucket), code)
        s3.delete_bucket_cors(**bucket)
        s3.delete_bucket_lifecycle(**bucket)
        s3.put_object(**bucket, Key="owned", Body=b"x")
        grants = s3.get_object_acl(**bucket, Key="owned")["Grants"]
        self.assertEqual([each["Permission"] for each in grants], ["FULL_CONTROL"])
