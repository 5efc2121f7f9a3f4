"""Events reach the queues and topics that rules send them to: with boto3, through kill -9 too."""
import json
import threading
import time
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for

SERVICES = "events sns sqs"
ACCOUNT = "000000000000"
KILLS = 12
# Seconds that a kiln has to live in.
LIVES = 0.2


def let_in(arn, action):
    """The policy of a queue or topic that EventBridge may tell."""
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": action, "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Given:
    """A queue that events can be sent to, and what came."""

    def __init__(self, kiln, name):
        self.sqs = kiln.client("sqs")
        self.arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        self.url = self.sqs.create_queue(QueueName=name, Attributes={"Policy": let_in(self.arn, "sqs:SendMessage")})["QueueUrl"]

    def come(self):
        """All that lies there, taken away."""
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for each in found:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"]) for each in found]

    def one(self):
        got = []
        wait_for("an event in the queue", lambda: got.extend(self.come()) or got)
        return got[0]


class Delivery(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.events = cls.kiln.client("events")

    def put(self, source, detail, **more):
        answer = self.events.put_events(Entries=[{"Source": source, "DetailType": "Order", "Detail": json.dumps(detail), **more}])
        self.assertEqual(answer["FailedEntryCount"], 0, answer)
        return answer["Entries"][0]["EventId"]

    def test_an_event_reaches_a_queue_and_a_topic(self):
        queue, behind = Given(self.kiln, "orders"), Given(self.kiln, "behind")
        sns = self.kiln.client("sns")
        topic = sns.create_topic(Name="orders")["TopicArn"]
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=let_in(topic, "sns:Publish"))
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": behind.arn}
        behind.sqs.set_queue_attributes(QueueUrl=behind.url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=behind.arn, Attributes={"RawMessageDelivery": "true"})
        self.events.put_rule(Name="orders", EventPattern=json.dumps({"source": ["shop"], "detail": {"sum": [{"numeric": [">", 10]}]}}))
        transformer = {"InputPathsMap": {"sum": "$.detail.sum"}, "InputTemplate": '{"paid": <sum>}'}
        self.events.put_targets(Rule="orders", Targets=[{"Id": "q", "Arn": queue.arn}, {"Id": "t", "Arn": topic, "InputTransformer": transformer}])
        self.put("shop", {"sum": 1})
        id = self.put("shop", {"sum": 11}, Resources=["arn:order"])
        event = queue.one()
        self.assertEqual((event["id"], event["source"], event["detail"], event["resources"]), (id, "shop", {"sum": 11}, ["arn:order"]))
        self.assertEqual(behind.one(), {"paid": 11})
        self.assertEqual(queue.come(), [])

    def test_a_queue_that_lets_nobody_in_makes_a_dead_letter(self):
        closed, letters = Given(self.kiln, "closed"), Given(self.kiln, "letters")
        closed.sqs.set_queue_attributes(QueueUrl=closed.url, Attributes={"Policy": ""})
        self.events.put_rule(Name="closed", EventPattern=json.dumps({"source": ["closed"]}))
        self.events.put_targets(Rule="closed", Targets=[{"Id": "1", "Arn": closed.arn, "DeadLetterConfig": {"Arn": letters.arn}}])
        self.put("closed", {"n": 1})
        got = []

        def look():
            got.extend(letters.sqs.receive_message(QueueUrl=letters.url, MessageAttributeNames=["All"]).get("Messages", []))
            return got
        wait_for("a dead letter", look)
        said = {name: value["StringValue"] for name, value in got[0]["MessageAttributes"].items()}
        self.assertEqual((said["ERROR_CODE"], said["RULE_ARN"].rsplit("/")[-1], said["TARGET_ARN"]), ("NO_PERMISSIONS", "closed", closed.arn))

    def test_a_bus_of_one_s_own_hands_on_to_another(self):
        queue = Given(self.kiln, "second")
        for name in ["first", "second"]:
            self.events.create_event_bus(Name=name)
            self.events.put_rule(Name="all", EventBusName=name, EventPattern=json.dumps({"source": [{"prefix": ""}]}))
        second = self.events.describe_event_bus(Name="second")["Arn"]
        self.events.put_targets(Rule="all", EventBusName="first", Targets=[{"Id": "1", "Arn": second}])
        self.events.put_targets(Rule="all", EventBusName="second", Targets=[{"Id": "1", "Arn": queue.arn}])
        id = self.put("x", {}, EventBusName="first")
        self.assertEqual(queue.one()["id"], id)

    def test_a_schedule_tells_again_and_again(self):
        queue = Given(self.kiln, "ticks")
        self.events.put_rule(Name="tick", ScheduleExpression="cron(* * * * ? *)")
        self.events.put_targets(Rule="tick", Targets=[{"Id": "1", "Arn": queue.arn}])
        got = []
        wait_for("the minute", lambda: got.extend(queue.come()) or got, seconds=75)
        self.events.disable_rule(Name="tick")
        self.assertEqual((got[0]["source"], got[0]["detail-type"], got[0]["detail"]), ("aws.events", "Scheduled Event", {}))
        self.assertTrue(got[0]["time"].endswith(":00Z"), got[0])


class Crash(unittest.TestCase):
    def test_what_was_acknowledged_arrives_whatever_dies(self):
        kiln = self.enterContext(Kiln(machines="sim"))
        queue = Given(kiln, "orders")
        events = kiln.client("events")
        events.put_rule(Name="all", EventPattern=json.dumps({"source": ["shop"]}))
        events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": queue.arn}])
        over, acknowledged, came = threading.Event(), set(), set()

        def put():
            client = kiln.client("events")
            while not over.is_set():
                try:
                    answer = client.put_events(Entries=[{"Source": "shop", "DetailType": "t", "Detail": "{}"}] * 3)
                    acknowledged.update(entry["EventId"] for entry in answer["Entries"])
                except botocore.exceptions.BotoCoreError:
                    time.sleep(0.01)
        threads = [threading.Thread(target=put) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            time.sleep(LIVES)
            kiln.kill()
            kiln.start()
        over.set()
        for thread in threads:
            thread.join()
        self.assertGreater(len(acknowledged), 50)

        def arrived():
            try:
                came.update(event["id"] for event in queue.come())
            except botocore.exceptions.BotoCoreError:
                return False
            return acknowledged <= came
        wait_for("all that was acknowledged", arrived)
