"""What the tests of single calls begin with: a kiln of their own and a way to ask for a refusal."""
import unittest

import botocore.exceptions

from kiln import Kiln


class Calls(unittest.TestCase):
    """A kiln with simulated machines, shared by the tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))

    def refusal(self, call, **arguments):
        """Code and message of a call that must be refused."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        return error["Code"], error["Message"]

    def refused(self, call, **arguments):
        """The code alone."""
        return self.refusal(call, **arguments)[0]
