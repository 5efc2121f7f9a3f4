"""Log events: how many bytes a second are taken in durably, and how long a query over a million of them takes.

No peer keeps events on disk, so there is none beside it.
"""
import concurrent.futures
import http.client
import json
import time

from api import signed
from kiln import Kiln
from tables import table

SECONDS = 6
WRITERS = 8
# A batch of 1 MB: 5,000 × (183 + 26) bytes.
EVENTS, LENGTH = 5_000, 183
QUERY = 'filter @message like /GET/ | parse @message "* GET /* status=* took=*" as ip, path, status, took | stats count(*) as n, avg(took) as mean by status, bin(1m)'


def message(n):
    text = f"10.0.0.{n % 250} GET /shop/{n % 97} status={200 + n % 5} took={n % 1000} "
    return text + "x" * (LENGTH - len(text))


def put(kiln, stream, batch):
    """The head and body of a batch that is put now."""
    at = int(time.time() * 1000) - EVENTS
    events = [{"timestamp": at + n, "message": message(batch * EVENTS + n)} for n in range(EVENTS)]
    body = json.dumps({"logGroupName": "bench", "logStreamName": stream, "logEvents": events}).encode()
    headers = {"X-Amz-Target": "Logs_20140328.PutLogEvents", "Content-Type": "application/x-amz-json-1.1"}
    return body, signed(kiln.info["endpoint"], kiln.info["access_key"], kiln.info["secret"], "logs", body, headers)


def write(kiln, stream, body, headers, until):
    """Puts the same again and again; how many were acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", kiln.port)
    done = 0
    while time.monotonic() < until:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"PutLogEvents: {answer.status} {text[:200]}")
        done += 1
    connection.close()
    return done


def run():
    rows = []
    with Kiln(machines="sim") as kiln:
        logs = kiln.client("logs")
        logs.create_log_group(logGroupName="bench")
        streams = [f"s{n}" for n in range(WRITERS)]
        for stream in streams:
            logs.create_log_stream(logGroupName="bench", logStreamName=stream)
        batches = [put(kiln, stream, n) for n, stream in enumerate(streams)]
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            jobs = [pool.submit(write, kiln, stream, *batch, started + SECONDS) for stream, batch in zip(streams, batches)]
            done = sum(job.result() for job in jobs)
        speed = done * EVENTS * LENGTH / (time.monotonic() - started) / 1e6
        rows.append([f"PutLogEvents, durable, batches of {EVENTS:,} events, {WRITERS} clients", f"{speed:.0f} MB/s", "≥ 30 MB/s", speed >= 30])
        logs.create_log_group(logGroupName="million")
        logs.create_log_stream(logGroupName="million", logStreamName="s")
        client = kiln.client("logs")
        for batch in range(1_000_000 // EVENTS):
            at = int(time.time() * 1000) - EVENTS
            client.put_log_events(logGroupName="million", logStreamName="s", logEvents=[{"timestamp": at + n, "message": message(batch * EVENTS + n)} for n in range(EVENTS)])
        now = int(time.time())
        query = logs.start_query(logGroupName="million", startTime=now - 3600, endTime=now + 60, queryString=QUERY)["queryId"]
        while (answer := logs.get_query_results(queryId=query))["status"] in ("Scheduled", "Running"):
            time.sleep(0.01)
        told = next(each for each in logs.describe_queries()["queries"] if each["queryId"] == query)
        if answer["statistics"]["recordsScanned"] != 1_000_000 or answer["status"] != "Complete":
            raise SystemExit(f"the query ended otherwise: {answer['status']} {answer['statistics']}")
        seconds = told["queryDuration"] / 1000
        rows.append(["Insights query with filter, parse and stats over 1,000,000 events", f"{seconds:.2f} s", "≤ 1.5 s", seconds <= 1.5])
    return table(rows)
