"""Rules of buckets with boto3: lifecycle, other origins' pages, whose objects are. What the lifecycle does at midnight is in
the crate's tests, which move the clock."""

import datetime
import http.client
import re
import unittest
import urllib.parse

from calls import Calls

SERVICES = "s3 iam"


class Rules(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.kiln.client("s3")

    def put(self, bucket, *rules, **more):
        return self.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)}, **more)

    def test_a_lifecycle_is_kept_as_it_was_put(self):
        s3 = self.s3
        s3.create_bucket(Bucket="cycle")
        midnight = datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc)
        rules = [
            {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}},
            {"ID": "one tag", "Status": "Disabled", "Filter": {"Tag": {"Key": "a", "Value": "1"}}, "Expiration": {"Date": midnight}},
            {"ID": "and", "Status": "Enabled", "Filter": {"And": {"Prefix": "x/", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}], "ObjectSizeGreaterThan": 1, "ObjectSizeLessThan": 9}}, "NoncurrentVersionExpiration": {"NoncurrentDays": 4, "NewerNoncurrentVersions": 2}},
            {"ID": "old", "Status": "Enabled", "Prefix": "tmp/", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
            {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
            {"ID": "large", "Status": "Enabled", "Filter": {"ObjectSizeGreaterThan": 1000}, "Expiration": {"Days": 900}},
        ]
        self.put("cycle", *rules)
        shown = s3.get_bucket_lifecycle_configuration(Bucket="cycle")
        self.assertEqual(shown["Rules"], rules)
        self.assertEqual(shown["TransitionDefaultMinimumObjectSize"], "all_storage_classes_128K")
        before = datetime.datetime.now(datetime.timezone.utc)
        put = s3.put_object(Bucket="cycle", Key="logs/a", Body=b"x")
        after = datetime.datetime.now(datetime.timezone.utc)
        told = re.fullmatch('expiry-date="(.*)", rule-id="logs"', put["Expiration"])
        due = [(at + datetime.timedelta(days=4)).strftime("%a, %d %b %Y 00:00:00 GMT") for at in (before, after)]
        self.assertIn(told[1], due)
        self.assertEqual(s3.head_object(Bucket="cycle", Key="logs/a")["Expiration"], put["Expiration"])
        self.assertEqual(s3.get_object(Bucket="cycle", Key="logs/a")["Expiration"], put["Expiration"])
        self.assertNotIn("Expiration", s3.put_object(Bucket="cycle", Key="other", Body=b"x"))
        begun = s3.create_multipart_upload(Bucket="cycle", Key="tmp/a")
        self.assertEqual(begun["AbortRuleId"], "old")
        listed = s3.list_parts(Bucket="cycle", Key="tmp/a", UploadId=begun["UploadId"])
        self.assertEqual((listed["AbortRuleId"], listed["AbortDate"]), ("old", begun["AbortDate"]))
        s3.delete_bucket_lifecycle(Bucket="cycle")
        self.assertEqual(self.refused(s3.get_bucket_lifecycle_configuration, Bucket="cycle"), "NoSuchLifecycleConfiguration")

    def test_a_lifecycle_that_cannot_be_is_refused(self):
        self.s3.create_bucket(Bucket="wrong")
        base = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
        tag = {"Tag": {"Key": "a", "Value": "1"}}
        noon = datetime.datetime(2040, 1, 1, 12, tzinfo=datetime.timezone.utc)
        for change, code in [
            ({"Expiration": {"Days": 0}}, "InvalidArgument"),
            ({"Expiration": {"Date": noon}}, "InvalidArgument"),
            ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
            ({"Status": "On"}, "MalformedXML"),
            ({"Prefix": "both"}, "MalformedXML"),
            ({"ID": "x" * 256}, "InvalidArgument"),
            ({"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}}, "InvalidArgument"),
            ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}, "InvalidArgument"),
            ({"Filter": tag, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}, "InvalidRequest"),
            ({"Filter": tag, "Expiration": {"ExpiredObjectDeleteMarker": True}}, "InvalidRequest"),
            ({"Filter": {"And": {"ObjectSizeGreaterThan": 9, "ObjectSizeLessThan": 9}}}, "InvalidRequest"),
            ({"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}, "NotImplemented"),
            ({"NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "GLACIER"}]}, "NotImplemented"),
        ]:
            self.assertEqual(self.refused(lambda: self.put("wrong", {**base, **change})), code, change)
        self.assertEqual(self.refused(lambda: self.put("wrong", base, base)), "InvalidArgument")
        self.assertEqual(self.refused(lambda: self.put("wrong", {**{k: v for k, v in base.items() if k != "Expiration"}})), "InvalidRequest")

    def ask(self, method, path, **headers):
        """Status and headers of a request that nobody signed."""
        address = urllib.parse.urlsplit(self.kiln.info["endpoint"])
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    def test_pages_of_other_origins(self):
        s3 = self.s3
        s3.create_bucket(Bucket="pages")
        path = "/pages/a.txt"
        ask = lambda origin, method, **more: self.ask("OPTIONS", path, Origin=origin, Access_Control_Request_Method=method, **more)
        self.assertEqual(ask("https://shop.test", "GET")[0], 403)
        rules = [
            {"ID": "shop", "AllowedOrigins": ["https://*.shop.test"], "AllowedMethods": ["PUT", "GET"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag", "x-amz-version-id"], "MaxAgeSeconds": 3000},
            {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]},
        ]
        s3.put_bucket_cors(Bucket="pages", CORSConfiguration={"CORSRules": rules})
        self.assertEqual(s3.get_bucket_cors(Bucket="pages")["CORSRules"], rules)
        status, headers, body = ask("https://www.shop.test", "PUT", Access_Control_Request_Headers="X-Own, content-type")
        self.assertEqual((status, body), (200, ""))
        self.assertEqual(
            [headers[f"access-control-{name}"] for name in ("allow-origin", "allow-methods", "allow-headers", "max-age", "expose-headers", "allow-credentials")],
            ["https://www.shop.test", "PUT, GET", "x-own, content-type", "3000", "ETag, x-amz-version-id", "true"],
        )
        self.assertIn("Origin", headers["vary"])
        status, headers, body = ask("https://else.test", "PUT")
        self.assertEqual((status, re.search("<Code>(.*)</Code>", body)[1]), (403, "AccessForbidden"))
        self.assertNotIn("access-control-allow-origin", headers)
        self.assertEqual(ask("https://else.test", "HEAD")[1]["access-control-allow-origin"], "*")
        self.assertEqual(ask("https://www.shop.test", "PATCH")[0], 400)
        self.assertEqual(self.ask("OPTIONS", path)[0], 400)
        self.assertEqual(self.ask("OPTIONS", "/none-of-ours/a", Origin="https://www.shop.test", Access_Control_Request_Method="GET")[0], 403)
        # The answer itself, and a refusal too.
        s3.put_object(Bucket="pages", Key="a.txt", Body=b"x")
        url = urllib.parse.urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": "pages", "Key": "a.txt"}))
        status, headers, body = self.ask("GET", f"{url.path}?{url.query}", Origin="https://www.shop.test")
        self.assertEqual((status, body, headers["access-control-allow-origin"]), (200, "x", "https://www.shop.test"))
        status, headers, _ = self.ask("GET", path, Origin="https://www.shop.test")
        self.assertEqual((status, headers["access-control-allow-origin"]), (403, "https://www.shop.test"))
        self.assertNotIn("access-control-allow-origin", self.ask("GET", f"{url.path}?{url.query}", Origin="https://else.test")[1])
        for change, text in [
            ({"AllowedMethods": ["PATCH"]}, "PATCH"),
            ({"AllowedOrigins": ["http://*.*"]}, "more than one wildcard"),
            ({"ExposeHeaders": ["x-*"]}, "wildcard"),
        ]:
            code, message = self.refusal(s3.put_bucket_cors, Bucket="pages", CORSConfiguration={"CORSRules": [{**rules[0], **change}]})
            self.assertEqual(code, "InvalidRequest")
            self.assertIn(text, message)
        s3.delete_bucket_cors(Bucket="pages")
        self.assertEqual(ask("https://www.shop.test", "PUT")[0], 403)

    def test_whose_objects_are(self):
        s3 = self.s3
        s3.create_bucket(Bucket="whose")
        write = lambda **how: s3.put_object(Bucket="whose", Key="k", Body=b"x", **how)
        own = lambda name: s3.put_bucket_ownership_controls(Bucket="whose", OwnershipControls={"Rules": [{"ObjectOwnership": name}]})
        self.assertEqual(self.refused(write, ACL="public-read"), "AccessControlListNotSupported")
        self.assertEqual(self.refused(s3.put_bucket_acl, Bucket="whose", ACL="private"), "AccessControlListNotSupported")
        write(ACL="bucket-owner-full-control")
        for name in ("BucketOwnerPreferred", "ObjectWriter"):
            own(name)
            self.assertEqual(s3.get_bucket_ownership_controls(Bucket="whose")["OwnershipControls"]["Rules"], [{"ObjectOwnership": name}])
            s3.put_bucket_acl(Bucket="whose", ACL="private")
            for acl in ("private", "bucket-owner-full-control", "bucket-owner-read"):
                write(ACL=acl)
                s3.put_object_acl(Bucket="whose", Key="k", ACL=acl)
            self.assertEqual(self.refused(write, ACL="public-read"), "NotImplemented")
            self.assertEqual(self.refused(write, GrantRead='id="' + "0" * 64 + '"'), "NotImplemented")
        own("BucketOwnerEnforced")
        self.assertEqual(self.refused(write, ACL="bucket-owner-read"), "AccessControlListNotSupported")
        s3.create_bucket(Bucket="writers", ObjectOwnership="ObjectWriter")
        self.assertEqual(s3.get_bucket_ownership_controls(Bucket="writers")["OwnershipControls"]["Rules"], [{"ObjectOwnership": "ObjectWriter"}])
        self.assertEqual(self.refused(s3.create_bucket, Bucket="listed", ACL="public-read"), "InvalidBucketAclWithObjectOwnership")
        self.assertEqual(self.refused(s3.create_bucket, Bucket="listed", ACL="public-read", ObjectOwnership="ObjectWriter"), "NotImplemented")


if __name__ == "__main__":
    unittest.main()
