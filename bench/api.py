"""The API beside moto_server: the same requests, the same load (wrk, 16 connections, keep-alive).

Kiln verifies every signature; moto does not. The requests are signed once by botocore, as any
client would, and repeated for the few seconds a measurement takes (a signature is good for five
minutes).
"""
import contextlib
import http.client
import json
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials

from kiln import Kiln
import memory
from tables import table

SECONDS = 6
CONNECTIONS = 16


@contextlib.contextmanager
def moto():
    """A moto_server of its own on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(["moto_server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None:
                raise SystemExit(f"moto_server ended at once, with exit status {process.returncode}; is bench/requirements.txt installed?")
            time.sleep(0.1)
        else:
            raise SystemExit("moto_server does not answer after a minute")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def signed(endpoint, key, secret, service, body, headers):
    request = botocore.awsrequest.AWSRequest("POST", endpoint + "/", data=body, headers=headers)
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


def wrk(endpoint, headers, body):
    """Requests per second and how many were not 2xx."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method = 'POST'\nwrk.body = {json.dumps(body)}\n")
        for name, value in headers.items():
            script.write(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n")
        script.flush()
        arguments = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "60s", "--latency", "-s", script.name, endpoint + "/"]
        out = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if bad:
        raise SystemExit(f"{bad.group(1)} answers were errors: not a measurement")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
IDENTITY, DESCRIBE, PUT = "GetCallerIdentity", "DescribeInstances of 1,000", "PutParameter"
CASES = {
    IDENTITY: ("sts", "Action=GetCallerIdentity&Version=2011-06-15", FORM),
    DESCRIBE: ("ec2", "Action=DescribeInstances&Version=2016-11-15", FORM),
    PUT: (
        "ssm",
        json.dumps({"Name": "/bench/one", "Value": "x" * 100, "Type": "String", "Overwrite": True}),
        {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.PutParameter"},
    ),
}


def one_by_one(endpoint, headers, body, times):
    """Median seconds of one request alone, asked one after another on one connection."""
    host, port = endpoint.removeprefix("http://").rsplit(":", 1)
    link = http.client.HTTPConnection(host, int(port), timeout=120)
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        link.request("POST", "/", body=body, headers=headers)
        answer = link.getresponse()
        text = answer.read()
        taken.append(time.perf_counter() - began)
        if answer.status != 200 or text.count(b"<instanceId>") < 1000:
            raise SystemExit(f"not the answer to measure: {answer.status} {text[:200]!r}")
    link.close()
    return statistics.median(taken)


def thousand_instances(endpoint, key, secret):
    client = lambda name: boto3.client(name, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)  # noqa: E731
    ec2 = client("ec2")
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    image = images[0]["ImageId"]
    for _ in range(10):
        ec2.run_instances(ImageId=image, MinCount=100, MaxCount=100, InstanceType="t3.micro")
    for _ in range(600):
        states = [i["State"]["Name"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        if states.count("running") == 1000:
            return
        time.sleep(0.2)
    raise SystemExit(f"only {states.count('running')} of 1,000 instances run")


def run():
    rows = []
    with Kiln(machines="sim") as kiln, moto() as peer:
        sides = {"kiln": (kiln.info["endpoint"], kiln.info["access_key"], kiln.info["secret"]), "moto": (peer, "test", "test")}

        def ask(case, side):
            endpoint, key, secret = sides[side]
            service, body, headers = CASES[case]
            return endpoint, signed(endpoint, key, secret, service, body, headers), body

        for case, least in [(IDENTITY, 100), (PUT, 3)]:
            # Each side in turn, twice: what else the machine does then meets both.
            rates = {side: [] for side in sides}
            for side in [*sides, *sides]:
                rates[side].append(wrk(*ask(case, side)))
                print(f"  {case}: {side} {rates[side][-1]:,.0f}/s", flush=True)
            ours, theirs = (statistics.mean(rates[side]) for side in ("kiln", "moto"))
            rows.append((f"{case}, {CONNECTIONS} connections", f"{ours:,.0f}/s, moto {theirs:,.0f}/s: {ours / theirs:.1f} ×", f"≥ {least} × moto", ours >= least * theirs))
        for endpoint, key, secret in sides.values():
            thousand_instances(endpoint, key, secret)
        ours, theirs = one_by_one(*ask(DESCRIBE, "kiln"), 41), one_by_one(*ask(DESCRIBE, "moto"), 5)
        measured = f"{ours * 1000:.1f} ms, moto {theirs * 1000:,.0f} ms: 1/{theirs / ours:.0f}"
        rows.append((f"{DESCRIBE}, one request", measured, "≤ 1/40 of moto's time", ours * 40 <= theirs))
        held = memory.resident(kiln.process.pid)
    rows.append(("resident memory after all this, 1,000 simulated instances", f"{held / 1024:.0f} MiB", "no promise", True))
    return table(rows)
