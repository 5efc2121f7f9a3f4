"""Every operation that docs/coverage.md calls served is called by one of these tests, by boto3 or the AWS CLI.

The names of boto3's methods are botocore's own. What clients do by themselves (paginators, waiters, boto3's
transfers, Terraform) counts only where a test names it.
"""
import pathlib
import re
import unittest

from botocore import xform_name

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "coverage.md"


def served():
    """Service and operation of all that are served."""
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.M)[2:]:
        names = re.search(r"^Served \(\d+\): (.*)$", section, re.M)
        for name in re.findall(r"`(\w+)`", names.group(1)):
            yield section.split("\n", 1)[0], name


class EveryCall(unittest.TestCase):
    def test_is_made_by_a_client(self):
        texts = [path.read_text() for path in HERE.glob("*.py") if path.name != pathlib.Path(__file__).name]
        words = set(re.findall(r"[\w-]+", "\n".join(texts)))
        all_served = list(served())
        self.assertGreater(len(all_served), 300)
        unseen = [f"{service}:{name}" for service, name in all_served if not {xform_name(name), xform_name(name, "-")} & words]
        self.assertEqual(unseen, [])
