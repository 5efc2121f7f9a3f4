"""The parameter store by boto3 and the AWS CLI."""
import itertools
import json
import subprocess
import threading
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for

SERVICES = "ssm"


class Parameters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.ssm = cls.kiln.client("ssm")

    def refused(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        return caught.exception.response["Error"]

    def test_versions_labels_and_paths(self):
        self.ssm.put_parameter(Name="/app/colour", Value="red", Type="String", Tags=[{"Key": "team", "Value": "a"}])
        self.assertEqual(self.refused(self.ssm.put_parameter, Name="/app/colour", Value="x", Type="String")["Code"], "ParameterAlreadyExists")
        self.assertEqual(self.ssm.put_parameter(Name="/app/colour", Value="blue", Overwrite=True)["Version"], 2)
        self.ssm.label_parameter_version(Name="/app/colour", ParameterVersion=1, Labels=["first"])
        self.assertEqual(self.ssm.get_parameter(Name="/app/colour:first")["Parameter"]["Value"], "red")
        for n in range(25):
            self.ssm.put_parameter(Name=f"/app/many/{n:02}", Value=str(n), Type="String")
        pages = self.ssm.get_paginator("get_parameters_by_path").paginate(Path="/app", Recursive=True)
        self.assertEqual(sum(len(page["Parameters"]) for page in pages), 26)
        found = self.ssm.describe_parameters(ParameterFilters=[{"Key": "tag:team", "Values": ["a"]}])["Parameters"]
        self.assertEqual([one["Name"] for one in found], ["/app/colour"])
        with self.assertRaises(self.ssm.exceptions.ParameterNotFound):
            self.ssm.get_parameter(Name="/app/none")

    def test_secrets_are_not_in_the_database_or_the_log_and_outlive_a_crash(self):
        self.ssm.put_parameter(Name="/db/password", Value="correct-horse-battery", Type="SecureString")
        closed = self.ssm.get_parameter(Name="/db/password")["Parameter"]["Value"]
        self.assertNotIn("correct-horse", closed)
        self.kiln.kill()
        for file in self.kiln.state.glob("kiln*"):
            if file.is_file():
                self.assertNotIn(b"correct-horse-battery", file.read_bytes(), file)
        self.kiln.start()
        opened = self.ssm.get_parameter(Name="/db/password", WithDecryption=True)["Parameter"]["Value"]
        self.assertEqual(opened, "correct-horse-battery")

    def test_what_was_answered_outlives_kill_in_the_middle_of_writing(self):
        """Eight clients write while kiln is killed: whatever was answered is there, whole."""
        answered, stop = {}, threading.Event()

        def write(writer):
            ssm = self.kiln.client("ssm")
            for n in itertools.count():
                name = f"/busy/{writer}/{n}"
                try:
                    ssm.put_parameter(Name=name, Value=name * 20, Type="String")
                except (botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError):
                    return
                answered[name] = name * 20
                if stop.is_set():
                    return

        writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
        for writer in writers:
            writer.start()
        try:
            wait_for("some writes", lambda: len(answered) >= 100)
            self.kiln.kill()
        finally:
            stop.set()
            for writer in writers:
                writer.join()
            self.kiln.start()
        pages = self.ssm.get_paginator("get_parameters_by_path").paginate(Path="/busy", Recursive=True)
        found = {each["Name"]: each["Value"] for page in pages for each in page["Parameters"]}
        missing = {name for name, value in answered.items() if found.get(name) != value}
        self.assertEqual(missing, set())
        # At most the one write of each client whose answer was lost came on top.
        self.assertLessEqual(len(found) - len(answered), len(writers))

    def test_public_aliases_name_images(self):
        name = "/aws/service/debian/release/12/latest/amd64"
        image = wait_for("the base image's alias", lambda: self.ssm.get_parameter(Name=name))["Parameter"]["Value"]
        ec2 = self.kiln.client("ec2")
        described = ec2.describe_images(ImageIds=[image])["Images"]
        self.assertTrue(described[0]["Name"].startswith("debian-12-amd64"))
        other = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        error = self.refused(self.ssm.get_parameter, Name=other)
        self.assertEqual(error["Code"], "ParameterNotFound")
        self.assertIn("kiln:ssm-alias", error["Message"])
        error = self.refused(self.ssm.get_parameters_by_path, Path="/aws/service/ami-amazon-linux-latest")
        self.assertEqual(error["Code"], "NotImplemented")
        self.assertIn("kiln:ssm-alias", error["Message"])
        own = ec2.copy_image(SourceImageId=image, SourceRegion=ec2.meta.region_name, Name="mine")["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[own], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        ec2.create_tags(Resources=[own], Tags=[{"Key": "kiln:ssm-alias", "Value": other}])
        self.assertEqual(self.ssm.get_parameter(Name=other)["Parameter"]["Value"], own)
        shown = subprocess.run(
            ["aws", "ssm", "get-parameters-by-path", "--path", "/aws/service/debian/release/12/latest"],
            env=self.kiln.environ(), capture_output=True, text=True, check=True,
        )
        self.assertEqual(json.loads(shown.stdout)["Parameters"][0]["Value"], image)


if __name__ == "__main__":
    unittest.main()
