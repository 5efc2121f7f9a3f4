"""Attacks on trust: roles that name CloudFormation without trusting it, and names that lead to another role."""
import json
import unittest

import stacks

SERVICES = "sts iam"

SERVICE = "cloudformation.amazonaws.com"
NOTE = json.dumps({"Resources": {"Note": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "a"}}}})
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def trust(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allows(service=SERVICE, action="sts:AssumeRole", **more):
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, **more}


class Trust(stacks.Stacks):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.iam = cls.kiln.client("iam")
        cls.account = cls.kiln.client("sts").get_caller_identity()["Account"]

    def role(self, name, document, path="/"):
        """The ARN of a new role that may do everything, if it can be assumed."""
        made = self.iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document)["Role"]
        self.iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": ALL}))
        return made["Arn"]

    def cannot(self, arn):
        return "ValidationError", f"Role {arn} is invalid or cannot be assumed"

    def test_a_policy_that_names_the_service_is_not_one_that_trusts_it(self):
        of_stack = f"arn:aws:cloudformation:us-east-1:{self.account}:stack"
        cases = {
            "denies": [{**allows(), "Effect": "Deny"}],
            "allows-and-denies": [allows(), {**allows(), "Effect": "Deny"}],
            "in-a-condition": [allows("ec2.amazonaws.com", Condition={"StringEquals": {"sts:ExternalId": SERVICE}})],
            "in-a-sid": [allows("ec2.amazonaws.com", Sid="cloudformationamazonawscom")],
            "longer-name": [allows(f"{SERVICE}.example.com")],
            "another-action": [allows(action="sts:TagSession")],
            "another-stack": [allows(Condition={"ArnLike": {"aws:SourceArn": f"{of_stack}/other/*"}})],
            "another-account": [allows(Condition={"StringEquals": {"aws:SourceAccount": "999999999999"}})],
            "not-before-2099": [allows(Condition={"DateGreaterThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}})],
        }
        for name, statements in cases.items():
            with self.subTest(name):
                arn = self.role(name, trust(*statements))
                call = dict(StackName=f"s-{name}", TemplateBody=NOTE, RoleARN=arn)
                self.assertEqual(self.refused(self.cfn.create_stack, **call), self.cannot(arn))
                call |= dict(ChangeSetName="c", ChangeSetType="CREATE")
                self.assertEqual(self.refused(self.cfn.create_change_set, **call), self.cannot(arn))
        good = {"ArnLike": {"aws:SourceArn": f"{of_stack}/good/*"}, "StringEquals": {"aws:SourceAccount": self.account}}
        arn = self.role("good", trust(allows(["ec2.amazonaws.com", SERVICE], Condition=good)))
        self.cfn.create_stack(StackName="good", TemplateBody=NOTE, RoleARN=arn)
        self.assertEqual(self.settled("good"), "CREATE_COMPLETE")
        self.assertEqual(self.refused(self.cfn.create_stack, StackName="bad", TemplateBody=NOTE, RoleARN=arn), self.cannot(arn))

    def test_the_path_of_a_role_is_part_of_what_is_passed(self):
        self.role("administrator", trust(allows()))
        own = self.role("developer", trust(allows()), "/developers/")
        user = self.iam.create_user(UserName="eve")["User"]
        may = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": f"arn:aws:iam::{self.account}:role/developers/*"}
        policy = trust(may, {**ALL, "Action": "cloudformation:*"})
        self.iam.put_user_policy(UserName=user["UserName"], PolicyName="may", PolicyDocument=policy)
        key = self.iam.create_access_key(UserName="eve")["AccessKey"]
        eve = self.kiln.client("cloudformation", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        false = f"arn:aws:iam::{self.account}:role/developers/administrator"
        call = dict(StackName="eve", TemplateBody=NOTE)
        self.assertEqual(self.refused(eve.create_stack, RoleARN=false, **call), self.cannot(false))
        eve.create_stack(RoleARN=own, **call)
        self.assertEqual(self.settled("eve"), "CREATE_COMPLETE")

    def test_trust_that_is_taken_back_ends_what_a_stack_may_do(self):
        arn = self.role("revoked", trust(allows()))
        self.cfn.create_stack(StackName="revoked", TemplateBody=NOTE, RoleARN=arn)
        self.assertEqual(self.settled("revoked"), "CREATE_COMPLETE")
        other = NOTE.replace('"a"', '"b"')
        change = dict(StackName="revoked", ChangeSetName="c", TemplateBody=other)
        self.cfn.create_change_set(**change)
        self.iam.update_assume_role_policy(RoleName="revoked", PolicyDocument=trust(allows(), {**allows(), "Effect": "Deny"}))
        for call in (
            lambda: self.cfn.update_stack(StackName="revoked", TemplateBody=other),
            lambda: self.cfn.create_change_set(**{**change, "ChangeSetName": "d"}),
            lambda: self.cfn.execute_change_set(StackName="revoked", ChangeSetName="c"),
            lambda: self.cfn.delete_stack(StackName="revoked"),
        ):
            self.assertEqual(self.refused(call), self.cannot(arn))
        self.iam.update_assume_role_policy(RoleName="revoked", PolicyDocument=trust(allows()))
        self.cfn.execute_change_set(StackName="revoked", ChangeSetName="c")
        self.assertEqual(self.settled("revoked"), "UPDATE_COMPLETE")
        # A role that is gone is no role, until another is given.
        self.iam.delete_role_policy(RoleName="revoked", PolicyName="all")
        self.iam.delete_role(RoleName="revoked")
        self.assertEqual(self.refused(self.cfn.delete_stack, StackName="revoked"), self.cannot(arn))
        self.cfn.delete_stack(StackName="revoked", RoleARN=self.role("heir", trust(allows())))
        self.cfn.get_waiter("stack_delete_complete").wait(StackName="revoked", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


if __name__ == "__main__":
    unittest.main()
