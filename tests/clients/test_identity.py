"""Who calls, and what a wrong signature is answered: the AWS CLI and boto3 against a real kiln."""
import datetime
import unittest
from unittest import mock

import botocore.exceptions

from kiln import Kiln


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
        import botocore.auth

        past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=20)
        with mock.patch("botocore.auth.get_current_datetime", return_value=past.replace(tzinfo=None)):
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
            self.kiln.client("sqs").list_queues()
        self.assertIn("AmazonSQS", str(caught.exception))


class OpenMode(unittest.TestCase):
    def test_any_key_does_and_twelve_digits_are_the_account(self):
        with Kiln(machines="sim", auth="open") as kiln:
            sts = kiln.client("sts", aws_access_key_id="123456789012", aws_secret_access_key="x")
            self.assertEqual(sts.get_caller_identity()["Account"], "123456789012")
            sts = kiln.client("sts", aws_access_key_id="test", aws_secret_access_key="test")
            self.assertEqual(sts.get_caller_identity()["Account"], "000000000000")

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
