"""IAM's calls by boto3, each at least once, through the lives of a user, a group, a role, a policy and a profile."""
import json

from calls import Calls

ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]})
DENY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}]})
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def trust(service):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Iam(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.iam = cls.kiln.client("iam")
        cls.account = cls.kiln.info["account"]

    def test_a_user(self):
        iam = self.iam
        made = iam.create_user(UserName="ann", Path="/team/", Tags=[{"Key": "a", "Value": "1"}])["User"]
        self.assertEqual(made["Arn"], f"arn:aws:iam::{self.account}:user/team/ann")
        self.assertEqual(self.refused(iam.create_user, UserName="ANN"), "EntityAlreadyExists")
        iam.tag_user(UserName="ann", Tags=[{"Key": "b", "Value": "2"}])
        iam.untag_user(UserName="ann", TagKeys=["a"])
        self.assertEqual(iam.list_user_tags(UserName="ann")["Tags"], [{"Key": "b", "Value": "2"}])

        iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=ALLOW)
        self.assertEqual(iam.list_user_policies(UserName="ann")["PolicyNames"], ["p"])
        shown = iam.get_user_policy(UserName="ann", PolicyName="p")
        self.assertEqual(shown["PolicyDocument"], json.loads(ALLOW))
        iam.attach_user_policy(UserName="ann", PolicyArn=READ_ONLY)
        attached = iam.list_attached_user_policies(UserName="ann")["AttachedPolicies"]
        self.assertEqual([each["PolicyName"] for each in attached], ["ReadOnlyAccess"])
        iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=READ_ONLY)
        self.assertEqual(iam.get_user(UserName="ann")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"], READ_ONLY)
        answer = iam.simulate_principal_policy(PolicySourceArn=made["Arn"], ActionNames=["ec2:RunInstances", "ec2:DescribeVpcs", "s3:PutObject"])
        decisions = {each["EvalActionName"]: each["EvalDecision"] for each in answer["EvaluationResults"]}
        # The boundary lets only reading through.
        self.assertEqual(decisions, {"ec2:RunInstances": "implicitDeny", "ec2:DescribeVpcs": "allowed", "s3:PutObject": "implicitDeny"})
        iam.delete_user_permissions_boundary(UserName="ann")
        self.assertNotIn("PermissionsBoundary", iam.get_user(UserName="ann")["User"])

        key = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
        self.assertEqual([each["AccessKeyId"] for each in iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]], [key])
        iam.update_user(UserName="ann", NewUserName="anna", NewPath="/other/")
        self.assertEqual(iam.get_user(UserName="anna")["User"]["UserId"], made["UserId"])
        self.assertEqual(self.refused(iam.get_user, UserName="ann"), "NoSuchEntity")
        self.assertEqual(iam.get_access_key_last_used(AccessKeyId=key)["UserName"], "anna")
        for page in [iam.list_mfa_devices(UserName="anna")["MFADevices"], iam.list_ssh_public_keys(UserName="anna")["SSHPublicKeys"],
                     iam.list_signing_certificates(UserName="anna")["Certificates"],
                     iam.list_service_specific_credentials(UserName="anna")["ServiceSpecificCredentials"]]:
            self.assertEqual(page, [])
        self.assertEqual(self.refused(iam.get_login_profile, UserName="anna"), "NoSuchEntity")
        self.assertEqual(self.refused(iam.delete_login_profile, UserName="anna"), "NoSuchEntity")

        # It goes once nothing hangs on it.
        removals = [
            (iam.delete_access_key, {"AccessKeyId": key}),
            (iam.delete_user_policy, {"PolicyName": "p"}),
            (iam.detach_user_policy, {"PolicyArn": READ_ONLY}),
        ]
        for call, arguments in removals:
            self.assertEqual(self.refused(iam.delete_user, UserName="anna"), "DeleteConflict")
            call(UserName="anna", **arguments)
        iam.delete_user(UserName="anna")
        self.assertEqual(self.refused(iam.delete_user, UserName="anna"), "NoSuchEntity")

    def test_a_group(self):
        iam = self.iam
        iam.create_group(GroupName="devs", Path="/team/")
        iam.create_user(UserName="gil")
        iam.add_user_to_group(GroupName="devs", UserName="gil")
        self.assertEqual([g["GroupName"] for g in iam.list_groups_for_user(UserName="gil")["Groups"]], ["devs"])
        iam.put_group_policy(GroupName="devs", PolicyName="p", PolicyDocument=ALLOW)
        self.assertEqual(iam.get_group_policy(GroupName="devs", PolicyName="p")["PolicyDocument"], json.loads(ALLOW))
        self.assertEqual(iam.list_group_policies(GroupName="devs")["PolicyNames"], ["p"])
        iam.attach_group_policy(GroupName="devs", PolicyArn=READ_ONLY)
        self.assertEqual(iam.list_attached_group_policies(GroupName="devs")["AttachedPolicies"][0]["PolicyArn"], READ_ONLY)
        iam.update_group(GroupName="devs", NewGroupName="makers", NewPath="/")
        shown = iam.get_group(GroupName="makers")
        self.assertEqual((shown["Group"]["Arn"], [u["UserName"] for u in shown["Users"]]), (f"arn:aws:iam::{self.account}:group/makers", ["gil"]))
        self.assertIn("makers", [g["GroupName"] for g in iam.list_groups()["Groups"]])
        self.assertEqual(self.refused(iam.delete_user, UserName="gil"), "DeleteConflict")
        for call, arguments in [
            (iam.remove_user_from_group, {"UserName": "gil"}), (iam.delete_group_policy, {"PolicyName": "p"}), (iam.detach_group_policy, {"PolicyArn": READ_ONLY}),
        ]:
            self.assertEqual(self.refused(iam.delete_group, GroupName="makers"), "DeleteConflict")
            call(GroupName="makers", **arguments)
        iam.delete_group(GroupName="makers")
        iam.delete_user(UserName="gil")

    def test_a_policy_and_its_versions(self):
        iam = self.iam
        arn = iam.create_policy(PolicyName="rules", PolicyDocument=ALLOW, Tags=[{"Key": "a", "Value": "1"}])["Policy"]["Arn"]
        iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "b", "Value": "2"}])
        iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
        self.assertEqual(iam.list_policy_tags(PolicyArn=arn)["Tags"], [{"Key": "b", "Value": "2"}])
        second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=DENY)["PolicyVersion"]
        self.assertEqual((second["VersionId"], second["IsDefaultVersion"]), ("v2", False))
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
        self.assertEqual(iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"], "v2")
        self.assertEqual(iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"], json.loads(DENY))
        self.assertEqual(self.refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v2"), "DeleteConflict")
        for _ in range(3):
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW, SetAsDefault=True)
        self.assertEqual(self.refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=ALLOW), "LimitExceeded")
        iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        self.assertEqual([v["VersionId"] for v in versions if v["IsDefaultVersion"]], ["v5"])
        self.assertEqual(sorted(v["VersionId"] for v in versions), ["v2", "v3", "v4", "v5"])

        iam.create_role(RoleName="holder", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
        iam.attach_role_policy(RoleName="holder", PolicyArn=arn)
        self.assertEqual([r["RoleName"] for r in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]], ["holder"])
        self.assertEqual(iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"], 1)
        self.assertEqual(self.refused(iam.delete_policy, PolicyArn=arn), "DeleteConflict")
        iam.detach_role_policy(RoleName="holder", PolicyArn=arn)
        iam.delete_role(RoleName="holder")
        # Those versions that are not the default go first.
        self.assertEqual(self.refused(iam.delete_policy, PolicyArn=arn), "DeleteConflict")
        for version in ["v2", "v3", "v4"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version)
        iam.delete_policy(PolicyArn=arn)
        self.assertEqual(self.refused(iam.get_policy, PolicyArn=arn), "NoSuchEntity")

    def test_a_role_and_its_profile(self):
        iam = self.iam
        made = iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"), Tags=[{"Key": "a", "Value": "1"}])["Role"]
        iam.tag_role(RoleName="web", Tags=[{"Key": "b", "Value": "2"}])
        iam.untag_role(RoleName="web", TagKeys=["a"])
        self.assertEqual(iam.list_role_tags(RoleName="web")["Tags"], [{"Key": "b", "Value": "2"}])
        iam.update_assume_role_policy(RoleName="web", PolicyDocument=trust("ecs.amazonaws.com"))
        iam.update_role(RoleName="web", Description="one", MaxSessionDuration=7200)
        self.assertEqual(iam.update_role_description(RoleName="web", Description="two")["Role"]["Description"], "two")
        shown = iam.get_role(RoleName="web")["Role"]
        self.assertEqual((shown["RoleId"], shown["MaxSessionDuration"], shown["Description"]), (made["RoleId"], 7200, "two"))
        self.assertEqual(shown["AssumeRolePolicyDocument"], json.loads(trust("ecs.amazonaws.com")))
        iam.put_role_permissions_boundary(RoleName="web", PermissionsBoundary=READ_ONLY)
        listed = next(r for r in iam.list_roles()["Roles"] if r["RoleName"] == "web")
        self.assertFalse(listed.get("Tags") or listed.get("PermissionsBoundary"), "listings leave them out")
        self.assertEqual(iam.get_role(RoleName="web")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"], READ_ONLY)
        iam.delete_role_permissions_boundary(RoleName="web")
        iam.put_role_policy(RoleName="web", PolicyName="p", PolicyDocument=ALLOW)
        self.assertEqual(iam.get_role_policy(RoleName="web", PolicyName="p")["PolicyDocument"], json.loads(ALLOW))
        self.assertEqual(iam.list_role_policies(RoleName="web")["PolicyNames"], ["p"])
        self.assertEqual(iam.list_attached_role_policies(RoleName="web")["AttachedPolicies"], [])

        iam.create_instance_profile(InstanceProfileName="web", Tags=[{"Key": "a", "Value": "1"}])
        iam.tag_instance_profile(InstanceProfileName="web", Tags=[{"Key": "b", "Value": "2"}])
        iam.untag_instance_profile(InstanceProfileName="web", TagKeys=["a"])
        self.assertEqual(iam.list_instance_profile_tags(InstanceProfileName="web")["Tags"], [{"Key": "b", "Value": "2"}])
        iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
        self.assertEqual(self.refused(iam.add_role_to_instance_profile, InstanceProfileName="web", RoleName="web"), "LimitExceeded")
        profiles = iam.list_instance_profiles_for_role(RoleName="web")["InstanceProfiles"]
        self.assertEqual([(p["InstanceProfileName"], [r["RoleName"] for r in p["Roles"]]) for p in profiles], [("web", ["web"])])
        self.assertEqual(self.refused(iam.delete_instance_profile, InstanceProfileName="web"), "DeleteConflict")
        self.assertEqual(self.refused(iam.delete_role, RoleName="web"), "DeleteConflict")
        iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web")
        iam.delete_instance_profile(InstanceProfileName="web")
        iam.delete_role_policy(RoleName="web", PolicyName="p")
        iam.delete_role(RoleName="web")

    def test_a_role_of_a_service(self):
        iam = self.iam
        made = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="x", Description="mine")["Role"]
        self.assertEqual((made["RoleName"], made["Path"]), ("AWSServiceRoleForAutoScaling_x", "/aws-service-role/autoscaling.amazonaws.com/"))
        self.assertEqual(self.refused(iam.create_service_linked_role, AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="x"), "InvalidInput")
        self.assertEqual(self.refused(iam.delete_role, RoleName=made["RoleName"]), "UnmodifiableEntity")
        task = iam.delete_service_linked_role(RoleName=made["RoleName"])["DeletionTaskId"]
        self.assertEqual(iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"], "SUCCEEDED")
        self.assertEqual(self.refused(iam.get_role, RoleName=made["RoleName"]), "NoSuchEntity")

    def test_the_account(self):
        iam = self.iam
        before = iam.get_account_summary()["SummaryMap"]["Users"]
        iam.create_user(UserName="counted")
        self.assertEqual(iam.get_account_summary()["SummaryMap"]["Users"], before + 1)
        iam.delete_user(UserName="counted")
        iam.create_account_alias(AccountAlias="securecart")
        self.assertEqual(iam.list_account_aliases()["AccountAliases"], ["securecart"])
        iam.delete_account_alias(AccountAlias="securecart")
        self.assertEqual(iam.list_account_aliases()["AccountAliases"], [])
        self.assertEqual(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"], [])
        self.assertEqual(iam.list_saml_providers()["SAMLProviderList"], [])
        self.assertEqual(iam.list_server_certificates()["ServerCertificateMetadataList"], [])
        self.assertEqual(iam.list_virtual_mfa_devices()["VirtualMFADevices"], [])
        answer = iam.simulate_custom_policy(PolicyInputList=[ALLOW, DENY], ActionNames=["ec2:RunInstances"])
        self.assertEqual(answer["EvaluationResults"][0]["EvalDecision"], "explicitDeny")
        detail = iam.get_account_authorization_details(Filter=["AWSManagedPolicy"])
        self.assertFalse([each["Arn"] for each in detail["Policies"] if not each["Arn"].startswith("arn:aws:iam::aws:")])
        self.assertEqual(detail["UserDetailList"] + detail["RoleDetailList"], [])
        key = self.kiln.info["access_key"]
        self.assertEqual(self.kiln.client("sts").get_access_key_info(AccessKeyId=key)["Account"], self.account)
