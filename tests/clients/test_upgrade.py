"""What docs/guides/upgrade.md says of a copied state directory."""
import pathlib
import stat
import subprocess
import tempfile
import unittest

from kiln import Kiln


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


if __name__ == "__main__":
    unittest.main()
