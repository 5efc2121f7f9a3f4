"""Packer (Debian's, with its amazon-ebs builder) bakes an image: it launches a machine, logs in by ssh at
its public address, provisions it, takes an image and cleans up. The image boots with what was baked in.
"""
import json
import pathlib
import subprocess
import tempfile
import unittest

from kiln import Kiln, wait_for

# As short as one can write it: packer makes the key pair and the security group itself.
# This packer's SDK is from before AWS_ENDPOINT_URL: the template names the endpoint.
TEMPLATE = {
    "variables": {"endpoint": "{{env `AWS_ENDPOINT_URL`}}"},
    "builders": [
        {
            "type": "amazon-ebs",
            "custom_endpoint_ec2": "{{user `endpoint`}}",
            "skip_region_validation": True,
            "region": "us-east-1",
            "instance_type": "t3.micro",
            "ssh_username": "admin",
            "ami_name": "baked-{{isotime \"20060102150405\"}}",
            "source_ami_filter": {"owners": ["amazon"], "most_recent": True, "filters": {"name": "*"}},
            "tags": {"Baked": "yes", "From": "{{ .SourceAMI }}"},
        }
    ],
    "provisioners": [
        {"type": "shell", "inline": ["echo baked by $(id -un) | sudo tee /etc/baked"]},
        {"type": "file", "source": "given", "destination": "/tmp/given"},
        {"type": "shell", "inline": ["sudo mv /tmp/given /etc/given"]},
    ],
}


class Packer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2 = cls.kiln.client("ec2")

    def test_an_image_is_baked(self):
        with tempfile.TemporaryDirectory() as home:
            template = pathlib.Path(home, "template.json")
            template.write_text(json.dumps(TEMPLATE))
            pathlib.Path(home, "given").write_text("a file\n")
            done = subprocess.run(
                ["packer", "build", "-color=false", "-machine-readable", template],
                capture_output=True, text=True, timeout=300, cwd=home,
                env=self.kiln.environ(HOME=home, PACKER_CACHE_DIR=home, PACKER_NO_COLOR="1", CHECKPOINT_DISABLE="1", AWS_POLL_DELAY_SECONDS="1"),
            )
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-2000:])
        made = [line.split(",")[-1] for line in done.stdout.splitlines() if ",artifact,0,id," in line]
        region, image = made[0].split(":")
        self.assertEqual(region, "us-east-1")
        shown = self.ec2.describe_images(ImageIds=[image])["Images"][0]
        self.assertEqual({t["Key"]: t["Value"] for t in shown["Tags"]}["Baked"], "yes")

        # Packer leaves nothing of its own behind.
        states = [i["State"]["Name"] for r in self.ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        self.assertEqual(set(states), {"terminated"})
        self.assertEqual(self.ec2.describe_key_pairs()["KeyPairs"], [])
        groups = [g["GroupName"] for g in self.ec2.describe_security_groups()["SecurityGroups"]]
        self.assertEqual(groups, ["default"])

        instance = self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.nano")["Instances"][0]["InstanceId"]
        read = lambda: self.kiln.cli("shell", instance, "--", "cat", "/etc/baked", "/etc/given", check=False)  # noqa: E731
        wait_for("the baked machine", lambda: read().returncode == 0)
        self.assertEqual(read().stdout, "baked by admin\na file\n")


if __name__ == "__main__":
    unittest.main()
