"""Log events through kill -9, twenty times: what was acknowledged is there, in its order, and a query that was in hand ends."""

import threading
import time
import unittest

import botocore.exceptions

from kiln import Kiln

KILLS = 20
# Seconds that a kiln has to live in.
LIVES = 0.15


class Crash(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))

    def test_nothing_acknowledged_is_lost(self):
        logs = self.kiln.client("logs")
        logs.create_log_group(logGroupName="crash")
        writers = 4
        for n in range(writers):
            logs.create_log_stream(logGroupName="crash", logStreamName=f"s{n}")
        over, failures = threading.Event(), []
        said, asked = [[] for _ in range(writers)], []

        def write(n):
            client, number = self.kiln.client("logs"), 0
            while not over.is_set():
                message = f"m{number}"
                number += 1
                try:
                    client.put_log_events(logGroupName="crash", logStreamName=f"s{n}", logEvents=[{"timestamp": int(time.time() * 1000), "message": message}])
                    said[n].append(message)
                except botocore.exceptions.BotoCoreError:
                    time.sleep(0.01)
                except botocore.exceptions.ClientError as error:
                    failures.append(error)

        def ask():
            client = self.kiln.client("logs")
            while not over.is_set():
                try:
                    now = int(time.time())
                    asked.append(client.start_query(logGroupName="crash", startTime=now - 3600, endTime=now + 60, queryString="stats count(*) as n")["queryId"])
                    time.sleep(0.05)
                except botocore.exceptions.BotoCoreError:
                    time.sleep(0.01)
                except botocore.exceptions.ClientError as error:
                    failures.append(error)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)] + [threading.Thread(target=ask)]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            time.sleep(LIVES)
            self.kiln.kill()
            self.kiln.start()
        over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(sum(map(len, said)), KILLS)
        for n in range(writers):
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName="crash", logStreamNames=[f"s{n}"])
            there = [each["message"] for page in pages for each in page["events"]]
            # A batch whose answer was lost may be there, once or, sent again by the client, twice.
            self.assertEqual(set(said[n]) - set(there), set())
            numbers = [int(message[1:]) for message in there]
            self.assertEqual(numbers, sorted(numbers))
        until = time.monotonic() + 60
        for query in asked:
            while (answer := logs.get_query_results(queryId=query))["status"] in ("Scheduled", "Running"):
                self.assertLess(time.monotonic(), until, answer)
            self.assertEqual(answer["status"], "Complete")
