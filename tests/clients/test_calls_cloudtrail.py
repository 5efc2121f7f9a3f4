"""CloudTrail's event history by boto3: what calls leave there, and what they do not; and through a kill -9."""

import json
import threading
import time
import unittest

import botocore.exceptions

from calls import Calls
from kiln import Kiln, wait_for

KILLS = 10
# Seconds that a kiln has to live in.
LIVES = 0.2


def lookup(trail, key=None, value=None, **more):
    """All events with an attribute, newest first. Two lookups a second are let in."""
    attributes = [{"AttributeKey": key, "AttributeValue": value}] if key else []
    found, token = [], {}
    while True:
        try:
            page = trail.lookup_events(LookupAttributes=attributes, **more, **token)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "ThrottlingException":
                raise
            time.sleep(0.3)
            continue
        found += page["Events"]
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def record(event):
    return json.loads(event["CloudTrailEvent"])


class History(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trail = cls.kiln.client("cloudtrail")

    def newest(self, name):
        return lookup(self.trail, "EventName", name)[0]

    def test_a_write_a_read_and_a_refusal(self):
        ssm = self.kiln.client("ssm")
        request = ssm.put_parameter(Name="/a", Value="1", Type="String")["ResponseMetadata"]["RequestId"]
        ssm.get_parameter(Name="/a")
        self.assertEqual(self.refused(ssm.get_parameter, Name="/none"), "ParameterNotFound")
        event = self.newest("PutParameter")
        self.assertEqual((event["EventSource"], event["ReadOnly"], event["Username"]), ("ssm.amazonaws.com", "false", "root"))
        told = record(event)
        self.assertEqual((told["requestID"], told["eventID"]), (request, event["EventId"]))
        self.assertEqual(told["requestParameters"]["name"], "/a")
        self.assertEqual(told["responseElements"]["version"], 1)
        self.assertIn("Boto3", told["userAgent"])
        self.assertEqual((told["sourceIPAddress"], told["userIdentity"]["type"]), ("127.0.0.1", "Root"))
        self.assertEqual(told["userIdentity"]["accessKeyId"], event["AccessKeyId"])
        refused, read = lookup(self.trail, "EventName", "GetParameter")
        self.assertEqual((record(refused)["errorCode"], refused["ReadOnly"]), ("ParameterNotFound", "true"))
        self.assertIsNone(record(read)["responseElements"])

    def test_users_and_sessions(self):
        iam = self.kiln.client("iam")
        iam.create_user(UserName="ada")
        user = iam.create_access_key(UserName="ada")["AccessKey"]
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=json.dumps(allow))
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}]}
        role = iam.create_role(RoleName="work", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        iam.put_role_policy(RoleName="work", PolicyName="p", PolicyDocument=json.dumps(allow))
        keys = {"aws_access_key_id": user["AccessKeyId"], "aws_secret_access_key": user["SecretAccessKey"]}
        session = self.kiln.client("sts", **keys).assume_role(RoleArn=role["Arn"], RoleSessionName="today")["Credentials"]
        keys = {"aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"]}
        self.kiln.client("sns", **keys, aws_session_token=session["SessionToken"]).create_topic(Name="t")
        [assumed] = lookup(self.trail, "Username", "ada")
        who = record(assumed)["userIdentity"]
        self.assertEqual((assumed["EventName"], assumed["ReadOnly"]), ("AssumeRole", "true"))
        self.assertEqual((who["type"], who["userName"], who["accessKeyId"]), ("IAMUser", "ada", user["AccessKeyId"]))
        credentials = record(assumed)["responseElements"]["credentials"]
        self.assertEqual(credentials["accessKeyId"], session["AccessKeyId"])
        for event in lookup(self.trail):
            for secret in (user["SecretAccessKey"], session["SecretAccessKey"], session["SessionToken"]):
                self.assertNotIn(secret, event["CloudTrailEvent"])
        [made] = lookup(self.trail, "AccessKeyId", session["AccessKeyId"])
        who = record(made)["userIdentity"]
        self.assertEqual((made["EventName"], made["Username"], who["type"]), ("CreateTopic", "today", "AssumedRole"))
        issuer = who["sessionContext"]["sessionIssuer"]
        self.assertEqual((issuer["arn"], issuer["principalId"]), (role["Arn"], role["RoleId"]))
        self.assertEqual(made["Resources"], [{"ResourceType": "AWS::SNS::Topic", "ResourceName": "arn:aws:sns:us-east-1:000000000000:t"}])

    def test_ec2_in_its_own_words(self):
        ec2 = self.kiln.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        told = record(self.newest("CreateVpc"))
        self.assertEqual((told["requestParameters"], told["responseElements"]["vpc"]["vpcId"]), ({"cidrBlock": "10.9.0.0/16"}, vpc))
        self.assertEqual(self.refused(ec2.delete_vpc, VpcId="vpc-0123456789abcdef0"), "InvalidVpcID.NotFound")
        self.assertEqual(record(self.newest("DeleteVpc"))["errorCode"], "Client.InvalidVpcID.NotFound")
        names = [each["EventName"] for each in lookup(self.trail, "ResourceName", vpc)]
        self.assertEqual(names, ["CreateVpc"])

    def test_data_events_are_not_there(self):
        s3, sqs = self.kiln.client("s3"), self.kiln.client("sqs")
        s3.create_bucket(Bucket="trail-data")
        s3.put_object(Bucket="trail-data", Key="k", Body=b"hunter2")
        s3.get_object(Bucket="trail-data", Key="k")["Body"].read()
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="hunter2")
        sqs.receive_message(QueueUrl=url)
        names = {each["EventName"] for each in lookup(self.trail)}
        self.assertLessEqual({"CreateBucket", "CreateQueue"}, names)
        self.assertEqual(names & {"PutObject", "GetObject", "SendMessage", "ReceiveMessage"}, set())

    def test_what_a_stack_does_is_its_owner_s_by_cloudformation(self):
        cloudformation = self.kiln.client("cloudformation")
        body = {
            "Parameters": {"P": {"Type": "String", "NoEcho": True}},
            "Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "of-a-stack", "DisplayName": {"Ref": "P"}}}},
        }
        parameters = [{"ParameterKey": "P", "ParameterValue": "hunter2"}]
        cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(body), Parameters=parameters)
        state = lambda: cloudformation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"]  # noqa: E731
        wait_for("the stack", lambda: state() == "CREATE_COMPLETE")
        told = record(self.newest("CreateStack"))
        self.assertEqual(told["requestParameters"]["parameters"], [{"parameterKey": "P"}])
        self.assertNotIn("templateBody", told["requestParameters"])
        topic = next(record(each) for each in lookup(self.trail, "EventName", "CreateTopic") if "of-a-stack" in each["CloudTrailEvent"])
        by = "cloudformation.amazonaws.com"
        self.assertEqual((topic["userIdentity"]["type"], topic["userIdentity"]["invokedBy"]), ("Root", by))
        self.assertEqual((topic["sourceIPAddress"], topic["userAgent"]), (by, by))

    def test_pages_and_bounds(self):
        sns = self.kiln.client("sns")
        for n in range(7):
            sns.create_topic(Name=f"page-{n}")
        found = [each for each in lookup(self.trail, "EventName", "CreateTopic", MaxResults=2) if "page-" in each["CloudTrailEvent"]]
        names = [record(each)["requestParameters"]["name"] for each in found]
        self.assertEqual(names, [f"page-{n}" for n in reversed(range(7))])
        self.assertEqual(self.refused(self.trail.lookup_events, MaxResults=51), "ValidationException")
        wait_for("a lookup that is let in", lambda: self.refused(self.trail.lookup_events, NextToken="x") == "InvalidNextTokenException")
        self.assertEqual(lookup(self.trail, StartTime=time.time() + 3600), [])
        self.assertEqual(lookup(self.kiln.client("cloudtrail", region_name="eu-west-1"), "EventName", "CreateTopic"), [])

    def test_trails_are_not_built(self):
        code, message = self.refusal(self.trail.create_trail, Name="t", S3BucketName="b")
        self.assertEqual(code, "NotImplemented", message)


class Crash(unittest.TestCase):
    def test_no_write_that_was_answered_is_missing(self):
        with Kiln(machines="sim") as kiln:
            answered, over = [], threading.Event()
            number = iter(range(1_000_000))

            def work():
                sns = kiln.client("sns")
                while not over.is_set():
                    name = f"t{next(number)}"
                    try:
                        answered.append((name, sns.create_topic(Name=name)["ResponseMetadata"]["RequestId"]))
                    except botocore.exceptions.BotoCoreError:
                        time.sleep(0.01)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(KILLS):
                time.sleep(LIVES)
                kiln.kill()
                kiln.start()
            over.set()
            for thread in threads:
                thread.join(30)
            told = [record(each)["requestID"] for each in lookup(kiln.client("cloudtrail"), "EventName", "CreateTopic")]
            self.assertGreater(len(answered), KILLS)
            self.assertEqual({request for _, request in answered} - set(told), set(), "answered, and not told")
            self.assertEqual(len(told), len(set(told)), "told twice")


if __name__ == "__main__":
    unittest.main()
