"""`kill -9` of kiln in the middle of its work: the next kiln goes on to the right end, and nothing
is left of what was half made: no machine, process, control group, mount, namespace or address.

What a kiln holds on the host is counted from outside (leftovers.py). Each kill comes when a sign of
the work's progress is seen, not after a time.
"""
import contextlib
import json
import os
import pathlib
import signal
import time
import unittest

import leftovers
from images import imported
from kiln import Kiln, wait_for

ALONE = "it kills kiln at one moment of its work, which must not pass unseen"


def as_soon_as(what, sign, seconds=30):
    """Like wait_for, without a pause: what is waited for passes within milliseconds."""
    end = time.monotonic() + seconds
    while not (seen := sign()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
    return seen


class Crashes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = Kiln(machines="local")
        cls.addClassCleanup(cls.kiln.close)
        cls.kiln.with_base()
        cls.ec2 = cls.kiln.client("ec2")
        cls.httpd = imported(cls.kiln)
        cls.state = cls.kiln.state

    def setUp(self):
        self.assertEqual(leftovers.all_of(self.state), {}, "before the test")
        self.free = self.free_addresses()

    def free_addresses(self):
        return {s["SubnetId"]: s["AvailableIpAddressCount"] for s in self.ec2.describe_subnets()["Subnets"]}

    def crash(self):
        self.kiln.kill()
        self.kiln.start()

    def launch(self, count, image=None, **more):
        made = self.ec2.run_instances(ImageId=image or self.httpd, MinCount=count, MaxCount=count, InstanceType="t3.micro", **more)
        return [i["InstanceId"] for i in made["Instances"]]

    def states(self, ids):
        answer = self.ec2.describe_instances(InstanceIds=ids)
        return {i["InstanceId"]: i["State"]["Name"] for r in answer["Reservations"] for i in r["Instances"]}

    def all_are(self, ids, state):
        wait_for(f"{ids} {state}", lambda: set(self.states(ids).values()) == {state}, 30)

    def nothing_is_left(self):
        """No trace on the host, and every address is free again."""
        try:
            wait_for("the host to be clean", lambda: not leftovers.all_of(self.state), 15)
        except AssertionError:
            self.fail(f"left over: {leftovers.all_of(self.state)}")
        self.assertEqual(self.kiln.status()["machines"], [])
        self.assertEqual(self.free_addresses(), self.free)
        self.assertEqual(self.ec2.describe_network_interfaces()["NetworkInterfaces"], [])

    def terminate(self, ids):
        self.ec2.terminate_instances(InstanceIds=ids)
        self.all_are(ids, "terminated")

    def holds_only(self, ids):
        """The host holds these machines and what they need, and nothing else."""
        groups = leftovers.cgroups(self.state)
        self.assertEqual({pathlib.Path(group).name for group in groups}, set(ids))
        self.assertEqual({p.name for p in (self.state / "machines/machines").iterdir()}, set(ids))
        self.assertEqual({p.name for p in (self.state / "machines/run/crun").iterdir()}, set(ids))
        kinds = sorted(pathlib.Path(point).parent.name for point in leftovers.mounts(self.state))
        self.assertEqual(kinds, ["consoles"] * len(ids) + ["layers", "netns"], "their consoles, one layer, one router")
        self.assertEqual(leftovers.loops(self.state), sorted(str(self.state / "machines/machines" / i / "disk") for i in ids))
        programs = sorted(command.split()[0] for _, command in leftovers.processes(self.state))
        self.assertEqual(programs, ["/bin/busybox"] * len(ids) + ["/usr/bin/slirp4netns"])

    def answer(self, ids):
        for instance in ids:
            # The default group lets nobody in: only the machine itself can ask.
            page = ["shell", instance, "--", "/bin/busybox", "wget", "-qO-", "http://127.0.0.1:8080/"]
            wait_for("the page", lambda: self.kiln.cli(*page, check=False).stdout == "ok\n", 20)

    def test_reboots_and_starts(self):
        [instance] = self.launch(1)
        self.all_are([instance], "running")
        runtime = self.state / "machines/run/crun" / instance
        boots = lambda: next(m["boots"] for m in self.kiln.status()["machines"] if m["id"] == instance)  # noqa: E731
        record = self.state / "machines/machines" / instance / "machine.json"

        def made():
            """When the runtime's folder was made; none while there is none."""
            try:
                return runtime.stat().st_ctime_ns
            except FileNotFoundError:
                return None

        def next_boot(number):
            return lambda: json.loads(record.read_text())["boots"] == number

        first = made()
        for expected, (what, sign) in enumerate({"its end": lambda: made() != first, "its next boot": next_boot(3)}.items(), 2):
            with self.subTest(reboot_killed_at=what):
                self.ec2.reboot_instances(InstanceIds=[instance])
                as_soon_as(what, sign)
                self.crash()
                wait_for("the next boot", lambda: boots() == expected, 20)
                self.answer([instance])
                # Not rebooted twice for one call, and nobody says that it failed.
                self.assertEqual((boots(), self.states([instance])), (expected, {instance: "running"}))
        for what, sign in {"its control group": lambda: leftovers.cgroups(self.state), "its runtime": runtime.exists}.items():
            with self.subTest(start_killed_at=what):
                self.ec2.stop_instances(InstanceIds=[instance])
                self.all_are([instance], "stopped")
                self.ec2.start_instances(InstanceIds=[instance])
                as_soon_as(what, sign)
                self.crash()
                self.all_are([instance], "running")
                self.answer([instance])
        self.holds_only([instance])
        self.terminate([instance])
        self.nothing_is_left()

    def test_first_reboots(self):
        """Of a machine that never came back before, a reboot looks like a launch: it must not be undone like one."""
        [*ids] = self.launch(3)
        self.all_are(ids, "running")
        self.answer(ids)
        for instance in ids:
            self.kiln.cli("shell", instance, "--", "/bin/busybox", "sh", "-c", "/bin/busybox mkdir /srv && echo kept > /srv/kept && /bin/busybox sync")
            runtime = self.state / "machines/run/crun" / instance
            first = runtime.stat().st_ino

            def waits_for_its_start():
                """The next runtime is there, and its first process held back."""
                try:
                    return runtime.stat().st_ino != first and (runtime / "exec.fifo").exists()
                except FileNotFoundError:
                    return False

            self.ec2.reboot_instances(InstanceIds=[instance])
            as_soon_as("the next boot", waits_for_its_start)
            self.crash()
            self.all_are([instance], "running")
            self.answer([instance])
            self.assertEqual(self.kiln.cli("shell", instance, "--", "/bin/busybox", "cat", "/srv/kept").stdout, "kept\n")
        self.holds_only(ids)
        self.terminate(ids)
        self.nothing_is_left()

    def test_launches_and_ends(self):
        place = self.state / "machines"
        signs = {
            "its folder": lambda ids: (place / "machines" / ids[1]).exists(),
            "its router": lambda ids: list((place / "run/mnt/netns").glob("vpc-*")),
            "the way to the internet": lambda ids: [c for _, c in leftovers.processes(self.state) if "slirp4netns" in c],
            "its control group": lambda ids: any(ids[1] in group for group in leftovers.cgroups(self.state)),
            "its runtime": lambda ids: (place / "run/crun" / ids[1]).exists(),
            "its first process": lambda ids: [c for _, c in leftovers.processes(self.state) if c.startswith("/bin/busybox")],
        }
        for what, sign in signs.items():
            with self.subTest(killed_at=what):
                ids = self.launch(2)
                as_soon_as(what, lambda: sign(ids))
                self.crash()
                self.all_are(ids, "running")
                self.answer(ids)
                self.holds_only(ids)
                self.ec2.terminate_instances(InstanceIds=ids)
                as_soon_as("a machine to go", lambda: len(list((place / "machines").iterdir())) < 2)
                self.crash()
                self.all_are(ids, "terminated")
                self.nothing_is_left()

    def test_a_healing(self):
        asg = self.kiln.client("autoscaling")
        self.ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": self.httpd, "InstanceType": "t3.micro"})
        asg.create_auto_scaling_group(
            AutoScalingGroupName="web", LaunchTemplate={"LaunchTemplateName": "web"}, MinSize=2, MaxSize=2, AvailabilityZones=["us-east-1a", "us-east-1b"]
        )

        def group():
            return asg.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"][0]["Instances"]

        def whole():
            good = [i["InstanceId"] for i in group() if i["LifecycleState"] == "InService" and i["HealthStatus"] == "Healthy"]
            return len(good) == 2 and len(group()) == 2 and set(good)

        before = wait_for("two machines in service", whole, 30)
        victim = sorted(before)[0]
        self.kiln.cli("fault", "kill", victim)
        as_soon_as("a replacement", lambda: {i["InstanceId"] for i in group()} - before)
        self.crash()
        after = wait_for("the group to be whole", lambda: (good := whole()) and victim not in good and good, 60)
        self.assertEqual(len(after & before), 1, "the healthy machine stayed")
        self.all_are([victim], "terminated")
        running = self.ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}])["Reservations"]
        self.assertEqual({i["InstanceId"] for r in running for i in r["Instances"]}, after, "no machine more than wanted")
        self.holds_only(after)
        asg.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
        self.all_are(sorted(after), "terminated")
        wait_for("the group to be gone", lambda: not asg.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"], 30)
        self.nothing_is_left()

    def test_an_image_of_a_machine_that_is_held_still(self):
        [instance] = self.launch(1)
        self.all_are([instance], "running")
        # So much that taking the image lasts until the kill.
        fill = "/bin/busybox mkdir -p /srv && /bin/busybox dd if=/dev/urandom of=/srv/much bs=1M count=64 && echo kept > /srv/kept"
        self.kiln.cli("shell", instance, "--", "/bin/busybox", "sh", "-c", fill)
        image = self.ec2.create_image(InstanceId=instance, Name="still", NoReboot=True)["ImageId"]

        def held():
            for group in leftovers.cgroups(self.state):
                with contextlib.suppress(OSError):
                    if pathlib.Path(group, "cgroup.freeze").read_text() == "1\n":
                        return True
            return False

        as_soon_as("the machine to be held still", held)
        self.kiln.kill()
        self.assertTrue(held(), "nobody let it go on")
        self.assertNotIn("mkfs.erofs", str(leftovers.processes(self.state)), "what packs the image ends with kiln")
        self.kiln.start()
        wait_for("the image", lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", 60)
        self.assertFalse(held())
        self.assertEqual(self.kiln.cli("shell", instance, "--", "/bin/busybox", "cat", "/srv/kept").stdout, "kept\n")
        [copy] = self.launch(1, image)
        self.all_are([copy], "running")
        self.assertEqual(self.kiln.cli("shell", copy, "--", "/bin/busybox", "cat", "/srv/kept").stdout, "kept\n")
        self.terminate([instance, copy])
        self.nothing_is_left()

    def test_machines_that_are_stopped_with_kiln(self):
        """`kiln down --stop-machines` leaves their files and nothing else; the next kiln says what happened."""
        [instance] = self.launch(1)
        self.all_are([instance], "running")
        self.answer([instance])
        self.kiln.cli("down", "--stop-machines")
        self.kiln.process.wait(30)
        self.assertEqual(set(leftovers.all_of(self.state)), {"folders"})
        self.kiln.start()
        self.all_are([instance], "stopped")
        reason = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["StateReason"]["Message"]
        self.assertIn("kiln down --stop-machines", reason)
        self.ec2.start_instances(InstanceIds=[instance])
        self.all_are([instance], "running")
        self.answer([instance])
        self.terminate([instance])
        self.nothing_is_left()

    def test_machines_of_a_kiln_that_cannot_be_started_any_more(self):
        """`kiln down --stop-machines` needs no kiln: it was killed, and its state is damaged."""
        [instance] = self.launch(1)
        self.all_are([instance], "running")
        self.answer([instance])
        self.kiln.kill()
        self.holds_only([instance])
        credentials, kept = self.state / "state.json", self.state / "state.json.kept"
        credentials.rename(kept)
        credentials.write_text("damaged")
        try:
            with self.assertRaises(AssertionError):
                self.kiln.start()
            done = self.kiln.cli("down", "--stop-machines")
            self.assertEqual(done.stdout, "kiln was not running; the machine that it left is stopped\n")
            self.assertEqual(set(leftovers.all_of(self.state)), {"folders"})
            self.assertEqual(self.kiln.cli("down", "--stop-machines").stdout, "kiln was not running, and left no machine that runs\n")
        finally:
            kept.rename(credentials)
        self.kiln.start()
        self.all_are([instance], "stopped")
        self.terminate([instance])
        self.nothing_is_left()

    def test_a_kiln_that_a_test_leaves_behind_takes_its_machines_along(self):
        for how in ["killed from outside", "held from outside"]:
            with self.subTest(how):
                kiln = Kiln(machines="local")
                try:
                    kiln.with_base()
                    image = imported(kiln)
                    kiln.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")
                    wait_for("its machine", lambda: leftovers.processes(kiln.state), 30)
                    if how == "killed from outside":
                        os.kill(kiln.process.pid, signal.SIGKILL)
                        kiln.process.wait()
                    else:
                        os.kill(kiln.process.pid, signal.SIGSTOP)
                finally:
                    kiln.close(patience=5)
                self.assertEqual(leftovers.all_of(kiln.state), {})
                self.assertFalse(kiln.state.exists())

    def test_machines_that_are_being_made_when_kiln_is_to_stop_them(self):
        signs = {
            "its router": lambda ids: list((self.state / "machines/run/mnt/netns").glob("vpc-*")),
            "its control group": lambda ids: leftovers.cgroups(self.state),
            "both machines' folders": lambda ids: len(list((self.state / "machines/machines").iterdir())) == 2,
        }
        for what, sign in signs.items():
            with self.subTest(stopped_at=what):
                ids = self.launch(2)
                as_soon_as(what, lambda: sign(ids))
                self.kiln.cli("down", "--stop-machines")
                self.kiln.process.wait(60)
                self.assertLessEqual(set(leftovers.all_of(self.state)), {"folders"}, leftovers.all_of(self.state))
                self.kiln.start()
                self.terminate(ids)
                self.nothing_is_left()

    def test_what_is_left_is_seen(self):
        """The counting itself can fail: a running machine is counted, and so is a planted leftover."""
        [instance] = self.launch(1)
        self.all_are([instance], "running")
        self.assertEqual(set(leftovers.all_of(self.state)), {"mounts", "loops", "cgroups", "processes", "folders"})
        self.terminate([instance])
        tree = pathlib.Path(next(line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup2 " in line))
        planted = tree / leftovers.control_group(self.state) / "i-planted"
        planted.mkdir(parents=True)
        try:
            self.assertEqual(leftovers.cgroups(self.state), [str(planted)])
            with self.assertRaises(AssertionError):
                wait_for("the host to be clean", lambda: not leftovers.all_of(self.state), 1)
            # The next kiln sweeps what belongs to nobody.
            self.crash()
            self.nothing_is_left()
        finally:
            if planted.exists():
                planted.rmdir()


class BaseImage(unittest.TestCase):
    def test_the_building_of_the_base_image(self):
        with Kiln(machines="sim") as kiln:
            kiln.kill()
            kiln.machines = "local"
            kiln.start()
            packages = kiln.state / "machines/images/work"
            wait_for("packages to be unpacked", lambda: list(packages.glob("base-*/root/var/lib/dpkg")), 120)
            self.assertIn("mmdebstrap", str(leftovers.processes(kiln.state)))
            kiln.kill()
            wait_for("its programs to end", lambda: not leftovers.processes(kiln.state), 5)
            kiln.start()
            wait_for("the base image", lambda: (state := kiln.status()["base_image"])["state"] in ("ready", "failed") and state, 300)
            self.assertEqual(kiln.status()["base_image"]["state"], "ready", kiln.status()["base_image"])
            self.assertEqual(leftovers.all_of(kiln.state), {})


if __name__ == "__main__":
    unittest.main()
