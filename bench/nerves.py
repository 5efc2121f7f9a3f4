"""Queues, metrics, logs and events: what goes in and comes out in a second, durably, and how soon one thing leads to another.

The queue is measured beside moto_server with the same load; neither side asks for a signature there, since wrk signs
nothing that changes (kiln runs in its open mode for it). Everything else is signed.
"""
import json
import re
import statistics
import subprocess
import tempfile
import time

import boto3

import api
import memory
from kiln import Kiln, wait_for
from tables import table

SECONDS = 6
CONNECTIONS = 16
# Sends, receives and deletes what it received, over and over, on all connections.
QUEUE = """
local handles, turn = {{}}, 0
local function ask(what, body)
    local headers = {{["Content-Type"] = "application/x-amz-json-1.0", ["X-Amz-Target"] = "AmazonSQS." .. what}}
    return wrk.format("POST", "/", headers, body)
end
request = function()
    local handle = table.remove(handles)
    if handle then return ask("DeleteMessage", '{{"QueueUrl": "{url}", "ReceiptHandle": "' .. handle .. '"}}') end
    turn = turn + 1
    if turn % 2 == 1 then return ask("SendMessage", '{{"QueueUrl": "{url}", "MessageBody": "{body}"}}') end
    return ask("ReceiveMessage", '{{"QueueUrl": "{url}"}}')
end
response = function(status, headers, body)
    local handle = body:match('"ReceiptHandle"%s*:%s*"([^"]+)"')
    if handle then handles[#handles + 1] = handle end
end
"""
JSON = {"Content-Type": "application/x-amz-json-1.1"}
SERIES, MINUTES = 480, 2100


def queue(endpoint, url):
    """Calls a second of send, receive and delete."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(QUEUE.format(url=url, body="x" * 100))
        script.flush()
        arguments = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "60s", "-s", script.name, endpoint]
        out = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120).stdout
    if re.search(r"Non-2xx or 3xx responses: (\d+)", out):
        raise SystemExit("answers were errors: not a measurement")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def queues():
    with Kiln(machines="sim", auth="open") as kiln, api.moto() as peer:
        sides = {"kiln": kiln.info["endpoint"], "moto": peer}
        rates = {side: [] for side in sides}
        urls = {
            side: boto3.client("sqs", endpoint_url=at, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test").create_queue(QueueName="bench")["QueueUrl"]
            for side, at in sides.items()
        }
        for side in [*sides, *sides]:
            rates[side].append(queue(sides[side], urls[side]))
            print(f"  SQS: {side} {rates[side][-1]:,.0f}/s", flush=True)
    ours, theirs = (statistics.mean(rates[side]) for side in ("kiln", "moto"))
    what = f"SQS send, receive and delete, {CONNECTIONS} connections, durable"
    return [(what, f"{ours:,.0f} calls/s, moto {theirs:,.0f}/s: {ours / theirs:.1f} ×", "≥ 20 × moto", ours >= 20 * theirs)]


def signed(kiln, service, target, body, headers=JSON):
    """A call for wrk."""
    endpoint = kiln.info["endpoint"]
    text = json.dumps(body)
    headers = api.signed(endpoint, kiln.info["access_key"], kiln.info["secret"], service, text, headers | {"X-Amz-Target": target})
    return endpoint, headers, text


def metrics(kiln):
    cloudwatch = kiln.client("cloudwatch")
    data = [{"MetricName": f"m{n}", "Value": n % 7, "Timestamp": int(time.time())} for n in range(1000)]
    rate = 1000 * api.wrk(*signed(kiln, "monitoring", "GraniteServiceVersion20100801.PutMetricData", {"Namespace": "bench", "MetricData": data}, {"Content-Type": "application/x-amz-json-1.0"}))
    print(f"  PutMetricData: {rate:,.0f} values/s", flush=True)
    last = int(time.time()) // 60 * 60 - 60
    for n in range(SERIES):
        points = [{"MetricName": "million", "Dimensions": [{"Name": "n", "Value": str(n)}], "Timestamp": last - 60 * m, "Value": m % 100} for m in range(MINUTES)]
        for part in range(0, MINUTES, 1000):
            cloudwatch.put_metric_data(Namespace="stored", MetricData=points[part : part + 1000])
    one = lambda n: {"Metric": {"Namespace": "stored", "MetricName": "million", "Dimensions": [{"Name": "n", "Value": str(n)}]}, "Period": 86400, "Stat": "Sum"}  # noqa: E731
    queries = [{"Id": f"m{n}", "ReturnData": False, "MetricStat": one(n)} for n in range(SERIES)]
    asked = {"MetricDataQueries": [*queries, {"Id": "all", "Expression": "SUM(METRICS())"}], "StartTime": last - 3 * 86400, "EndTime": last + 86400}
    took = []
    for _ in range(9):
        began = time.perf_counter()
        found = cloudwatch.get_metric_data(**asked)["MetricDataResults"][0]["Values"]
        took.append(time.perf_counter() - began)
        if sum(found) != SERIES * sum(m % 100 for m in range(MINUTES)):
            raise SystemExit(f"not the points that were put: {found}")
    read = statistics.median(took)
    return [
        ("PutMetricData, 1,000 series a call, durable", f"{rate:,.0f} values/s", "≥ 100,000", rate >= 100_000),
        (f"GetMetricData, a sum over {SERIES * MINUTES:,} stored points of {SERIES} series", f"{read * 1000:.0f} ms", "≤ 100 ms", read <= 0.1),
    ]


def logs(kiln):
    client = kiln.client("logs")
    client.create_log_group(logGroupName="bench")
    client.create_log_stream(logGroupName="bench", logStreamName="s")
    now = int(time.time() * 1000)
    line = "GET /shop/{} 200 took={} ms user-agent=bench " + "x" * 50
    events = [{"timestamp": now, "message": line.format(n % 50, n % 997)} for n in range(8000)]
    body = {"logGroupName": "bench", "logStreamName": "s", "logEvents": events}
    calls = api.wrk(*signed(kiln, "logs", "Logs_20140328.PutLogEvents", body))
    megabytes = calls * sum(len(event["message"]) for event in events) / 1e6
    print(f"  PutLogEvents: {megabytes:.0f} MB/s", flush=True)
    client.create_log_group(logGroupName="million")
    client.create_log_stream(logGroupName="million", logStreamName="s")
    for _ in range(125):
        client.put_log_events(logGroupName="million", logStreamName="s", logEvents=events)
    query = "filter @message like /took=/ | parse @message 'took=* ms' as took | stats avg(took) as mean, count(*) as n by bin(1h)"
    took = []
    for _ in range(3):
        began = time.perf_counter()
        id = client.start_query(logGroupName="million", startTime=now // 1000 - 3600, endTime=now // 1000 + 3600, queryString=query)["queryId"]
        done = wait_for("the query", lambda: (r := client.get_query_results(queryId=id))["status"] not in ("Scheduled", "Running") and r, every=0.02)
        took.append(time.perf_counter() - began)
        counted = [field["value"] for row in done["results"] for field in row if field["field"] == "n"]
        if done["status"] != "Complete" or sum(map(float, counted)) != 1_000_000:
            raise SystemExit(f"not an answer of a million events: {done['status']} {counted}")
    asked = statistics.median(took)
    return [
        ("PutLogEvents, 16 connections, one stream, durable", f"{megabytes:.0f} MB/s of messages", "≥ 30 MB/s", megabytes >= 30),
        ("an Insights query with filter, parse and stats over 1,000,000 events", f"{asked:.2f} s", "≤ 1.5 s", asked <= 1.5),
    ]


def events(kiln):
    client = kiln.client("events")
    client.create_event_bus(Name="bench")
    for n in range(1000):
        client.put_rule(Name=f"r{n}", EventBusName="bench", EventPattern=json.dumps({"source": ["shop"], "detail": {"id": [f"id-{n}"]}}))
    entries = [{"EventBusName": "bench", "Source": "shop", "DetailType": "sold", "Detail": json.dumps({"id": f"other-{n}"})} for n in range(10)]
    rate = 10 * api.wrk(*signed(kiln, "events", "AWSEvents.PutEvents", {"Entries": entries}))
    return [("PutEvents, ten a call, 1,000 rules on the bus, both cores and wrk", f"{rate:,.0f} events/s", "no promise; matching alone: 0028", True)]


def breach(kiln):
    """Seconds from a point that breaches to the alarm's message in a queue."""
    sns, sqs, cloudwatch = (kiln.client(name) for name in ("sns", "sqs", "cloudwatch"))
    url = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(allow)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    took = []
    for n in range(15):
        cloudwatch.put_metric_alarm(
            AlarmName=f"hot-{n}", Namespace="breach", MetricName=f"m{n}", Statistic="Maximum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching", AlarmActions=[topic],
        )  # fmt: skip
        began = time.perf_counter()
        cloudwatch.put_metric_data(Namespace="breach", MetricData=[{"MetricName": f"m{n}", "Value": 5}])
        end = began + 90
        while not (got := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages")):
            if time.perf_counter() > end:
                raise SystemExit("no alarm came: not a measurement")
        took.append(time.perf_counter() - began)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
    p50 = statistics.median(took)
    return [("a breaching point to the alarm's message in a queue behind a topic, p50", f"{p50 * 1000:.0f} ms", "≤ 500 ms", p50 <= 0.5)]


def stack(kiln):
    """Seconds of a stack of 200 light resources."""
    cloudformation = kiln.client("cloudformation")
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}}
    resources = {f"P{n}": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}} for n in range(50)}
    resources |= {f"L{n}": {"Type": "AWS::Logs::LogGroup"} for n in range(50)}
    resources |= {f"R{n}": role for n in range(50)}
    resources |= {f"G{n}": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "g"}} for n in range(50)}
    took = []
    for n in range(5):
        began = time.perf_counter()
        name = cloudformation.create_stack(StackName=f"light-{n}", TemplateBody=json.dumps({"Resources": resources}), Capabilities=["CAPABILITY_IAM"])["StackId"]
        while (status := cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]) == "CREATE_IN_PROGRESS":
            time.sleep(0.002)
        took.append(time.perf_counter() - began)
        if status != "CREATE_COMPLETE":
            raise SystemExit(f"the stack is {status}: not a measurement")
    p50 = statistics.median(took)
    return [("a stack of 200 light resources, durable, median of five", f"{p50:.2f} s", "≤ 0.2 s", p50 <= 0.2)]


def run():
    rows = queues()
    with Kiln(machines="sim") as kiln:
        for part in (breach, stack, metrics, logs, events):
            rows += part(kiln)
            print("  " + table(rows).splitlines()[-1], flush=True)
        held = memory.resident(kiln.process.pid) / 1024
    rows.append(("resident memory after all this", f"{held:.0f} MiB", "no promise", True))
    return table(rows)
