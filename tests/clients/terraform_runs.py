"""Runs terraform with its AWS provider against a kiln.

Terraform and its provider are in no package registry: tests that need them are skipped where they are
missing. Nothing is fetched: the provider comes from a folder that holds it, named by
KILN_TERRAFORM_PLUGINS or in a usual place.
"""
import os
import pathlib
import shutil
import subprocess
import unittest


def plugins():
    """The folder that holds the provider, as terraform's mirrors are laid out."""
    named = os.environ.get("KILN_TERRAFORM_PLUGINS")
    places = [pathlib.Path(named)] if named else [
        pathlib.Path.home() / ".terraform.d" / "plugins",
        pathlib.Path("/usr/local/share/terraform/plugins"),
        pathlib.Path("/usr/share/terraform/plugins"),
        *sorted(pathlib.Path("/opt").glob("*")),
    ]
    return next((p for p in places if any(p.glob("registry.terraform.io/hashicorp/aws/5.*"))), None)


def needs_terraform(case):
    """Skips a class of tests where there is no terraform, or no provider for it."""
    program = unittest.skipUnless(shutil.which("terraform"), "terraform is not installed (it is in no package registry)")
    provider = unittest.skipUnless(plugins(), "terraform's AWS provider, version 5, is in no folder: name one with KILN_TERRAFORM_PLUGINS")
    return program(provider(case))


class Runs(unittest.TestCase):
    """Has `kiln`, and `work`, the temporary directory where terraform runs."""

    def terraform(self, *arguments, expect=0):
        """Runs a command, which must end so, and gives what it printed."""
        done = self.run_terraform(arguments)
        self.assertEqual(done.returncode, expect, f"terraform {arguments}:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
        return done.stdout

    def refused(self, *arguments):
        """Runs a command that must fail, and gives what it says of it."""
        done = self.run_terraform(arguments)
        self.assertEqual(done.returncode, 1, f"terraform {arguments}:\n{done.stdout[-6000:]}")
        return done.stderr

    def run_terraform(self, arguments):
        config = pathlib.Path(self.work.name) / "none.tfrc"
        config.touch()
        environment = self.kiln.environ(TF_CLI_CONFIG_FILE=str(config), TF_IN_AUTOMATION="1", CHECKPOINT_DISABLE="1")
        return subprocess.run(["terraform", *arguments, "-no-color"], cwd=self.work.name, env=environment, capture_output=True, text=True, timeout=400)
