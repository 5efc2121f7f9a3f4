"""Secrets Manager's calls by boto3, each at least once, and secrets through a kill -9."""

import datetime
import json
import unittest

from calls import Calls
from kiln import Kiln


class SecretsManager(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.secrets = cls.kiln.client("secretsmanager")

    def test_a_secret_from_its_making_to_its_end(self):
        secrets = self.secrets
        made = secrets.create_secret(Name="prod/db", Description="The database", SecretString="one", Tags=[{"Key": "team", "Value": "shop"}])
        arn = made["ARN"]
        self.assertRegex(arn, r"^arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db-[A-Za-z0-9]{6}$")
        with self.assertRaises(secrets.exceptions.ResourceExistsException):
            secrets.create_secret(Name="prod/db", SecretString="one")
        put = secrets.put_secret_value(SecretId=arn, SecretBinary=b"\x00two")
        self.assertEqual(put["VersionStages"], ["AWSCURRENT"])
        got = secrets.get_secret_value(SecretId=arn[:-7])
        self.assertEqual((got["SecretBinary"], got["VersionId"]), (b"\x00two", put["VersionId"]))
        previous = secrets.get_secret_value(SecretId="prod/db", VersionStage="AWSPREVIOUS")
        self.assertEqual((previous["SecretString"], previous["VersionId"]), ("one", made["VersionId"]))
        third = secrets.update_secret(SecretId=arn, Description="It", SecretString="three")["VersionId"]
        secrets.update_secret_version_stage(SecretId=arn, VersionStage="AWSCURRENT", RemoveFromVersionId=third, MoveToVersionId=put["VersionId"])
        secrets.tag_resource(SecretId=arn, Tags=[{"Key": "stage", "Value": "test"}])
        secrets.untag_resource(SecretId=arn, TagKeys=["team"])
        described = secrets.describe_secret(SecretId=arn)
        self.assertEqual(described["VersionIdsToStages"], {put["VersionId"]: ["AWSCURRENT"], third: ["AWSPREVIOUS"]})
        self.assertEqual((described["Description"], described["Tags"]), ("It", [{"Key": "stage", "Value": "test"}]))
        self.assertNotIn("KmsKeyId", described)
        self.assertEqual(described["LastAccessedDate"].time(), datetime.time(0))
        versions = secrets.list_secret_version_ids(SecretId=arn, IncludeDeprecated=True)["Versions"]
        self.assertEqual([each["VersionId"] for each in versions], [made["VersionId"], put["VersionId"], third])
        self.assertEqual(versions[0]["KmsKeyIds"], ["DefaultEncryptionKey"])
        self.assertEqual(secrets.list_secrets(Filters=[{"Key": "name", "Values": ["prod/d"]}])["SecretList"][0]["ARN"], arn)
        batch = secrets.batch_get_secret_value(SecretIdList=["prod/db", "none"])
        self.assertEqual([each["SecretBinary"] for each in batch["SecretValues"]], [b"\x00two"])
        self.assertEqual([each["SecretId"] for each in batch["Errors"]], ["none"])
        gone = secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=7)["DeletionDate"]
        self.assertAlmostEqual((gone - datetime.datetime.now(datetime.timezone.utc)).total_seconds(), 7 * 86400, delta=120)
        with self.assertRaises(secrets.exceptions.InvalidRequestException):
            secrets.get_secret_value(SecretId=arn)
        secrets.restore_secret(SecretId=arn)
        secrets.get_secret_value(SecretId=arn)
        secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
        with self.assertRaises(secrets.exceptions.ResourceNotFoundException):
            secrets.describe_secret(SecretId=arn)

    def test_limits(self):
        secrets = self.secrets
        long = "x" * 65_536
        secrets.create_secret(Name="long", SecretString=long)
        self.assertEqual(secrets.get_secret_value(SecretId="long")["SecretString"], long)
        code, message = self.refusal(secrets.put_secret_value, SecretId="long", SecretString=long + "y")
        self.assertEqual(code, "ValidationException")
        self.assertNotIn("xxx", message)
        self.assertEqual(self.refused(secrets.create_secret, Name="a b"), "ValidationException")
        self.assertEqual(self.refused(secrets.put_secret_value, SecretId="long"), "InvalidRequestException")
        self.assertEqual(self.refused(secrets.delete_secret, SecretId="long", RecoveryWindowInDays=6), "InvalidParameterException")

    def test_what_is_not_built_says_so(self):
        secrets = self.secrets
        secrets.create_secret(Name="plain")
        for call, arguments in [
            (secrets.create_secret, {"Name": "r", "AddReplicaRegions": [{"Region": "eu-west-1"}]}),
            (secrets.rotate_secret, {"SecretId": "plain"}),
            (secrets.replicate_secret_to_regions, {"SecretId": "plain", "AddReplicaRegions": [{"Region": "eu-west-1"}]}),
        ]:
            code, message = self.refusal(call, **arguments)
            self.assertEqual(code, "NotImplemented", message)

    def test_a_policy(self):
        secrets = self.secrets
        arn = secrets.create_secret(Name="judged", SecretString="a")["ARN"]
        self.assertNotIn("ResourcePolicy", secrets.get_resource_policy(SecretId=arn))
        statement = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.assertTrue(secrets.validate_resource_policy(ResourcePolicy=policy)["PolicyValidationPassed"])
        secrets.put_resource_policy(SecretId=arn, ResourcePolicy=policy, BlockPublicPolicy=True)
        self.assertEqual(secrets.get_resource_policy(SecretId=arn)["ResourcePolicy"], policy)
        public = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Principal": "*"}]})
        self.assertEqual(self.refused(secrets.put_resource_policy, SecretId=arn, ResourcePolicy=public, BlockPublicPolicy=True), "PublicPolicyException")
        self.assertEqual(self.refused(secrets.put_resource_policy, SecretId=arn, ResourcePolicy="{"), "MalformedPolicyDocumentException")
        secrets.delete_resource_policy(SecretId=arn)
        self.assertNotIn("ResourcePolicy", secrets.get_resource_policy(SecretId=arn))

    def test_passwords(self):
        password = self.secrets.get_random_password(PasswordLength=64, ExcludePunctuation=True)["RandomPassword"]
        self.assertRegex(password, r"^[A-Za-z0-9]{64}$")
        self.assertEqual(self.refused(self.secrets.get_random_password, PasswordLength=3), "InvalidParameterException")


class Crash(unittest.TestCase):
    def test_what_was_acknowledged_outlives_a_kill(self):
        with Kiln(machines="sim") as kiln:
            secrets = kiln.client("secretsmanager")
            for n in range(20):
                if n == 0:
                    secrets.create_secret(Name="s", SecretString="0")
                else:
                    secrets.put_secret_value(SecretId="s", SecretString=str(n))
                kiln.kill()
                kiln.start()
                self.assertEqual(secrets.get_secret_value(SecretId="s")["SecretString"], str(n))


if __name__ == "__main__":
    unittest.main()
