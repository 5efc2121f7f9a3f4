"""How machines begin and end: user data of every kind, once; what they do by themselves and what
EC2 then says of it; limits that come from the instance type.
"""
import base64
import email.mime.multipart
import email.mime.text
import gzip
import json
import pathlib
import unittest

import botocore.exceptions

import leftovers
from images import imported
from kiln import Kiln, wait_for

SERVICES = "ec2"

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
    """A message of (kind, text) or (kind, text, file name, headers)."""
    message = email.mime.multipart.MIMEMultipart()
    for kind, text, *more in parts:
        part = email.mime.text.MIMEText(text, kind)
        name, headers = (*more, None, {})[:2]
        if name:
            part.add_header("Content-Disposition", "attachment", filename=name)
        for header, value in (headers or {}).items():
            part[header] = value
        message.attach(part)
    return message.as_string()


# What cloud-init would do with it: documents merged as the second says, scripts by their file names.
EVERYTHING = multipart(
    ("x-shellscript", "#!/bin/sh\r\necho z-$(hostname) >> /root/order\r\n", "z.sh"),
    ("cloud-config", """#cloud-config
users: [default, {name: shop, groups: [adm], passwd: "$6$salt$hash"}]
runcmd: ["echo runcmd-1 >> /root/order"]
write_files:
- {path: /srv/made/for/shop, owner: "shop:shop", defer: true, content: !!binary aGVsbG8K}
"""),
    ("cloud-config", "\n#Cloud-Config\nruncmd: ['echo runcmd-2 >> /root/order']\nfqdn: web.shop.example\n", "second", {"X-Merge-Type": "list(append)+dict(no_replace,recurse_list)+str()"}),
    ("x-shellscript", "#!/bin/sh\necho a >> /root/order\n", "a.sh"),
    ("cloud-boothook", "#cloud-boothook\n#!/bin/sh\necho boothook >> /root/order\n"),
)


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

    def booted(self, instance):
        """What cloud-init says when a boot is through."""
        return wait_for(f"the boot of {instance}", lambda: (done := self.sh(instance, "cloud-init status --wait --long")).stdout.lstrip(".\n").startswith("status: ") and done)

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
            "a script, encoded twice and compressed": (base64.b64encode(gzip.compress(script.encode())), ["script-42"], 0),
            "something else": ("hello\n", ["neither with #! nor with #cloud-config"], 1),
            "modules that are not built": ("#cloud-config\nntp: {}\nruncmd: [echo went-on]\n", ["#cloud-config ntp: not supported", "went-on"], 1),
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

    def test_user_data_is_taken_as_cloud_init_takes_it(self):
        instance = self.launch(UserData=EVERYTHING)
        waited = self.booted(instance)
        self.assertEqual(waited.returncode, 0, waited)
        self.assertIn("status: done\n", waited.stdout)
        self.assertIn("errors: []\n", waited.stdout)
        self.assertEqual(self.sh(instance, "cat /root/order").stdout.split(), ["boothook", "a", "runcmd-1", "runcmd-2", "z-web"])
        self.assertEqual(self.sh(instance, "hostname -f").stdout, "web.shop.example\n")
        owners = self.sh(instance, "stat -c '%U:%G %n' /srv /srv/made /srv/made/for /srv/made/for/shop; cat /srv/made/for/shop").stdout
        self.assertEqual(owners, "root:root /srv\nshop:shop /srv/made\nshop:shop /srv/made/for\nshop:shop /srv/made/for/shop\nhello\n")
        self.assertRegex(self.sh(instance, "getent shadow shop; id -nG shop").stdout, r"^shop:!\$6\$salt\$hash:.*\nshop adm\n$")

    def test_who_waits_for_user_data_is_told_the_truth(self):
        instance = self.launch(UserData="#!/bin/sh\nwhile ! test -e /run/go; do sleep 0.1; done\nexit 3\n")
        status = lambda words="": self.sh(instance, f"cloud-init status {words}")  # noqa: E731
        wait_for("running", lambda: status().stdout == "status: running\n")
        self.sh(instance, "touch /run/go")
        waited = status("--wait --format json")
        self.assertEqual(waited.returncode, 1, waited)
        told = json.loads(waited.stdout)
        self.assertEqual((told["status"], told["errors"]), ("error", ["part-001 ended with exit status 3"]))

    def test_a_machine_knows_its_whole_name(self):
        instance = self.launch()
        self.assertEqual(self.booted(instance).returncode, 0)
        name = self.describe(instance)["PrivateDnsName"]
        self.assertEqual(self.sh(instance, "hostname; hostname -f").stdout, f"{name.split('.')[0]}\n{name}\n")
        self.assertEqual(self.sh(instance, "cat /var/lib/cloud/data/result.json | grep -c errors").stdout, "1\n")
        for program in ("cfn-init", "cfn-signal", "cfn-get-metadata", "cfn-hup"):
            self.assertEqual(self.sh(instance, f"command -v {program}").stdout, f"/usr/local/bin/{program}\n")

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

    def test_what_runs_on_every_boot_is_that_of_the_changed_user_data(self):
        instance = self.launch()
        self.wait(instance, "running")
        boots = [
            ("#cloud-config\nbootcmd: ['echo bootcmd >> /root/runs']\nruncmd: ['echo runcmd >> /root/runs']\n", "bootcmd\n"),
            (multipart(("cloud-config", "#cloud-config\ncloud_final_modules:\n- [scripts-user, always]\n"), ("x-shellscript", "#!/bin/sh\necho script >> /root/runs\n")), "bootcmd\nscript\n"),
        ]
        for user_data, wanted in boots:
            self.booted(instance)
            self.ec2.stop_instances(InstanceIds=[instance])
            self.wait(instance, "stopped")
            self.ec2.modify_instance_attribute(InstanceId=instance, UserData={"Value": user_data.encode()})
            self.ec2.start_instances(InstanceIds=[instance])
            self.wait(instance, "running")
            self.booted(instance)
            self.assertEqual(self.sh(instance, "cat /root/runs").stdout, wanted)

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
