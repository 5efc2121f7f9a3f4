"""Who calls, and what a wrong signature is answered: the AWS CLI and boto3 against a real kiln."""
import contextlib
import datetime
import json
import unittest
import urllib.error
import urllib.request
from unittest import mock

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions

from kiln import Kiln

SERVICES = "sts iam"


@contextlib.contextmanager
def signed_at(minutes):
    """As if the client's clock were off."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now.replace(tzinfo=None)):
        yield


class Identity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))

    def refused(self, client, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            getattr(client, call)(**arguments)
        error = caught.exception.response
        return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]

    def test_the_cli_learns_who_it_is(self):
        answer = self.kiln.aws("sts", "get-caller-identity")
        account = self.kiln.info["account"]
        self.assertEqual(answer, {"UserId": account, "Account": account, "Arn": f"arn:aws:iam::{account}:root"})

    def test_a_wrong_secret_is_refused(self):
        sts = self.kiln.client("sts", aws_secret_access_key="wrong")
        self.assertEqual(self.refused(sts, "get_caller_identity"), ("SignatureDoesNotMatch", 403))

    def test_an_unknown_key_is_refused(self):
        sts = self.kiln.client("sts", aws_access_key_id="AKIAUNKNOWN000000000")
        self.assertEqual(self.refused(sts, "get_caller_identity"), ("InvalidClientTokenId", 403))

    def test_an_old_signature_is_refused(self):
        with signed_at(-20):
            code = self.refused(self.kiln.client("sts"), "get_caller_identity")
        self.assertEqual(code, ("SignatureDoesNotMatch", 403))

    def test_an_operation_that_is_not_built_says_so(self):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.kiln.client("sts").get_federation_token(Name="somebody")
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], "NotImplemented")
        self.assertIn("sts:GetFederationToken", error["Message"])

    def test_a_service_that_is_not_built_says_so(self):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.kiln.client("kinesis").list_streams()
        self.assertIn("kinesis:ListStreams", str(caught.exception))

    def test_each_kind_of_service_says_it_in_its_own_protocol(self):
        """JSON, query, REST with JSON and with XML: every client reads the code and the name."""
        for service, call, named in (
            ("dynamodb", "list_tables", "dynamodb:ListTables"),
            ("redshift", "describe_clusters", "redshift:DescribeClusters"),
            ("lambda", "list_functions", "lambda (GET /2015-03-31/functions"),
            ("cloudfront", "list_distributions", "cloudfront (GET /2020-05-31/distribution"),
            ("route53", "list_hosted_zones", "route53 (GET /2013-04-01/hostedzone"),
            ("ec2", "describe_spot_fleet_requests", "ec2:DescribeSpotFleetRequests"),
            ("ssm", "describe_instance_information", "ssm:DescribeInstanceInformation"),
        ):
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                getattr(self.kiln.client(service), call)()
            error = caught.exception.response["Error"]
            self.assertEqual(error["Code"], "NotImplemented", service)
            self.assertIn(named, error["Message"])

    def test_an_unsigned_operation_that_is_not_built_says_so(self):
        role = "arn:aws:iam::000000000000:role/a"
        ask = {"RoleArn": role, "RoleSessionName": "s1", "WebIdentityToken": "token"}
        self.assertEqual(self.refused(self.kiln.client("sts"), "assume_role_with_web_identity", **ask), ("NotImplemented", 501))

    def test_each_protocol_words_a_refusal_in_its_own_way(self):
        """Wrong secret, unknown key, old and early signatures, at query, ec2 and JSON services."""
        calls = {"iam": "list_users", "ec2": "describe_vpcs", "ssm": "describe_parameters"}
        expected = {
            "wrong secret": [("SignatureDoesNotMatch", 403), ("AuthFailure", 401), ("InvalidSignatureException", 400)],
            "unknown key": [("InvalidClientTokenId", 403), ("AuthFailure", 401), ("UnrecognizedClientException", 400)],
            "old": [("SignatureDoesNotMatch", 403), ("RequestExpired", 400), ("InvalidSignatureException", 400)],
            "early": [("SignatureDoesNotMatch", 403), ("RequestExpired", 400), ("InvalidSignatureException", 400)],
        }
        for what, answers in expected.items():
            for (service, call), answer in zip(calls.items(), answers, strict=True):
                with self.subTest(what=what, service=service):
                    more = {"wrong secret": {"aws_secret_access_key": "wrong"}, "unknown key": {"aws_access_key_id": "AKIAUNKNOWN000000000"}}
                    minutes = {"old": -20, "early": 20}.get(what, 0)
                    with signed_at(minutes):
                        code = self.refused(self.kiln.client(service, **more.get(what, {})), call)
                    self.assertEqual(code, answer)

    def test_a_presigned_request_is_good_until_it_expires(self):
        def fetch(url):
            try:
                with urllib.request.urlopen(url, timeout=20) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        sts = self.kiln.client("sts")
        url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=600, HttpMethod="GET")
        self.assertEqual(fetch(url)[0], 200)
        status, body = fetch(url.replace("GetCallerIdentity", "GetSessionToken"))
        self.assertEqual((status, "SignatureDoesNotMatch" in body), (403, True), body)
        with signed_at(-20):
            old = sts.generate_presigned_url("get_caller_identity", ExpiresIn=600, HttpMethod="GET")
            longer = sts.generate_presigned_url("get_caller_identity", ExpiresIn=3600, HttpMethod="GET")
        status, body = fetch(old)
        self.assertEqual((status, "Signature expired" in body), (403, True), body)
        self.assertEqual(fetch(longer)[0], 200)
        post = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="POST")
        request = urllib.request.Request(post, data=b"", method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            self.assertIn("GetCallerIdentityResult", answer.read().decode())

    def test_an_action_nobody_has_and_a_version_nobody_has(self):
        for form, named in (
            ("Action=Nothing&Version=2011-06-15", "Could not find operation Nothing for version 2011-06-15"),
            ("Action=GetCallerIdentity&Version=2010-01-01", "Could not find operation GetCallerIdentity for version 2010-01-01"),
        ):
            request = botocore.awsrequest.AWSRequest("POST", self.kiln.info["endpoint"] + "/", data=form)
            request.headers["Content-Type"] = "application/x-www-form-urlencoded"
            keys = botocore.credentials.Credentials(self.kiln.info["access_key"], self.kiln.info["secret"])
            botocore.auth.SigV4Auth(keys, "sts", "us-east-1").add_auth(request)
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(request.url, form.encode(), dict(request.headers)), timeout=20)
            body = caught.exception.read().decode()
            self.assertEqual(caught.exception.code, 400)
            self.assertIn(f"<Code>InvalidAction</Code><Message>{named}</Message>", body)


class Gone(unittest.TestCase):
    """Keys and sessions of users and roles that are not there any more, also when there is another of the name.

    AWS's documents say that a session's rights are looked up at each use; that its keys are unknown once its user
    or role is gone is what AWS does. Deleting an access key ends no session that was begun with it."""

    ANSWERS = {
        ("sts", "get_caller_identity"): ("InvalidClientTokenId", 403),
        ("iam", "list_users"): ("InvalidClientTokenId", 403),
        ("ec2", "describe_vpcs"): ("AuthFailure", 401),
        ("ssm", "describe_parameters"): ("UnrecognizedClientException", 400),
        ("s3", "list_buckets"): ("InvalidAccessKeyId", 403),
    }

    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.iam = cls.kiln.client("iam")

    def with_keys(self, keys):
        given = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
        return {**given, **({"aws_session_token": keys["SessionToken"]} if "SessionToken" in keys else {})}

    def who(self, keys):
        return self.kiln.client("sts", **self.with_keys(keys)).get_caller_identity()["Arn"]

    def assertUnknown(self, keys):
        for (service, call), answer in self.ANSWERS.items():
            with self.subTest(service), self.assertRaises(botocore.exceptions.ClientError) as caught:
                getattr(self.kiln.client(service, **self.with_keys(keys)), call)()
            error = caught.exception.response
            self.assertEqual((error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]), answer)

    def test_of_a_user(self):
        self.iam.create_user(UserName="ada")
        keys = self.iam.create_access_key(UserName="ada")["AccessKey"]
        session = self.kiln.client("sts", **self.with_keys(keys)).get_session_token()["Credentials"]
        self.assertTrue(self.who(session).endswith("user/ada"))
        self.iam.delete_access_key(UserName="ada", AccessKeyId=keys["AccessKeyId"])
        self.assertUnknown(keys)
        self.assertTrue(self.who(session).endswith("user/ada"))
        self.iam.delete_user(UserName="ada")
        self.assertUnknown(session)
        self.iam.create_user(UserName="ada")
        self.addCleanup(self.iam.delete_user, UserName="ada")
        self.assertUnknown(session)

    def test_of_a_role(self):
        self.iam.create_user(UserName="grace")
        keys = self.iam.create_access_key(UserName="grace")["AccessKey"]
        grace = self.iam.get_user(UserName="grace")["User"]["Arn"]
        policy = lambda effect: json.dumps({"Version": "2012-10-17", "Statement": [effect]})  # noqa: E731
        trust = policy({"Effect": "Allow", "Principal": {"AWS": grace}, "Action": "sts:AssumeRole"})
        role = self.iam.create_role(RoleName="shop", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        assume = lambda: self.kiln.client("sts", **self.with_keys(keys)).assume_role(RoleArn=role, RoleSessionName="s1")["Credentials"]  # noqa: E731
        session = assume()
        # Who began it may go; the session is the role's.
        self.assertTrue(self.who(session).endswith("assumed-role/shop/s1"))
        self.iam.delete_role(RoleName="shop")
        self.assertUnknown(session)
        self.iam.create_role(RoleName="shop", AssumeRolePolicyDocument=trust)
        self.assertUnknown(session)
        session = assume()
        self.iam.delete_access_key(UserName="grace", AccessKeyId=keys["AccessKeyId"])
        self.iam.delete_user(UserName="grace")
        self.assertTrue(self.who(session).endswith("assumed-role/shop/s1"))


class OpenMode(unittest.TestCase):
    def test_any_key_does_and_twelve_digits_are_the_account(self):
        with Kiln(machines="sim", auth="open") as kiln:
            sts = kiln.client("sts", aws_access_key_id="123456789012", aws_secret_access_key="x")
            self.assertEqual(sts.get_caller_identity()["Account"], "123456789012")
            sts = kiln.client("sts", aws_access_key_id="test", aws_secret_access_key="test")
            self.assertEqual(sts.get_caller_identity()["Account"], "000000000000")
            # A role of another account is assumed and used there, as under enforced rules.
            other = {"aws_access_key_id": "210987654321", "aws_secret_access_key": "x"}
            trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}'
            role = kiln.client("iam", **other).create_role(RoleName="there", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
            given = sts.assume_role(RoleArn=role, RoleSessionName="s1")["Credentials"]
            there = {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"]}
            who = kiln.client("sts", **there, aws_session_token=given["SessionToken"]).get_caller_identity()
            self.assertEqual(who["Arn"], "arn:aws:sts::210987654321:assumed-role/there/s1")

    def test_web_pages_of_other_hosts_get_nothing(self):
        with Kiln(machines="sim", auth="open") as kiln:
            form = b"Action=GetCallerIdentity&Version=2011-06-15"
            for origin, status in (("http://localhost:8080", 200), ("http://127.0.0.1", 200), ("https://example.com", 403), ("null", 403)):
                headers = {"Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}
                request = urllib.request.Request(kiln.info["endpoint"] + "/", data=form, headers=headers)
                try:
                    with urllib.request.urlopen(request, timeout=20) as answer:
                        found = answer.status
                except urllib.error.HTTPError as error:
                    found = error.code
                self.assertEqual(found, status, origin)

    def test_open_mode_listens_on_loopback_only(self):
        import subprocess
        import tempfile

        from kiln import BINARY

        with tempfile.TemporaryDirectory() as state:
            arguments = [BINARY, "--state-dir", state, "up", "--listen", "0.0.0.0", "--port", "0", "--auth", "open", "--machines", "sim"]
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("loopback", done.stderr)


if __name__ == "__main__":
    unittest.main()
