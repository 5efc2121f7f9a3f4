"""What happens to objects is told to queues and topics: with boto3, and over kill -9."""

import json
import threading
import unittest

import botocore.exceptions

from calls import Calls
from kiln import Kiln, wait_for

SERVICES = "s3 sqs sns events"


def policy(arn, action, bucket):
    return json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": action, "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}, "StringEquals": {"aws:SourceAccount": "000000000000"}},
    }]})


def queue(kiln, name, bucket):
    """A queue that the bucket may send to: URL and ARN."""
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    url = kiln.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy(arn, "sqs:SendMessage", bucket)})["QueueUrl"]
    return url, arn


def told(kiln, url, count, seconds=30):
    """At least so many messages' bodies, deleted from the queue."""
    sqs, found = kiln.client("sqs"), []

    def more():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    wait_for(f"{count} messages", more, seconds)
    return found


class Notifications(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.kiln.client("s3")

    def put(self, bucket, **configuration):
        return self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)

    def test_everything_that_happens_to_objects_is_told(self):
        s3 = self.s3
        s3.create_bucket(Bucket="told")
        s3.put_bucket_versioning(Bucket="told", VersioningConfiguration={"Status": "Enabled"})
        url, arn = queue(self.kiln, "told", "told")
        rules = [{"Id": "all", "QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"], "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".txt"}]}}}]
        self.put("told", QueueConfigurations=rules)
        shown = s3.get_bucket_notification_configuration(Bucket="told")["QueueConfigurations"]
        rules[0]["Filter"]["Key"]["FilterRules"] = [{"Name": "Prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".txt"}]
        self.assertEqual(shown, rules)
        test = told(self.kiln, url, 1)[0]
        self.assertEqual((test["Service"], test["Event"], test["Bucket"]), ("Amazon S3", "s3:TestEvent", "told"))

        key = "in/a b+ü.txt"
        put = s3.put_object(Bucket="told", Key=key, Body=b"words")
        s3.put_object(Bucket="told", Key="in/other.png", Body=b"not asked for")
        s3.copy_object(Bucket="told", Key="in/copy.txt", CopySource={"Bucket": "told", "Key": key})
        upload = s3.create_multipart_upload(Bucket="told", Key="in/parts.txt")["UploadId"]
        part = s3.upload_part(Bucket="told", Key="in/parts.txt", UploadId=upload, PartNumber=1, Body=b"part")
        s3.complete_multipart_upload(Bucket="told", Key="in/parts.txt", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        s3.put_object_tagging(Bucket="told", Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
        s3.delete_object_tagging(Bucket="told", Key=key)
        marker = s3.delete_object(Bucket="told", Key=key)["VersionId"]
        s3.delete_objects(Bucket="told", Delete={"Objects": [{"Key": key, "VersionId": put["VersionId"]}, {"Key": "in/never.txt", "VersionId": marker}]})
        records = [record for message in told(self.kiln, url, 7) for record in message["Records"]]
        records.sort(key=lambda record: record["s3"]["object"]["sequencer"])
        self.assertEqual([record["eventName"] for record in records], [
            "ObjectCreated:Put", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload", "ObjectTagging:Put", "ObjectTagging:Delete",
            "ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete",
        ])
        first = records[0]
        self.assertEqual((first["eventVersion"], first["eventSource"], first["awsRegion"]), ("2.1", "aws:s3", "us-east-1"))
        self.assertEqual(records[3]["eventVersion"], "2.3")
        self.assertEqual(first["requestParameters"]["sourceIPAddress"], "127.0.0.1")
        self.assertEqual(first["responseElements"]["x-amz-request-id"], put["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"])
        self.assertEqual((first["s3"]["configurationId"], first["s3"]["bucket"]["arn"]), ("all", "arn:aws:s3:::told"))
        thing = first["s3"]["object"]
        self.assertEqual((thing["key"], thing["size"], thing["eTag"], thing["versionId"]), ("in/a+b%2B%C3%BC.txt", 5, put["ETag"].strip('"'), put["VersionId"]))
        self.assertEqual((records[5]["s3"]["object"]["versionId"], records[6]["s3"]["object"]["versionId"]), (marker, put["VersionId"]))

    def test_a_topic_is_told_with_a_subject(self):
        s3, sns = self.s3, self.kiln.client("sns")
        s3.create_bucket(Bucket="by-topic")
        topic = sns.create_topic(Name="uploads")["TopicArn"]
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(topic, "sns:Publish", "by-topic"))
        arn = "arn:aws:sqs:us-east-1:000000000000:by-topic"
        lets = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]}
        url = self.kiln.client("sqs").create_queue(QueueName="by-topic", Attributes={"Policy": json.dumps(lets)})["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.put("by-topic", TopicConfigurations=[{"TopicArn": topic, "Events": ["s3:ObjectCreated:Put"]}])
        s3.put_object(Bucket="by-topic", Key="k", Body=b"x")
        messages = told(self.kiln, url, 2)
        self.assertEqual({message["Subject"] for message in messages}, {"Amazon S3 Notification"})
        bodies = [json.loads(message["Message"]) for message in messages]
        self.assertEqual(sorted("Records" in body for body in bodies), [False, True])

    def test_the_owners_bus_is_told_and_its_rules_choose(self):
        s3, events = self.s3, self.kiln.client("events")
        s3.create_bucket(Bucket="on-the-bus")
        arn = "arn:aws:sqs:us-east-1:000000000000:on-the-bus"
        lets = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]}
        url = self.kiln.client("sqs").create_queue(QueueName="on-the-bus", Attributes={"Policy": json.dumps(lets)})["QueueUrl"]
        pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": ["on-the-bus"]}, "object": {"key": [{"prefix": "in/"}]}}}
        events.put_rule(Name="uploads", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="uploads", Targets=[{"Id": "q", "Arn": arn}])
        s3.put_object(Bucket="on-the-bus", Key="in/before", Body=b"x")
        self.put("on-the-bus", EventBridgeConfiguration={})
        self.assertEqual(s3.get_bucket_notification_configuration(Bucket="on-the-bus")["EventBridgeConfiguration"], {})
        put = s3.put_object(Bucket="on-the-bus", Key="in/a b", Body=b"words")
        s3.put_object(Bucket="on-the-bus", Key="other", Body=b"x")
        s3.delete_object(Bucket="on-the-bus", Key="in/a b")
        told_of = sorted(told(self.kiln, url, 2), key=lambda event: event["detail-type"])
        self.assertEqual([(event["detail-type"], event["detail"]["reason"]) for event in told_of], [("Object Created", "PutObject"), ("Object Deleted", "DeleteObject")])
        made, gone = told_of
        self.assertEqual((made["source"], made["account"], made["region"], made["resources"]), ("aws.s3", "000000000000", "us-east-1", ["arn:aws:s3:::on-the-bus"]))
        thing = made["detail"]["object"]
        self.assertEqual((thing["key"], thing["size"], thing["etag"]), ("in/a b", 5, put["ETag"].strip('"')))
        self.assertEqual((made["detail"]["requester"], made["detail"]["source-ip-address"]), ("000000000000", "127.0.0.1"))
        self.assertEqual(gone["detail"]["deletion-type"], "Permanently Deleted")
        self.assertGreater(gone["detail"]["object"]["sequencer"], thing["sequencer"])
        self.put("on-the-bus")
        self.assertNotIn("EventBridgeConfiguration", s3.get_bucket_notification_configuration(Bucket="on-the-bus"))

    def test_what_cannot_be_told_is_refused_when_it_is_asked_for(self):
        s3 = self.s3
        s3.create_bucket(Bucket="refused")
        url, arn = queue(self.kiln, "refused", "refused")
        _, other = queue(self.kiln, "of-another", "another-bucket")
        rule = lambda arn, *events, prefix=None: {"QueueArn": arn, "Events": list(events) or ["s3:ObjectCreated:*"], **({"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}} if prefix else {})}
        refusal = lambda *rules: self.refusal(self.put, bucket="refused", QueueConfigurations=list(rules))
        unable = ("InvalidArgument", "Unable to validate the following destination configurations")
        self.assertEqual(refusal(rule(arn.replace("refused", "none"))), unable)
        self.assertEqual(refusal(rule(other)), unable, "its policy lets another bucket in")
        for rules, text in [
            ([rule(arn), rule(arn, "s3:ObjectCreated:Put")], "Configurations overlap"),
            ([rule(arn, prefix="a"), rule(arn, prefix="a/b")], "ambiguously defined"),
            ([rule("arn:aws:sqs:eu-west-1:000000000000:refused")], "region is not valid"),
            ([rule("arn:aws:sns:us-east-1:000000000000:refused")], "not well formed"),
            ([rule("refused")], "not well formed"),
            ([rule(arn + ".fifo")], "FIFO"),
        ]:
            code, message = refusal(*rules)
            self.assertEqual(code, "InvalidArgument")
            self.assertIn(text, message)
        for event in ["s3:ObjectRestore:Completed", "s3:Replication:*", "s3:LifecycleTransition", "s3:ReducedRedundancyLostObject", "s3:IntelligentTiering"]:
            self.assertEqual(refusal(rule(arn, event))[0], "NotImplemented", event)
        function = {"LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f", "Events": ["s3:ObjectCreated:*"]}
        self.assertEqual(self.refused(self.put, bucket="refused", LambdaFunctionConfigurations=[function]), "NotImplemented")
        self.assertNotIn("QueueConfigurations", s3.get_bucket_notification_configuration(Bucket="refused"))
        self.put("refused", QueueConfigurations=[rule(arn, prefix="a"), rule(arn, prefix="b")])
        self.assertEqual(len(told(self.kiln, url, 1)), 1, "a target that two rules name is tried once")
        skipped = rule("arn:aws:sqs:us-east-1:000000000000:later")
        s3.put_bucket_notification_configuration(Bucket="refused", NotificationConfiguration={"QueueConfigurations": [skipped]}, SkipDestinationValidation=True)
        self.put("refused")
        self.assertNotIn("QueueConfigurations", s3.get_bucket_notification_configuration(Bucket="refused"))


class Crash(unittest.TestCase):
    def test_every_object_that_was_acknowledged_is_told(self):
        kiln = self.enterContext(Kiln(machines="sim"))
        s3 = kiln.client("s3")
        s3.create_bucket(Bucket="crash")
        url, arn = queue(kiln, "crash", "crash")
        s3.put_bucket_notification_configuration(Bucket="crash", NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]})
        over, put = threading.Event(), []

        def work():
            client, number = kiln.client("s3"), 0
            while not over.is_set():
                number += 1
                try:
                    client.put_object(Bucket="crash", Key=f"k{number}", Body=b"x")
                    put.append(f"k{number}")
                except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                    pass

        worker = threading.Thread(target=work)
        worker.start()
        for kill in range(8):
            before = len(put)
            wait_for("objects to be put", lambda: len(put) > before + 3)
            kiln.kill()
            kiln.start()
        over.set()
        worker.join()
        seen = set()

        def all_told():
            for message in told(kiln, url, 1):
                seen.update(record["s3"]["object"]["key"] for record in message.get("Records", []))
            return seen >= set(put)

        wait_for("all that was put to be told", all_told, 60)
        keys = {each["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="crash") for each in page["Contents"]}
        self.assertEqual(seen - keys, set(), "nothing is told that did not happen")


if __name__ == "__main__":
    unittest.main()
