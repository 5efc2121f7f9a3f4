"""CloudWatch's calls by boto3 in every protocol that clients speak, and by the AWS CLI, each at least once."""
import datetime
import json
import time

import botocore.config
import botocore.session

from calls import Calls
from kiln import wait_for

UTC = datetime.timezone.utc


def now():
    return datetime.datetime.now(UTC)


def ago(seconds):
    return now() - datetime.timedelta(seconds=seconds)


class CloudWatch(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cw = cls.kiln.client("cloudwatch")

    def state(self, name, kind="MetricAlarms"):
        found = self.cw.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return found[kind][0]

    def test_statistics(self):
        cw, dimensions = self.cw, [{"Name": "host", "Value": "a"}]
        data = {"MetricName": "latency", "Dimensions": dimensions, "Unit": "Milliseconds", "Timestamp": ago(60)}
        cw.put_metric_data(Namespace="stats", MetricData=[
            {**data, "Values": [float(n) for n in range(1, 101)]},
            {**data, "MetricName": "set", "StatisticValues": {"SampleCount": 3, "Sum": 6, "Minimum": 1, "Maximum": 3}},
            {**data, "MetricName": "one", "Value": 7.5},
        ])
        asked = {"Namespace": "stats", "Dimensions": dimensions, "StartTime": ago(600), "EndTime": now(), "Period": 60}
        [point] = cw.get_metric_statistics(**asked, MetricName="latency", Statistics=["SampleCount", "Average", "Sum", "Minimum", "Maximum"])["Datapoints"]
        self.assertEqual([point[name] for name in ("SampleCount", "Average", "Sum", "Minimum", "Maximum", "Unit")], [100, 50.5, 5050, 1, 100, "Milliseconds"])
        [point] = cw.get_metric_statistics(**asked, MetricName="latency", ExtendedStatistics=["p50", "p99", "tm90", "PR(:25)", "IQM"])["Datapoints"]
        self.assertEqual(point["ExtendedStatistics"], {"p50": 50, "p99": 99, "tm90": 45.5, "PR(:25)": 25, "IQM": 50.5})
        self.assertEqual(cw.get_metric_statistics(**asked, MetricName="set", ExtendedStatistics=["p50"])["Datapoints"], [])
        self.assertEqual(cw.get_metric_statistics(**asked, MetricName="set", Statistics=["Average"])["Datapoints"][0]["Average"], 2)
        self.assertEqual(cw.get_metric_statistics(**{**asked, "Dimensions": []}, MetricName="one", Statistics=["Sum"])["Datapoints"], [])
        listed = cw.list_metrics(Namespace="stats", RecentlyActive="PT3H")["Metrics"]
        self.assertEqual([metric["MetricName"] for metric in listed], ["latency", "one", "set"])
        self.assertEqual(listed[0]["Dimensions"], dimensions)
        self.assertEqual(len(cw.list_metrics(Dimensions=[{"Name": "host", "Value": "b"}])["Metrics"]), 0)
        many = {**asked, "MetricName": "one", "Statistics": ["Sum"], "StartTime": ago(14 * 86400)}
        code, message = self.refusal(cw.get_metric_statistics, **many)
        self.assertEqual(code, "InvalidParameterCombination")
        self.assertIn("exceeds the limit of 1,440", message)
        self.assertEqual(self.refused(cw.put_metric_data, Namespace="AWS/EC2", MetricData=[{"MetricName": "m", "Value": 1}]), "InvalidParameterValue")
        self.assertEqual(self.refused(cw.put_metric_data, Namespace="x", MetricData=[{"MetricName": "m"}]), "MissingParameter")
        self.assertEqual(self.refused(cw.put_metric_data, Namespace="x", MetricData=[{"MetricName": "m", "Value": 1, "Timestamp": ago(15 * 86400)}]), "InvalidParameterValue")
        self.assertEqual(self.refused(cw.list_metrics, OwningAccount="111111111111"), "NotImplemented")

    def test_every_protocol_and_packed_requests(self):
        """CBOR, JSON and query; what is large is sent packed with gzip."""
        for n, protocol in enumerate(["smithy-rpc-v2-cbor", "json", "query"]):
            session = botocore.session.get_session()
            loader = session.get_component("data_loader")
            load = loader.load_service_model

            def only(name, kind, api_version=None, load=load, protocol=protocol):
                model = load(name, kind, api_version)
                if kind == "service-2" and name == "cloudwatch":
                    model = {**model, "metadata": {**model["metadata"], "protocol": protocol, "protocols": [protocol]}}
                return model

            loader.load_service_model = only
            info = self.kiln.info
            cw = session.create_client("cloudwatch", endpoint_url=info["endpoint"], region_name=info["region"], aws_access_key_id=info["access_key"], aws_secret_access_key=info["secret"], config=botocore.config.Config(retries={"max_attempts": 0}))
            self.assertEqual(cw.meta.service_model.protocol, protocol)
            heads = []
            cw.meta.events.register("before-send.cloudwatch.PutMetricData", lambda request, **_: heads.append(dict(request.headers)))
            data = [{"MetricName": "m%d" % k, "Value": k, "Timestamp": ago(30), "Dimensions": [{"Name": "d", "Value": "x" * 50}]} for k in range(300)]
            cw.put_metric_data(Namespace="wire%d" % n, MetricData=data)
            self.assertIn("gzip", str(heads[0].get("Content-Encoding")))
            self.assertEqual(len(cw.list_metrics(Namespace="wire%d" % n)["Metrics"]), 300)
            query = {"Id": "q", "MetricStat": {"Metric": {"Namespace": "wire%d" % n, "MetricName": "m7", "Dimensions": data[7]["Dimensions"]}, "Period": 60, "Stat": "Sum"}}
            [result] = cw.get_metric_data(MetricDataQueries=[query], StartTime=ago(300), EndTime=now())["MetricDataResults"]
            self.assertEqual((result["Values"], result["StatusCode"]), ([7.0], "Complete"))
            self.assertEqual(self.refused(cw.put_metric_data, Namespace="x", MetricData=[{"MetricName": "m"}]), "MissingParameter")
            self.assertEqual(self.refused(cw.get_dashboard, DashboardName="none"), "ResourceNotFound")

    def test_math(self):
        cw = self.cw
        at = [ago(60 * n) for n in range(4, 0, -1)]
        cw.put_metric_data(Namespace="math", MetricData=[
            {"MetricName": name, "Value": value, "Timestamp": time, "Dimensions": [{"Name": "lb", "Value": "x"}]}
            for name, values in (("requests", [100, 200, 0, 50]), ("errors", [1, 10, 0, 5])) for value, time in zip(values, at)
        ])

        def metric(id, name, **more):
            return {"Id": id, "MetricStat": {"Metric": {"Namespace": "math", "MetricName": name, "Dimensions": [{"Name": "lb", "Value": "x"}]}, "Period": 60, "Stat": "Sum"}, **more}

        asked = {"StartTime": ago(600), "EndTime": now() + datetime.timedelta(seconds=60), "ScanBy": "TimestampAscending"}
        queries = [
            metric("r", "requests", ReturnData=False),
            metric("e", "errors", Label="errors, most ${MAX}"),
            {"Id": "rate", "Expression": "100 * e / r", "Label": "rate"},
            {"Id": "filled", "Expression": "FILL(rate, 0)"},
            {"Id": "total", "Expression": "SUM(METRICS())"},
            {"Id": "found", "Expression": "SEARCH('{math,lb} MetricName=\"errors\" OR requests', 'Sum', 60)"},
        ]
        results = cw.get_metric_data(MetricDataQueries=queries, **asked)["MetricDataResults"]
        by = {}
        for result in results:
            by.setdefault(result["Id"], []).append(result)
        self.assertEqual((by["e"][0]["Label"], by["e"][0]["Values"]), ("errors, most 10", [1, 10, 0, 5]))
        self.assertEqual(by["rate"][0]["Values"], [1, 5, 10], "nothing divided by nothing is no point")
        self.assertEqual([value for value in by["filled"][0]["Values"] if value], [1, 5, 10])
        self.assertGreater(len(by["filled"][0]["Values"]), 8)
        self.assertEqual(by["total"][0]["Values"], [101, 210, 0, 55])
        self.assertEqual([result["Label"] for result in by["found"]], ["errors", "requests"])
        pages = list(cw.get_paginator("get_metric_data").paginate(MetricDataQueries=queries[:3], **asked, PaginationConfig={"PageSize": 4}))
        self.assertGreater(len(pages), 1)
        self.assertEqual([value for page in pages for result in page["MetricDataResults"] if result["Id"] == "rate" for value in result["Values"]], [1, 5, 10])
        for text, code in (("1 +", "ValidationError"), ("NOPE(e)", "ValidationError"), ("ANOMALY_DETECTION_BAND(e)", "NotImplemented"), ("SELECT MAX(x) FROM y", "NotImplemented"), ("bad", "ValidationError")):
            self.assertEqual(self.refused(cw.get_metric_data, MetricDataQueries=[metric("e", "errors"), {"Id": "x", "Expression": text}], **asked), code, text)

    def test_an_alarm_tells_a_topic_of_each_state(self):
        cw, sns, sqs = self.cw, self.kiln.client("sns"), None
        topic = sns.create_topic(Name="alarms")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
        self.confirm(sns, topic)
        name = "hot"
        alarm = {
            "AlarmName": name, "AlarmDescription": "too hot", "Namespace": "alarms", "MetricName": "heat", "Statistic": "Maximum", "Period": 10,
            "EvaluationPeriods": 1, "Threshold": 50, "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": [topic], "OKActions": [topic], "InsufficientDataActions": [topic], "Tags": [{"Key": "team", "Value": "a"}],
        }
        cw.put_metric_alarm(**alarm)
        self.assertEqual(self.state(name)["StateValue"], "INSUFFICIENT_DATA")

        def put(value):
            cw.put_metric_data(Namespace="alarms", MetricData=[{"MetricName": "heat", "Value": value, "StorageResolution": 1}])

        began = time.monotonic()
        put(99.5)
        wait_for("the alarm", lambda: self.state(name)["StateValue"] == "ALARM", every=0.01)
        self.assertLess(time.monotonic() - began, 5)
        shown = self.state(name)
        self.assertRegex(shown["StateReason"], r"^Threshold Crossed: 1 out of the last 1 datapoints \[99\.5 \(.*\)\] was greater than the threshold \(50\.0\) \(minimum 1 datapoint for OK -> ALARM transition\)\.$")
        self.assertEqual(json.loads(shown["StateReasonData"])["recentDatapoints"], [99.5])
        mail = wait_for("the mail", lambda: [each for each in self.mails() if "ALARM:" in each["subject"]])[-1]
        self.assertEqual(mail["subject"], 'ALARM: "hot" in US East (N. Virginia)')
        told = json.loads(mail["body"][mail["body"].index("{"):mail["body"].rindex("}") + 1])
        self.assertEqual((told["AlarmName"], told["OldStateValue"], told["NewStateValue"], told["Region"]), (name, "INSUFFICIENT_DATA", "ALARM", "US East (N. Virginia)"))
        self.assertEqual((told["Trigger"]["MetricName"], told["Trigger"]["Statistic"], told["Trigger"]["Threshold"]), ("heat", "MAXIMUM", 50.0))

        def cool():
            put(1)
            return self.state(name)["StateValue"] == "OK"

        wait_for("the alarm to end", cool, seconds=90, every=2)
        wait_for("the alarm to know nothing", lambda: self.state(name)["StateValue"] == "INSUFFICIENT_DATA", seconds=120, every=1)
        for word in ("OK:", "INSUFFICIENT_DATA:"):
            wait_for("the mail of " + word, lambda word=word: [each for each in self.mails() if each["subject"].startswith(word)])
        history = cw.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate", ScanBy="TimestampAscending")["AlarmHistoryItems"]
        self.assertEqual([item["HistorySummary"] for item in history], ["Alarm updated from INSUFFICIENT_DATA to ALARM", "Alarm updated from ALARM to OK", "Alarm updated from OK to INSUFFICIENT_DATA"])
        self.assertEqual(json.loads(history[0]["HistoryData"])["newState"]["stateValue"], "ALARM")
        acted = cw.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
        self.assertIn("Successfully executed action " + topic, acted[0]["HistorySummary"])
        pages = list(cw.get_paginator("describe_alarm_history").paginate(AlarmName=name, PaginationConfig={"PageSize": 2}))
        self.assertGreater(len(pages), 2)

    def mails(self):
        return json.loads(self.kiln.cli("mail", "--json").stdout)["mails"]

    def confirm(self, sns, topic):
        """Follows the link in the mailbox, as its owner would."""
        def link():
            for mail in self.mails():
                if "Token=" in mail["body"]:
                    return mail["body"].split("Token=")[1].split("&")[0].split()[0]
            return None
        sns.confirm_subscription(TopicArn=topic, Token=wait_for("the mail with the link", link))

    def test_alarms_are_kept_and_found(self):
        cw = self.cw
        of = {"Namespace": "kept", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 1, "ComparisonOperator": "LessThanThreshold", "TreatMissingData": "notBreaching"}
        for name in ("kept-a", "kept-b"):
            cw.put_metric_alarm(AlarmName=name, **of, Tags=[{"Key": "k", "Value": "v"}])
        self.assertEqual([alarm["AlarmName"] for alarm in cw.describe_alarms(AlarmNamePrefix="kept-", MaxRecords=1)["MetricAlarms"]], ["kept-a"])
        self.assertEqual(len(cw.describe_alarms_for_metric(Namespace="kept", MetricName="m")["MetricAlarms"]), 2)
        cw.disable_alarm_actions(AlarmNames=["kept-a"])
        self.assertFalse(self.state("kept-a")["ActionsEnabled"])
        cw.enable_alarm_actions(AlarmNames=["kept-a"])
        cw.set_alarm_state(AlarmName="kept-a", StateValue="ALARM", StateReason="by hand", StateReasonData='{"a": 1}')
        self.assertEqual(self.refused(cw.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="x"), "ResourceNotFound")
        arn = self.state("kept-b")["AlarmArn"]
        cw.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
        cw.untag_resource(ResourceARN=arn, TagKeys=["k"])
        self.assertEqual(cw.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "b", "Value": "2"}])
        cw.put_composite_alarm(AlarmName="kept-all", AlarmRule='ALARM("kept-a") OR ALARM("kept-b")', ActionsSuppressor="kept-b", ActionsSuppressorWaitPeriod=1, ActionsSuppressorExtensionPeriod=1)
        cw.put_metric_alarm(AlarmName="kept-b", **{**of, "TreatMissingData": "breaching"})
        wait_for("the composite alarm", lambda: self.state("kept-all", "CompositeAlarms")["StateValue"] == "ALARM")
        self.assertEqual([alarm["AlarmName"] for alarm in cw.describe_alarms(ParentsOfAlarmName="kept-a", )["CompositeAlarms"]], ["kept-all"])
        self.assertEqual(len(cw.describe_alarms(ChildrenOfAlarmName="kept-all")["MetricAlarms"]), 2)
        self.assertEqual(self.refused(cw.put_composite_alarm, AlarmName="x", AlarmRule="ALARM(none)"), "ValidationError")
        self.assertEqual(self.refused(cw.delete_alarms, AlarmNames=["kept-b"]), "ValidationError")
        cw.delete_alarms(AlarmNames=["kept-all"])
        cw.delete_alarms(AlarmNames=["kept-a", "kept-b"])
        self.assertEqual(cw.describe_alarms(AlarmNamePrefix="kept-")["MetricAlarms"], [])
        for action in ("arn:aws:automate:us-east-1:ec2:recover", "arn:aws:autoscaling:us-east-1:0:scalingPolicy:x:autoScalingGroupName/y:policyName/z"):
            self.assertEqual(self.refused(cw.put_metric_alarm, AlarmName="x", **of, AlarmActions=[action]), "NotImplemented")
        for call in ("describe_anomaly_detectors", "describe_insight_rules", "list_metric_streams"):
            self.assertEqual(self.refused(getattr(cw, call)), "NotImplemented")

    def test_an_alarm_stops_a_machine(self):
        cw, ec2 = self.cw, self.kiln.client("ec2")
        image = ec2.describe_images(Owners=["self", "amazon"])["Images"][0]["ImageId"]
        [machine] = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"]
        id = machine["InstanceId"]
        state = lambda: ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]["State"]["Name"]  # noqa: E731
        wait_for("the machine", lambda: state() == "running")
        cw.put_metric_alarm(AlarmName="stop", Namespace="mine", MetricName="idle", Dimensions=[{"Name": "InstanceId", "Value": id}], Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=0, ComparisonOperator="GreaterThanThreshold", AlarmActions=["arn:aws:automate:us-east-1:ec2:stop"])
        cw.put_metric_data(Namespace="mine", MetricData=[{"MetricName": "idle", "Value": 1, "Dimensions": [{"Name": "InstanceId", "Value": id}]}])
        wait_for("the machine to stop", lambda: state() in ("stopping", "stopped"))
        wait_for("the action in history", lambda: cw.describe_alarm_history(AlarmName="stop", HistoryItemType="Action")["AlarmHistoryItems"])

    def test_dashboards(self):
        cw = self.cw
        body = json.dumps({"widgets": [{"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6, "properties": {"metrics": [["a", "b"]], "region": "us-east-1"}}]})
        self.assertEqual(cw.put_dashboard(DashboardName="main", DashboardBody=body)["DashboardValidationMessages"], [])
        code, message = self.refusal(cw.put_dashboard, DashboardName="main", DashboardBody='{"widgets": [{"type": "metric"}]}')
        self.assertEqual(code, "InvalidParameterInput")
        self.assertIn("Should have required property 'properties'", message)
        self.assertEqual(cw.get_dashboard(DashboardName="main")["DashboardBody"], body)
        self.assertEqual([entry["DashboardName"] for entry in cw.list_dashboards(DashboardNamePrefix="ma")["DashboardEntries"]], ["main"])
        cw.delete_dashboards(DashboardNames=["main"])
        self.assertEqual(self.refused(cw.get_dashboard, DashboardName="main"), "ResourceNotFound")

    def test_the_command_line(self):
        aws = self.kiln.aws
        aws("cloudwatch", "put-metric-data", "--namespace", "cli", "--metric-name", "m", "--value", "3", "--unit", "Count", "--dimensions", "a=b")
        listed = aws("cloudwatch", "list-metrics", "--namespace", "cli")["Metrics"]
        self.assertEqual(listed, [{"Namespace": "cli", "MetricName": "m", "Dimensions": [{"Name": "a", "Value": "b"}]}])
        found = aws("cloudwatch", "get-metric-statistics", "--namespace", "cli", "--metric-name", "m", "--dimensions", "Name=a,Value=b", "--start-time", ago(300).isoformat(), "--end-time", (now() + datetime.timedelta(seconds=60)).isoformat(), "--period", "60", "--statistics", "Sum")
        self.assertEqual([point["Sum"] for point in found["Datapoints"]], [3.0])
        aws("cloudwatch", "put-metric-alarm", "--alarm-name", "cli", "--namespace", "cli", "--metric-name", "m", "--statistic", "Sum", "--period", "60", "--evaluation-periods", "1", "--threshold", "1", "--comparison-operator", "GreaterThanThreshold")
        self.assertEqual(aws("cloudwatch", "describe-alarms", "--alarm-names", "cli")["MetricAlarms"][0]["Threshold"], 1.0)
        aws("cloudwatch", "delete-alarms", "--alarm-names", "cli")
