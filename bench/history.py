"""What kiln holds in memory of 20,000 records, most of them history: stacks that were made and updated.

`KILN_BENCH_OLDER` names the binary of an earlier kiln: then it makes the records, and the one that is measured
opens them as after an upgrade.
"""
import contextlib
import os
import pathlib
import signal
import tempfile
import time

import figures
import kiln as clients
import memory
from kiln import Kiln, wait_for
from tables import table

STACKS, DELETED = 200, 60
# What nobody reads rests after two to four minutes.
REST = 300
# Thirteen resources with rules, documents and tags, as templates have them; an update changes each.
RESOURCES = """
  Role:
    Type: AWS::IAM::Role
    Properties:
      Description: {value}
      AssumeRolePolicyDocument: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Principal: {{Service: ec2.amazonaws.com}}, Action: "sts:AssumeRole"}}]}}
      Policies:
        - PolicyName: read
          PolicyDocument: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: ["s3:GetObject", "s3:ListBucket"], Resource: ["arn:aws:s3:::pages", "arn:aws:s3:::pages/*"]}}]}}
"""
GROUP = """
  Group{n}:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: Group {n}
      SecurityGroupIngress:
        - {{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8, Description: pages}}
        - {{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 10.0.0.0/8, Description: pages}}
        - {{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 192.0.2.0/24, Description: administrators}}
      Tags: [{{Key: team, Value: {value}}}, {{Key: environment, Value: production}}]
"""
PARAMETER = """
  Parameter{n}: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Description: "Where the pages are", Value: "{value} {n}"}}}}
"""


def template(value):
    parts = [RESOURCES.format(value=value)]
    parts += [GROUP.format(n=n, value=value) for n in range(6)]
    parts += [PARAMETER.format(n=n, value=value) for n in range(6)]
    return "Resources:" + "".join(parts)


def write(kiln):
    """Makes and updates the stacks; returns how many events they have."""
    cfn = kiln.client("cloudformation")
    for change, text, ready in [(cfn.create_stack, "one", "CREATE_COMPLETE"), (cfn.update_stack, "two", "UPDATE_COMPLETE")]:
        for n in range(STACKS):
            change(StackName=f"stack-{n}", TemplateBody=template(text), Capabilities=["CAPABILITY_IAM"])

        def done():
            return sum(s["StackStatus"] == ready for page in cfn.get_paginator("describe_stacks").paginate() for s in page["Stacks"]) == STACKS

        wait_for(f"{STACKS} stacks to be {ready}", done, seconds=900, every=1)
    stacks = {s["StackName"]: s["StackId"] for page in cfn.get_paginator("describe_stacks").paginate() for s in page["Stacks"]}
    for n in range(DELETED):
        cfn.delete_stack(StackName=f"stack-{n}")
    left = lambda: sum(len(page["Stacks"]) for page in cfn.get_paginator("describe_stacks").paginate())  # noqa: E731
    wait_for(f"{DELETED} stacks to be gone", lambda: left() == STACKS - DELETED, seconds=900, every=1)
    pages = cfn.get_paginator("describe_stack_events")
    return sum(len(page["StackEvents"]) for stack in stacks.values() for page in pages.paginate(StackName=stack))


@contextlib.contextmanager
def binary(path):
    """Kilns are started from another binary."""
    before, clients.BINARY = clients.BINARY, pathlib.Path(path)
    try:
        yield
    finally:
        clients.BINARY = before


def started(state):
    """A kiln on that state; what it holds once it is up."""
    with Kiln(machines="sim", state=state) as kiln:
        held = memory.resident(kiln.process.pid)
        kept = figures.total(figures.read(kiln), "kiln_store_records")
        kiln.process.send_signal(signal.SIGTERM)
        kiln.process.wait(120)
    return held / 1024, kept


def run():
    with tempfile.TemporaryDirectory(prefix="kiln-test-", dir="/var/tmp") as state:
        with binary(os.environ.get("KILN_BENCH_OLDER", clients.BINARY)), Kiln(machines="sim", state=state) as kiln:
            events = write(kiln)
            wrote = memory.resident(kiln.process.pid) / 1024
            time.sleep(REST)
            rested = memory.resident(kiln.process.pid) / 1024
            kiln.process.send_signal(signal.SIGTERM)
            kiln.process.wait(120)
        started(state)  # what an earlier kiln left is moved
        held, kept = started(state)
    rows = [
        (f"resident memory after a start, {kept:,.0f} records and {events:,} stack events", f"{held:.0f} MiB", "≤ 60 MiB", held <= 60),
        ("the same of the kiln that wrote them, at once", f"{wrote:.0f} MiB", "no promise", True),
        ("the same of it after five quiet minutes", f"{rested:.0f} MiB", "≤ 60 MiB", rested <= 60),
    ]
    return table(rows)
