"""What is published reaches queues, HTTP endpoints and the mailbox: with boto3, an endpoint that the test starts, and kills."""
import base64
import http.server
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from calls import Calls
from kiln import Kiln, wait_for

SERVICES = "sns sqs"


class Endpoint:
    """An HTTP endpoint: what came, and what it answers next (a status, or `hang` or `close`)."""

    def __init__(self):
        self.came, self.answers, self.lock = [], [], threading.Lock()
        self.over = threading.Event()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                with endpoint.lock:
                    answer = endpoint.answers.pop(0) if endpoint.answers else 200
                    endpoint.came.append((self.path, dict(self.headers), body, answer, time.monotonic()))
                if answer == "hang":
                    endpoint.over.wait(60)
                    return
                if answer == "close":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(answer)
                self.send_header("Location", f"http://127.0.0.1:{endpoint.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def of(self, kind):
        """The messages of a kind, parsed."""
        with self.lock:
            return [(headers, json.loads(body)) for _, headers, body, answer, _ in self.came if headers.get("x-amz-sns-message-type") == kind and answer == 200]

    def tries(self):
        with self.lock:
            return [answer for *_, answer, _ in self.came]


def get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


def verified(message):
    """Whether a message's signature is that of the certificate that it names."""
    names = {
        "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        "SubscriptionConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
    }[message["Type"]]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    digest = {"1": "-sha1", "2": "-sha256"}[message["SignatureVersion"]]
    with tempfile.TemporaryDirectory() as folder:
        key, signature = pathlib.Path(folder, "key"), pathlib.Path(folder, "signature")
        certificate = get(message["SigningCertURL"]).encode()
        key.write_bytes(subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=certificate, capture_output=True, check=True).stdout)
        signature.write_bytes(base64.b64decode(message["Signature"]))
        done = subprocess.run(["openssl", "dgst", digest, "-verify", key, "-signature", signature], input=text.encode(), capture_output=True)
    return done.stdout == b"Verified OK\n"


def queue(kiln, name, topic):
    """A queue that the topic may send to: URL and ARN."""
    sqs = kiln.client("sqs")
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }]}
    return sqs.create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})["QueueUrl"], arn


def bodies(kiln, url, count, seconds=30):
    """The bodies of at least so many messages, deleted from the queue."""
    sqs, found = kiln.client("sqs"), []

    def more():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]).get("Messages", []):
            found.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    wait_for(f"{count} messages", more, seconds)
    return [message["Body"] for message in found]


class Delivery(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sns = cls.kiln.client("sns")

    def confirmed(self, endpoint, topic, **attributes):
        """Subscribes an endpoint and follows the link it is sent; the subscription's ARN."""
        before = len(endpoint.of("SubscriptionConfirmation"))
        arn = self.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url, Attributes=attributes, ReturnSubscriptionArn=True)["SubscriptionArn"]
        _, question = wait_for("the question", lambda: endpoint.of("SubscriptionConfirmation")[before:], 30)[0]
        self.assertTrue(verified(question))
        self.assertIn(arn, get(question["SubscribeURL"]))
        self.assertEqual(self.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"], "false")
        return arn

    def test_a_queue_gets_the_envelope_or_the_message_and_filters_hold(self):
        sns = self.sns
        topic = sns.create_topic(Name="queues")["TopicArn"]
        wrapped, wrapped_arn = queue(self.kiln, "wrapped", topic)
        raw, raw_arn = queue(self.kiln, "raw", topic)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=wrapped_arn)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=raw_arn, Attributes={
            "RawMessageDelivery": "true", "FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps({"order": {"price": [{"numeric": [">", 5]}]}}),
        })
        sns.publish(TopicArn=topic, Message='{"order": {"price": 3}}')
        sns.publish(TopicArn=topic, Message='{"order": {"price": 7}}', Subject="dear")
        self.assertEqual(bodies(self.kiln, raw, 1), ['{"order": {"price": 7}}'])
        told = [json.loads(body) for body in bodies(self.kiln, wrapped, 2)]
        self.assertEqual(sorted(each["Message"] for each in told), ['{"order": {"price": 3}}', '{"order": {"price": 7}}'])
        self.assertTrue(all(verified(each) for each in told))

    def test_an_endpoint_is_asked_and_told_with_signatures_of_both_versions(self):
        sns = self.sns
        topic = sns.create_topic(Name="hooks")["TopicArn"]
        with Endpoint() as endpoint:
            arn = self.confirmed(endpoint, topic)
            for version in ["1", "2"]:
                sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version)
                sns.publish(TopicArn=topic, Message=f"version {version}", Subject="s")
                headers, told = wait_for("the notification", lambda: [each for each in endpoint.of("Notification") if each[1]["Message"] == f"version {version}"], 30)[0]
                self.assertEqual((told["SignatureVersion"], headers["x-amz-sns-topic-arn"], headers["x-amz-sns-subscription-arn"]), (version, topic, arn))
                self.assertEqual(headers["x-amz-sns-message-id"], told["MessageId"])
                self.assertTrue(verified(told))
            get(told["UnsubscribeURL"])
            self.assertEqual(self.refused(sns.get_subscription_attributes, SubscriptionArn=arn), "NotFound")

    def test_an_endpoint_that_fails_is_tried_again_and_given_up_to_the_dead_letter_queue(self):
        sns = self.sns
        topic = sns.create_topic(Name="failing")["TopicArn"]
        dead, dead_arn = queue(self.kiln, "dead", topic)
        policy = {"healthyRetryPolicy": {"numRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 1}}
        with Endpoint() as endpoint:
            self.confirmed(endpoint, topic, RawMessageDelivery="true", DeliveryPolicy=json.dumps(policy), RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_arn}))
            before = len(endpoint.tries())
            endpoint.answers = [500, "close", 429]
            sns.publish(TopicArn=topic, Message="taken in the end")
            wait_for("four tries", lambda: len(endpoint.tries()) - before == 4, 30)
            self.assertEqual(endpoint.tries()[before:], [500, "close", 429, 200])
            before = len(endpoint.tries())
            endpoint.answers = [500] * 4
            sns.publish(TopicArn=topic, Message="given up")
            self.assertEqual(bodies(self.kiln, dead, 1), ["given up"])
            self.assertEqual(endpoint.tries()[before:], [500] * 4)
            before = len(endpoint.tries())
            endpoint.answers = [404]
            sns.publish(TopicArn=topic, Message="gone")
            self.assertEqual(bodies(self.kiln, dead, 1), ["gone"])
            endpoint.answers = [302]
            sns.publish(TopicArn=topic, Message="redirected")
            self.assertEqual(bodies(self.kiln, dead, 1), ["redirected"])
            self.assertEqual(endpoint.tries()[before:], [404, 302], "for good: once each, and no redirect is followed")
            self.assertEqual({path for path, *_ in endpoint.came}, {"/hook"})

    def test_endpoints_that_hang_hold_up_nobody_else(self):
        sns = self.sns
        topic = sns.create_topic(Name="hanging")["TopicArn"]
        url, arn = queue(self.kiln, "quick", topic)
        with Endpoint() as hanging, Endpoint() as good:
            self.confirmed(hanging, topic)
            self.confirmed(good, topic)
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
            hanging.answers = ["hang"] * 20
            began = time.monotonic()
            for number in range(10):
                sns.publish(TopicArn=topic, Message=str(number))
            bodies(self.kiln, url, 10)
            wait_for("the good one", lambda: len(good.of("Notification")) == 10, 30)
            self.assertLess(time.monotonic() - began, 12, "nobody waited for the one that hangs")

    def test_mail_lies_in_the_mailbox(self):
        sns = self.sns
        topic = sns.create_topic(Name="mails", Attributes={"DisplayName": "The Shop"})["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
        sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="bot@example.com")

        def mails(to):
            return json.loads(self.kiln.cli("mail", "--to", to, "--json").stdout)["mails"]

        question = wait_for("the question", lambda: mails("ops@example.com"), 30)[0]
        get(re.search(r"http://\S+", question["body"])[0])
        token = json.loads(wait_for("the other question", lambda: mails("bot@example.com"), 30)[0]["body"])["Token"]
        sns.confirm_subscription(TopicArn=topic, Token=token)
        sns.publish(TopicArn=topic, Message="the machine burns", Subject="fire")
        mail = wait_for("the mail", lambda: mails("ops@example.com")[:-1], 30)[0]
        self.assertEqual((mail["subject"], mail["from"]), ("fire", "The Shop <no-reply@sns.amazonaws.com>"))
        self.assertTrue(mail["body"].startswith("the machine burns\n"))
        shown = self.kiln.cli("mail", mail["id"]).stdout
        self.assertIn("Subject: fire\n", shown)
        self.assertIn("\nthe machine burns\n", shown)
        self.assertIn(mail["id"], self.kiln.cli("mail").stdout)
        told = json.loads(wait_for("the other mail", lambda: mails("bot@example.com")[:-1], 30)[0]["body"])
        self.assertEqual(told["Message"], "the machine burns")
        self.assertTrue(verified(told))
        self.assertIn("there is no mail m-0", self.kiln.cli("mail", "m-0", check=False).stderr)

    def test_kiln_does_not_connect_to_where_the_caller_has_no_business(self):
        topic = self.sns.create_topic(Name="probing")["TopicArn"]
        for host in ["169.254.169.254", "[::ffff:169.254.169.254]", "0.0.0.0", "224.0.0.1", "[fe80::1]"]:
            self.assertEqual(self.refused(self.sns.subscribe, TopicArn=topic, Protocol="http", Endpoint=f"http://{host}/"), "InvalidParameter", host)
        for path in ["", "?Action=DeleteTopic&TopicArn=" + topic, "?Action=ConfirmSubscription&TopicArn=" + topic + "&Token=x", "other.pem"]:
            with self.assertRaises(urllib.error.HTTPError):
                get(f"{self.kiln.info['endpoint']}/_kiln/sns/{path}")
        self.assertIn({"TopicArn": topic}, self.sns.list_topics()["Topics"])

    def test_a_stack_of_a_topic_its_policy_and_subscribers(self):
        cfn = self.kiln.client("cloudformation")
        template = {"Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "of-stack"}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "of-stack", "DisplayName": "One"}},
            "Subscription": {"Type": "AWS::SNS::Subscription", "Properties": {
                "TopicArn": {"Ref": "Topic"}, "Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]}, "RawMessageDelivery": True,
                "FilterPolicy": {"kind": ["a"]},
            }},
            "Policy": {"Type": "AWS::SNS::TopicPolicy", "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": {
                "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": {"Ref": "Topic"}}],
            }}},
            "QueuePolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {
                "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}],
            }}},
        }, "Outputs": {"Topic": {"Value": {"Ref": "Topic"}}, "Queue": {"Value": {"Ref": "Queue"}}}}
        cfn.create_stack(StackName="s", TemplateBody=json.dumps(template))
        cfn.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        outputs = {each["OutputKey"]: each["OutputValue"] for each in cfn.describe_stacks(StackName="s")["Stacks"][0]["Outputs"]}
        topic = outputs["Topic"]
        for kind in ["b", "a"]:
            self.sns.publish(TopicArn=topic, Message=kind, MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}})
        self.assertEqual(bodies(self.kiln, outputs["Queue"], 1), ["a"])
        self.assertIn("events.amazonaws.com", self.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
        template["Resources"]["Topic"]["Properties"]["DisplayName"] = "Two"
        template["Resources"]["Subscription"]["Properties"]["FilterPolicy"] = {"kind": ["b"]}
        cfn.update_stack(StackName="s", TemplateBody=json.dumps(template))
        cfn.get_waiter("stack_update_complete").wait(StackName="s", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.assertEqual(self.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"], "Two")
        self.sns.publish(TopicArn=topic, Message="b", MessageAttributes={"kind": {"DataType": "String", "StringValue": "b"}})
        self.assertEqual(bodies(self.kiln, outputs["Queue"], 1), ["b"])
        cfn.delete_stack(StackName="s")
        cfn.get_waiter("stack_delete_complete").wait(StackName="s", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.assertNotIn({"TopicArn": topic}, self.sns.list_topics()["Topics"])


class Killed(unittest.TestCase):
    """kill -9 between a publication and its delivery."""

    def test_nothing_that_was_acknowledged_is_lost(self):
        with Kiln(machines="sim") as kiln, Endpoint() as endpoint:
            sns = kiln.client("sns")
            topic = sns.create_topic(Name="t")["TopicArn"]
            url, arn = queue(kiln, "q", topic)
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
            policy = {"healthyRetryPolicy": {"numRetries": 20, "minDelayTarget": 1, "maxDelayTarget": 2}}
            made = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url, Attributes={"DeliveryPolicy": json.dumps(policy)}, ReturnSubscriptionArn=True)
            self.assertTrue(made["SubscriptionArn"])
            _, question = wait_for("the question", lambda: endpoint.of("SubscriptionConfirmation"), 30)[0]
            get(question["SubscribeURL"])
            acknowledged = []
            for round in range(5):
                # While some attempts hang, some fail and some have just been made.
                endpoint.answers = ["hang", 500, 200, 500]
                for number in range(6):
                    text = f"{round}.{number}"
                    sns.publish(TopicArn=topic, Message=text)
                    acknowledged.append(text)
                kiln.kill()
                kiln.start()
            wait_for("all at the endpoint", lambda: {told["Message"] for _, told in endpoint.of("Notification")} >= set(acknowledged), 90)
            found = set()
            wait_for("all in the queue", lambda: found.update(bodies(kiln, url, 1, 5)) or found >= set(acknowledged), 90)
            self.assertEqual(found, set(acknowledged))


if __name__ == "__main__":
    unittest.main()
