"""Logs's calls by boto3, each at least once, and what users meet: rules of time and order, pages, tokens, refusals."""
import time

from calls import Calls

DAY = 24 * 3600 * 1000


class Logs(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.logs = cls.kiln.client("logs")
        cls.account = cls.kiln.client("sts").get_caller_identity()["Account"]

    def stream(self, group, stream="s", **more):
        self.logs.create_log_group(logGroupName=group, **more)
        self.logs.create_log_stream(logGroupName=group, logStreamName=stream)

    def put(self, group, events, stream="s"):
        events = [{"timestamp": at, "message": message} for at, message in events]
        return self.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def test_groups(self):
        logs = self.logs
        logs.create_log_group(logGroupName="/shop/web", tags={"team": "shop"})
        logs.create_log_group(logGroupName="/shop/db", deletionProtectionEnabled=True)
        self.assertEqual(self.refusal(logs.create_log_group, logGroupName="/shop/web"), ("ResourceAlreadyExistsException", "The specified log group already exists"))
        group = logs.describe_log_groups(logGroupNamePrefix="/shop/w")["logGroups"][0]
        arn = f"arn:aws:logs:us-east-1:{self.account}:log-group:/shop/web"
        self.assertEqual((group["arn"], group["logGroupArn"], group["storedBytes"], group["metricFilterCount"], group["logGroupClass"]), (arn + ":*", arn, 0, 0, "STANDARD"))
        self.assertNotIn("retentionInDays", group)
        names = [each["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/shop", PaginationConfig={"PageSize": 1}) for each in page["logGroups"]]
        self.assertEqual(names, ["/shop/db", "/shop/web"])
        self.assertEqual([each["logGroupName"] for each in logs.describe_log_groups(logGroupNamePattern="op/we")["logGroups"]], ["/shop/web"])
        self.assertEqual([each["logGroupName"] for each in logs.list_log_groups(logGroupNamePattern="^/shop/db|hop/d")["logGroups"]], ["/shop/db"])
        logs.put_retention_policy(logGroupName="/shop/web", retentionInDays=7)
        self.assertEqual(logs.describe_log_groups(logGroupNamePrefix="/shop/w")["logGroups"][0]["retentionInDays"], 7)
        self.assertEqual(self.refused(logs.put_retention_policy, logGroupName="/shop/web", retentionInDays=8), "InvalidParameterException")
        logs.delete_retention_policy(logGroupName="/shop/web")
        self.assertNotIn("retentionInDays", logs.describe_log_groups(logGroupNamePrefix="/shop/w")["logGroups"][0])

        logs.tag_resource(resourceArn=arn, tags={"stage": "test"})
        logs.tag_log_group(logGroupName="/shop/web", tags={"old": "1"})
        self.assertEqual(logs.list_tags_for_resource(resourceArn=arn)["tags"], {"team": "shop", "stage": "test", "old": "1"})
        logs.untag_resource(resourceArn=arn, tagKeys=["team"])
        logs.untag_log_group(logGroupName="/shop/web", tags=["old"])
        self.assertEqual(logs.list_tags_log_group(logGroupName="/shop/web")["tags"], {"stage": "test"})

        self.assertEqual(self.refused(logs.delete_log_group, logGroupName="/shop/db"), "ValidationException")
        logs.put_log_group_deletion_protection(logGroupIdentifier="/shop/db", deletionProtectionEnabled=False)
        logs.delete_log_group(logGroupName="/shop/db")
        self.assertEqual(self.refusal(logs.delete_log_group, logGroupName="/shop/db"), ("ResourceNotFoundException", "The specified log group does not exist."))
        code, message = self.refusal(logs.create_log_group, logGroupName="rare", logGroupClass="INFREQUENT_ACCESS")
        self.assertEqual(code, "NotImplemented")
        self.assertIn("INFREQUENT_ACCESS", message)

    def test_streams_are_listed_by_name_and_by_their_last_event(self):
        logs, now = self.logs, int(time.time() * 1000)
        logs.create_log_group(logGroupName="streams")
        for name, at in [("a", now - 1), ("b", now - 3), ("c/1", now - 2)]:
            logs.create_log_stream(logGroupName="streams", logStreamName=name)
            self.put("streams", [(at - 5, "first"), (at, "last")], name)
        self.assertEqual(self.refused(logs.create_log_stream, logGroupName="streams", logStreamName="a"), "ResourceAlreadyExistsException")

        def names(**more):
            pages = logs.get_paginator("describe_log_streams").paginate(logGroupName="streams", PaginationConfig={"PageSize": 2}, **more)
            return [each["logStreamName"] for page in pages for each in page["logStreams"]]
        self.assertEqual(names(), ["a", "b", "c/1"])
        self.assertEqual(names(descending=True), ["c/1", "b", "a"])
        self.assertEqual(names(logStreamNamePrefix="c"), ["c/1"])
        self.assertEqual(names(orderBy="LastEventTime"), ["b", "c/1", "a"])
        self.assertEqual(names(orderBy="LastEventTime", descending=True), ["a", "c/1", "b"])
        told = logs.describe_log_streams(logGroupName="streams", logStreamNamePrefix="a")["logStreams"][0]
        self.assertEqual((told["firstEventTimestamp"], told["lastEventTimestamp"]), (now - 6, now - 1))
        self.assertEqual(told["arn"], f"arn:aws:logs:us-east-1:{self.account}:log-group:streams:log-stream:a")
        self.assertGreaterEqual(told["lastIngestionTime"], now)
        self.assertEqual(logs.describe_log_groups(logGroupNamePrefix="streams")["logGroups"][0]["storedBytes"], 3 * (9 + 2 * 26))
        logs.delete_log_stream(logGroupName="streams", logStreamName="b")
        self.assertEqual(names(), ["a", "c/1"])
        logs.create_log_stream(logGroupName="streams", logStreamName="b")
        self.assertEqual(logs.get_log_events(logGroupName="streams", logStreamName="b", startFromHead=True)["events"], [])

    def test_events_are_put_by_aws_s_rules(self):
        now = int(time.time() * 1000)
        self.stream("rules")
        answer = self.put("rules", [(now - 15 * DAY, "old"), (now - 1, "a"), (now, "b"), (now + 3 * 3600 * 1000, "new")])
        self.assertEqual(answer["rejectedLogEventsInfo"], {"tooNewLogEventStartIndex": 3, "tooOldLogEventEndIndex": 1})
        self.logs.put_retention_policy(logGroupName="rules", retentionInDays=1)
        answer = self.put("rules", [(now - 15 * DAY, "old"), (now - 2 * DAY, "expired"), (now, "c")])
        self.assertEqual(answer["rejectedLogEventsInfo"], {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2})
        told = self.logs.get_log_events(logGroupName="rules", logStreamName="s", startFromHead=True)["events"]
        self.assertEqual([each["message"] for each in told], ["a", "b", "c"])
        for events, text in [
            ([(now, "b"), (now - 1, "a")], "chronological"),
            ([(now - 2 * DAY, "a"), (now, "b")], "24 hours"),
            ([(now, "x" * 1_048_576)], "too large"),
        ]:
            self.logs.delete_retention_policy(logGroupName="rules")
            with self.assertRaises(self.logs.exceptions.InvalidParameterException) as caught:
                self.put("rules", events)
            self.assertIn(text, str(caught.exception))
        self.put("rules", [(now, "x" * (1_048_576 - 26))])
        with self.assertRaises(self.logs.exceptions.ResourceNotFoundException):
            self.put("rules", [(now, "a")], "nobody")

    def test_pages_lead_both_ways(self):
        logs, now = self.logs, int(time.time() * 1000)
        self.stream("pages")
        for first in (50, 0):
            self.put("pages", [(now - 1000 + n, f"m{n}") for n in range(first, first + 50)])
        ask = {"logGroupName": "pages", "logStreamName": "s", "limit": 30}
        page = logs.get_log_events(**ask)
        self.assertEqual([each["message"] for each in page["events"]], [f"m{n}" for n in range(70, 100)])
        page = logs.get_log_events(nextToken=page["nextBackwardToken"], **ask)
        self.assertEqual([each["message"] for each in page["events"]], [f"m{n}" for n in range(40, 70)])
        seen, token = [], None
        while True:
            page = logs.get_log_events(startFromHead=True, **ask, **({"nextToken": token} if token else {}))
            seen += [each["message"] for each in page["events"]]
            if page["nextForwardToken"] == token:
                break
            token = page["nextForwardToken"]
        self.assertEqual(seen, [f"m{n}" for n in range(100)])
        self.put("pages", [(now, "later")])
        self.assertEqual([each["message"] for each in logs.get_log_events(startFromHead=True, nextToken=token, **ask)["events"]], ["later"])
        some = logs.get_log_events(logGroupName="pages", logStreamName="s", startTime=now - 990, endTime=now - 988, startFromHead=True)["events"]
        self.assertEqual([each["message"] for each in some], ["m10", "m11"])
        self.assertEqual(self.refused(logs.get_log_events, nextToken="nonsense", **ask), "InvalidParameterException")

    def test_events_of_many_streams_are_filtered(self):
        logs, now = self.logs, int(time.time() * 1000)
        self.stream("filter", "a")
        logs.create_log_stream(logGroupName="filter", logStreamName="b")
        self.put("filter", [(now - 100 + n, f"ERROR {n}" if n % 10 == 0 else f"fine {n}") for n in range(0, 100, 2)], "a")
        self.put("filter", [(now - 100 + n, f"ERROR {n}" if n % 5 == 0 else f"fine {n}") for n in range(1, 100, 2)], "b")
        found = [each for page in logs.get_paginator("filter_log_events").paginate(logGroupName="filter", filterPattern="ERROR", PaginationConfig={"PageSize": 7}) for each in page["events"]]
        self.assertEqual([each["message"] for each in found], [f"ERROR {n}" for n in range(0, 100, 5)])
        self.assertEqual({each["logStreamName"] for each in found}, {"a", "b"})
        self.assertEqual(len({each["eventId"] for each in found}), 20)
        found = logs.filter_log_events(logGroupName="filter", logStreamNames=["a"], startTime=now - 100, endTime=now - 98)["events"]
        self.assertEqual([each["message"] for each in found], ["ERROR 0", "fine 2"])
        self.assertEqual(len(logs.filter_log_events(logGroupName="filter", logStreamNamePrefix="b")["events"]), 50)
        self.assertEqual(self.refused(logs.filter_log_events, logGroupName="filter", filterPattern="{ $.a"), "InvalidParameterException")
        self.assertEqual(self.refused(logs.filter_log_events, logGroupName="filter", logStreamNames=["a"], logStreamNamePrefix="b"), "InvalidParameterException")

    def test_many_small_batches_are_all_there(self):
        now = int(time.time() * 1000)
        self.stream("small")
        for n in range(200):
            self.put("small", [(now - 200 + n, f"m{n}")])
        told = self.logs.get_log_events(logGroupName="small", logStreamName="s", startFromHead=True)["events"]
        self.assertEqual([each["message"] for each in told], [f"m{n}" for n in range(200)])
