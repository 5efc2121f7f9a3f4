"""How machines begin and end: user data of every kind, once; what they do by themselves and what
EC2 then says of it; limits that come from the instance type.
"""
import email.mime.multipart
import email.mime.text
import gzip
import pathlib
import unittest

import botocore.exceptions

import leftovers
from images import imported
from kiln import Kiln, wait_for

KILN = None

CLOUD_CONFIG = """#cloud-config
write_files:
  - path: /etc/shop/config
    content: "port 80\\n"
    permissions: "0640"
runcmd:
  - [sh, -c, "echo config-$((40 + 2)) $(cat /etc/shop/config)"]
"""


def multipart(*parts):
    message = email.mime.multipart.MIMEMultipart()
    for kind, text in parts:
        message.attach(email.mime.text.MIMEText(text, kind))
    return message.as_string()


def setUpModule():
    global KILN
    KILN = Kiln(machines="local")
    unittest.addModuleCleanup(KILN.close)
    KILN.with_base()


class Boot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ec2 = KILN.client("ec2")
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def launch(self, image=None, **more):
        options = {"ImageId": image or self.base, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", **more}
        instance = self.ec2.run_instances(**options)["Instances"][0]["InstanceId"]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[instance])
        return instance

    def describe(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def wait(self, instance, state, seconds=30):
        return wait_for(f"{instance} {state}", lambda: (i := self.describe(instance))["State"]["Name"] == state and i, seconds)

    def console_with(self, instance, text, seconds=60):
        console = lambda: self.ec2.get_console_output(InstanceId=instance).get("Output", "")  # noqa: E731
        try:
            return wait_for(f"{text!r} in the console", lambda: text in (seen := console()) and seen, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nconsole of {instance}:\n{console()}") from None

    def sh(self, instance, script):
        return KILN.cli("shell", instance, "--", "sh", "-c", script, check=False)

    def test_user_data_of_every_kind(self):
        script = "#!/bin/sh\necho script-$((40 + 2))\n"
        kinds = {
            "a script": (script, ["script-42"], 0),
            "a compressed script": (gzip.compress(script.encode()), ["script-42"], 0),
            "a cloud-config": (CLOUD_CONFIG, ["config-42 port 80"], 0),
            "a message of both": (multipart(("x-shellscript", script), ("cloud-config", CLOUD_CONFIG)), ["script-42", "config-42 port 80"], 0),
            "a script that fails": ("#!/bin/sh\necho before >&2\nexit 3\n", ["before", "exit status 3"], 3),
            "something else": ("hello\n", ["neither with #! nor with #cloud-config"], 1),
        }
        # Side by side, four machines at a time.
        waiting = list(kinds.items())
        while waiting:
            now, waiting = waiting[:4], waiting[4:]
            launched = [(what, kind, self.launch(UserData=kind[0])) for what, kind in now]
            for what, (_, texts, status), instance in launched:
                with self.subTest(what):
                    console = self.console_with(instance, f"user data finished with exit status {status} ")
                    for text in texts:
                        self.assertIn(text, console)
            self.ec2.terminate_instances(InstanceIds=[instance for _, _, instance in launched])

    def test_changed_user_data_is_shown_and_does_not_run_again(self):
        instance = self.launch(UserData="#!/bin/sh\necho first >> /root/runs\n")
        self.console_with(instance, "user data finished with exit status 0")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.wait(instance, "stopped")
        self.ec2.modify_instance_attribute(InstanceId=instance, UserData={"Value": b"#!/bin/sh\necho second >> /root/runs\n"})
        self.ec2.start_instances(InstanceIds=[instance])
        self.wait(instance, "running")
        wait_for("the second boot", lambda: self.sh(instance, "systemctl is-active kiln-guest.service").stdout == "active\n")
        self.assertEqual(self.sh(instance, "cat /root/runs").stdout, "first\n")

    def test_a_machine_that_switches_itself_off(self):
        stays = self.launch(UserData="#!/bin/sh\npoweroff\n")
        goes = self.launch(UserData="#!/bin/sh\npoweroff\n", InstanceInitiatedShutdownBehavior="terminate")
        for instance, state in [(stays, "stopped"), (goes, "terminated")]:
            seen = self.wait(instance, state, 60)
            self.assertEqual(seen["StateReason"]["Code"], "Client.InstanceInitiatedShutdown")
        self.assertIn("user data finished", self.ec2.get_console_output(InstanceId=goes)["Output"])

    def test_a_machine_that_restarts_itself_goes_on(self):
        instance = self.launch()
        wait_for("systemd", lambda: self.sh(instance, "systemctl is-system-running").stdout == "running\n")
        self.sh(instance, "echo kept > /srv/kept; reboot")
        boots = lambda: next(m for m in KILN.status()["machines"] if m["id"] == instance)["boots"]  # noqa: E731
        wait_for("its second boot", lambda: boots() == 2)
        wait_for("what it kept", lambda: self.sh(instance, "cat /srv/kept").stdout == "kept\n")
        self.assertEqual(self.describe(instance)["State"]["Name"], "running")

    def test_how_a_program_ended_is_told(self):
        ends = {
            "exit 7": ("Server.InternalError", "exit code 7"),
            "exit 0": ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown"),
            # As first process it is ended only by the kernel, for want of memory.
            "x=0123456789abcdef; while :; do x=$x$x; done": ("Server.InternalError", "out of memory"),
        }
        for script, (code, text) in ends.items():
            with self.subTest(script):
                image = imported(KILN, "ends", ["/bin/busybox", "sh", "-c", script])
                reason = self.wait(self.launch(image, InstanceType="t3.nano"), "stopped", 60)["StateReason"]
                self.assertEqual(reason["Code"], code, reason)
                self.assertIn(text, reason["Message"])

    def test_limits_are_those_of_the_type(self):
        instance = self.launch(InstanceType="t3.nano")
        self.wait(instance, "running")

        def limit(v1, v2):
            for group in leftovers.cgroups(KILN.state):
                for name in (v1, v2):
                    file = pathlib.Path(group, name)
                    if instance in group and file.exists() and (name == v2 or "unified" not in group):
                        return file.read_text().split()[0]

        self.assertEqual(limit("memory.limit_in_bytes", "memory.max"), str(512 << 20))
        self.assertEqual(limit("cpu.cfs_quota_us", "cpu.max"), "200000", "two processors of 100 ms in 100 ms")
        wait_for("a shell", lambda: self.sh(instance, "true").returncode == 0)
        # A command from outside counts too, and one that asks for too much ends alone.
        greedy = "x=0123456789abcdef; while :; do x=$x$x; done"
        self.assertNotEqual(self.sh(instance, greedy).returncode, 0)
        self.assertEqual(self.describe(instance)["State"]["Name"], "running")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.wait(instance, "stopped")
        self.ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.small"})
        self.ec2.start_instances(InstanceIds=[instance])
        self.wait(instance, "running")
        self.assertEqual(limit("memory.limit_in_bytes", "memory.max"), str(2 << 30))

    def test_hibernation_is_refused_by_name(self):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.launch(HibernationOptions={"Configured": True})
        self.assertIn("ibernat", str(caught.exception))
        instance = self.launch()
        self.wait(instance, "running")
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.ec2.stop_instances(InstanceIds=[instance], Hibernate=True)
        self.assertIn("ibernat", str(caught.exception))
        self.assertEqual(self.describe(instance)["State"]["Name"], "running")


if __name__ == "__main__":
    unittest.main()
