"""What tests of stacks have in common: template files, refusals, waiting until a stack is at rest."""
import pathlib
import tempfile
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for


class Stacks(unittest.TestCase):
    """A kiln with simulated machines, its clients, and a folder for templates."""

    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.cfn = cls.kiln.client("cloudformation")
        cls.ssm = cls.kiln.client("ssm")
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def file(self, name, body):
        path = self.folder / name
        path.write_text(body)
        return str(path)

    def refused(self, call, **arguments):
        """Code and message of the refusal that a call must meet."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        return error["Code"], error["Message"]

    def settled(self, name):
        """The status of a stack once nothing is in progress."""
        def status():
            status = self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            return None if status.endswith("IN_PROGRESS") else status

        return wait_for(f"{name} to settle", status)
