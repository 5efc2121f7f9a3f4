"""SQS's calls by boto3, each at least once, which checks the MD5s of all that it sends and receives; and by forms, as
older SDKs speak. What a kill -9 takes is in test_sqs_crash.py."""

import http.client
import json
import re
import time
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from calls import Calls
from kiln import wait_for


class Sqs(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sqs = cls.kiln.client("sqs")

    def queue(self, name, **attributes):
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def arn(self, url):
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def receive(self, url, most=10, **more):
        return self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, **more).get("Messages", [])

    def counts(self, url):
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return [int(attributes[f"ApproximateNumberOfMessages{which}"]) for which in ("", "NotVisible", "Delayed")]

    def test_a_queue(self):
        sqs = self.sqs
        made = sqs.create_queue(QueueName="shop-orders", Attributes={"VisibilityTimeout": "60"}, tags={"team": "shop"})
        url = made["QueueUrl"]
        self.assertEqual(url, f"{self.kiln.info['endpoint']}/000000000000/shop-orders")
        self.assertEqual(sqs.get_queue_url(QueueName="shop-orders")["QueueUrl"], url)
        self.assertEqual(self.refused(sqs.create_queue, QueueName="shop-orders", Attributes={"VisibilityTimeout": "61"}), "QueueAlreadyExists")
        self.assertEqual(self.refused(sqs.get_queue_url, QueueName="none"), "AWS.SimpleQueueService.NonExistentQueue")
        with self.assertRaises(sqs.exceptions.QueueDoesNotExist):
            sqs.send_message(QueueUrl=f"{url}-none", MessageBody="x")
        self.assertEqual(self.refused(sqs.create_queue, QueueName="q", Attributes={"DelaySeconds": "901"}), "InvalidAttributeValue")
        self.assertEqual(self.refused(sqs.create_queue, QueueName="q", Attributes={"KmsMasterKeyId": "alias/aws/sqs"}), "NotImplemented")
        self.assertEqual(self.refused(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Nonsense"]), "InvalidAttributeName")
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0", "MessageRetentionPeriod": "120"})
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual((attributes["MessageRetentionPeriod"], attributes["VisibilityTimeout"]), ("120", "60"))
        self.assertEqual(attributes["QueueArn"], "arn:aws:sqs:us-east-1:000000000000:shop-orders")
        sqs.tag_queue(QueueUrl=url, Tags={"stage": "test"})
        sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
        self.assertEqual(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"stage": "test"})
        self.queue("shop-mails")
        pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="shop-", PaginationConfig={"PageSize": 1})
        self.assertEqual([each.rsplit("/", 1)[1] for page in pages for each in page["QueueUrls"]], ["shop-mails", "shop-orders"])
        self.assertNotIn("QueueUrls", sqs.list_queues(QueueNamePrefix="none"))
        sqs.delete_queue(QueueUrl=url)
        self.assertEqual(self.refused(sqs.list_queue_tags, QueueUrl=url), "AWS.SimpleQueueService.NonExistentQueue")

    def test_messages_and_their_md5s(self):
        url = self.queue("messages")
        attributes = {
            "name": {"DataType": "String", "StringValue": "Grüße"},
            "count": {"DataType": "Number.int", "StringValue": "42"},
            "image": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
        }
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
        sent = self.sqs.send_message(QueueUrl=url, MessageBody="héllo ✓", MessageAttributes=attributes, MessageSystemAttributes=trace)
        self.assertEqual(len(sent["MD5OfMessageSystemAttributes"]), 32)
        got = self.receive(url, MessageAttributeNames=["All"], AttributeNames=["All"], VisibilityTimeout=0)[0]
        self.assertEqual((got["MessageId"], got["Body"], got["MessageAttributes"]), (sent["MessageId"], "héllo ✓", attributes))
        self.assertEqual(got["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
        self.assertEqual(got["Attributes"]["AWSTraceHeader"], trace["AWSTraceHeader"]["StringValue"])
        self.assertEqual(got["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertLess(abs(int(got["Attributes"]["SentTimestamp"]) / 1000 - time.time()), 60)
        got = self.receive(url, MessageAttributeNames=["na*", "co.*", "count"], MessageSystemAttributeNames=["SenderId"])[0]
        self.assertEqual((list(got["MessageAttributes"]), list(got["Attributes"])), (["count"], ["SenderId"]))
        self.assertEqual(self.counts(url), [0, 1, 0])
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
        self.assertEqual(self.refused(self.sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=9), "AWS.SimpleQueueService.MessageNotInflight")
        again = self.receive(url)[0]
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        self.assertEqual(self.counts(url), [0, 0, 0])
        self.assertEqual(self.refused(self.sqs.delete_message, QueueUrl=url, ReceiptHandle="nonsense"), "ReceiptHandleIsInvalid")
        self.assertEqual(self.refused(self.sqs.send_message, QueueUrl=url, MessageBody=""), "MissingParameter")
        self.assertEqual(self.refused(self.sqs.send_message, QueueUrl=url, MessageBody="\ufffe"), "InvalidMessageContents")
        # The longest.
        self.sqs.send_message(QueueUrl=url, MessageBody="x" * (1 << 20))
        self.assertEqual(len(self.receive(url)[0]["Body"]), 1 << 20)
        self.assertEqual(self.refused(self.sqs.send_message, QueueUrl=url, MessageBody="x" * ((1 << 20) + 1)), "InvalidParameterValue")
        self.sqs.purge_queue(QueueUrl=url)
        self.assertEqual(self.counts(url), [0, 0, 0])
        self.assertEqual(self.refused(self.sqs.purge_queue, QueueUrl=url), "AWS.SimpleQueueService.PurgeQueueInProgress")

    def test_batches(self):
        url = self.queue("batches")
        entries = [{"Id": str(n), "MessageBody": f"m{n}", "MessageAttributes": {"n": {"DataType": "Number", "StringValue": str(n)}}} for n in range(9)]
        sent = self.sqs.send_message_batch(QueueUrl=url, Entries=[*entries, {"Id": "bad", "MessageBody": "x", "DelaySeconds": 901}])
        self.assertEqual([each["Id"] for each in sent["Successful"]], [str(n) for n in range(9)])
        self.assertEqual([(each["Id"], each["Code"], each["SenderFault"]) for each in sent["Failed"]], [("bad", "InvalidParameterValue", True)])
        got = self.receive(url, MessageAttributeNames=["n"])
        self.assertEqual([each["Body"] for each in got], [f"m{n}" for n in range(9)])
        handles = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(got)]
        changed = self.sqs.change_message_visibility_batch(QueueUrl=url, Entries=[{**handles[0], "VisibilityTimeout": 0}, {**handles[1], "VisibilityTimeout": 99}])
        self.assertEqual((len(changed["Successful"]), changed.get("Failed")), (2, None))
        self.assertEqual(self.counts(url), [1, 8, 0])
        gone = self.sqs.delete_message_batch(QueueUrl=url, Entries=[*handles[1:], {"Id": "bad", "ReceiptHandle": "x"}])
        self.assertEqual((len(gone["Successful"]), [each["Code"] for each in gone["Failed"]]), (8, ["ReceiptHandleIsInvalid"]))
        for entries, code in [
            ([], "EmptyBatchRequest"),
            ([{"Id": str(n), "MessageBody": "x"} for n in range(11)], "TooManyEntriesInBatchRequest"),
            ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
            ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
            ([{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)], "BatchRequestTooLong"),
        ]:
            self.assertEqual(self.refused(self.sqs.send_message_batch, QueueUrl=url, Entries=entries), f"AWS.SimpleQueueService.{code}")

    def test_long_polls_end_when_a_message_comes(self):
        import threading

        url = self.queue("polls", ReceiveMessageWaitTimeSeconds="20")
        begun, got = time.monotonic(), []
        other = self.kiln.client("sqs")
        poll = threading.Thread(target=lambda: got.extend(other.receive_message(QueueUrl=url).get("Messages", [])))
        poll.start()
        time.sleep(1)
        self.sqs.send_message(QueueUrl=url, MessageBody="now")
        poll.join(10)
        took = time.monotonic() - begun
        self.assertEqual([each["Body"] for each in got], ["now"])
        self.assertTrue(1 <= took < 3, f"{took} s")
        self.assertEqual(self.receive(url, WaitTimeSeconds=1), [])
        self.assertLess(time.monotonic() - begun - took, 3)

    def test_a_fifo_queue(self):
        sqs = self.sqs
        url = self.queue("jobs.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        numbers = []
        for body, group in [("a", "g"), ("b", "h"), ("c", "g"), ("a", "g")]:
            numbers.append(sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group)["SequenceNumber"])
        self.assertEqual(numbers[3], numbers[0], "sent before")
        self.assertEqual(sorted(numbers[:3]), numbers[:3])
        first = self.receive(url, 1, AttributeNames=["All"], ReceiveRequestAttemptId="once")
        self.assertEqual(self.receive(url, 1, ReceiveRequestAttemptId="once")[0]["ReceiptHandle"], first[0]["ReceiptHandle"])
        self.assertEqual((first[0]["Body"], first[0]["Attributes"]["MessageGroupId"], first[0]["Attributes"]["SequenceNumber"]), ("a", "g", numbers[0]))
        self.assertEqual([each["Body"] for each in self.receive(url)], ["b"])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
        last = self.receive(url, VisibilityTimeout=1)
        self.assertEqual([each["Body"] for each in last], ["c"])
        time.sleep(1.1)
        self.assertEqual(self.refused(sqs.delete_message, QueueUrl=url, ReceiptHandle=last[0]["ReceiptHandle"]), "InvalidParameterValue")
        self.assertEqual(self.refused(sqs.send_message, QueueUrl=url, MessageBody="x"), "MissingParameter")

    def test_dead_letters_and_their_way_back(self):
        sqs = self.sqs
        dead = self.queue("dead", RedriveAllowPolicy=json.dumps({"redrivePermission": "allowAll"}))
        policy = {"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": 1}
        url = self.queue("alive", RedrivePolicy=json.dumps(policy), VisibilityTimeout="0")
        for n in range(3):
            sqs.send_message(QueueUrl=url, MessageBody=str(n))
        self.assertEqual(len(self.receive(url)), 3)
        self.assertEqual(self.receive(url), [])
        self.assertEqual((self.counts(url), self.counts(dead)), ([0, 0, 0], [3, 0, 0]))
        got = self.receive(dead, 1, AttributeNames=["DeadLetterQueueSourceArn"], VisibilityTimeout=0)[0]
        self.assertEqual(got["Attributes"], {"DeadLetterQueueSourceArn": self.arn(url)})
        self.assertEqual(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])
        sqs.start_message_move_task(SourceArn=self.arn(dead))
        tasks = lambda: sqs.list_message_move_tasks(SourceArn=self.arn(dead), MaxResults=10)["Results"]
        wait_for("the task's end", lambda: tasks()[0]["Status"] == "COMPLETED", 10)
        self.assertEqual((self.counts(url), self.counts(dead)), ([3, 0, 0], [0, 0, 0]))
        self.assertEqual(tasks()[0]["ApproximateNumberOfMessagesMoved"], 3)
        self.receive(url)
        self.receive(url)
        handle = sqs.start_message_move_task(SourceArn=self.arn(dead), MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
        sqs.cancel_message_move_task(TaskHandle=handle)
        wait_for("the cancelled task's end", lambda: tasks()[0]["Status"] == "CANCELLED", 10)
        self.assertEqual(self.refused(sqs.cancel_message_move_task, TaskHandle=handle), "AWS.SimpleQueueService.UnsupportedOperation")
        self.assertEqual(self.refused(sqs.start_message_move_task, SourceArn=self.arn(url)), "InvalidParameterValue")
        self.assertEqual(self.refused(sqs.list_message_move_tasks, SourceArn=self.arn(url) + "x"), "ResourceNotFoundException")

    def test_permissions_for_another_account(self):
        sqs, iam = self.sqs, self.kiln.client("iam")
        url = self.queue("shared")
        sqs.add_permission(QueueUrl=url, Label="send", AWSAccountIds=["000000000000"], Actions=["SendMessage"])
        policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
        self.assertEqual(policy["Statement"][0], {
            "Sid": "send", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
            "Action": "SQS:SendMessage", "Resource": self.arn(url),
        })
        sqs.remove_permission(QueueUrl=url, Label="send")
        self.assertNotIn("Attributes", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]))
        # A user whose own policies say nothing is let in by the queue's, and denied by it.
        user = iam.create_user(UserName="worker")["User"]
        key = iam.create_access_key(UserName="worker")["AccessKey"]
        worker = self.kiln.client("sqs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        self.assertEqual(self.refused(worker.send_message, QueueUrl=url, MessageBody="x"), "AccessDenied")
        statement = {"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": "sqs:SendMessage", "Resource": self.arn(url)}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})})
        worker.send_message(QueueUrl=url, MessageBody="x")
        self.assertEqual(self.refused(worker.receive_message, QueueUrl=url), "AccessDenied")
        sender = self.receive(url, AttributeNames=["SenderId"])[0]["Attributes"]["SenderId"]
        self.assertEqual(sender, user["UserId"])

    def form(self, path="/", method="POST", **parameters):
        """Status and body of a call as an older SDK makes it."""
        parameters = {"Version": "2012-11-05", **parameters}
        url, body = self.kiln.info["endpoint"] + path, urllib.parse.urlencode(parameters)
        if method == "GET":
            url, body = f"{url}?{body}", None
        request = botocore.awsrequest.AWSRequest(method, url, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"} if body else {})
        keys = botocore.credentials.Credentials(self.kiln.info["access_key"], self.kiln.info["secret"])
        botocore.auth.SigV4Auth(keys, "sqs", "us-east-1").add_auth(request)
        where = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        connection.request(method, f"{where.path}?{where.query}" if where.query else where.path, body, dict(request.headers))
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def test_the_query_protocol_and_a_queue_s_own_address(self):
        status, text = self.form(Action="CreateQueue", QueueName="old", **{
            "Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "40", "Tag.1.Key": "a", "Tag.1.Value": "b",
        })
        self.assertEqual(status, 200, text)
        self.assertIn('<CreateQueueResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">', text)
        url = re.search("<QueueUrl>(.+)</QueueUrl>", text)[1]
        path = urllib.parse.urlsplit(url).path
        self.assertEqual(path, "/000000000000/old")
        status, text = self.form(path, Action="SendMessage", MessageBody="a&b", **{
            "MessageAttribute.1.Name": "n", "MessageAttribute.1.Value.DataType": "Number", "MessageAttribute.1.Value.StringValue": "7",
        })
        self.assertEqual(status, 200, text)
        md5 = re.search("<MD5OfMessageAttributes>(.+)</MD5OfMessageAttributes>", text)[1]
        for place, more in [(path, {}), ("/", {"QueueUrl": url})]:
            status, text = self.form(place, "GET", Action="ReceiveMessage", VisibilityTimeout="0", **more, **{
                "AttributeName.1": "SenderId", "MessageAttributeName.1": "All",
            })
            self.assertEqual(status, 200, text)
            self.assertIn("<Body>a&amp;b</Body>", text)
            self.assertIn("<Attribute><Name>SenderId</Name><Value>000000000000</Value></Attribute>", text)
            self.assertIn("<MessageAttribute><Name>n</Name><Value><StringValue>7</StringValue><DataType>Number</DataType></Value></MessageAttribute>", text)
            self.assertIn(f"<MD5OfMessageAttributes>{md5}</MD5OfMessageAttributes>", text)
        handle = re.search("<ReceiptHandle>(.+)</ReceiptHandle>", text)[1]
        status, text = self.form(path, Action="DeleteMessageBatch", **{
            "DeleteMessageBatchRequestEntry.1.Id": "x", "DeleteMessageBatchRequestEntry.1.ReceiptHandle": handle,
            "DeleteMessageBatchRequestEntry.2.Id": "y", "DeleteMessageBatchRequestEntry.2.ReceiptHandle": "none",
        })
        self.assertIn("<DeleteMessageBatchResultEntry><Id>x</Id></DeleteMessageBatchResultEntry>", text)
        self.assertIn("<Code>ReceiptHandleIsInvalid</Code>", text)
        status, text = self.form(path, Action="GetQueueAttributes", **{"AttributeName.1": "All"})
        self.assertIn("<Attribute><Name>VisibilityTimeout</Name><Value>40</Value></Attribute>", text)
        status, text = self.form(path, Action="ListQueueTags")
        self.assertIn("<Tag><Key>a</Key><Value>b</Value></Tag>", text)
        status, text = self.form("/000000000000/none", Action="PurgeQueue")
        self.assertEqual((status, "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in text), (400, True), text)
        # The same queue by the other protocol.
        self.assertEqual(self.sqs.get_queue_url(QueueName="old")["QueueUrl"], url)
        self.assertEqual(self.form(path, Action="DeleteQueue")[0], 200)
