"""`kiln backup` while kiln is at work, and `kiln restore`: what was acknowledged is in it, it is whole or it is
none, and it is put back only where nothing is."""
import contextlib
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import unittest
import unittest.mock

from kiln import BINARY, Kiln, wait_for
from test_faults import small_disk


def kiln(state, *arguments):
    return subprocess.run([BINARY, "--state-dir", state, *arguments], capture_output=True, text=True, timeout=120)


class Place(unittest.TestCase):
    """A folder for backups and for what is restored from them."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir="/var/tmp", prefix="kiln-test-backup-")
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name)
        self.file = self.place / "kiln.backup"

    def restored(self, machines="sim", file=None):
        """A kiln that was started from the backup."""
        state = self.place / "restored"
        done = kiln(state, "restore", file or self.file)
        self.assertEqual(done.returncode, 0, done.stderr)
        return contextlib.closing(self.started(state, machines))

    def started(self, state, machines):
        again = Kiln(machines=machines, state=state)
        self.addCleanup(again.close)
        return again.start()

    def refused(self, *arguments, state=None):
        done = kiln(state or self.place / "restored", *arguments)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        [line] = [line for line in done.stderr.splitlines() if line.startswith("kiln: ")]
        return line


class AtWork(Place):
    def setUp(self):
        super().setUp()
        self.kiln = self.enterContext(Kiln(machines="sim"))
        self.ssm, self.s3 = self.kiln.client("ssm"), self.kiln.client("s3")

    def names(self, ssm, path):
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
        return sorted(p["Name"] for page in pages for p in page["Parameters"])

    def test_all_of_it_is_put_back_and_nothing_is_written_over(self):
        self.ssm.put_parameter(Name="/a", Value="of the first", Type="SecureString")
        self.s3.create_bucket(Bucket="kept")
        self.s3.put_object(Bucket="kept", Key="large", Body=b"x" * (3 << 20))
        self.kiln.client("iam").create_user(UserName="ada")
        vpcs = {vpc["VpcId"] for vpc in self.kiln.client("ec2").describe_vpcs()["Vpcs"]}
        cloudformation = self.kiln.client("cloudformation")
        body = "Resources: {Handle: {Type: AWS::CloudFormation::WaitConditionHandle}}"
        stack = cloudformation.create_stack(StackName="gone", TemplateBody=body)["StackId"]
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        cloudformation.delete_stack(StackName="gone")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        happened = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        self.kiln.cli("backup", self.file)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertIn("is there already", self.refused("backup", self.file, state=self.kiln.state))
        self.assertIn("outside", self.refused("backup", self.kiln.state / "inside", state=self.kiln.state))
        self.assertFalse((self.kiln.state / "backup.tmp").exists())
        self.assertIn("is not empty", self.refused("restore", self.file, state=self.kiln.state))
        # Later changes are not in it, and the first kiln goes on.
        self.ssm.put_parameter(Name="/a", Value="later", Type="SecureString", Overwrite=True)
        with self.restored() as again:
            self.assertEqual(again.info["access_key"], self.kiln.info["access_key"])
            self.assertNotEqual(again.port, self.kiln.port)
            value = again.client("ssm").get_parameter(Name="/a", WithDecryption=True)["Parameter"]["Value"]
            self.assertEqual(value, "of the first")
            self.assertEqual(again.client("s3").get_object(Bucket="kept", Key="large")["Body"].read(), b"x" * (3 << 20))
            again.client("iam").get_user(UserName="ada")
            told = again.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
            self.assertEqual(told, happened, "history is in the backup too")
            self.assertEqual({vpc["VpcId"] for vpc in again.client("ec2").describe_vpcs()["Vpcs"]}, vpcs)
            self.assertEqual(stat.S_IMODE(again.state.stat().st_mode), 0o700)
            for name in ["root.key", "ssm.key", "s3.key", "state.json", "kiln.db", "journal/journal.db"]:
                self.assertEqual(stat.S_IMODE((again.state / name).stat().st_mode), 0o600, name)

    def test_writes_that_go_on(self):
        """What was acknowledged before it began is in it; of what follows, a beginning without gaps."""
        self.s3.create_bucket(Bucket="busy")
        acknowledged, stop, broken = [], threading.Event(), []

        def parameters():
            ssm, n = self.kiln.client("ssm"), 0
            while not stop.is_set():
                ssm.put_parameter(Name=f"/w/{n:06}", Value="x", Type="String")
                acknowledged.append(n)
                n += 1

        def objects():
            s3, n = self.kiln.client("s3"), 0
            while not stop.is_set():
                # One is replaced again and again, others come and go.
                s3.put_object(Bucket="busy", Key="same", Body=f"{n:06}".encode() * 1000)
                s3.put_object(Bucket="busy", Key=f"passing-{n}", Body=b"y" * 5000)
                if n >= 3:
                    s3.delete_object(Bucket="busy", Key=f"passing-{n - 3}")
                n += 1

        def guarded(work):
            try:
                work()
            except Exception as error:  # noqa: BLE001 - told below
                broken.append(error)

        writers = [threading.Thread(target=guarded, args=[work]) for work in (parameters, objects)]
        for writer in writers:
            writer.start()
        try:
            wait_for("some writes", lambda: len(acknowledged) > 50)
            counts = []
            for number in range(3):
                counts.append(len(acknowledged))
                self.kiln.cli("backup", self.place / f"{number}.backup")
            wait_for("more writes", lambda: len(acknowledged) > counts[-1] + 50)
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        self.assertEqual(broken, [], "writers go on")
        for number, count in enumerate(counts):
            with self.restored(file=self.place / f"{number}.backup") as again:
                names = self.names(again.client("ssm"), "/w")
                self.assertGreaterEqual(len(names), count)
                self.assertEqual(names, [f"/w/{n:06}" for n in range(len(names))], "a beginning without gaps")
                s3 = again.client("s3")
                for found in s3.list_objects_v2(Bucket="busy")["Contents"]:
                    body = s3.get_object(Bucket="busy", Key=found["Key"])["Body"].read()
                    self.assertEqual(len(body), found["Size"], found["Key"])
                    if found["Key"] == "same":
                        self.assertEqual(body, body[:6] * 1000, "one version, whole")
                    else:
                        self.assertEqual(body, b"y" * 5000)
            shutil.rmtree(self.place / "restored")
        # What was held meanwhile is gone by now.
        files = lambda: len(os.listdir(self.kiln.state / "s3/data"))  # noqa: E731
        kept = self.s3.list_objects_v2(Bucket="busy")["KeyCount"]
        wait_for("files without objects to go", lambda: files() == kept)

    def much(self):
        """Some time's work: what no compression makes small."""
        self.s3.create_bucket(Bucket="much")
        for n in range(6):
            self.s3.put_object(Bucket="much", Key=str(n), Body=os.urandom(16 << 20))

    def begin(self):
        """A backup that is in the middle of its work."""
        work = subprocess.Popen(
            [BINARY, "--state-dir", self.kiln.state, "backup", self.file],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.addCleanup(lambda: (work.kill(), work.wait()))
        part = self.file.with_name("kiln.backup.part")
        wait_for("the backup's first MiBs", lambda: part.exists() and part.stat().st_size > 4 << 20, every=0.002)
        return work, part

    def test_a_kiln_that_is_killed_leaves_no_backup(self):
        self.much()
        work, part = self.begin()
        self.kiln.kill()
        work.wait(30)
        self.assertNotEqual(work.returncode, 0)
        self.assertFalse(self.file.exists())
        self.assertIn("damaged", self.refused("restore", part))
        self.assertFalse((self.place / "restored").exists())
        self.kiln.start()
        self.assertFalse((self.kiln.state / "backup.tmp").exists())
        self.kiln.cli("backup", self.file)
        self.assertFalse(part.exists())
        with self.restored() as again:
            self.assertEqual(again.client("s3").list_objects_v2(Bucket="much")["KeyCount"], 6)

    def test_who_gives_up_leaves_no_backup_and_holds_nothing(self):
        self.much()
        work, part = self.begin()
        self.assertIn("another backup is being made", self.refused("backup", self.place / "other", state=self.kiln.state))
        work.send_signal(signal.SIGINT)
        work.wait(30)
        wait_for("the half-made file to go", lambda: not part.exists())
        self.assertFalse(self.file.exists())
        wait_for("copies on their way to go", lambda: not (self.kiln.state / "backup.tmp").exists())
        self.s3.delete_object(Bucket="much", Key="0")
        wait_for("its file to go", lambda: len(os.listdir(self.kiln.state / "s3/data")) == 5)
        done = self.kiln.cli("backup", self.file)
        self.assertIn("backup: files", done.stderr, "how far it is")
        self.assertIn("backup: done", done.stderr)

    def test_a_full_disk(self):
        self.s3.create_bucket(Bucket="much")
        self.s3.put_object(Bucket="much", Key="large", Body=os.urandom(12 << 20))
        with small_disk() as full:
            line = self.refused("backup", f"{full}/kiln.backup", state=self.kiln.state)
            self.assertIn("no space left", line)
            self.assertEqual(os.listdir(full), [])
            self.kiln.cli("backup", self.file)
            self.assertIn("no space left", self.refused("restore", self.file, state=f"{full}/state"))
            self.assertEqual(os.listdir(full), [], "as before")
        self.ssm.put_parameter(Name="/after", Value="x", Type="String")

    def test_damage_is_told_by_name(self):
        self.s3.create_bucket(Bucket="much")
        self.s3.put_object(Bucket="much", Key="large", Body=os.urandom(2 << 20))
        self.kiln.cli("backup", self.file)
        whole = self.file.read_bytes()
        middle = len(whole) // 2
        for damaged in [whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], whole[:middle], whole[:-1]]:
            self.file.write_bytes(damaged)
            line = self.refused("restore", self.file)
            self.assertIn("is damaged at", line)
            self.assertFalse((self.place / "restored").exists())
        self.file.write_bytes(b"something else")
        self.assertIn("is no backup of kiln's", self.refused("restore", self.file))


class WithoutKiln(Place):
    def test_a_backup_needs_a_kiln_that_runs(self):
        self.assertIn("kiln is not running", self.refused("backup", self.file))
        self.assertEqual(os.listdir(self.place), [])

    def test_a_restore_that_was_cut_off_is_no_state_directory(self):
        state = self.place / "restored"
        (state / ".restoring").mkdir(parents=True)
        self.assertIn("was cut off", self.refused("up", "--machines", "sim", "--port", "0"))


class Machines(Place):
    def state(self, kiln, instance):
        found = kiln.client("ec2").describe_instances(InstanceIds=[instance])
        return found["Reservations"][0]["Instances"][0]["State"]["Name"]

    def inside(self, kiln, instance, script):
        """Once the machine takes commands."""
        run = lambda: kiln.cli("shell", instance, "--", "/bin/sh", "-c", script, check=False)  # noqa: E731
        return wait_for(script, lambda: (done := run()).returncode == 0 and done, 60).stdout.strip()

    def lines(self, kiln, instance, file):
        return int(self.inside(kiln, instance, f"wc -l < {file}"))

    def frozen(self, kiln, instance):
        """Whether the machine is held still."""
        pid = next(machine["pid"] for machine in kiln.status()["machines"] if machine["id"] == instance)
        [group] = [line[4:] for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines() if line.startswith("0::/")]
        trees = [tree for tree in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if pathlib.Path(tree, "cgroup.procs").exists()]
        at = pathlib.Path(trees[0], group)
        # The group is the machine's, or one in it.
        of_machine = next(place for place in [at, *at.parents] if place.name == instance)
        told = (of_machine / "cgroup.events").read_text().split()
        return (of_machine / "cgroup.freeze").read_text().strip() != "0" or told[told.index("frozen") + 1] != "0"

    def large(self, kiln):
        """A machine whose disk takes a while to copy."""
        ec2 = kiln.client("ec2")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")
        instance = made["Instances"][0]["InstanceId"]
        self.inside(kiln, instance, "dd if=/dev/urandom of=/large bs=1M count=600 2> /dev/null && sync && echo whole > /kept && sync")
        return instance

    def while_its_disk_is_copied(self, kiln, instance):
        """A backup that is copying the machine's disk, which stands still."""
        work = subprocess.Popen(
            [BINARY, "--state-dir", kiln.state, "backup", self.file],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.addCleanup(lambda: (work.kill(), work.wait(), work.stderr.close()))
        copy = kiln.state / "backup.tmp" / instance / "disk"
        wait_for("the copy of its disk", lambda: work.poll() is not None or copy.exists(), every=0.001)
        return work

    def is_whole(self, kiln, instance):
        """The next backup's disk is a good file system."""
        kiln.cli("backup", self.file)
        self.assertFalse(self.frozen(kiln, instance))
        state = self.place / "restored"
        done = globals()["kiln"](state, "restore", self.file)
        self.assertEqual(done.returncode, 0, done.stderr)
        disk = state / "machines/machines" / instance / "disk"
        checked = subprocess.run(["e2fsck", "-f", "-y", disk], capture_output=True, text=True, timeout=120)
        # 0, or 1 where the journal was to be replayed, as after a crash.
        self.assertIn(checked.returncode, (0, 1), checked.stdout)
        again = subprocess.run(["e2fsck", "-f", "-n", disk], capture_output=True, text=True, timeout=120)
        self.assertEqual(again.returncode, 0, again.stdout)
        self.assertNotIn("UNEXPECTED INCONSISTENCY", checked.stdout + checked.stderr)

    def test_a_machine_goes_on_when_its_backup_is_given_up(self):
        with Kiln(machines="local") as kiln:
            instance = self.large(kiln)
            work = self.while_its_disk_is_copied(kiln, instance)
            work.send_signal(signal.SIGINT)
            work.wait(30)
            self.assertNotEqual(work.returncode, 0)
            wait_for("it to go on", lambda: not self.frozen(kiln, instance), 5)
            wait_for("its copy to go", lambda: not (kiln.state / "backup.tmp").exists(), 10)
            self.assertFalse(self.file.exists())
            self.assertEqual(self.inside(kiln, instance, "cat /kept"), "whole")
            self.is_whole(kiln, instance)

    def test_a_machine_goes_on_when_kiln_goes_down(self):
        with Kiln(machines="local") as kiln:
            instance = self.large(kiln)
            pid = next(machine["pid"] for machine in kiln.status()["machines"] if machine["id"] == instance)
            work = self.while_its_disk_is_copied(kiln, instance)
            with unittest.mock.patch.object(kiln, "status", lambda: {"machines": [{"id": instance, "pid": pid}]}):
                kiln.process.send_signal(signal.SIGTERM)
                self.assertEqual(kiln.process.wait(30), 0, kiln.log()[-2000:])
                self.assertFalse(self.frozen(kiln, instance), "nobody is there who could let it go")
            work.wait(30)
            self.assertNotEqual(work.returncode, 0)
            self.assertFalse(self.file.exists())
            kiln.start()
            self.assertEqual(self.state(kiln, instance), "running")
            self.assertEqual(self.inside(kiln, instance, "cat /kept"), "whole")
            self.is_whole(kiln, instance)

    def test_machines_are_as_after_a_crash_of_their_host(self):
        with Kiln(machines="local") as first:
            ec2 = first.client("ec2")
            image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
            made = ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2, InstanceType="t3.micro")
            runs, stopped = [instance["InstanceId"] for instance in made["Instances"]]
            for instance in (runs, stopped):
                self.inside(first, instance, f"echo of {instance} > /kept && sync /kept")
            ec2.stop_instances(InstanceIds=[stopped])
            wait_for("it to stop", lambda: self.state(first, stopped) == "stopped")
            # It writes all the time: in every moment's file system one file is at most a line ahead of the other.
            script = "n=0; while :; do n=$((n+1)); echo $n >> /one; sync /one; echo $n >> /two; sync /two; done"
            self.inside(first, runs, f"setsid sh -c '{script}' > /dev/null 2>&1 < /dev/null &")
            wait_for("its first lines", lambda: self.lines(first, runs, "/one") > 20)
            before = self.lines(first, runs, "/one")
            done = first.cli("backup", self.file)
            self.assertIn("with 2 machines", done.stdout)
            after = self.lines(first, runs, "/one")
            wait_for("it to go on", lambda: self.lines(first, runs, "/one") > after)
            self.assertEqual(self.state(first, runs), "running")
        with self.restored(machines="local") as again:
            # Nobody but a user starts what is of no group.
            wait_for("what became of it", lambda: self.state(again, runs) == "stopped")
            self.assertEqual(self.state(again, stopped), "stopped")
            disk = again.state / "machines/machines" / runs / "disk"
            checked = subprocess.run(["e2fsck", "-f", "-n", "-E", "journal_only", disk], capture_output=True, text=True, timeout=60)
            self.assertNotIn("UNEXPECTED INCONSISTENCY", checked.stdout + checked.stderr)
            again.client("ec2").start_instances(InstanceIds=[runs, stopped])
            for instance in (runs, stopped):
                self.assertEqual(self.inside(again, instance, "cat /kept"), f"of {instance}")
            one, two = (self.lines(again, runs, file) for file in ("/one", "/two"))
            self.assertGreaterEqual(one, before)
            self.assertIn(one - two, (0, 1))
            log = again.log()
            self.assertNotIn("its file system had errors", log)


if __name__ == "__main__":
    unittest.main()
