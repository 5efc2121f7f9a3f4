"""SNS's calls by boto3, each at least once. What comes of them is in test_sns_delivery.py."""
import json

from calls import Calls


class Sns(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sns = cls.kiln.client("sns")

    def test_a_topic(self):
        sns = self.sns
        arn = sns.create_topic(Name="shop", Attributes={"DisplayName": "Shop"}, Tags=[{"Key": "a", "Value": "1"}])["TopicArn"]
        self.assertEqual(sns.create_topic(Name="shop")["TopicArn"], arn)
        self.assertEqual(self.refused(sns.create_topic, Name="a b"), "InvalidParameter")
        self.assertEqual(self.refused(sns.create_topic, Name="x.fifo", Attributes={"FifoTopic": "true"}), "NotImplemented")
        self.assertIn({"TopicArn": arn}, sns.list_topics()["Topics"])
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        self.assertEqual((attributes["DisplayName"], attributes["Owner"]), ("Shop", "000000000000"))
        sns.set_topic_attributes(TopicArn=arn, AttributeName="SignatureVersion", AttributeValue="2")
        self.assertEqual(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SignatureVersion"], "2")
        self.assertEqual(self.refused(sns.set_topic_attributes, TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue="k"), "NotImplemented")
        sns.add_permission(TopicArn=arn, Label="friends", AWSAccountId=["111122223333"], ActionName=["Publish"])
        policy = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
        self.assertEqual([each["Sid"] for each in policy["Statement"]], ["__default_statement_ID", "friends"])
        sns.remove_permission(TopicArn=arn, Label="friends")
        sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
        sns.untag_resource(ResourceArn=arn, TagKeys=["a"])
        self.assertEqual(sns.list_tags_for_resource(ResourceArn=arn)["Tags"], [{"Key": "b", "Value": "2"}])
        self.assertEqual(self.refused(sns.list_tags_for_resource, ResourceArn=arn + "x"), "ResourceNotFound")
        sns.delete_topic(TopicArn=arn)
        self.assertEqual(self.refused(sns.get_topic_attributes, TopicArn=arn), "NotFound")
        self.assertEqual(self.refused(sns.publish, TopicArn=arn, Message="x"), "NotFound")

    def test_a_subscription(self):
        sns = self.sns
        arn = sns.create_topic(Name="news")["TopicArn"]
        queue = "arn:aws:sqs:us-east-1:000000000000:none"
        made = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue, Attributes={"FilterPolicy": '{"a":["b"]}'})["SubscriptionArn"]
        self.assertTrue(made.startswith(arn + ":"))
        listed = {"SubscriptionArn": made, "Owner": "000000000000", "Protocol": "sqs", "Endpoint": queue, "TopicArn": arn}
        self.assertEqual(sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"], [listed])
        self.assertIn(listed, sns.list_subscriptions()["Subscriptions"])
        sns.set_subscription_attributes(SubscriptionArn=made, AttributeName="RawMessageDelivery", AttributeValue="true")
        attributes = sns.get_subscription_attributes(SubscriptionArn=made)["Attributes"]
        self.assertEqual((attributes["RawMessageDelivery"], attributes["FilterPolicy"], attributes["PendingConfirmation"]), ("true", '{"a":["b"]}', "false"))
        code, told = self.refusal(sns.set_subscription_attributes, SubscriptionArn=made, AttributeName="FilterPolicy", AttributeValue='{"a":1}')
        self.assertEqual((code, told), ("InvalidParameter", 'Invalid parameter: FilterPolicy: "a" must be an object or an array'))
        self.assertEqual(self.refused(sns.subscribe, TopicArn=arn, Protocol="lambda", Endpoint="arn:aws:lambda:us-east-1:000000000000:function:f"), "NotImplemented")
        self.assertEqual(self.refused(sns.subscribe, TopicArn=arn, Protocol="pigeon", Endpoint="home"), "InvalidParameter")
        self.assertEqual(self.refused(sns.confirm_subscription, TopicArn=arn, Token="x"), "InvalidParameter")
        self.assertEqual(sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="ops@example.com")["SubscriptionArn"], "pending confirmation")
        sns.unsubscribe(SubscriptionArn=made)
        self.assertEqual(self.refused(sns.get_subscription_attributes, SubscriptionArn=made), "NotFound")

    def test_a_message(self):
        sns = self.sns
        arn = sns.create_topic(Name="words")["TopicArn"]
        self.assertTrue(sns.publish(TopicArn=arn, Message="x", Subject="s", MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}})["MessageId"])
        told = sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=[{"Id": "1", "Message": "x"}, {"Id": "2", "Message": "y", "Subject": "a\nb"}])
        self.assertEqual(([each["Id"] for each in told["Successful"]], [each["Code"] for each in told["Failed"]]), (["1"], ["InvalidParameter"]))
        self.assertEqual(self.refused(sns.publish_batch, TopicArn=arn, PublishBatchRequestEntries=[]), "EmptyBatchRequest")
        self.assertEqual(self.refused(sns.publish, TopicArn=arn, Message="x" * 262_145), "InvalidParameter")
        self.assertEqual(self.refused(sns.publish, PhoneNumber="+15555550100", Message="x"), "NotImplemented")
        bad = {"n": {"DataType": "Number", "StringValue": "one"}}
        self.assertEqual(self.refused(sns.publish, TopicArn=arn, Message="x", MessageAttributes=bad), "ParameterValueInvalid")
