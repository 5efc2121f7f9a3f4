"""A kiln of its own for a test: started on a free port with a fresh state directory, ended after.

Real clients (boto3, the AWS CLI) talk to it. Machines are real where a test asks for `local`
(needs root and a file system that is not tmpfs), simulated where it asks for `sim`.
"""
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import boto3
import botocore.config
import leftovers

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = pathlib.Path(os.environ.get("KILN_BINARY", TARGET / "debug" / "kiln"))
ANSWERED = re.compile(r' kiln::answered: service="(\w+)" operation="(\w+)"')
REFUSED = re.compile(r' kiln::refused: service="(\w+)" operation="(\w+)" code="([\w.]+)"')
# What no call that Kiln serves can set, and the code that AWS documents for it: their only answer.
NEVER_SET = {
    ("iam", "DeleteLoginProfile"): "NoSuchEntity",
    ("iam", "GetLoginProfile"): "NoSuchEntity",
    ("logs", "DeleteSubscriptionFilter"): "ResourceNotFoundException",
    ("logs", "PutSubscriptionFilter"): "InvalidParameterException",
    ("s3", "GetBucketReplication"): "ReplicationConfigurationNotFoundError",
    ("s3", "GetBucketWebsite"): "NoSuchWebsiteConfiguration",
    ("s3", "GetObjectLockConfiguration"): "ObjectLockConfigurationNotFoundError",
}


def wait_for(what, check, seconds=60, every=0.05):
    """Waits until check() gives something true and returns it; fails naming what was waited for."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = check()
        except Exception as error:  # noqa: BLE001 - told in the failure below
            last = error
        else:
            if last:
                return last
        time.sleep(every)
    raise AssertionError(f"waited {seconds} s for {what}; last seen: {last!r}")


def stop_machines(state, seconds):
    """Ends the kiln of a state directory, if one answers, and its machines in any case; fine if that takes too long."""
    try:
        done = subprocess.run([BINARY, "--state-dir", state, "down", "--stop-machines"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        print(f"kiln down --stop-machines is not done within {seconds} s: {state}", file=sys.stderr)
    else:
        if done.returncode != 0:
            print(f"kiln down --stop-machines: {done.stderr.strip()}", file=sys.stderr)


class Kiln:
    """One running kiln."""

    def __init__(self, machines="sim", auth="enforced", state=None, environment=None, listen=None):
        self.own_state = state is None
        base = "/var/tmp" if os.access("/var/tmp", os.W_OK) else None
        self.state = pathlib.Path(state or tempfile.mkdtemp(prefix="kiln-test-", dir=base))
        if notes := os.environ.get("KILN_TEST_STATES"):
            # run.py ends the kilns of a module that hangs.
            with open(notes, "a") as file:
                file.write(f"{self.state}\n")
        self.machines, self.auth, self.listen = machines, auth, listen
        # Where its log begins, of a state that another one had before.
        log = self.state / "kiln.log"
        self.counted = log.stat().st_size if log.exists() else 0
        # What it answers stands in its log, for `count_calls`.
        self.environment = {"KILN_LOG": "info,kiln::answered=trace,kiln::refused=trace", **os.environ, **(environment or {})}
        self.process = None
        self.port = 0

    def __enter__(self):
        try:
            if self.machines == "local":
                return self.with_base()
            self.start()
            self.wait_for_base(30)
            return self
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind, *_):
        if kind:
            print(f"kiln's log, its end:\n{self.log()[-4000:]}", file=sys.stderr)
        self.close()

    def start(self):
        log = open(self.state / "kiln.log", "ab")
        arguments = [BINARY, "--state-dir", self.state, "up", "--port", str(self.port), "--machines", self.machines, "--auth", self.auth]
        if self.listen:
            arguments += ["--listen", self.listen]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        log.close()

        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"kiln ended: {self.log()[-2000:]}")
            state = json.loads((self.state / "state.json").read_text())
            return state["pid"] == self.process.pid and self.cli("status", "--json", check=False).returncode == 0

        end = time.monotonic() + 30
        while True:
            try:
                if answers():
                    break
            except (FileNotFoundError, json.JSONDecodeError):
                pass
            if time.monotonic() > end:
                raise AssertionError(f"kiln does not answer: {self.log()[-2000:]}")
            time.sleep(0.02)
        self.info = json.loads((self.state / "state.json").read_text())
        # A restart keeps the address, so that clients made before it go on.
        self.port = int(self.info["endpoint"].rsplit(":", 1)[1])
        return self

    def with_base(self):
        """Starts with the base image there: the first kiln of a test run builds it, the others copy it."""
        cache = TARGET / "test-images"
        if cache.is_dir():
            shutil.copytree(cache, self.state / "machines" / "images", symlinks=True)
        self.start()
        self.wait_for_base(900)
        if not cache.is_dir():
            part = cache.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(self.state / "machines" / "images", part, symlinks=True)
            part.rename(cache)
        return self

    def wait_for_base(self, seconds):
        """Waits for the base image: kiln answers before it has one."""
        wait_for("the base image", lambda: self.status()["base_image"]["state"] == "ready", seconds, every=0.05)

    def kill(self):
        """kill -9, as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self, patience=60):
        """Ends kiln and its machines and removes its state; whatever became of kiln itself."""
        try:
            if self.process and self.process.poll() is None:
                stop_machines(self.state, patience)
                try:
                    self.process.wait(patience)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
            # One that was killed, hung or could not be started any more has left them.
            if self.machines == "local" and set(leftovers.all_of(self.state)) - {"folders"}:
                stop_machines(self.state, 120)
                if left := {kind: found for kind, found in leftovers.all_of(self.state).items() if kind != "folders"}:
                    print(f"left behind of {self.state}: {left}", file=sys.stderr)
        finally:
            self.count_calls()
            if os.environ.get("KILN_TEST_KEEP"):
                print(f"kept {self.state}", file=sys.stderr)
            elif self.own_state:
                shutil.rmtree(self.state, ignore_errors=True)

    def count_calls(self):
        """Adds what this kiln answered to the counts of the run (run.py), by service and operation."""
        if (counts := os.environ.get("KILN_TEST_CALLS")) and (self.state / "kiln.log").exists():
            with open(self.state / "kiln.log", "rb") as log:
                log.seek(self.counted)
                lines = log.read().decode(errors="replace")
                answered = collections.Counter(ANSWERED.findall(lines))
                for service, operation, code in REFUSED.findall(lines):
                    if NEVER_SET.get((service, operation)) == code:
                        answered[service, operation + "!"] += 1
                self.counted = log.tell()
            with open(counts, "a") as file:
                file.writelines(f"{service} {operation} {count}\n" for (service, operation), count in answered.items())

    def log(self):
        return (self.state / "kiln.log").read_text(errors="replace")

    def cli(self, *arguments, check=True):
        """Runs a kiln command against this kiln."""
        done = subprocess.run([BINARY, "--state-dir", self.state, *arguments], capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"kiln {arguments} failed: {done.stderr}")
        return done

    def status(self):
        return json.loads(self.cli("status", "--json").stdout)

    def kill_init(self, instance):
        """kill -9 of a machine's first process, from outside: kiln is not told."""
        pid = next(m["pid"] for m in self.status()["machines"] if m["id"] == instance)
        os.kill(pid, signal.SIGKILL)

    def environ(self, **more):
        """The environment for an AWS client program."""
        return {
            **os.environ,
            "AWS_ENDPOINT_URL": self.info["endpoint"],
            "AWS_DEFAULT_REGION": self.info["region"],
            "AWS_ACCESS_KEY_ID": self.info["access_key"],
            "AWS_SECRET_ACCESS_KEY": self.info["secret"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            **more,
        }

    def aws(self, *arguments, check=True, **more):
        """Runs the AWS CLI; its JSON output, or the finished process where check is False."""
        done = subprocess.run(["aws", *arguments], capture_output=True, text=True, timeout=300, env=self.environ(**more))
        if not check:
            return done
        if done.returncode != 0:
            raise AssertionError(f"aws {arguments} failed: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def client(self, service, **more):
        """A boto3 client."""
        options = {
            "endpoint_url": self.info["endpoint"],
            "region_name": self.info["region"],
            "aws_access_key_id": self.info["access_key"],
            "aws_secret_access_key": self.info["secret"],
            "config": botocore.config.Config(retries={"max_attempts": 0}, read_timeout=120),
        }
        return boto3.client(service, **{**options, **more})
