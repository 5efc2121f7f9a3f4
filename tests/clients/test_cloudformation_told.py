"""A stack's topics are told of each of its events."""
import json
import re

import botocore.exceptions

from kiln import wait_for
from stacks import Stacks
from test_sns_delivery import bodies, queue

SERVICES = "cloudformation"
BODY = """
Parameters: {Text: {Type: String, Default: one}}
Resources:
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref Text, Name: told}}
Outputs: {Topics: {Value: !Join [",", !Ref AWS::NotificationARNs]}}
"""


class Told(Stacks):
    def events(self, url, until, count=1):
        """What the queue's messages say, until one says this of the stack and there are so many: their order is not sure."""
        found = []

        def over():
            for body in bodies(self.kiln, url, 1, 20):
                envelope = json.loads(body)
                self.assertEqual(envelope["Subject"], "AWS CloudFormation Notification")
                found.append(dict(re.findall(r"^(\w+)='(.*)'$", envelope["Message"], re.MULTILINE)))
            return any((e["LogicalResourceId"], e["ResourceStatus"]) == ("told", until) for e in found) and len(found) >= count

        wait_for(until, over, 60)
        return found

    def test_topics_are_told(self):
        sns, cfn = self.kiln.client("sns"), self.kiln.client("cloudformation")
        topic = sns.create_topic(Name="stacks")["TopicArn"]
        url, arn = queue(self.kiln, "stacks", topic)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        stack = cfn.create_stack(StackName="told", TemplateBody=BODY, NotificationARNs=[topic])["StackId"]
        told = self.events(url, "CREATE_COMPLETE", 5)
        self.assertEqual({e["StackId"] for e in told}, {stack})
        kept = cfn.describe_stack_events(StackName="told")["StackEvents"]
        self.assertEqual(sorted((e["LogicalResourceId"], e["ResourceStatus"], e["EventId"]) for e in told), sorted((e["LogicalResourceId"], e["ResourceStatus"], e["EventId"]) for e in kept))
        note = next(e for e in told if (e["LogicalResourceId"], e["ResourceStatus"]) == ("Note", "CREATE_COMPLETE"))
        self.assertEqual((note["ResourceType"], json.loads(note["ResourceProperties"])["Value"], note["Namespace"]), ("AWS::SSM::Parameter", "one", "000000000000"))
        shown = cfn.describe_stacks(StackName="told")["Stacks"][0]
        self.assertEqual((shown["NotificationARNs"], shown["Outputs"][0]["OutputValue"]), ([topic], topic))
        # What an update leaves out stays.
        cfn.update_stack(StackName="told", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Text", "ParameterValue": "two"}])
        self.assertIn(("Note", "UPDATE_COMPLETE"), {(e["LogicalResourceId"], e["ResourceStatus"]) for e in self.events(url, "UPDATE_COMPLETE", 5)})
        cfn.delete_stack(StackName="told")
        self.assertIn(("Note", "DELETE_COMPLETE"), {(e["LogicalResourceId"], e["ResourceStatus"]) for e in self.events(url, "DELETE_COMPLETE", 4)})

    def test_topics_that_are_none_are_refused(self):
        cfn = self.kiln.client("cloudformation")
        for topic, text in [("arn:aws:sns:us-east-1:000000000000:none", "does not exist"), ("arn:aws:sqs:us-east-1:000000000000:q", "Invalid notification ARN"), ("topic", "Invalid notification ARN")]:
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                cfn.create_stack(StackName="none", TemplateBody=BODY, NotificationARNs=[topic])
            self.assertEqual(caught.exception.response["Error"]["Code"], "ValidationError")
            self.assertIn(text, caught.exception.response["Error"]["Message"])
