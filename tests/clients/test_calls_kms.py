"""KMS's calls by boto3, each at least once, and what users meet: refusals, other accounts' words, key states."""
import base64
import json
import os
import tempfile

from calls import Calls


class Kms(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = cls.kiln.client("kms")
        cls.iam = cls.kiln.client("iam")
        cls.account = cls.kiln.client("sts").get_caller_identity()["Account"]

    def key(self, **more):
        return self.kms.create_key(**more)["KeyMetadata"]["KeyId"]

    def user(self, name, *actions):
        """Credentials of a user who may do these things, by policies of their own."""
        self.iam.create_user(UserName=name)
        if actions:
            document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def test_keys(self):
        kms = self.kms
        made = kms.create_key(Description="of the shop", Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyMetadata"]
        key, arn = made["KeyId"], made["Arn"]
        self.assertEqual((made["KeyState"], made["KeySpec"], made["KeyUsage"], made["Origin"], made["KeyManager"]), ("Enabled", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", "CUSTOMER"))
        self.assertEqual(arn, f"arn:aws:kms:us-east-1:{self.account}:key/{key}")
        self.assertIn({"KeyId": key, "KeyArn": arn}, [each for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1}) for each in page["Keys"]])
        kms.update_key_description(KeyId=arn, Description="of another")
        described = kms.describe_key(KeyId=key)["KeyMetadata"]
        self.assertEqual((described["Description"], described["Enabled"]), ("of another", True))
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "b", "TagValue": "2"}])
        kms.untag_resource(KeyId=key, TagKeys=["a"])
        self.assertEqual(kms.list_resource_tags(KeyId=key)["Tags"], [{"TagKey": "b", "TagValue": "2"}])

        kms.disable_key(KeyId=key)
        code, message = self.refusal(kms.encrypt, KeyId=key, Plaintext=b"x")
        self.assertEqual((code, message), ("DisabledException", f"{arn} is disabled."))
        kms.enable_key(KeyId=key)
        told = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        self.assertEqual((told["KeyState"], told["PendingWindowInDays"]), ("PendingDeletion", 7))
        code, message = self.refusal(kms.encrypt, KeyId=key, Plaintext=b"x")
        self.assertEqual((code, message), ("KMSInvalidStateException", f"{arn} is pending deletion."))
        self.assertEqual(kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"], told["DeletionDate"])
        self.assertEqual(kms.cancel_key_deletion(KeyId=key)["KeyId"], arn)
        self.assertEqual(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "Disabled")
        self.assertEqual(self.refused(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=6), "ValidationException")
        self.assertEqual(self.refused(kms.describe_key, KeyId="00000000-0000-4000-8000-000000000000"), "NotFoundException")
        for more, what in [({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, "KeySpec RSA_2048"), ({"MultiRegion": True}, "MultiRegion"), ({"Origin": "EXTERNAL"}, "Origin EXTERNAL")]:
            code, message = self.refusal(kms.create_key, **more)
            self.assertEqual(code, "NotImplemented")
            self.assertIn(what, message)

    def test_encryption(self):
        kms, key = self.kms, self.key()
        context = {"shop": "securecart", "färbe": "grün"}
        blob = kms.encrypt(KeyId=key, Plaintext=b"words", EncryptionContext=context)["CiphertextBlob"]
        self.assertNotIn(b"words", blob)
        opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
        self.assertEqual((opened["Plaintext"], opened["KeyId"].rsplit("/")[1]), (b"words", key))
        self.assertEqual(self.refused(kms.decrypt, CiphertextBlob=blob), "InvalidCiphertextException")
        self.assertEqual(self.refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context, KeyId=self.key()), "IncorrectKeyException")
        self.assertEqual(self.refused(kms.decrypt, CiphertextBlob=b"none"), "InvalidCiphertextException")
        longest = kms.encrypt(KeyId=key, Plaintext=b"x" * 4096)["CiphertextBlob"]
        self.assertEqual(kms.decrypt(CiphertextBlob=longest)["Plaintext"], b"x" * 4096)
        self.assertEqual(self.refused(kms.encrypt, KeyId=key, Plaintext=b"x" * 4097), "ValidationException")
        self.assertEqual(self.refused(kms.decrypt, CiphertextBlob=b"x" * 6145), "ValidationException")
        other = self.key()
        moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=other)
        self.assertEqual(kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=other)["Plaintext"], b"words")
        data = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
        self.assertEqual(kms.decrypt(CiphertextBlob=data["CiphertextBlob"], EncryptionContext=context)["Plaintext"], data["Plaintext"])
        closed = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=64)["CiphertextBlob"]
        self.assertEqual(len(kms.decrypt(CiphertextBlob=closed)["Plaintext"]), 64)
        self.assertEqual(len(kms.generate_random(NumberOfBytes=32)["Plaintext"]), 32)
        self.assertEqual(self.refused(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True), "DryRunOperationException")
        # As the AWS CLI does it: from a file its versions read the same.
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"by the CLI")
            file.flush()
            told = self.kiln.aws("kms", "encrypt", "--key-id", key, "--plaintext", f"fileb://{file.name}")
        self.assertEqual(kms.decrypt(CiphertextBlob=base64.b64decode(told["CiphertextBlob"]))["Plaintext"], b"by the CLI")

    def test_aliases(self):
        kms, one, two = self.kms, self.key(), self.key()
        kms.create_alias(AliasName="alias/shop", TargetKeyId=one)
        self.assertEqual(self.refused(kms.create_alias, AliasName="alias/shop", TargetKeyId=two), "AlreadyExistsException")
        self.assertEqual(self.refused(kms.create_alias, AliasName="alias/aws/shop", TargetKeyId=two), "NotAuthorizedException")
        before = kms.encrypt(KeyId="alias/shop", Plaintext=b"before")["CiphertextBlob"]
        kms.update_alias(AliasName="alias/shop", TargetKeyId=two)
        self.assertEqual(kms.describe_key(KeyId=f"arn:aws:kms:us-east-1:{self.account}:alias/shop")["KeyMetadata"]["KeyId"], two)
        self.assertEqual([each["AliasName"] for each in kms.list_aliases(KeyId=two)["Aliases"]], ["alias/shop"])
        self.assertEqual(kms.decrypt(CiphertextBlob=before)["Plaintext"], b"before")
        kms.delete_alias(AliasName="alias/shop")
        self.assertEqual(self.refused(kms.encrypt, KeyId="alias/shop", Plaintext=b"x"), "NotFoundException")

    def test_rotation(self):
        kms, key = self.kms, self.key()
        first = kms.encrypt(KeyId=key, Plaintext=b"first")["CiphertextBlob"]
        self.assertFalse(kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"])
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        told = kms.get_key_rotation_status(KeyId=key)
        self.assertEqual((told["KeyRotationEnabled"], told["RotationPeriodInDays"]), (True, 90))
        kms.rotate_key_on_demand(KeyId=key)
        self.assertEqual([each["RotationType"] for each in kms.list_key_rotations(KeyId=key)["Rotations"]], ["ON_DEMAND"])
        materials = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
        self.assertEqual([each["KeyMaterialState"] for each in materials], ["NON_CURRENT", "CURRENT"])
        opened = kms.decrypt(CiphertextBlob=first)
        self.assertEqual((opened["Plaintext"], opened["KeyMaterialId"]), (b"first", materials[0]["KeyMaterialId"]))
        kms.disable_key_rotation(KeyId=key)
        self.assertFalse(kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"])

    def test_policies_and_grants(self):
        kms, key = self.kms, self.key()
        ada = self.kiln.client("kms", **self.user("ada", "kms:Encrypt"))
        eve = self.kiln.client("kms", **self.user("eve"))
        eve_arn = f"arn:aws:iam::{self.account}:user/eve"
        blob = ada.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
        code, message = self.refusal(ada.decrypt, CiphertextBlob=blob)
        self.assertEqual(code, "AccessDeniedException")
        self.assertIn("is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:", message)
        granted = kms.create_grant(KeyId=key, GranteePrincipal=eve_arn, RetiringPrincipal=eve_arn, Operations=["Decrypt"], Constraints={"EncryptionContextSubset": {}})
        self.assertEqual(eve.decrypt(CiphertextBlob=blob, GrantTokens=[granted["GrantToken"]])["Plaintext"], b"words")
        grants = kms.list_grants(KeyId=key)["Grants"]
        self.assertEqual([(each["GrantId"], each["Operations"]) for each in grants], [(granted["GrantId"], ["Decrypt"])])
        self.assertEqual(len(kms.list_retirable_grants(RetiringPrincipal=eve_arn)["Grants"]), 1)
        eve.retire_grant(GrantToken=granted["GrantToken"])
        self.assertEqual(self.refused(eve.decrypt, CiphertextBlob=blob), "AccessDeniedException")
        again = kms.create_grant(KeyId=key, GranteePrincipal=eve_arn, Operations=["Decrypt"])["GrantId"]
        kms.revoke_grant(KeyId=key, GrantId=again)
        self.assertEqual(self.refused(eve.decrypt, CiphertextBlob=blob), "AccessDeniedException")

        self.assertEqual(kms.list_key_policies(KeyId=key)["PolicyNames"], ["default"])
        usual = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
        self.assertEqual(usual["Statement"][0]["Sid"], "Enable IAM User Permissions")
        only_eve = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": eve_arn}, "Action": "kms:*", "Resource": "*"}]}
        self.assertEqual(self.refused(kms.put_key_policy, KeyId=key, Policy=json.dumps(only_eve)), "MalformedPolicyDocumentException")
        kms.put_key_policy(KeyId=key, Policy=json.dumps(only_eve), BypassPolicyLockoutSafetyCheck=True)
        self.assertEqual(eve.decrypt(CiphertextBlob=blob)["Plaintext"], b"words")
        # The account's own policies do not count any more, and its root user's rights neither.
        self.assertEqual(self.refused(ada.encrypt, KeyId=key, Plaintext=b"x"), "AccessDeniedException")
        self.assertEqual(self.refused(kms.get_key_policy, KeyId=key), "AccessDeniedException")
        eve.put_key_policy(KeyId=key, Policy=json.dumps(usual), BypassPolicyLockoutSafetyCheck=True)
        self.assertEqual(kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"words")

    def test_a_secure_parameter_is_for_those_who_may_use_its_key(self):
        """Parameter Store asks kms:Decrypt as the caller, by whatever key the parameter has."""
        ssm, kms, key = self.kiln.client("ssm"), self.kms, self.key()
        ssm.put_parameter(Name="/db/password", Value="hunter2", Type="SecureString", KeyId=key)
        ssm.put_parameter(Name="/db/default", Value="hunter3", Type="SecureString")
        ssm.put_parameter(Name="/db/large", Value="x" * 8000, Type="SecureString", Tier="Advanced", KeyId=key)
        reader = self.user("reader", "ssm:GetParameter", "ssm:GetParametersByPath")
        read = lambda name: self.kiln.client("ssm", **reader).get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        self.assertEqual(read("/db/default"), "hunter3", "AWS's key is for everybody whom Parameter Store serves")
        code, message = self.refusal(read, name="/db/password")
        self.assertEqual(code, "AccessDeniedException")
        self.assertIn("kms:Decrypt", message)
        arn = f"arn:aws:ssm:us-east-1:{self.account}:parameter/db/password"
        statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": arn, "kms:ViaService": "ssm.us-east-1.amazonaws.com"}}}
        self.iam.put_user_policy(UserName="reader", PolicyName="k", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        self.assertEqual(read("/db/password"), "hunter2")
        self.assertEqual(self.refused(read, name="/db/large"), "AccessDeniedException", "of another parameter")
        self.assertEqual(ssm.get_parameter(Name="/db/large", WithDecryption=True)["Parameter"]["Value"], "x" * 8000)
        # What Parameter Store keeps is a ciphertext of KMS.
        closed = ssm.get_parameter(Name="/db/password")["Parameter"]["Value"]
        opened = kms.decrypt(CiphertextBlob=base64.b64decode(closed), EncryptionContext={"PARAMETER_ARN": arn})
        self.assertEqual(opened["Plaintext"], b"hunter2")
        kms.disable_key(KeyId=key)
        code, message = self.refusal(ssm.get_parameter, Name="/db/password", WithDecryption=True)
        self.assertEqual(code, "InvalidKeyId")
        self.assertIn("is disabled", message)
        self.assertEqual(self.refused(ssm.put_parameter, Name="/db/none", Value="x", Type="SecureString", KeyId="alias/none"), "InvalidKeyId")
        self.assertIn("alias/aws/ssm", [each["AliasName"] for each in kms.list_aliases()["Aliases"]])

    def test_what_was_answered_outlives_kill(self):
        """A key that was answered is there, and opens what it encrypted; nothing of it lies open on the disk."""
        kms, secret = self.kms, os.urandom(24).hex().encode()
        data = kms.generate_data_key(KeyId=self.key(), KeySpec="AES_256")
        user = self.user("stays", "sts:*")
        keys = []
        for n in range(20):
            key = self.key(Description=str(n))
            keys.append((key, kms.encrypt(KeyId=key, Plaintext=secret)["CiphertextBlob"]))
        self.kiln.kill()
        for file in self.kiln.state.rglob("*"):
            if file.is_file() and "machines" not in file.parts:
                bytes = file.read_bytes()
                for hidden in [secret, data["Plaintext"], user["aws_secret_access_key"].encode()]:
                    self.assertNotIn(hidden, bytes, file)
        self.kiln.start()
        for key, blob in keys:
            self.assertEqual(kms.decrypt(CiphertextBlob=blob, KeyId=key)["Plaintext"], secret)
        self.assertEqual(kms.decrypt(CiphertextBlob=data["CiphertextBlob"])["Plaintext"], data["Plaintext"])
        self.kiln.client("sts", **user).get_caller_identity()
