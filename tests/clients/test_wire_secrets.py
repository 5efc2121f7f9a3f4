"""No secret in the log, in what `kiln` tells, or in the database where it need not be."""
import json
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for

SECRET = "hunter2-very-secret"


class Secrets(unittest.TestCase):
    def tried(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError):
            call(**arguments)

    def test_secrets_are_told_to_nobody(self):
        with Kiln(machines="sim", environment={"KILN_LOG": "trace"}) as kiln:
            secrets = {"root": kiln.info["secret"], "value": SECRET}
            self.keys(kiln, secrets)
            self.parameters(kiln.client("ssm"))
            self.stack(kiln.client("cloudformation"))
            self.machine(kiln, secrets)
            told = {
                "the log": kiln.log(),
                "kiln logs": kiln.cli("logs").stdout,
                "kiln status": kiln.cli("status").stdout,
            }
            self.assertIn("PutParameter", told["the log"])
            self.assertIn("PutParameter", told["kiln logs"])
            for name, secret in secrets.items():
                for where, text in told.items():
                    lines = [line[:300] for line in text.splitlines() if secret in line]
                    self.assertEqual(lines, [], f"{name} in {where}")
            database = b"".join(file.read_bytes() for file in kiln.state.glob("kiln.db*"))
            for name in ("root", "value", "key pair"):
                self.assertNotIn(secrets[name].encode(), database, name)
            for file in kiln.state.iterdir():
                if file.is_file() and file.name != "kiln.log":
                    self.assertEqual(file.stat().st_mode & 0o077, 0, file)

    def keys(self, kiln, secrets):
        iam = kiln.client("iam")
        iam.create_user(UserName="u")
        key = iam.create_access_key(UserName="u")["AccessKey"]
        long_term = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        session = kiln.client("sts", **long_term).get_session_token()["Credentials"]
        secrets.update(user=key["SecretAccessKey"], session=session["SecretAccessKey"], token=session["SessionToken"])
        short = {"aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"]}
        kiln.client("sts", **short, aws_session_token=session["SessionToken"]).get_caller_identity()
        self.tried(kiln.client("ec2", **short, aws_session_token=session["SessionToken"]).describe_vpcs)
        self.tried(iam.create_login_profile, UserName="u", Password=SECRET)

    def parameters(self, ssm):
        secret = {"Name": "/s", "Type": "SecureString", "Value": SECRET}
        ssm.put_parameter(**secret)
        ssm.get_parameter(Name="/s", WithDecryption=True)
        for more in (
            {},
            {"AllowedPattern": "[0-9]+"},
            {"Value": SECRET * 1000},
            {"Type": "Secure"},
            {"DataType": "aws:ec2:image"},
            {"Name": "/s s"},
        ):
            self.tried(ssm.put_parameter, **{**secret, **more})

    def stack(self, cloudformation):
        template = {
            "Parameters": {"P": {"Type": "String", "NoEcho": True}},
            "Resources": {"A": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "SecureString", "Value": {"Ref": "P"}}}},
        }
        parameters = [{"ParameterKey": "P", "ParameterValue": SECRET}]
        try:
            cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(template), Parameters=parameters)
        except botocore.exceptions.ClientError:
            return
        ended = ("CREATE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED")
        state = lambda: cloudformation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] in ended  # noqa: E731
        wait_for("the stack's end", state)
        events = cloudformation.describe_stack_events(StackName="s")["StackEvents"]
        self.assertNotIn(SECRET, json.dumps(events, default=str))

    def machine(self, kiln, secrets):
        alias = "/aws/service/debian/release/12/latest/amd64"
        image = wait_for("the base image", lambda: kiln.client("ssm").get_parameter(Name=alias))["Parameter"]["Value"]
        ec2 = kiln.client("ec2")
        run = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        ec2.run_instances(**run, UserData=f"#!/bin/sh\necho {SECRET}")
        self.tried(ec2.run_instances, **run, UserData=SECRET * 2000)
        secrets["key pair"] = ec2.create_key_pair(KeyName="k")["KeyMaterial"].splitlines()[3]


if __name__ == "__main__":
    unittest.main()
