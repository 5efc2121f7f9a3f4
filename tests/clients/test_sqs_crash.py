"""Queues through kill -9, twenty times: what was acknowledged is there, what was deleted stays away, and a FIFO queue
gives each message out once."""

import threading
import time
import unittest

import botocore.exceptions

from kiln import Kiln

KILLS = 20
# Seconds that a kiln has to live in; with its starts the test is done in some 15 s.
LIVES = 0.15


class Crash(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))

    def work(self, do):
        """Does something again and again, through all deaths, until the end; each failure is a kiln that was gone."""
        def loop():
            sqs = self.kiln.client("sqs")
            while not self.over.is_set():
                try:
                    do(sqs)
                except botocore.exceptions.BotoCoreError:
                    time.sleep(0.01)
                except botocore.exceptions.ClientError as error:
                    self.failures.append(error)
        thread = threading.Thread(target=loop)
        thread.start()
        return thread

    def test_nothing_acknowledged_is_lost_and_nothing_comes_back(self):
        sqs = self.kiln.client("sqs")
        plain = sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
        fifo = sqs.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true", "VisibilityTimeout": "300"})["QueueUrl"]
        self.over, self.failures = threading.Event(), []
        sent, asked, deleted, taken, back = {}, set(), set(), [], []
        number = iter(range(1_000_000))

        def send(client):
            body = f"m{next(number)}"
            client.send_message(QueueUrl=plain, MessageBody=body)
            sent[body] = True

        def receive(client):
            for each in client.receive_message(QueueUrl=plain, MaxNumberOfMessages=3).get("Messages", []):
                if each["Body"] in deleted:
                    back.append(each["Body"])
                if hash(each["Body"]) % 2:
                    continue
                asked.add(each["Body"])
                client.delete_message(QueueUrl=plain, ReceiptHandle=each["ReceiptHandle"])
                deleted.add(each["Body"])

        state = {"next": 0}

        def send_in_order(client):
            # The same again until it is acknowledged, as SDKs do.
            n = state["next"]
            client.send_message(QueueUrl=fifo, MessageBody=str(n), MessageGroupId=str(n % 3), MessageDeduplicationId=str(n))
            state["next"] = n + 1

        def take_in_order(client):
            got = client.receive_message(QueueUrl=fifo, MaxNumberOfMessages=5, ReceiveRequestAttemptId=f"a{len(taken)}").get("Messages", [])
            for each in got:
                taken.append(int(each["Body"]))
            for each in got:
                # A delete that was not answered is asked for again.
                while not self.over.is_set():
                    try:
                        client.delete_message(QueueUrl=fifo, ReceiptHandle=each["ReceiptHandle"])
                        break
                    except botocore.exceptions.BotoCoreError:
                        time.sleep(0.01)

        threads = [self.work(do) for do in (send, send, receive, receive, send_in_order, take_in_order)]
        for _ in range(KILLS):
            time.sleep(LIVES)
            self.kiln.kill()
            self.kiln.start()
        time.sleep(LIVES)
        self.over.set()
        for thread in threads:
            thread.join(30)
        self.assertEqual(self.failures, [])
        self.assertEqual(back, [], "deleted, and received again")
        time.sleep(1.1)
        left = set()
        while got := sqs.receive_message(QueueUrl=plain, MaxNumberOfMessages=10, VisibilityTimeout=600).get("Messages", []):
            left.update(each["Body"] for each in got)
        self.assertEqual(left & deleted, set())
        self.assertEqual(set(sent) - asked - left, set(), "acknowledged, and lost")
        self.assertGreater(len(deleted), KILLS)
        # FIFO: each once, and in the order of its group.
        while got := sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10).get("Messages", []):
            taken += [int(each["Body"]) for each in got]
            for each in got:
                sqs.delete_message(QueueUrl=fifo, ReceiptHandle=each["ReceiptHandle"])
        attributes = sqs.get_queue_attributes(QueueUrl=fifo, AttributeNames=["All"])["Attributes"]
        there = sum(int(attributes[f"ApproximateNumberOfMessages{which}"]) for which in ("", "NotVisible"))
        self.assertEqual(len(taken), len(set(taken)), "given out twice")
        for group in range(3):
            of = [n for n in taken if n % 3 == group]
            self.assertEqual(of, sorted(of))
        # What was not taken is there: in flight where the test's end met it, or behind that in its group.
        missing = set(range(state["next"])) - set(taken)
        self.assertLessEqual(len(missing), there, "acknowledged, and lost")
        self.assertGreater(len(taken), KILLS)
