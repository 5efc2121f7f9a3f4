"""Templates that lie in S3: by URL, as `package` and `deploy --s3-bucket` put them there."""
import json
import pathlib
import tempfile
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for

NOTE = "Resources: {N: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: %s}}}"


class Nested(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.cfn = cls.kiln.client("cloudformation")
        cls.ssm = cls.kiln.client("ssm")
        cls.s3 = cls.kiln.client("s3")
        cls.s3.create_bucket(Bucket="templates")
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def file(self, name, body):
        path = self.folder / name
        path.write_text(body)
        return str(path)

    def put(self, key, body):
        """Puts a template into the bucket; its URL."""
        self.s3.put_object(Bucket="templates", Key=key, Body=body.encode())
        return f"https://templates.s3.us-east-1.amazonaws.com/{key}"

    def refused(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        return error["Code"], error["Message"]

    def settled(self, name):
        def status():
            status = self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            return None if status.endswith("IN_PROGRESS") else status

        return wait_for(f"{name} to settle", status)

    def test_a_long_template_is_deployed_by_way_of_a_bucket(self):
        long = self.file("long.yaml", NOTE % "long" + "\n#" + "x" * 60_000)
        done = self.kiln.aws("cloudformation", "deploy", "--template-file", long, "--stack-name", "long", check=False)
        self.assertIn("--s3-bucket", done.stderr)
        for expected in ["Successfully created", "No changes to deploy"]:
            done = self.kiln.aws("cloudformation", "deploy", "--template-file", long, "--stack-name", "long", "--s3-bucket", "templates", "--s3-prefix", "long", "--no-fail-on-empty-changeset", check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(expected, done.stdout)
        self.assertEqual(len(self.s3.list_objects_v2(Bucket="templates", Prefix="long/")["Contents"]), 1)
        name = self.cfn.describe_stack_resource(StackName="long", LogicalResourceId="N")["StackResourceDetail"]["PhysicalResourceId"]
        self.assertEqual(self.ssm.get_parameter(Name=name)["Parameter"]["Value"], "long")

    def test_a_template_is_read_with_the_rights_of_who_asks(self):
        url = self.put("net.yaml", NOTE % "x")
        self.assertEqual(self.cfn.validate_template(TemplateURL=url)["Parameters"], [])
        self.assertEqual(self.cfn.get_template_summary(TemplateURL=f"{self.kiln.info['endpoint']}/templates/net.yaml")["ResourceTypes"], ["AWS::SSM::Parameter"])
        iam = self.kiln.client("iam")
        iam.create_user(UserName="ann")
        key = iam.create_access_key(UserName="ann")["AccessKey"]
        mine = self.kiln.client("cloudformation", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])

        def allow(*actions):
            statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
            iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}))

        allow("cloudformation:*")
        code, message = self.refused(mine.validate_template, TemplateURL=url)
        self.assertEqual(code, "ValidationError")
        self.assertRegex(message, r"(?s)^S3 error: .*s3:GetObject.*\nFor more information check http")
        allow("cloudformation:*", "s3:GetObject")
        self.assertEqual(mine.validate_template(TemplateURL=url)["Parameters"], [])
        code, message = self.refused(mine.create_stack, StackName="x", TemplateURL="https://s3.amazonaws.com/templates/none")
        self.assertEqual(code, "ValidationError")


if __name__ == "__main__":
    unittest.main()
