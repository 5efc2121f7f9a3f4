"""The root disk of a real machine has the size that was asked for: what the API says, `df` shows and
the kernel enforces; it lives and goes with its instance.
"""
import os
import shutil
import unittest

import botocore.exceptions

import leftovers
from images import imported
from kiln import Kiln, wait_for

SERVICES = "ec2"

ALONE = "it measures how much of the host's disk is free"

GIB = 1 << 30
KILN = None


def setUpModule():
    global KILN
    KILN = Kiln(machines="local")
    unittest.addModuleCleanup(KILN.close)
    KILN.with_base()


def room():
    """What is free on the disk that holds kiln's state."""
    return shutil.disk_usage(KILN.state).free


class Disk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ec2 = KILN.client("ec2")
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def launch(self, image, gib=None):
        size = {"Ebs": {"VolumeSize": gib}} if gib else {"Ebs": {}}
        mapping = [{"DeviceName": "/dev/xvda", **size}]
        made = self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", BlockDeviceMappings=mapping)
        instance = made["Instances"][0]["InstanceId"]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[instance])
        self.wait(instance, "running")
        return instance

    def wait(self, instance, state):
        find = lambda: self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]  # noqa: E731
        wait_for(f"{instance} {state}", lambda: find()["State"]["Name"] == state, 60)

    def volume(self, instance):
        return self.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"][0]

    def inside(self, instance, script, check=True, shell=("/bin/sh",)):
        """Once the machine takes commands."""
        run = lambda: KILN.cli("shell", instance, "--", *shell, "-c", script, check=False)  # noqa: E731
        if not check:
            return run()
        done = wait_for(script, lambda: (done := run()).returncode == 0 and done, 30)
        return done.stdout.strip()

    def size(self, instance):
        """Size of the root in bytes, as the machine sees it."""
        return int(self.inside(instance, "df -k --output=size / | tail -n 1")) * 1024

    def disk(self, instance):
        return KILN.state / "machines/machines" / instance / "disk"

    def taken(self, instance):
        return os.stat(self.disk(instance)).st_blocks * 512

    def test_a_disk_is_as_large_as_was_asked_for_and_no_larger(self):
        usual = self.launch(self.base)
        self.assertEqual(self.volume(usual)["Size"], 8, "as its image")
        self.assertTrue(7.5 * GIB < self.size(usual) <= 8 * GIB, self.size(usual))
        instance = self.launch(self.base, 12)
        self.assertEqual(self.volume(instance)["Size"], 12)
        self.assertTrue(11.5 * GIB < self.size(instance) <= 12 * GIB, self.size(instance))
        self.inside(instance, "systemctl is-active ssh")
        host = shutil.disk_usage(KILN.state).total // 1024
        self.assertNotIn(str(host), self.inside(instance, "df -ak"), "nothing shows the host's disk")
        self.assertLess(self.taken(instance), 64 << 20, "an idle machine takes little")
        before = room()
        # Blocks that are set aside count inside and take nothing outside.
        full = self.inside(instance, "fallocate -l 20G /all", check=False)
        self.assertIn("No space left on device", full.stderr)
        self.inside(instance, "rm -f /all; fallocate -l $(( $(df -k --output=avail / | tail -n 1) - 65536 ))k /most")
        full = self.inside(instance, "dd if=/dev/zero of=/rest bs=1M count=200 conv=fsync", check=False)
        self.assertIn("No space left on device", full.stderr)
        self.assertLess(before - room(), 1 * GIB)
        self.assertEqual(self.inside(usual, "dd if=/dev/zero of=/mine bs=1M count=1 2>/dev/null && echo fine"), "fine")
        # It boots with a full disk, and what was written is there.
        self.ec2.stop_instances(InstanceIds=[instance])
        self.wait(instance, "stopped")
        self.assertNotIn(str(self.disk(instance)), leftovers.loops(KILN.state))
        self.ec2.start_instances(InstanceIds=[instance])
        self.wait(instance, "running")
        self.assertEqual(self.inside(instance, "rm /most /rest && echo kept > /root/kept && sync && cat /root/kept"), "kept")
        image = self.ec2.create_image(InstanceId=instance, Name="twelve")["ImageId"]
        wait_for("the image", lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", 60)
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            self.launch(image, 8)
        self.assertEqual(refused.exception.response["Error"]["Code"], "InvalidBlockDeviceMapping")
        copy = self.launch(image, 16)
        self.assertEqual(self.inside(copy, "cat /root/kept"), "kept")
        self.assertTrue(15.5 * GIB < self.size(copy) <= 16 * GIB, self.size(copy))
        ids = [usual, instance, copy]
        self.ec2.terminate_instances(InstanceIds=ids)
        for instance in ids:
            self.wait(instance, "terminated")
        self.assertEqual(leftovers.loops(KILN.state), [])
        self.assertEqual(list((KILN.state / "machines/machines").iterdir()), [])

    def test_a_killed_kiln_finds_its_disks_again(self):
        busybox = ("/bin/busybox", "sh")
        instance = self.launch(imported(KILN))
        self.inside(instance, "echo kept > /www/kept", shell=busybox)
        KILN.kill()
        KILN.start()
        self.wait(instance, "running")
        self.assertEqual(leftovers.loops(KILN.state), [str(self.disk(instance))])
        image = self.ec2.create_image(InstanceId=instance, Name="kept", NoReboot=True)["ImageId"]
        wait_for("the image", lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", 60)
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.wait(instance, "terminated")
        copy = self.launch(image)
        self.assertEqual(self.inside(copy, "/bin/busybox cat /www/kept", shell=busybox), "kept")


if __name__ == "__main__":
    unittest.main()
