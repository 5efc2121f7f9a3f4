"""What `make build`, `make install` and `make package` make of a built binary."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from kiln import BINARY, ROOT


def run(*command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=200, env={**os.environ, **environment})
    if done.returncode:
        raise AssertionError(f"{command} failed: {done.stderr}")
    return done.stdout


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(dir="/var/tmp")))
        cls.kiln = pathlib.Path(shutil.copy(BINARY, cls.place / "kiln"))
        run(ROOT / "scripts/split-debug.sh", cls.kiln)

    def test_debug_lines_are_beside_the_binary_which_names_them(self):
        sections = run("readelf", "--section-headers", "--wide", self.kiln)
        self.assertIn(".gnu_debuglink", sections)
        for left in (".symtab", ".debug_info", ".debug_line"):
            self.assertNotIn(left, sections)
        debug = self.place / "kiln.debug"
        self.assertIn(".debug_line", run("readelf", "--section-headers", "--wide", debug))
        self.assertIn("kiln.debug", run("readelf", "--string-dump=.gnu_debuglink", self.kiln))
        # Once more changes nothing.
        before = [path.stat().st_mtime_ns for path in (self.kiln, debug)]
        run(ROOT / "scripts/split-debug.sh", self.kiln)
        self.assertEqual([path.stat().st_mtime_ns for path in (self.kiln, debug)], before)

    def test_backtraces_have_lines_where_the_file_is_beside(self):
        with tempfile.TemporaryDirectory() as place:
            place = pathlib.Path(place)
            (place / "ends.rs").write_text("#[inline(never)]\nfn that_ends() {\n    panic!(\"so\")\n}\nfn main() {\n    that_ends()\n}\n")
            run("rustc", "-C", "debuginfo=line-tables-only", "-o", place / "ends", place / "ends.rs")
            run(ROOT / "scripts/split-debug.sh", place / "ends")
            told = lambda: subprocess.run([place / "ends"], capture_output=True, text=True, timeout=60, env={**os.environ, "RUST_BACKTRACE": "1"}).stderr  # noqa: E731
            self.assertRegex(told(), r"ends::that_ends\n\s+at \S*ends\.rs:3")
            (place / "ends.debug").unlink()
            self.assertNotIn("that_ends", told())

    def test_what_is_installed_is_below_the_prefix(self):
        root = self.place / "root"
        run(ROOT / "scripts/install.sh", self.kiln, DESTDIR=str(root), PREFIX="/opt/kiln")
        self.assertEqual([path.name for path in root.iterdir()], ["opt"])
        self.assertRegex(run(root / "opt/kiln/bin/kiln", "--version"), r"^kiln \d")
        unit = (root / "opt/kiln/lib/systemd/system/kiln.service").read_text()
        self.assertIn("ExecStart=/opt/kiln/bin/kiln up", unit)
        self.assertIn("KillMode=process", unit, "machines outlive a restart")

    def test_a_debian_package_has_all_and_runs(self):
        deb = run(ROOT / "scripts/package.sh", self.kiln, self.place / "out", COMPRESSION="none").strip()
        version = run(self.kiln, "--version").split()[1]
        field = lambda name: run("dpkg-deb", "--field", deb, name).strip()  # noqa: E731
        self.assertEqual((field("Package"), field("Version")), ("kiln", version))
        self.assertEqual(field("Architecture"), run("dpkg", "--print-architecture").strip())
        content = run("dpkg-deb", "--contents", deb)
        for path in ("bin/kiln", "share/man/man1/kiln.1.gz", "share/man/man1/kiln-up.1.gz", "share/bash-completion/completions/kiln",
                     "share/zsh/vendor-completions/_kiln", "lib/systemd/system/kiln.service", "share/doc/kiln/copyright"):
            self.assertRegex(content, rf"(?m) root/root .* \./usr/{re.escape(path)}$")
        self.assertNotRegex(content, r"(?m)^.{5}w|^.{8}w", "nothing that others may write")
        # What it needs is named: every library, and the package of every program that kiln looks for.
        needs = field("Depends")
        libraries = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "--dynamic", self.kiln)))
        self.assertLessEqual(libraries, {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"})
        self.assertRegex(needs, r"libc6 \(>= 2\.\d+\), libgcc-s1")
        programs = re.search(r"const PROGRAMS: .*= \[(.*)\];", (ROOT / "machines/local/src/preflight.rs").read_text())[1]
        package = {"mkfs.erofs": "erofs-utils", "mke2fs": "e2fsprogs", "nft": "nftables", "nsenter": None}
        for program in re.findall(r'"([^"]+)"', programs):
            if wanted := package.get(program, program):
                self.assertIn(wanted, needs.split(", "))
        # Unpacked, it is whole and runs.
        tree = self.place / "tree"
        run("dpkg-deb", "--raw-extract", deb, tree)
        subprocess.run(["md5sum", "--check", "--quiet", "DEBIAN/md5sums"], cwd=tree, check=True, timeout=60)
        self.assertEqual(run(tree / "usr/bin/kiln", "--version").split()[1], version)
        for script in ("postinst", "prerm", "postrm"):
            run("sh", "-n", tree / "DEBIAN" / script)


if __name__ == "__main__":
    unittest.main()
