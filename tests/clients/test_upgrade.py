"""What docs/guides/upgrade.md says of a copied state directory, and of one that an earlier kiln wrote."""
import gzip
import json
import pathlib
import stat
import subprocess
import tempfile
import unittest

import world
from kiln import Kiln, wait_for


class Copies(unittest.TestCase):
    def test_a_copy_taken_while_no_kiln_runs_is_all_of_it(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
            first, second = pathlib.Path(place, "first"), pathlib.Path(place, "second")
            first.mkdir(mode=0o700)
            with Kiln(machines="sim", state=first) as kiln:
                key = kiln.info["access_key"]
                kiln.client("ssm").put_parameter(Name="/a", Value="secret", Type="SecureString")
                s3 = kiln.client("s3")
                s3.create_bucket(Bucket="kept")
                s3.put_object(Bucket="kept", Key="large", Body=b"x" * (1 << 20))
                vpcs = {vpc["VpcId"] for vpc in kiln.client("ec2").describe_vpcs()["Vpcs"]}
            subprocess.run(["cp", "-a", "--sparse=always", first, second], check=True, timeout=60)
            self.assertEqual(stat.S_IMODE(second.stat().st_mode), 0o700)
            with Kiln(machines="sim", state=second) as kiln:
                self.assertEqual(kiln.info["access_key"], key)
                self.assertEqual(kiln.client("ssm").get_parameter(Name="/a", WithDecryption=True)["Parameter"]["Value"], "secret")
                self.assertEqual(kiln.client("s3").get_object(Bucket="kept", Key="large")["Body"].read(), b"x" * (1 << 20))
                self.assertEqual({vpc["VpcId"] for vpc in kiln.client("ec2").describe_vpcs()["Vpcs"]}, vpcs)


class EarlierStates(unittest.TestCase):
    """tests/states has state directories as earlier kilns left them, with what clients saw of them then."""

    def assert_still(self, then, now, where):
        """Everything that was told is told, and the same. There may be more members, and AWS's answers leave empty
        lists out, which the first kilns did not."""
        if isinstance(then, dict):
            self.assertIsInstance(now, dict, where)
            for name, value in then.items():
                if not (value == [] and name not in now):
                    self.assertIn(name, now, where)
                    self.assert_still(value, now[name], f"{where}.{name}")
        elif isinstance(then, list):
            self.assertEqual(len(then), len(now), where)
            for number, (old, new) in enumerate(zip(then, now)):
                self.assert_still(old, new, f"{where}[{number}]")
        else:
            self.assertEqual(then, now, where)

    def test_today_s_kiln_opens_them_and_clients_see_all_of_it(self):
        states = sorted(world.STATES.glob("*.tar.zst"))
        self.assertTrue(states)
        for file in states:
            name = file.name.removesuffix(".tar.zst")
            with self.subTest(name), tempfile.TemporaryDirectory(dir="/var/tmp") as place:
                state = pathlib.Path(place, "state")
                state.mkdir(mode=0o700)
                world.unpack(name, state)
                then = json.loads(gzip.decompress((world.STATES / f"{name}.json.gz").read_bytes()))
                self.assertGreater(len(then), 30)
                with Kiln(machines="sim", state=state) as kiln:
                    self.opened(kiln, then)

    def opened(self, kiln, then):
        # Its simulated machine is gone with the kiln before: the group has another.
        scaling = kiln.client("autoscaling")
        group = lambda: scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["one"])["AutoScalingGroups"][0]  # noqa: E731
        wait_for("the group to heal", lambda: [i["LifecycleState"] for i in group()["Instances"]] == ["InService"])
        for question, answer in json.loads(json.dumps(world.seen(kiln))).items():
            self.assert_still(then.pop(question), answer, question)
        self.assertEqual(then, {}, "no question is forgotten")
        # And all goes on.
        stacks, ssm = kiln.client("cloudformation"), kiln.client("ssm")
        self.assertEqual(ssm.put_parameter(Name="/old/plain", Value="three", Type="String", Overwrite=True)["Version"], 3)
        stacks.delete_stack(StackName="kept")
        gone = lambda: [p["Name"] for p in ssm.get_parameters_by_path(Path="/old")["Parameters"]]  # noqa: E731
        wait_for("the stack's parameter to go", lambda: "/old/stack" not in gone())
        elb = kiln.client("elbv2")
        balancer = elb.describe_load_balancers(Names=["old"])["LoadBalancers"][0]
        self.assertEqual(balancer["State"]["Code"], "active")


if __name__ == "__main__":
    unittest.main()
