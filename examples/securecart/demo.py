#!/usr/bin/env python3
"""The demo: bake, deploy, keep shopping, kill a machine, watch the group heal.

    bake.sh ─► aws cloudformation deploy ─► the shop answers through its balancer
            ─► visitors keep asking while one machine is killed ─► healed

Everything is done with the ordinary AWS CLI, except the killing: that is done
behind the platform's back, as in life. Python's standard library only. The
exit status is 0 only if all of it happened.
"""

import contextlib
import fcntl
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
STACK = os.environ.get("SECURECART_STACK", "securecart")
HEAL_SECONDS = int(os.environ.get("SECURECART_HEAL_SECONDS", "300"))
VISITORS, REQUESTS_PER_SECOND = 5, 50
PATHS = ("/", "/product/calm-mug", "/api/products?q=key", "/cart", "/?category=Desk")


class Failed(Exception):
    """The demo cannot go on; the text says why."""


class Timeline:
    """What happened when; printed as it happens, and as a table at the end."""

    def __init__(self):
        self.began = time.monotonic()
        self.durations = []

    def say(self, text):
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)

    def step(self, name, since=None):
        """A part with a name; `since`: it began then already."""
        return _Step(self, name, since)

    def table(self):
        width = max(len(name) for name, _ in self.durations)
        for name, seconds in self.durations:
            print(f"  {name:<{width}}  {seconds:7.1f} s")


class _Step:
    def __init__(self, timeline, name, since):
        self.timeline, self.name, self.began = timeline, name, since

    def __enter__(self):
        self.timeline.say(f"{self.name} …")
        self.began = self.began or time.monotonic()

    def __exit__(self, kind, *_):
        if kind is None:
            self.timeline.durations.append((self.name, time.monotonic() - self.began))


def aws(*words):
    """Calls the AWS CLI and reads its JSON."""
    command = ["aws", *words, "--output", "json"]
    env = dict(os.environ, AWS_PAGER="")
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
    if done.returncode:
        raise Failed(f"`aws {' '.join(words)}` failed: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def wait_for(what, seconds, look, pause=0.3):
    """Looks again until `look` answers something true; its last words tell why not."""
    until = time.monotonic() + seconds
    while True:
        found, seen = look()
        if found:
            return found
        if time.monotonic() > until:
            raise Failed(f"{what}: not within {seconds} s; last seen: {seen}")
        time.sleep(pause)


class Shop:
    """The shop as a visitor sees it: one host name on the platform's main port."""

    def __init__(self, dns_name):
        endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
        self.port = endpoint.port or 80
        # The name as it is meant on this host: browsers and curl know by themselves that names
        # below .localhost are this machine (RFC 6761); not every resolver does.
        dns_name = dns_name.removesuffix(".localdomain")
        self.address = "127.0.0.1" if dns_name.endswith(".localhost") else dns_name
        self.host = f"{dns_name}:{self.port}"
        self.url = f"http://{self.host}/"

    def connect(self, timeout=5):
        return http.client.HTTPConnection(self.address, self.port, timeout=timeout)

    def ask(self, link, path):
        link.request("GET", path, headers={"Host": self.host})
        answer = link.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")


class Visitors:
    """Several visitors who ask at a steady rate and count what they get."""

    def __init__(self, shop):
        self.shop = shop
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.sent, self.slowest = 0, 0.0
        # When the latest of those that failed was sent: what was under way at the kill may end late.
        self.last_failure = 0.0
        self.failures, self.served_by = Counter(), Counter()
        self.threads = [threading.Thread(target=self._visit, args=(n,)) for n in range(VISITORS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def failed(self):
        return sum(self.failures.values())

    def _visit(self, number):
        pace = VISITORS / REQUESTS_PER_SECOND
        due = time.monotonic() + number * pace / VISITORS
        link, turn = self.shop.connect(), number
        while not self.stopped.wait(max(0.0, due - time.monotonic())):
            due = max(due + pace, time.monotonic() - pace)
            turn += 1
            began, problem, page = time.monotonic(), None, ""
            try:
                status, page = self.shop.ask(link, PATHS[turn % len(PATHS)])
                if status != 200:
                    problem = f"status {status}"
            except (OSError, http.client.HTTPException) as cause:
                problem = type(cause).__name__
                link.close()
                link = self.shop.connect()
            machine = re.search(r"served by (\S+) in", page)
            with self.lock:
                self.sent += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
                if problem:
                    self.failures[problem] += 1
                    self.last_failure = max(self.last_failure, began)
                elif machine:
                    self.served_by[machine.group(1)] += 1
        link.close()


def check_surroundings():
    if not shutil.which("aws"):
        raise Failed("the AWS CLI (aws) is not installed")
    if not os.environ.get("AWS_ENDPOINT_URL"):
        raise Failed('AWS_ENDPOINT_URL is not set; run: eval "$(kiln env)"')


@contextlib.contextmanager
def one_at_a_time(timeline, what):
    """Two demos beside each other do this one after the other."""
    with open(__file__) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            timeline.say(f"another demo is at it; waiting for it before {what}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(*command):
    """Runs a program that shows its own progress."""
    done = subprocess.run([str(word) for word in command], env=dict(os.environ, AWS_PAGER=""))
    if done.returncode:
        raise Failed(f"{Path(str(command[0])).name} ended with status {done.returncode}")


def stack_status():
    stacks = aws("cloudformation", "describe-stacks")["Stacks"]
    return next((s["StackStatus"] for s in stacks if s["StackName"] == STACK), None)


def deploy(timeline):
    """Creates or updates the stack; waits for another run's work first."""

    def settled():
        status = stack_status() or ""
        # A change set that was never carried out is nobody's work.
        return status == "REVIEW_IN_PROGRESS" or not status.endswith("_IN_PROGRESS"), status

    wait_for(f"stack {STACK} to settle", 600, settled, pause=1)
    status = stack_status()
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        timeline.say(f"stack {STACK} is {status}; deleting it first")
        aws("cloudformation", "delete-stack", "--stack-name", STACK)
        aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", STACK)
    try:
        run("aws", "cloudformation", "deploy", "--stack-name", STACK,
            "--template-file", HERE / "cloudformation/shop.yaml",
            "--capabilities", "CAPABILITY_NAMED_IAM", "--no-fail-on-empty-changeset")
    except Failed as cause:
        events = aws("cloudformation", "describe-stack-events", "--stack-name", STACK)
        for event in reversed(events["StackEvents"]):
            if event["ResourceStatus"].endswith("FAILED"):
                reason = event.get("ResourceStatusReason", "no reason given")
                timeline.say(f"  {event['LogicalResourceId']}: {reason}")
        raise Failed("the stack was not deployed; the reasons are above") from cause
    stack = aws("cloudformation", "describe-stacks", "--stack-name", STACK)["Stacks"][0]
    return {out["OutputKey"]: out["OutputValue"] for out in stack["Outputs"]}


class Group:
    """The Auto Scaling group and its targets."""

    def __init__(self, name, targets):
        self.name, self.targets = name, targets

    def look(self, without=None):
        """Machines InService, Healthy and healthy as targets, once that is all that are wanted."""
        group = aws("autoscaling", "describe-auto-scaling-groups",
                    "--auto-scaling-group-names", self.name)["AutoScalingGroups"][0]
        members = {m["InstanceId"]: f"{m['LifecycleState']}/{m['HealthStatus']}"
                   for m in group["Instances"]}
        good = {i for i, state in members.items() if state == "InService/Healthy"}
        if without in members or len(good) != group["DesiredCapacity"] or len(members) != len(good):
            return None, members
        health = aws("elbv2", "describe-target-health", "--target-group-arn", self.targets)
        states = {t["Target"]["Id"]: t["TargetHealth"]["State"]
                  for t in health["TargetHealthDescriptions"]}
        healthy = {i for i, state in states.items() if state == "healthy"}
        return (sorted(good) if good <= healthy and without not in healthy else None), states


def kiln():
    found = os.environ.get("KILN") or shutil.which("kiln")
    if found:
        return found
    for built in ("release", "debug"):
        path = HERE.parents[1] / "target" / built / "kiln"
        if path.exists():
            return str(path)
    raise Failed("the kiln program is neither on PATH nor named by KILN")


def kill_machine(instance):
    """kill -9 of the machine's first process, behind the platform's back. None: it is gone already."""
    command = [kiln(), "status", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Failed(f"cannot kill {instance}: {' '.join(command)} says: {done.stderr.strip()}")
    machines = json.loads(done.stdout)["machines"]
    pid = next((m["pid"] for m in machines if m["id"] == instance and m["state"] == "running"), None)
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    return pid


def kill_one_of(group):
    """Kills a machine of the whole group; who was in it before, which it was, its process, when."""
    until = time.monotonic() + 60
    while True:
        members = wait_for("a whole group", 60, group.look)
        victim, now = random.choice(members), time.monotonic()
        pid = kill_machine(victim)
        if pid:
            return members, victim, pid, now
        # Somebody else was quicker: another demo, perhaps.
        if time.monotonic() > until:
            raise Failed(f"each machine that was to be killed was gone already, {victim} the last")


def kill_and_heal(timeline, group, visitors):
    """A death and a replacement that serves; since when no request may fail, and when the kill was."""
    members, victim, pid, killed = kill_one_of(group)
    timeline.say(f"kill -9 {pid}, the first process of {victim}")
    with timeline.step("from the kill to a whole, healthy group", since=killed):
        now = wait_for("the group to heal", HEAL_SECONDS, lambda: group.look(without=victim))
    fresh = sorted(set(now) - set(members))
    timeline.say(f"in the group now: {', '.join(now)} (new: {', '.join(fresh)})")
    if not fresh:
        raise Failed("the group is whole, but has no new machine")

    def served():
        return any(machine in visitors.served_by for machine in fresh), visitors.served_by

    with timeline.step("until the new machine has served a visitor"):
        wait_for("the new machine to serve", 60, served, pause=0.05)
    quiet_from = time.monotonic()
    with timeline.step("three more seconds of visitors"):
        time.sleep(3)
    return quiet_from, killed


def shopping(timeline, shop, group):
    """The second half: visitors, a death, a replacement that serves."""
    with Visitors(shop) as visitors:
        with timeline.step("visitors ask for five seconds, all machines alive"):
            time.sleep(5)
        timeline.say(f"{visitors.sent} requests, {visitors.failed()} failed,"
                     f" served by {len(visitors.served_by)} machines")
        before, failed_before = set(visitors.served_by), visitors.failed()
        # Another's kill would make our requests fail after our group is whole.
        with one_at_a_time(timeline, "killing a machine"):
            quiet_from, killed = kill_and_heal(timeline, group, visitors)
    if visitors.last_failure > quiet_from:
        raise Failed("requests still fail after the group is whole")
    if not before:
        raise Failed("no page said which machine served it")
    lost = visitors.failed() - failed_before
    how_long = f", the last one sent {visitors.last_failure - killed:.1f} s after it" if lost else ""
    timeline.say(f"{visitors.sent} requests sent, {visitors.failed()} failed:"
                 f" {failed_before} before the kill, {lost} after{how_long}")
    for problem, count in visitors.failures.most_common():
        timeline.say(f"  {count} × {problem}")
    timeline.say(f"slowest answer {visitors.slowest * 1000:.0f} ms; pages per machine: "
                 + ", ".join(f"{m} {n}" for m, n in visitors.served_by.most_common()))
    return visitors


def how_to_go_on(shop, group):
    """The shop's address, and what to type in a shell of one's own."""
    added, state = os.environ.get("DEMO_PATH_ADDED"), os.environ.get("KILN_STATE_DIR")
    first = [f'export PATH="{added}:$PATH"'] if added else []
    first += [f'export KILN_STATE_DIR="{state}"'] if state not in (None, "/var/lib/kiln") else []
    look = first + [
        'eval "$(kiln env)"',
        "kiln status",
        f"kiln explain {group.name}",
        f"aws autoscaling describe-scaling-activities --auto-scaling-group-name {group.name}",
        "kiln shell INSTANCE",
    ]
    print(f"\nThe shop:      {shop.url}")
    print("Look around:   " + "\n               ".join(look))
    print(f"Take it away:  aws cloudformation delete-stack --stack-name {STACK}")
    print("Stop kiln:     kiln down                    its machines go on; the next `kiln up` finds them")
    print("               kiln down --stop-machines    they are stopped too")


def main():
    timeline = Timeline()
    try:
        check_surroundings()
        # A second demo finds it done.
        with one_at_a_time(timeline, "baking and deploying"):
            with timeline.step("bake the shop's machine image"):
                run(HERE / "image/bake.sh")
            with timeline.step(f"deploy the stack {STACK}"):
                outputs = deploy(timeline)
        shop = Shop(outputs["LoadBalancerDnsName"])
        group = Group(outputs["GroupName"], outputs["TargetGroupArn"])

        def answers():
            link = shop.connect()
            try:
                status, page = shop.ask(link, "/")
                return status == 200 and "SecureCart" in page, f"status {status}"
            except (OSError, http.client.HTTPException) as cause:
                return False, repr(cause)
            finally:
                link.close()

        with timeline.step("wait until the shop answers through its load balancer"):
            wait_for("the shop to answer", 180, answers)
        with timeline.step("wait until all machines are in service and healthy"):
            wait_for("a whole group", 180, group.look)
        visitors = shopping(timeline, shop, group)
    except (Failed, subprocess.TimeoutExpired, OSError) as cause:
        timeline.say("FAILED")
        print(f"demo: {cause}", file=sys.stderr)
        return 1
    print("\nDone. How long each part took:")
    timeline.table()
    print(f"  requests: {visitors.sent} sent, {visitors.failed()} failed")
    how_to_go_on(shop, group)
    return 0


if __name__ == "__main__":
    sys.exit(main())
