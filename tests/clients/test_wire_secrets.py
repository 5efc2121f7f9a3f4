"""No secret in the log, in what `kiln` tells, or in the database where it need not be."""
import json
import time
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
            self.stored(kiln.client("secretsmanager"), kiln.client("cloudformation"))
            self.message(kiln.client("sqs"))
            self.stack(kiln.client("cloudformation"))
            self.machine(kiln, secrets)
            told = {
                "the log": kiln.log(),
                "kiln logs": kiln.cli("logs").stdout,
                "kiln status": kiln.cli("status").stdout,
                "the trail": self.trail(kiln.client("cloudtrail")),
            }
            self.assertIn("PutParameter", told["the log"])
            self.assertIn("PutParameter", told["kiln logs"])
            for name in ("PutParameter", "CreateSecret", "PutSecretValue", "CreateAccessKey", "CreateStack", "RunInstances", "CreateKeyPair"):
                self.assertIn(f'"{name}"', told["the trail"])
            for name, secret in secrets.items():
                for where, text in told.items():
                    lines = [line[:300] for line in text.splitlines() if secret in line]
                    self.assertEqual(lines, [], f"{name} in {where}")
            disk = {name: b"".join(file.read_bytes() for file in kiln.state.glob(name)) for name in ("kiln.db*", "journal/*", "sqs/*", "trail/*")}
            for name in ("root", "value", "user", "session", "token", "key pair"):
                for where, found in disk.items():
                    self.assertNotIn(secrets[name].encode(), found, f"{name} in {where}")
            self.assertIn(b"seen-by-all", disk["sqs/*"], "a queue that asks for no encryption has none")
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

    def stored(self, secrets, cloudformation):
        secrets.create_secret(Name="s", SecretString=SECRET)
        secrets.put_secret_value(SecretId="s", SecretBinary=SECRET.encode())
        secrets.update_secret(SecretId="s", SecretString=SECRET + "!")
        self.tried(secrets.put_secret_value, SecretId="s", SecretString=SECRET * 10_000)
        self.tried(secrets.create_secret, Name="s", SecretString=SECRET)
        self.tried(secrets.create_secret, Name="s s", SecretString=SECRET)
        secrets.batch_get_secret_value(SecretIdList=["s", "none"])
        refused = {"Type": "String", "Value": "{{resolve:secretsmanager:s}}", "AllowedPattern": "^[0-9]+$"}
        body = {"Resources": {"A": {"Type": "AWS::SSM::Parameter", "Properties": refused}}}
        cloudformation.create_stack(StackName="referring", TemplateBody=json.dumps(body))
        state = lambda: cloudformation.describe_stacks(StackName="referring")["Stacks"][0]["StackStatus"]  # noqa: E731
        ended = wait_for("the stack's end", lambda: state() in ("CREATE_COMPLETE", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED") and state())
        events = json.dumps(cloudformation.describe_stack_events(StackName="referring"), default=str)
        self.assertNotIn(SECRET, events)
        self.assertEqual(ended, "ROLLBACK_COMPLETE", events)

    def message(self, sqs):
        closed = sqs.create_queue(QueueName="closed")["QueueUrl"]
        sqs.send_message(QueueUrl=closed, MessageBody=SECRET)
        sqs.send_message(QueueUrl=closed, MessageBody="x", MessageAttributes={"a": {"DataType": "String", "StringValue": SECRET}})
        got = sqs.receive_message(QueueUrl=closed)["Messages"][0]
        self.assertEqual(got["Body"], SECRET)
        seen = sqs.create_queue(QueueName="seen", Attributes={"SqsManagedSseEnabled": "false"})["QueueUrl"]
        sqs.send_message(QueueUrl=seen, MessageBody="seen-by-all")

    def trail(self, trail):
        """All that CloudTrail tells. Two lookups a second are let in."""
        found, token = [], {}
        while token is not None:
            try:
                page = trail.lookup_events(**token)
            except botocore.exceptions.ClientError:
                time.sleep(0.3)
                continue
            found += [event["CloudTrailEvent"] for event in page["Events"]]
            token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
        return "\n".join(found)

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


class RootKey(unittest.TestCase):
    def test_a_lost_root_key_is_not_made_anew(self):
        with Kiln(machines="sim") as kiln:
            kiln.client("secretsmanager").create_secret(Name="s", SecretString=SECRET)
            kiln.kill()
            file = kiln.state / "root.key"
            for begin, become in ((f"{file} is missing", None), (f"{file} is not the root key", bytes(32))):
                kept = file.read_bytes()
                file.unlink()
                if become:
                    file.write_bytes(become)
                with self.assertRaises(AssertionError) as caught:
                    kiln.start()
                self.assertIn(begin, str(caught.exception))
                self.assertIn("put", str(caught.exception))
                self.assertEqual(file.read_bytes() if file.exists() else None, become)
                file.write_bytes(kept)
            kiln.start()
            self.assertEqual(kiln.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"], SECRET)


if __name__ == "__main__":
    unittest.main()
