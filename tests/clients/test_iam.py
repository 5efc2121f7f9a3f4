"""Users, policies and roles: what they are denied and allowed, by boto3 and the AWS CLI."""
import json
import time
import unittest

import botocore.exceptions

from kiln import Kiln


def policy(effect, action, resource="*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Rights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.iam = cls.kiln.client("iam")
        cls.account = cls.kiln.info["account"]

    def refused(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        return error["Code"], error["Message"]

    def user(self, name, *statements):
        """A new user's access key."""
        self.iam.create_user(UserName=name)
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        return self.iam.create_access_key(UserName=name)["AccessKey"]

    def client(self, service, key):
        more = {"aws_session_token": key["SessionToken"]} if "SessionToken" in key else {}
        return self.kiln.client(
            service, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"], **more
        )

    def role(self, name, trust, *statements):
        self.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        return f"arn:aws:iam::{self.account}:role/{name}"

    def trusting(self, who, **more):
        return {"Effect": "Allow", "Principal": {"AWS": who}, "Action": ["sts:AssumeRole", "sts:TagSession"], **more}

    def test_a_user_is_denied_until_a_policy_allows(self):
        key = self.user("ann")
        arn = f"arn:aws:iam::{self.account}:user/ann"
        self.assertEqual(self.client("sts", key).get_caller_identity()["Arn"], arn)
        iam = self.client("iam", key)
        code, message = self.refused(iam.get_user)
        self.assertEqual(code, "AccessDenied")
        self.assertEqual(
            message,
            f"User: {arn} is not authorized to perform: iam:GetUser on resource: {arn} "
            "because no identity-based policy allows the iam:GetUser action",
        )
        made = self.iam.create_policy(PolicyName="self", PolicyDocument=document(policy("Allow", "iam:Get*", arn)))
        self.iam.attach_user_policy(UserName="ann", PolicyArn=made["Policy"]["Arn"])
        self.assertEqual(iam.get_user()["User"]["UserName"], "ann")
        self.iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
        self.assertEqual(self.refused(iam.get_user)[0], "InvalidClientTokenId")

    def test_services_deny_in_their_own_form(self):
        key = self.user("mallory", policy("Deny", "*"))
        code, message = self.refused(self.client("ec2", key).describe_instances)
        self.assertEqual(code, "UnauthorizedOperation")
        self.assertTrue(message.startswith("You are not authorized to perform this operation. User: arn:"), message)
        self.assertIn("with an explicit deny in an identity-based policy", message)
        self.assertEqual(self.refused(self.client("ssm", key).describe_parameters)[0], "AccessDeniedException")

    def test_a_role_is_assumed_by_those_it_trusts(self):
        key = self.user("olga")
        arn = f"arn:aws:iam::{self.account}:user/olga"
        condition = {"StringEquals": {"sts:ExternalId": "42"}}
        role = self.role("deploy", self.trusting(arn, Condition=condition), policy("Allow", "iam:List*"))
        sts = self.client("sts", key)
        ask = {"RoleArn": role, "RoleSessionName": "s1"}
        code, message = self.refused(sts.assume_role, **ask)
        self.assertEqual(code, "AccessDenied")
        self.assertIn(f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {role}", message)

        answer = sts.assume_role(ExternalId="42", DurationSeconds=900, **ask)
        session = f"arn:aws:sts::{self.account}:assumed-role/deploy/s1"
        self.assertEqual(answer["AssumedRoleUser"]["Arn"], session)
        given = answer["Credentials"]
        self.assertTrue(given["AccessKeyId"].startswith("ASIA"))
        self.assertAlmostEqual(given["Expiration"].timestamp(), time.time() + 900, delta=30)
        who = self.client("sts", given).get_caller_identity()
        self.assertEqual(who["Arn"], session)
        self.assertTrue(who["UserId"].endswith(":s1"))
        self.client("iam", given).list_roles()
        self.assertEqual(self.refused(self.client("iam", given).create_user, UserName="x")[0], "AccessDenied")

        limited = sts.assume_role(ExternalId="42", Policy=document(policy("Allow", "iam:ListUsers")), **ask)
        self.client("iam", limited["Credentials"]).list_users()
        self.assertEqual(self.refused(self.client("iam", limited["Credentials"]).list_roles)[0], "AccessDenied")

        code, message = self.refused(sts.assume_role, ExternalId="42", DurationSeconds=7200, **ask)
        self.assertEqual((code, "MaxSessionDuration" in message), ("ValidationError", True))
        forged = {**given, "SessionToken": "forged"}
        self.assertEqual(self.refused(self.client("sts", forged).get_caller_identity)[0], "InvalidClientTokenId")

    def test_root_may_not_assume_roles(self):
        role = self.role("idle", self.trusting(self.account), policy("Allow", "*"))
        code, message = self.refused(self.kiln.client("sts").assume_role, RoleArn=role, RoleSessionName="s1")
        self.assertEqual((code, message), ("AccessDenied", "Roles may not be assumed by root accounts."))

    def test_session_tokens_of_a_user(self):
        key = self.user("tina", policy("Allow", "*"))
        given = self.client("sts", key).get_session_token()["Credentials"]
        who = self.client("sts", given).get_caller_identity()
        self.assertEqual(who["Arn"], f"arn:aws:iam::{self.account}:user/tina")
        self.assertEqual(self.refused(self.client("iam", given).list_users)[0], "InvalidClientTokenId")
        self.assertEqual(self.refused(self.client("sts", given).get_session_token)[0], "AccessDenied")

    def test_the_cli_pages_through_everything(self):
        for n in range(5):
            self.iam.create_group(GroupName=f"page-{n}", Path="/pages/")
        listed = self.kiln.aws("iam", "list-groups", "--path-prefix", "/pages/", "--page-size", "2")
        self.assertEqual([g["GroupName"] for g in listed["Groups"]], [f"page-{n}" for n in range(5)])

    def test_everything_is_there_after_kill(self):
        with Kiln(machines="sim") as kiln:
            iam = kiln.client("iam")
            iam.create_user(UserName="survivor")
            key = iam.create_access_key(UserName="survivor")["AccessKey"]
            kiln.kill()
            kiln.start()
            sts = kiln.client(
                "sts", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
            )
            self.assertTrue(sts.get_caller_identity()["Arn"].endswith(":user/survivor"))


if __name__ == "__main__":
    unittest.main()
