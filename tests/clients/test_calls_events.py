"""EventBridge's calls by boto3, each at least once. What comes of them is in test_events_delivery.py."""
import json

from calls import Calls

ACCOUNT = "000000000000"


class Events(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events = cls.kiln.client("events")

    def test_a_bus(self):
        events = self.events
        arn = events.create_event_bus(Name="orders", Description="all", Tags=[{"Key": "a", "Value": "1"}])["EventBusArn"]
        self.assertEqual(arn, f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/orders")
        self.assertEqual(self.refused(events.create_event_bus, Name="orders"), "ResourceAlreadyExistsException")
        self.assertEqual(self.refused(events.create_event_bus, Name="default"), "ResourceAlreadyExistsException")
        self.assertEqual(self.refused(events.create_event_bus, Name="x", KmsKeyIdentifier="k"), "NotImplemented")
        self.assertEqual({bus["Name"] for bus in events.list_event_buses()["EventBuses"]}, {"default", "orders"})
        events.update_event_bus(Name="orders", Description="some")
        self.assertEqual(events.describe_event_bus(Name="orders")["Description"], "some")
        self.assertEqual(events.describe_event_bus()["Arn"], f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default")
        events.put_permission(EventBusName="orders", StatementId="them", Action="events:PutEvents", Principal="111122223333")
        statement = json.loads(events.describe_event_bus(Name="orders")["Policy"])["Statement"][0]
        self.assertEqual(statement["Principal"], {"AWS": "arn:aws:iam::111122223333:root"})
        events.remove_permission(EventBusName="orders", StatementId="them")
        self.assertNotIn("Policy", events.describe_event_bus(Name="orders"))
        self.assertEqual(self.refused(events.remove_permission, EventBusName="orders", StatementId="them"), "ResourceNotFoundException")
        events.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
        events.untag_resource(ResourceARN=arn, TagKeys=["a"])
        self.assertEqual(events.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "b", "Value": "2"}])
        events.delete_event_bus(Name="orders")
        self.assertEqual(self.refused(events.describe_event_bus, Name="orders"), "ResourceNotFoundException")
        self.assertEqual(self.refused(events.delete_event_bus, Name="default"), "ValidationException")

    def test_a_rule(self):
        events = self.events
        pattern = json.dumps({"source": ["shop"]})
        arn = events.put_rule(Name="r", EventPattern=pattern, Description="d", Tags=[{"Key": "a", "Value": "1"}])["RuleArn"]
        self.assertEqual(arn, f"arn:aws:events:us-east-1:{ACCOUNT}:rule/r")
        rule = events.describe_rule(Name="r")
        self.assertEqual((rule["EventPattern"], rule["State"], rule["EventBusName"]), (pattern, "ENABLED", "default"))
        events.disable_rule(Name="r")
        self.assertEqual(events.list_rules(NamePrefix="r")["Rules"][0]["State"], "DISABLED")
        events.enable_rule(Name="r")
        queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
        target = {"Id": "1", "Arn": queue, "InputTransformer": {"InputPathsMap": {"id": "$.detail.id"}, "InputTemplate": '"<id>"'},
                  "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60}, "DeadLetterConfig": {"Arn": queue + "-dead"}}
        self.assertEqual(events.put_targets(Rule="r", Targets=[target])["FailedEntryCount"], 0)
        self.assertEqual(events.list_targets_by_rule(Rule="r")["Targets"], [target])
        self.assertEqual(events.list_rule_names_by_target(TargetArn=queue)["RuleNames"], ["r"])
        self.assertEqual(self.refused(events.delete_rule, Name="r"), "ValidationException")
        self.assertEqual(events.remove_targets(Rule="r", Ids=["1", "2"])["FailedEntries"][0]["ErrorCode"], "ResourceNotFoundException")
        self.assertEqual(events.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "a", "Value": "1"}])
        events.delete_rule(Name="r")
        self.assertEqual(self.refused(events.describe_rule, Name="r"), "ResourceNotFoundException")

    def test_what_is_refused(self):
        events = self.events
        code, told = self.refusal(events.put_rule, Name="x", EventPattern='{"source":"shop"}')
        self.assertEqual((code, told), ("InvalidEventPatternException", 'Event pattern is not valid. Reason: "source" must be an object or an array'))
        self.assertEqual(self.refused(events.put_rule, Name="x"), "ValidationException")
        self.assertEqual(self.refused(events.put_rule, Name="x", ScheduleExpression="rate(1 minutes)"), "ValidationException")
        events.put_rule(Name="x", ScheduleExpression="cron(0 10 * * ? *)", State="DISABLED")
        for arn in ["arn:aws:lambda:us-east-1:000000000000:function:f", "arn:aws:ecs:us-east-1:000000000000:cluster/c",
                    "arn:aws:events:us-east-1:000000000000:api-destination/d/1", "arn:aws:states:us-east-1:000000000000:stateMachine:s"]:
            self.assertEqual(self.refused(events.put_targets, Rule="x", Targets=[{"Id": "1", "Arn": arn}]), "NotImplemented", arn)
        for name, arguments in [("create_archive", {"ArchiveName": "a", "EventSourceArn": "arn:aws:events:us-east-1:000000000000:event-bus/default"}),
                                ("list_connections", {}), ("list_api_destinations", {}), ("list_event_sources", {}), ("list_replays", {})]:
            self.assertEqual(self.refused(getattr(events, name), **arguments), "NotImplemented", name)

    def test_patterns_and_events(self):
        events = self.events
        event = {"id": "1", "detail-type": "t", "source": "s", "account": "1", "time": "2026-01-01T00:00:00Z", "region": "r", "resources": [], "detail": {"n": 5}}
        test = lambda pattern: events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"]
        self.assertTrue(test({"detail": {"n": [{"numeric": [">", 1]}]}}))
        self.assertFalse(test({"detail": {"n": [{"anything-but": [5]}]}}))
        answer = events.put_events(Entries=[{"Source": "shop", "DetailType": "t", "Detail": "{}"}, {"Source": "shop", "DetailType": "t", "Detail": "nonsense"}])
        self.assertEqual((answer["FailedEntryCount"], answer["Entries"][1]["ErrorCode"]), (1, "MalformedDetail"))
