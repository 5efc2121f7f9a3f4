"""Secrets in stacks: made by them with random passwords, and referred to, with their values in the thing alone."""
import json
import unittest

from calls import Calls
from kiln import wait_for

VALUE = "hunter2-very-secret"
ENDED = ("CREATE_COMPLETE", "ROLLBACK_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "DELETE_COMPLETE")


class Stacks(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cfn, cls.secrets, cls.ssm = (cls.kiln.client(name) for name in ("cloudformation", "secretsmanager", "ssm"))
        cls.secrets.create_secret(Name="db", SecretString=json.dumps({"user": "ada", "password": VALUE, "port": 5432}))

    def ended(self, name):
        found = wait_for("the stack", lambda: next(stack for stack in self.cfn.describe_stacks(StackName=name)["Stacks"] if stack["StackStatus"] in ENDED) if self.status(name) in ENDED else None)
        return found["StackStatus"]

    def status(self, name):
        return self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]

    def create(self, name, resources, **more):
        self.cfn.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources, **more}))
        return self.ended(name)

    def told(self, name):
        """All that CloudFormation tells of a stack."""
        events = self.cfn.describe_stack_events(StackName=name)["StackEvents"]
        resources = self.cfn.describe_stack_resources(StackName=name)["StackResources"]
        template = self.cfn.get_template(StackName=name)
        return json.dumps([events, resources, template, self.cfn.describe_stacks(StackName=name)], default=str)

    def note(self, value, **more):
        return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **more}}

    def value(self, name):
        return self.ssm.get_parameter(Name=name)["Parameter"]["Value"]

    def test_every_form_of_a_reference(self):
        arn = self.secrets.describe_secret(SecretId="db")["ARN"]
        forms = {
            "key": ("{{resolve:secretsmanager:db:SecretString:password}}", VALUE),
            "arn": ("{{resolve:secretsmanager:" + arn + ":SecretString:user}}", "ada"),
            "stage": ("u={{resolve:secretsmanager:db:SecretString:user:AWSCURRENT}}!", "u=ada!"),
            "number": ("{{resolve:secretsmanager:db:SecretString:port}}", "5432"),
            "whole": ("{{resolve:secretsmanager:db}}", None),
        }
        resources = {name: self.note(text, Name=f"/form/{name}") for name, (text, _) in forms.items()}
        self.assertEqual(self.create("forms", resources), "CREATE_COMPLETE", self.told("forms"))
        for name, (_, expected) in forms.items():
            if expected:
                self.assertEqual(self.value(f"/form/{name}"), expected)
        self.assertEqual(json.loads(self.value("/form/whole"))["password"], VALUE)
        self.assertNotIn(VALUE, self.told("forms"))
        self.assertIn("{{resolve:secretsmanager:db:SecretString:password}}", self.told("forms"))

    def test_a_change_of_the_secret_waits_for_a_change_of_the_resource(self):
        self.secrets.create_secret(Name="turn", SecretString="one")
        body = lambda text: json.dumps({"Resources": {"N": self.note("{{resolve:secretsmanager:turn}}", Name="/turn", Description=text)}})  # noqa: E731
        self.cfn.create_stack(StackName="turn", TemplateBody=body("a"))
        self.assertEqual(self.ended("turn"), "CREATE_COMPLETE")
        self.secrets.put_secret_value(SecretId="turn", SecretString="two-and-more")
        code, message = self.refusal(self.cfn.update_stack, StackName="turn", TemplateBody=body("a"))
        self.assertIn("No updates are to be performed", message, code)
        made = self.cfn.create_change_set(StackName="turn", ChangeSetName="c", TemplateBody=body("b"))["Id"]
        wait_for("the change set", lambda: self.cfn.describe_change_set(ChangeSetName=made)["Status"] == "CREATE_COMPLETE")
        shown = json.dumps(self.cfn.describe_change_set(ChangeSetName=made, IncludePropertyValues=True), default=str)
        self.assertNotIn("two-and-more", shown)
        self.cfn.execute_change_set(ChangeSetName=made)
        wait_for("the update", lambda: self.status("turn") == "UPDATE_COMPLETE")
        self.assertEqual(self.value("/turn"), "two-and-more")

    def test_a_reference_to_nothing_fails_its_resource_and_a_refusal_does_not_quote_the_value(self):
        self.assertEqual(self.create("nothing", {"N": self.note("{{resolve:secretsmanager:none}}")}), "ROLLBACK_COMPLETE")
        self.assertIn("can't find the specified secret", self.told("nothing"))
        self.assertEqual(self.create("nokey", {"N": self.note("{{resolve:secretsmanager:db:SecretString:none}}")}), "ROLLBACK_COMPLETE")
        self.assertIn("JSONKey", self.told("nokey"))
        refused = {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "{{resolve:secretsmanager:db:SecretString:password}} no"}}}
        self.assertEqual(self.create("quoted", refused), "ROLLBACK_COMPLETE")
        self.assertNotIn(VALUE, self.told("quoted"))

    def test_secure_strings_where_they_would_be_seen_are_refused(self):
        body = json.dumps({"Resources": {"N": self.note("{{resolve:ssm-secure:/s:1}}")}})
        code, message = self.refusal(self.cfn.create_stack, StackName="secure", TemplateBody=body)
        self.assertEqual(code, "ValidationError")
        self.assertIn("SSM Secure reference is not supported in: [AWS::SSM::Parameter/Properties/Value]", message)

    def test_a_random_password_with_a_policy(self):
        generate = {"SecretStringTemplate": '{"user": "ada"}', "GenerateStringKey": "password", "PasswordLength": 20, "ExcludePunctuation": True}
        statement = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
        policy = {"SecretId": {"Ref": "S"}, "ResourcePolicy": {"Version": "2012-10-17", "Statement": [statement]}, "BlockPublicPolicy": True}
        resources = {
            "S": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "made", "GenerateSecretString": generate}},
            "P": {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": policy},
            "N": self.note({"Fn::Sub": "{{resolve:secretsmanager:${S}:SecretString:password}}"}, Name="/made"),
        }
        self.assertEqual(self.create("made", resources), "CREATE_COMPLETE", self.told("made"))
        value = json.loads(self.secrets.get_secret_value(SecretId="made")["SecretString"])
        self.assertEqual(value["user"], "ada")
        self.assertRegex(value["password"], "^[A-Za-z0-9]{20}$")
        self.assertEqual(self.value("/made"), value["password"])
        self.assertNotIn(value["password"], self.told("made"))
        self.assertIn("111122223333", self.secrets.get_resource_policy(SecretId="made")["ResourcePolicy"])
        self.cfn.delete_stack(StackName="made")
        wait_for("the secret's end", lambda: "made" not in [each["Name"] for each in self.secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]])


if __name__ == "__main__":
    unittest.main()
