"""Filters and queries of log events by boto3: what events become, as metrics and as answers."""
import json
import time

from calls import Calls
from kiln import wait_for


class Filters(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.logs = cls.kiln.client("logs")
        cls.cloudwatch = cls.kiln.client("cloudwatch")
        cls.account = cls.kiln.client("sts").get_caller_identity()["Account"]

    def group(self, name, **more):
        self.logs.create_log_group(logGroupName=name, **more)
        self.logs.create_log_stream(logGroupName=name, logStreamName="s")

    def put(self, group, *messages, at=None):
        at = at or int(time.time() * 1000) - len(messages)
        self.logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[{"timestamp": at + n, "message": message} for n, message in enumerate(messages)])
        return at

    def sum(self, namespace, metric, dimensions=None):
        now = int(time.time())
        asked = {"Namespace": namespace, "MetricName": metric, "StartTime": now - 3600, "EndTime": now + 3600, "Period": 86400, "Statistics": ["Sum", "SampleCount"]}
        dimensions = [{"Name": name, "Value": value} for name, value in (dimensions or {}).items()]
        points = self.cloudwatch.get_metric_statistics(Dimensions=dimensions, **asked)["Datapoints"]
        return sum(point["Sum"] for point in points), sum(point["SampleCount"] for point in points)

    def query(self, text, *groups, **more):
        now = int(time.time())
        query = self.logs.start_query(logGroupNames=list(groups), startTime=now - 3600, endTime=now + 60, queryString=text, **more)["queryId"]
        until = time.monotonic() + 30
        while (answer := self.logs.get_query_results(queryId=query))["status"] in ("Scheduled", "Running"):
            self.assertLess(time.monotonic(), until, answer)
        self.assertEqual(answer["status"], "Complete")
        answer["queryId"] = query
        return answer

    @staticmethod
    def rows(answer):
        return [{field["field"]: field["value"] for field in row if field["field"] != "@ptr"} for row in answer["results"]]

    def test_patterns_are_tried(self):
        told = self.logs.test_metric_filter(filterPattern="[ip, ..., status = 4*, bytes]", logEventMessages=['1.1.1.1 - x [10/Oct/2000] "GET /" 404 12', "1.1.1.1 200 9"])
        self.assertEqual([(each["eventNumber"], each["extractedValues"]["$status"], each["extractedValues"]["$2"]) for each in told["matches"]], [(1, "404", "-")])
        code, message = self.refusal(self.logs.test_metric_filter, filterPattern="{ $.a = ", logEventMessages=["x"])
        self.assertEqual(code, "InvalidParameterException")
        self.assertIn("Invalid filter pattern", message)

    def test_metric_filters_make_metrics(self):
        logs = self.logs
        self.group("metrics")
        took = {"metricName": "took", "metricNamespace": "Shop", "metricValue": "$.took", "unit": "Milliseconds", "dimensions": {"site": "$.site"}}
        logs.put_metric_filter(logGroupName="metrics", filterName="took", filterPattern="{ $.took > 0 }", metricTransformations=[took])
        errors = {"metricName": "errors", "metricNamespace": "Shop", "metricValue": "1", "defaultValue": 0.0}
        logs.put_metric_filter(logGroupName="metrics", filterName="errors", filterPattern="ERROR", metricTransformations=[errors])
        self.put("metrics", '{"took": 5, "site": "a"}', '{"took": 7, "site": "b"}', '{"took": 9, "site": "a"}', '{"took": 1}', "ERROR one", "ERROR two")
        self.assertEqual(self.sum("Shop", "took", {"site": "a"}), (14, 2))
        self.assertEqual(self.sum("Shop", "took", {"site": "b"}), (7, 1))
        self.assertEqual(self.sum("Shop", "errors"), (2, 2))
        # Half an hour ago nothing was meant: the default, once.
        at = int(time.time() * 1000) - 1_800_000
        self.put("metrics", "fine", at=at)
        self.put("metrics", "fine", at=at)
        self.assertEqual(self.sum("Shop", "errors")[0], 2)
        self.assertEqual(self.sum("AWS/Logs", "IncomingLogEvents", {"LogGroupName": "metrics"})[0], 8)

        told = logs.describe_metric_filters(logGroupName="metrics", filterNamePrefix="t")["metricFilters"]
        self.assertEqual([(each["filterName"], each["metricTransformations"]) for each in told], [("took", [took])])
        told = logs.describe_metric_filters(metricName="errors", metricNamespace="Shop")["metricFilters"]
        self.assertEqual([each["filterName"] for each in told], ["errors"])
        self.assertEqual(logs.describe_log_groups(logGroupNamePrefix="metrics")["logGroups"][0]["metricFilterCount"], 2)
        for pattern, change in [("ERROR", {"metricValue": "$.x"}), ("{ $.a = 1 }", {"metricNamespace": "AWS/X"}), ("[a, b]", {"metricValue": "$c"}), ("{ $.a = 1 }", {"dimensions": {"x": "$.x"}})]:
            self.assertEqual(self.refused(logs.put_metric_filter, logGroupName="metrics", filterName="bad", filterPattern=pattern, metricTransformations=[errors | change]), "InvalidParameterException")
        logs.delete_metric_filter(logGroupName="metrics", filterName="took")
        self.assertEqual(self.refused(logs.delete_metric_filter, logGroupName="metrics", filterName="took"), "ResourceNotFoundException")

    def test_events_bring_metrics_along(self):
        self.group("embedded")
        event = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [{"Namespace": "Embedded", "Dimensions": [["Site"]], "Metrics": [{"Name": "Took", "Unit": "Milliseconds"}]}]}, "Site": "a", "Took": [3, 4]}
        self.put("embedded", json.dumps(event))
        self.assertEqual(self.sum("Embedded", "Took", {"Site": "a"}), (7, 2))

    def test_queries(self):
        logs = self.logs
        self.group("query/a")
        self.group("query/b")
        self.put("query/a", *[json.dumps({"level": "error" if n % 5 == 0 else "info", "took": n, "http": {"path": f"/{n % 3}"}}) for n in range(50)])
        self.put("query/b", "plain user=ann took=5", "plain user=bob took=7")
        answer = self.query("filter level = 'error' | stats count(*) as n, max(took) as most by http.path | sort n desc, http.path", "query/a")
        self.assertEqual(self.rows(answer), [{"http.path": "/0", "n": "4", "most": "45"}, {"http.path": "/1", "n": "3", "most": "40"}, {"http.path": "/2", "n": "3", "most": "35"}])
        self.assertEqual((answer["statistics"]["recordsScanned"], answer["statistics"]["recordsMatched"]), (50, 10))
        answer = self.query("parse @message 'user=* took=*' as user, took | filter ispresent(user) | display user, took, @log | sort took desc", "query/a", "query/b")
        log = f"{self.account}:query/b"
        self.assertEqual(self.rows(answer), [{"user": "bob", "took": "7", "@log": log}, {"user": "ann", "took": "5", "@log": log}])
        pointer = next(field["value"] for field in answer["results"][0] if field["field"] == "@ptr")
        record = logs.get_log_record(logRecordPointer=pointer)["logRecord"]
        self.assertEqual((record["@message"], record["@logStream"]), ("plain user=bob took=7", "s"))
        answer = self.query("fields took | sort took asc", "query/a", limit=3)
        self.assertEqual(self.rows(answer), [{"took": "0"}, {"took": "1"}, {"took": "2"}])
        answer = self.query("fields @message", "query/a")
        self.assertEqual(len(answer["results"]), 50)
        page = logs.get_query_results(queryId=answer["queryId"], maxItems=20)
        page = logs.get_query_results(queryId=answer["queryId"], maxItems=20, nextToken=page["nextToken"])
        self.assertEqual(page["results"], answer["results"][20:40])
        told = logs.describe_queries(logGroupName="query/b")["queries"]
        self.assertEqual([(each["status"], each["logGroupName"]) for each in told], [("Complete", "query/a")])
        self.assertEqual(logs.list_log_groups_for_query(queryId=told[0]["queryId"])["logGroupIdentifiers"], [f"arn:aws:logs:us-east-1:{self.account}:log-group:query/{each}" for each in "ab"])
        self.assertEqual(self.refused(logs.stop_query, queryId=told[0]["queryId"]), "InvalidParameterException")
        now = int(time.time())
        for _ in range(100):
            # One that is over before it can be stopped is asked again.
            begun = logs.start_query(logGroupName="query/a", startTime=0, endTime=now, queryString="stats count(*) by @message")["queryId"]
            try:
                self.assertTrue(logs.stop_query(queryId=begun)["success"])
            except logs.exceptions.InvalidParameterException:
                continue
            wait_for("it to be stopped", lambda: logs.get_query_results(queryId=begun)["status"] == "Cancelled")
            break
        else:
            self.fail("no query was stopped")
        for text, code in [("nonsense", "MalformedQueryException"), ("pattern @message", "NotImplemented")]:
            self.assertEqual(self.refused(logs.start_query, logGroupName="query/a", startTime=now, endTime=now, queryString=text), code)
        self.assertEqual(self.refused(logs.start_query, logGroupName="query/none", startTime=now, endTime=now, queryString="limit 1"), "ResourceNotFoundException")
        self.assertEqual(self.refused(logs.start_query, logGroupName="query/a", queryLanguage="SQL", startTime=now, endTime=now, queryString="SELECT 1"), "NotImplemented")

    def test_query_definitions(self):
        logs = self.logs
        kept = logs.put_query_definition(name="errors", queryString="filter level = 'error'", logGroupNames=["a"])["queryDefinitionId"]
        logs.put_query_definition(name="errors/all", queryString="limit 5", queryDefinitionId=kept)
        told = logs.describe_query_definitions(queryDefinitionNamePrefix="err")["queryDefinitions"]
        self.assertEqual([(each["queryDefinitionId"], each["name"], each["queryString"]) for each in told], [(kept, "errors/all", "limit 5")])
        self.assertTrue(logs.delete_query_definition(queryDefinitionId=kept)["success"])
        self.assertEqual(self.refused(logs.delete_query_definition, queryDefinitionId=kept), "ResourceNotFoundException")
        self.assertEqual(self.refused(logs.put_query_definition, name="bad", queryString="nonsense"), "MalformedQueryException")

    def test_resource_policies(self):
        logs = self.logs
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "logs:PutLogEvents", "Resource": "*"}]})
        told = logs.put_resource_policy(policyName="events", policyDocument=policy)["resourcePolicy"]
        self.assertEqual((told["policyName"], told["policyDocument"]), ("events", policy))
        self.assertIn("events", [each["policyName"] for each in logs.describe_resource_policies()["resourcePolicies"]])
        self.group("policy")
        arn = f"arn:aws:logs:us-east-1:{self.account}:log-group:policy"
        made = logs.put_resource_policy(resourceArn=arn, policyDocument=policy)
        self.assertEqual(self.refused(logs.put_resource_policy, resourceArn=arn, policyDocument=policy), "OperationAbortedException")
        again = logs.put_resource_policy(resourceArn=arn, policyDocument=policy, expectedRevisionId=made["revisionId"])
        self.assertEqual([each["resourceArn"] for each in logs.describe_resource_policies(policyScope="RESOURCE")["resourcePolicies"]], [arn])
        logs.delete_resource_policy(resourceArn=arn, expectedRevisionId=again["revisionId"])
        logs.delete_resource_policy(policyName="events")
        self.assertEqual(self.refused(logs.delete_resource_policy, policyName="events"), "ResourceNotFoundException")
        self.assertEqual(self.refused(logs.put_resource_policy, policyName="bad", policyDocument="{"), "InvalidParameterException")

    def test_subscriptions_are_refused_by_name(self):
        logs = self.logs
        self.group("subscribed")
        for destination, code in [(f"arn:aws:lambda:us-east-1:{self.account}:function:f", "NotImplemented"), (f"arn:aws:kinesis:us-east-1:{self.account}:stream/s", "NotImplemented"), (f"arn:aws:sqs:us-east-1:{self.account}:q", "InvalidParameterException")]:
            self.assertEqual(self.refused(logs.put_subscription_filter, logGroupName="subscribed", filterName="f", filterPattern="", destinationArn=destination), code)
        self.assertEqual(logs.describe_subscription_filters(logGroupName="subscribed")["subscriptionFilters"], [])
        self.assertEqual(self.refused(logs.delete_subscription_filter, logGroupName="subscribed", filterName="f"), "ResourceNotFoundException")

    def test_events_are_sealed_under_a_key(self):
        logs, kms = self.logs, self.kiln.client("kms")
        closed = kms.create_key()["KeyMetadata"]["Arn"]
        code, message = self.refusal(logs.create_log_group, logGroupName="sealed", kmsKeyId=closed)
        self.assertEqual(code, "InvalidParameterException")
        self.assertIn("not allowed to be used with LogGroup", message)
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": ["kms:GenerateDataKey*", "kms:Decrypt"], "Resource": "*",
             "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{self.account}:log-group:sealed"}}}]}
        key = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
        self.group("sealed", kmsKeyId=key)
        self.assertEqual(logs.describe_log_groups(logGroupNamePrefix="sealed")["logGroups"][0]["kmsKeyId"], key)
        for n in range(40):
            self.put("sealed", f"a very secret word {n}")
        logs.disassociate_kms_key(logGroupName="sealed")
        self.put("sealed", "an open word")
        told = logs.get_log_events(logGroupName="sealed", logStreamName="s", startFromHead=True)["events"]
        self.assertEqual([each["message"] for each in told], [f"a very secret word {n}" for n in range(40)] + ["an open word"])
        on_disk = b"".join(path.read_bytes() for path in (self.kiln.state / "journal").iterdir())
        self.assertNotIn(b"very secret word", on_disk)
        self.assertIn(b"an open word", on_disk)
        kms.disable_key(KeyId=key)
        self.kiln.kill()
        self.kiln.start()
        self.assertEqual(self.refused(logs.get_log_events, logGroupName="sealed", logStreamName="s"), "AccessDeniedException")
        now = int(time.time())
        query = logs.start_query(logGroupName="sealed", startTime=now - 60, endTime=now + 60, queryString="limit 1")["queryId"]
        until = time.monotonic() + 30
        while (answer := logs.get_query_results(queryId=query))["status"] in ("Scheduled", "Running"):
            self.assertLess(time.monotonic(), until, answer)
        self.assertEqual(answer["status"], "Failed")
        kms.enable_key(KeyId=key)
        logs.associate_kms_key(logGroupName="sealed", kmsKeyId=key)
        self.assertEqual(logs.describe_log_groups(logGroupNamePrefix="sealed")["logGroups"][0]["kmsKeyId"], key)


