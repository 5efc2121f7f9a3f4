"""What runs the tests ends what hangs, by name, and nothing is left of it: run.py and scripts/bounded.py."""
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

from kiln import ROOT

RUN = ROOT / "tests" / "clients" / "run.py"
BOUNDED = ROOT / "scripts" / "bounded.py"

HANGS = """
import os, pathlib, threading, unittest
from kiln import Kiln

class Hangs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))

    def test_that_never_ends(self):
        pathlib.Path(os.environ["SAID"]).write_text(f"{self.kiln.process.pid} {self.kiln.state}")
        threading.Event().wait()
"""


def lives(pid):
    """Whether a process runs; one that has ended and was not asked for yet does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class Clients(unittest.TestCase):
    def run_modules(self, *options, **modules):
        """Runs modules of these texts; the exit code and all that was shown."""
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in modules.items():
            (folder / f"test_{name}.py").write_text(textwrap.dedent(text))
        self.said = folder / "said"
        done = subprocess.run(
            [sys.executable, RUN, "--folder", folder, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=150, env={**os.environ, "SAID": str(self.said)},
        )
        return done.returncode, done.stdout

    def test_what_no_client_was_answered_is_named(self):
        calls = """
            import os, unittest
            class Calls(unittest.TestCase):
                def test_it(self):
                    with open(os.environ["KILN_TEST_CALLS"], "a") as file:
                        file.write("sts GetCallerIdentity 3\\nsts AssumeRole 1\\n")
        """
        code, shown = self.run_modules(one=calls, other=calls)
        self.assertEqual(code, 0, shown)
        self.assertRegex(shown, r"\n +2 of +4 +8 +sts\n")
        code, shown = self.run_modules("--every-call", one=calls)
        self.assertEqual(code, 1, shown)
        self.assertRegex(shown, r"\nFAILED every_call: answered to no client: .*sts:GetSessionToken")
        self.assertNotIn("sts:AssumeRole", shown)

    def test_one_that_hangs_is_named_and_ended_with_its_kiln(self):
        good = "import unittest\nclass Good(unittest.TestCase):\n    def test_it(self): pass\n"
        code, shown = self.run_modules("--least-bound", "20", "--jobs", "1", hangs=HANGS, good=good)
        self.assertEqual(code, 1, shown)
        self.assertIn("FAILED test_hangs: NOT DONE WITHIN ITS BOUND", shown)
        self.assertIn("in test_that_never_ends", shown, "where it was")
        self.assertIn("== test_good: ok", shown, "the others go on")
        pid, state = self.said.read_text().split()
        self.assertFalse(lives(pid), "its kiln")
        self.assertFalse(pathlib.Path(state).exists())

    def test_one_that_fails_fails_all(self):
        bad = "import unittest\nclass Bad(unittest.TestCase):\n    def test_it(self): self.fail('so it is')\n"
        code, shown = self.run_modules(bad=bad)
        self.assertEqual(code, 1, shown)
        self.assertIn("so it is", shown)
        self.assertIn("FAILED test_bad: exit code 1", shown)

    def test_one_that_cannot_be_read_fails(self):
        code, shown = self.run_modules(broken="import nothing_of_that_name\n")
        self.assertEqual(code, 1, shown)
        self.assertIn("nothing_of_that_name", shown)

    def test_those_that_say_so_run_by_themselves(self):
        """Each writes when it begins and ends; two that wait for each other show that they run together."""
        module = """
            import os, pathlib, unittest
            from kiln import wait_for
            {mark}
            class One(unittest.TestCase):
                def test_it(self):
                    said = pathlib.Path(os.environ["SAID"])
                    with open(said, "a") as file: file.write("begins ")
                    {check}
                    with open(said, "a") as file: file.write("ends ")
        """
        together = module.format(mark="", check='wait_for("the other", lambda: said.read_text().count("begins") == 2)')
        alone = module.format(mark='ALONE = "it says so"', check='self.assertEqual(said.read_text().split(), ["begins", "begins", "ends", "ends", "begins"])')
        code, shown = self.run_modules("--jobs", "2", a=alone, b=together, c=together)
        self.assertEqual(code, 0, shown)


class RustBinaries(unittest.TestCase):
    def bounded(self, *command, seconds="300"):
        return subprocess.run([sys.executable, BOUNDED, *command], capture_output=True, text=True, timeout=60, env={**os.environ, "KILN_TEST_SECONDS": seconds})

    def test_one_that_hangs_is_named_and_ended_with_what_it_started(self):
        done = self.bounded("/bin/sh", "-c", "sleep 1000 & echo $!; wait", seconds="1")
        self.assertEqual(done.returncode, 124)
        self.assertIn("FAILED /bin/sh: not done within 1 s", done.stderr)
        self.assertIn("sleep 1000", done.stderr, "what it waits for")
        self.assertFalse(lives(done.stdout.strip()))

    def test_the_exit_code_is_the_binary_s(self):
        self.assertEqual(self.bounded("/bin/sh", "-c", "exit 101").returncode, 101)
        self.assertEqual(self.bounded("/bin/sh", "-c", "kill -6 $$").returncode, 134)
        self.assertEqual(self.bounded("/bin/true").returncode, 0)


if __name__ == "__main__":
    unittest.main()
