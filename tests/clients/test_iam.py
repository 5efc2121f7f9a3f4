"""Users, policies and roles: what they are denied and allowed, by boto3 and the AWS CLI."""
import json
import time
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for


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

    def test_when_a_key_and_a_role_were_last_used(self):
        key = self.user("lena", policy("Allow", "sts:AssumeRole"))
        used = lambda: self.iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
        self.assertEqual(used()["UserName"], "lena")
        self.assertEqual(used()["AccessKeyLastUsed"], {"ServiceName": "N/A", "Region": "N/A"})
        role = self.role("used", self.trusting(f"arn:aws:iam::{self.account}:user/lena"), policy("Allow", "ssm:*"))
        self.assertEqual(self.iam.get_role(RoleName="used")["Role"]["RoleLastUsed"], {})

        # Refused requests are uses, too; those that are signed wrongly are not.
        self.refused(self.client("ssm", key).describe_parameters)
        last = wait_for("the use of the key", lambda: (u := used()["AccessKeyLastUsed"])["ServiceName"] == "ssm" and u, seconds=10)
        self.assertEqual(last["Region"], "us-east-1")
        self.assertAlmostEqual(last["LastUsedDate"].timestamp(), time.time(), delta=30)
        self.refused(self.client("ec2", {**key, "SecretAccessKey": "x" * 40}).describe_vpcs)
        given = self.client("sts", key).assume_role(RoleArn=role, RoleSessionName="s1")["Credentials"]
        self.client("ssm", given).describe_parameters()
        last = wait_for("the use of the role", lambda: self.iam.get_role(RoleName="used")["Role"]["RoleLastUsed"], seconds=10)
        self.assertEqual(last["Region"], "us-east-1")
        self.assertEqual(used()["AccessKeyLastUsed"]["ServiceName"], "sts")
        # Listings do not tell.
        self.assertFalse([r for r in self.iam.list_roles()["Roles"] if "RoleLastUsed" in r])

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
        foreign = {**key, "SessionToken": given["SessionToken"]}
        self.assertEqual(self.refused(self.client("sts", foreign).get_caller_identity)[0], "InvalidClientTokenId")

    def test_who_began_a_session_and_its_transitive_tags_go_on(self):
        actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
        key = self.user("sue", policy("Allow", actions))
        user = f"arn:aws:iam::{self.account}:user/sue"
        named = {"StringEquals": {"sts:SourceIdentity": ["sue@example.com"]}}
        first = self.role("first", {**self.trusting(user), "Action": actions, "Condition": named}, policy("Allow", actions))
        known = {"StringEquals": {"aws:SourceIdentity": "sue@example.com", "aws:PrincipalTag/team": "a"}}
        second = self.role("second", {**self.trusting(first), "Action": actions}, policy("Allow", "iam:ListUsers", Condition=known))
        sts, ask = self.client("sts", key), {"RoleArn": first, "RoleSessionName": "s1"}
        self.assertEqual(self.refused(sts.assume_role, **ask)[0], "AccessDenied")
        self.assertEqual(self.refused(sts.assume_role, SourceIdentity="eve@example.com", **ask)[0], "AccessDenied")
        tags = [{"Key": "team", "Value": "a"}, {"Key": "other", "Value": "b"}]
        code, _ = self.refused(sts.assume_role, SourceIdentity="sue@example.com", Tags=tags, TransitiveTagKeys=["none"], **ask)
        self.assertEqual(code, "InvalidParameterValue")
        answer = sts.assume_role(SourceIdentity="sue@example.com", Tags=tags, TransitiveTagKeys=["team"], **ask)
        self.assertEqual(answer["SourceIdentity"], "sue@example.com")

        sts, ask = self.client("sts", answer["Credentials"]), {"RoleArn": second, "RoleSessionName": "s2"}
        self.assertEqual(self.refused(sts.assume_role, SourceIdentity="eve@example.com", **ask)[0], "AccessDenied")
        again = [{"Key": "team", "Value": "z"}]
        self.assertEqual(self.refused(sts.assume_role, Tags=again, **ask)[0], "InvalidParameterValue")
        answer = sts.assume_role(**ask)
        self.assertEqual(answer["SourceIdentity"], "sue@example.com")
        self.client("iam", answer["Credentials"]).list_users()

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

    def test_the_whole_account_in_one_listing(self):
        key = "audit-"
        self.iam.create_group(GroupName=key + "group")
        self.iam.put_group_policy(GroupName=key + "group", PolicyName="in", PolicyDocument=document(policy("Allow", "s3:*")))
        self.iam.create_user(UserName=key + "user", Tags=[{"Key": "a", "Value": "b"}])
        self.iam.add_user_to_group(GroupName=key + "group", UserName=key + "user")
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        self.iam.create_role(RoleName=key + "role", AssumeRolePolicyDocument=document(trust))
        self.iam.attach_role_policy(RoleName=key + "role", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        self.iam.create_instance_profile(InstanceProfileName=key + "profile")
        self.iam.add_role_to_instance_profile(InstanceProfileName=key + "profile", RoleName=key + "role")
        own = self.iam.create_policy(PolicyName=key + "policy", PolicyDocument=document(policy("Allow", "ec2:*")))["Policy"]
        pages = self.iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2})
        found = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
        for page in pages:
            for kind, all_of_it in found.items():
                all_of_it += page[kind]
        [user] = [each for each in found["UserDetailList"] if each["UserName"] == key + "user"]
        self.assertEqual((user["GroupList"], user["Tags"]), ([key + "group"], [{"Key": "a", "Value": "b"}]))
        [group] = [each for each in found["GroupDetailList"] if each["GroupName"] == key + "group"]
        self.assertEqual(group["GroupPolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"], "s3:*")
        [role] = [each for each in found["RoleDetailList"] if each["RoleName"] == key + "role"]
        self.assertEqual(role["InstanceProfileList"][0]["InstanceProfileName"], key + "profile")
        self.assertEqual(role["AttachedManagedPolicies"][0]["PolicyName"], "ReadOnlyAccess")
        shown = {each["Arn"]: each for each in found["Policies"]}
        self.assertEqual(shown[own["Arn"]]["PolicyVersionList"][0]["Document"]["Statement"][0]["Action"], "ec2:*")
        self.assertTrue(shown["arn:aws:iam::aws:policy/ReadOnlyAccess"]["PolicyVersionList"][0]["IsDefaultVersion"])
        only = self.iam.get_account_authorization_details(Filter=["Group"])
        self.assertTrue(only["GroupDetailList"])
        self.assertEqual((only["UserDetailList"], only["Policies"]), ([], []))

    def test_what_cannot_be_made_is_not_there(self):
        self.iam.create_user(UserName="plain")
        for call in ("list_mfa_devices", "list_ssh_public_keys", "list_signing_certificates", "list_service_specific_credentials"):
            answer = getattr(self.iam, call)(UserName="plain")
            self.assertEqual([], next(value for value in answer.values() if isinstance(value, list)), call)
            self.assertEqual(self.refused(getattr(self.iam, call), UserName="nobody")[0], "NoSuchEntity")
        code, message = self.refused(self.iam.get_login_profile, UserName="plain")
        self.assertEqual((code, message), ("NoSuchEntity", "Login Profile for User plain cannot be found."))
        self.assertEqual(self.refused(self.iam.create_login_profile, UserName="plain", Password="x" * 20)[0], "NotImplemented")
        known, unknown = (f"arn:aws:iam::aws:policy/{name}" for name in ("AmazonDynamoDBFullAccess", "AmazonNowhereFullAccess"))
        self.iam.attach_user_policy(UserName="plain", PolicyArn=known)
        code, message = self.refused(self.iam.attach_user_policy, UserName="plain", PolicyArn=unknown)
        self.assertEqual((code, message), ("NoSuchEntity", f"Policy {unknown} does not exist or is not attachable."))

    def test_actions_without_a_resource_are_asked_by_what_their_service_asks(self):
        everything = f"arn:aws:cloudformation:us-east-1:{self.account}:stack/*/*"
        key = self.user(
            "lou",
            policy("Allow", "s3:ListAllMyBuckets", "arn:aws:s3:::*"),
            policy("Allow", ["cloudformation:ListStacks", "cloudformation:DescribeStacks"], everything),
            # Neither of these has a resource that an ARN of theirs means.
            policy("Allow", "ec2:DescribeInstances", "arn:aws:ec2:*:*:instance/*"),
            policy("Allow", "ssm:DescribeParameters", f"arn:aws:ssm:us-east-1:{self.account}:*"),
        )
        self.client("s3", key).list_buckets()
        self.client("cloudformation", key).list_stacks()
        self.client("cloudformation", key).describe_stacks()
        self.assertEqual(self.refused(self.client("ec2", key).describe_instances)[0], "UnauthorizedOperation")
        self.assertEqual(self.refused(self.client("ssm", key).describe_parameters)[0], "AccessDeniedException")
        one = self.user("luc", policy("Allow", "s3:ListAllMyBuckets", ["arn:aws:s3:::one", "arn:aws:s3:::b*"]))
        self.assertEqual(self.refused(self.client("s3", one).list_buckets)[0], "AccessDenied")
        shut = self.user("lux", policy("Allow", "s3:*"), policy("Deny", "s3:ListAllMyBuckets", "arn:aws:s3:::*"))
        code, message = self.refused(self.client("s3", shut).list_buckets)
        self.assertEqual(code, "AccessDenied")

    def test_policies_are_refused_as_aws_refuses_them(self):
        def managed(text):
            return self.refused(self.iam.create_policy, PolicyName="bad", PolicyDocument=text)

        one = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
        old = ("MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater.")
        self.assertEqual(managed(json.dumps({"Statement": one})), old)
        self.assertEqual(managed(json.dumps({"Version": "2008-10-17", "Statement": one})), old)
        self.assertEqual(managed("no json"), ("MalformedPolicyDocument", "Syntax errors in policy."))
        region = document({**one, "Resource": "arn:aws:s3:us-east-1::b"})
        self.assertEqual(managed(region)[1], "Resource arn:aws:s3:us-east-1::b can not contain region information.")
        colons = document({**one, "Action": "s3:List:Bucket"})
        self.assertEqual(managed(colons)[1], "Actions/Condition can contain only one colon.")
        made = self.iam.create_policy(PolicyName="good", PolicyDocument=document(one))["Policy"]["Arn"]
        refused = self.refused(self.iam.create_policy_version, PolicyArn=made, PolicyDocument=json.dumps({"Statement": one}))
        self.assertEqual(refused, old)
        # An inline policy may be an old one, and so may a trust policy.
        self.iam.create_user(UserName="oldie")
        self.iam.put_user_policy(UserName="oldie", PolicyName="p", PolicyDocument=json.dumps({"Statement": one}))
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com", "AWS": []}, "Action": "sts:AssumeRole"}
        self.iam.create_role(RoleName="oldie", AssumeRolePolicyDocument=json.dumps({"Statement": trust}))
        for text, expected in (
            ("no json", "This policy contains invalid Json"),
            (document({**trust, "Action": ["sts:AssumeRole", "sts:TagSessions"]}), "AssumeRole policy may only specify STS AssumeRole actions."),
            (document({**trust, "Resource": "*"}), "Has prohibited field Resource"),
            (document({**trust, "Principal": {"AWS": []}}), "Missing required field Principal cannot be empty!"),
        ):
            refused = self.refused(self.iam.update_assume_role_policy, RoleName="oldie", PolicyDocument=text)
            self.assertEqual(refused, ("MalformedPolicyDocument", expected))

    def test_a_role_is_passed_to_an_instance_profile(self):
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        self.iam.create_role(RoleName="strong", AssumeRolePolicyDocument=document(trust))
        self.iam.create_instance_profile(InstanceProfileName="holder")
        iam = self.client("iam", self.user("passer", policy("Allow", "iam:AddRoleToInstanceProfile")))
        ask = {"InstanceProfileName": "holder", "RoleName": "strong"}
        code, message = self.refused(iam.add_role_to_instance_profile, **ask)
        self.assertEqual((code, "iam:PassRole" in message), ("AccessDenied", True), message)
        self.iam.put_user_policy(
            UserName="passer",
            PolicyName="pass",
            PolicyDocument=document(
                policy("Allow", "iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})
            ),
        )
        iam.add_role_to_instance_profile(**ask)

    def test_a_stack_acts_with_the_role_it_was_given(self):
        trust = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
        self.iam.create_role(RoleName="builder", AssumeRolePolicyDocument=document(trust))
        own = f"arn:aws:ssm:*:{self.account}:parameter/by-role/*"
        self.iam.put_role_policy(RoleName="builder", PolicyName="p", PolicyDocument=document(policy("Allow", "ssm:*", own)))
        cloudformation = self.kiln.client("cloudformation")
        for name, status in (("/by-role/a", "CREATE_COMPLETE"), ("/elsewhere/a", "ROLLBACK_COMPLETE")):
            properties = {"Type": "String", "Value": "x", "Name": name}
            stack = name.strip("/").replace("/", "-")
            cloudformation.create_stack(
                StackName=stack,
                RoleARN=f"arn:aws:iam::{self.account}:role/builder",
                TemplateBody=json.dumps({"Resources": {"A": {"Type": "AWS::SSM::Parameter", "Properties": properties}}}),
            )
            seen = lambda: cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]  # noqa: B023, E731
            wait_for(status, lambda: seen() == status)  # noqa: B023

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
