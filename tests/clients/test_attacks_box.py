"""Attacks on the box a machine is in, from inside as its root and from outside as another user of the
host: programs that are root's in a captured image, the operator's terminal, masks over the kernel's own
files, sockets that leave every network, and things of the kernel's that one machine could use up.
"""
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import termios
import time
import unittest

from kiln import BINARY, Kiln, wait_for

ALONE = "machines take all they get of what a host has once: terminals, watchers, queues"

KILN = None

# What a machine's root may not see of the host, whatever it takes away or mounts: {0} is a way to get
# another view of /proc or /sys, {1} where it is.
VIEWS = {
    "the one it is given": (":", ""),
    "with what covers it taken away": ("umount -l /proc/partitions; umount -l /proc/keys; umount -l /sys/block; umount -l /sys/devices/virtual/block", ""),
    "another one": ("mkdir -p /tmp/v/proc /tmp/v/sys; mount -t proc proc /tmp/v/proc; mount -t sysfs sysfs /tmp/v/sys", "/tmp/v"),
    "another one in place of the first": ("umount -l /proc; umount -l /sys; mount -t proc proc /proc; mount -t sysfs sysfs /sys", ""),
    "one without what is mounted on it": ("mkdir -p /tmp/b/proc /tmp/b/sys; mount --bind /proc /tmp/b/proc; mount --bind /sys /tmp/b/sys", "/tmp/b"),
    "one moved elsewhere": ("mkdir -p /tmp/m/proc; mount --move /proc/partitions /tmp/m; mount --move /proc /tmp/m/proc", "/tmp/m"),
    "one of a namespace of its own": ("mkdir -p /tmp/n/proc; exec unshare --user --map-root-user --pid --fork --mount sh -c 'mount -t proc proc /tmp/n/proc; mount -t sysfs sysfs /sys; sh /tmp/look /tmp/n; sh /tmp/look'", ""),
}

# Prints what tells about the host; nothing is right.
LOOK = """
cd $1/proc 2>/dev/null && {
    grep -s . partitions diskstats swaps keys key-users cmdline locks timer_list mdstat
    ls fs/ext4 fs/jbd2 bus/pci 2>/dev/null
}
cat /proc/self/mountinfo /proc/mounts 2>/dev/null | grep -e lowerdir=/ -e upperdir=/ -e /machines -e kiln-test
find $1/sys/ -name backing_file -exec cat {} + 2>/dev/null
ls $1/sys/block $1/sys/class/block $1/sys/dev/block $1/sys/fs/ext4 $1/sys/devices/virtual/block 2>/dev/null | grep -e loop -e vd -e sd -e nvme -e ram
true
"""

# The same by the newer calls: fsopen, fsconfig (create), fsmount; open_tree (clone) of what is there, without what
# covers it. Their numbers are the same everywhere.
CALLS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for kind, at in ((b"proc", b"/proc"), (b"sysfs", b"/sys")):
    fs = libc.syscall(430, kind, 0)
    made = libc.syscall(431, fs, 6, None, None, 0) == 0 and libc.syscall(432, fs, 0, 0) >= 0
    print(kind.decode(), made, libc.syscall(428, -100, at, 1) >= 0)
fs = libc.syscall(430, b"tmpfs", 0)
print("tmpfs", libc.syscall(431, fs, 6, None, None, 0) == 0 and libc.syscall(432, fs, 0, 0) >= 0)
"""

SOCKETS = """
import errno, socket
made = []
for family in range(64):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW):
        try:
            socket.socket(family, kind, 0).close()
            made.append(family)
            break
        except OSError as error:
            # What is refused looks as if the kernel did not have it.
            assert family in (1, 2, 10, 16, 17) or error.errno == errno.EAFNOSUPPORT, (family, kind, error)
print(made)
made = []
for protocol in range(64):
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol).close()
        made.append(protocol)
    except OSError as error:
        assert error.errno == errno.EPROTONOSUPPORT, (protocol, error)
print(made)
"""

GROUPS = """
import errno, os
made = []
try:
    for n in range(5000):
        os.mkdir(f"/sys/fs/cgroup/attack-{n}")
        made.append(n)
except OSError as error:
    print(errno.errorcode[error.errno], len(made) <= 512)
for n in made:
    os.rmdir(f"/sys/fs/cgroup/attack-{n}")
depth, path = 0, "/sys/fs/cgroup"
try:
    for depth in range(1, 500):
        path += "/d"
        os.mkdir(path)
except OSError as error:
    print(errno.errorcode[error.errno], depth <= 16)
while path != "/sys/fs/cgroup":
    if os.path.exists(path):
        os.rmdir(path)
    path = os.path.dirname(path)
for file in ("cgroup.max.descendants", "cgroup.max.depth"):
    try:
        open("/sys/fs/cgroup/" + file, "w").write("max")
        print("raised", file)
    except OSError:
        pass
"""

TERMINALS = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
held = []
try:
    while len(held) < 2000:
        held.append(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
except OSError as error:
    print(len(held) <= 256, error.strerror)
"""

# Networks made by many of the machine's users: each costs the host memory that is nobody's.
NETWORKS = """
import os, time
made = 0
for user in range(1, 21):
    for _ in range(10):
        ready, tell = os.pipe()
        if os.fork() == 0:
            os.setgid(user)
            os.setuid(user)
            try:
                unshare()
                os.write(tell, b"y")
                time.sleep(60)
            finally:
                os._exit(0)
        os.close(tell)
        made += os.read(ready, 1) == b"y"
        os.close(ready)
print(made <= 64, made > 8)
os.system("pkill -9 -P %d" % os.getpid())
"""
UNSHARE = """
import ctypes, os
def unshare():
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000 | 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
"""

# What a program finds of whoever brought it in: its files, and its terminal.
HELD = """
import os
for fd in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        print(fd, os.readlink(f"/proc/self/fd/{fd}"))
    except OSError:
        pass
try:
    os.close(os.open("/dev/tty", os.O_RDWR))
    print("a terminal")
except OSError:
    print("no terminal")
"""


def setUpModule():
    global KILN
    KILN = Kiln(machines="local")
    unittest.addModuleCleanup(KILN.close)
    KILN.with_base()


def as_nobody(*command, **more):
    """Runs a command as a user of the host who is nobody."""
    # setpriv itself still has root's capabilities when it starts a program.
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", "sh", "-c", 'exec "$@"', "sh", *map(str, command)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, **more)


class Box(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ec2 = KILN.client("ec2")
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        cls.one = cls.launch(cls.base)

    @classmethod
    def launch(cls, image):
        made = cls.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"]
        instance = made[0]["InstanceId"]
        wait_for("a shell", lambda: cls.run_in(instance, "systemctl is-system-running").stdout == "running\n", 60)
        return instance

    @staticmethod
    def run_in(instance, script):
        return KILN.cli("shell", instance, "--", "sh", "-c", script, check=False)

    def out(self, script, instance=None):
        done = self.run_in(instance or self.one, script)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def python(self, program):
        done = KILN.cli("shell", self.one, "--", "python3", "-c", program, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    # ── programs that are root's ──────────────────────────────────────────

    def test_a_program_of_root_s_in_a_captured_image_is_root_s_inside_only(self):
        able = "import os, struct; os.setxattr('/srv/able', 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 7, 0, 0, 0))"
        self.out(
            "cp /bin/bash /srv/rootly && chmod 4755 /srv/rootly && cp $(readlink -f /usr/bin/python3) /srv/able && "
            f'python3 -c "{able}" && ln /srv/rootly /srv/again && mkfifo -m 666 /srv/pipe && sync'
        )
        image = self.ec2.create_image(InstanceId=self.one, Name="rootly", NoReboot=True)["ImageId"]
        wait_for("the image", lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", 90)
        copy = self.launch(image)
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[copy])
        # Inside, all is as it was: who calls it becomes the machine's root.
        for program in ("/srv/rootly", "/srv/again"):
            self.assertEqual(self.out(f"su admin -c \"{program} -p -c 'id -u'\"", copy), "0\n")
        self.assertEqual(self.out("su admin -c 'sudo id -u'", copy), "0\n")
        able = "import os; os.setuid(0); print(os.getuid())"
        self.assertEqual(self.out(f"su admin -c '/srv/able -c \"{able}\"'", copy), "0\n")
        # Outside, nobody walks to it …
        layers = KILN.state / "machines/run/mnt/layers"
        found = sorted(layers.glob("*/srv/rootly"))
        self.assertTrue(found, "root sees the layer")
        self.assertTrue(found[0].stat().st_mode & stat.S_ISUID)
        for path in (found[0], found[0].with_name("able"), *found[0].parents):
            if KILN.state in path.parents or path == KILN.state:
                self.assertNotEqual(as_nobody("ls", "-d", f"{path}/.").returncode, 0, path)
        self.assertNotEqual(as_nobody(found[0], "-p", "-c", "true").returncode, 0)
        # … and whoever is handed it does not become root.
        for file in (found[0], found[0].with_name("again")):
            with open(file, "rb") as program:
                done = as_nobody(f"/proc/self/fd/{program.fileno()}", "-p", "-c", "echo $UID $EUID", pass_fds=[program.fileno()])
            self.assertEqual(done.stdout, "65534 65534\n", done.stderr)
        with open(found[0].with_name("able"), "rb") as program:
            done = as_nobody(f"/proc/self/fd/{program.fileno()}", "-c", able, pass_fds=[program.fileno()])
        self.assertNotEqual(done.returncode, 0, done.stdout)

    def test_every_mount_of_the_host_s_side_is_nosuid_and_nodev(self):
        seen = 0
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            left, right = line.split(" - ")
            point, options = left.split()[4:6]
            if point.startswith(f"{KILN.state}/") and not right.startswith("nsfs "):
                seen += 1
                self.assertLessEqual({"nosuid", "nodev"}, set(options.split(",")), line)
        self.assertGreaterEqual(seen, 4, "the private mount, the guest, a layer, a console")

    def test_nobody_walks_to_what_is_a_machine_s_or_an_image_s(self):
        self.assertEqual(stat.S_IMODE(KILN.state.stat().st_mode), 0o700)
        for place in ("", "machines", "machines/machines", f"machines/machines/{self.one}", "machines/images", "machines/run/mnt"):
            done = as_nobody("ls", "-d", f"{KILN.state / place}/.")
            self.assertNotEqual(done.returncode, 0, place)
        # Were the first door open, the next ones would be closed.
        for folder, folders, files in os.walk(KILN.state / "machines"):
            if "/run/mnt" in folder:
                continue
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode) & 0o077, 0, folder)
        for file in KILN.state.iterdir():
            if file.is_file():
                self.assertEqual(stat.S_IMODE(file.stat().st_mode) & 0o077, 0, file)

    def test_a_state_directory_that_others_could_pass_is_closed_at_the_next_start(self):
        places = [KILN.state, KILN.state / "machines", KILN.state / "machines/machines", KILN.state / "machines/images"]
        for place in places:
            place.chmod(0o711)
        (KILN.state / "kiln.log").chmod(0o644)
        KILN.kill()
        KILN.start()
        for place in places:
            self.assertEqual(stat.S_IMODE(place.stat().st_mode), 0o700, place)
        self.assertEqual(stat.S_IMODE((KILN.state / "kiln.log").stat().st_mode), 0o600)
        self.assertEqual(self.out("echo goes on"), "goes on\n")

    # ── the operator's terminal and files ─────────────────────────────────

    def on_terminal(self, script, *answers, rows=33, columns=77):
        """Runs a script in a shell on a terminal, as an operator does, who types each answer when its
        sign is shown; what the terminal showed, and the exit code."""
        pid, master = pty.fork()
        if pid == 0:
            os.execvp("sh", ["sh", "-c", script])
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        shown, waiting = b"", list(answers)
        end = time.monotonic() + 60
        try:
            while time.monotonic() < end:
                if select.select([master], [], [], 0.5)[0]:
                    try:
                        more = os.read(master, 65536)
                    except OSError:
                        break
                    if not more:
                        break
                    shown += more
                if waiting and waiting[0][0] in shown:
                    os.write(master, waiting.pop(0)[1])
            else:
                os.kill(pid, signal.SIGKILL)
                self.fail(f"not at its end: {shown!r}")
            return shown.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        finally:
            os.close(master)

    def shell(self, *words):
        return " ".join([str(BINARY), "--state-dir", str(KILN.state), "shell", self.one, *words])

    THIEF = "'rm -f /tmp/stolen; exec 3<&0 4<&2; for f in 3 4; do (cat <&$f >>/tmp/stolen 2>/dev/null) & done; (cat </dev/tty >>/tmp/stolen) 2>/dev/null & echo left'"

    def test_what_stays_behind_reads_nothing_that_is_typed_later(self):
        for what, redirected in {"output to a file": "> /dev/null", "input and output": "", "errors to a file": "2> /dev/null", "input of a pipe": "< /dev/null"}.items():
            with self.subTest(what):
                script = f"{self.shell('--', 'sh', '-c', self.THIEF)} {redirected}; echo now; read word; echo got $word; read word; echo and $word"
                shown, code = self.on_terminal(script, (b"now", b"secret-one\n"), (b"got", b"secret-two\n"))
                self.assertIn("got secret-one", shown)
                self.assertIn("and secret-two", shown)
                self.assertEqual(code, 0)
                self.assertNotIn("secret", self.out("cat /tmp/stolen; pkill -x cat; true"))

    def test_nothing_of_the_caller_s_is_held_inside(self):
        held = KILN.state.parent / f"{KILN.state.name}-secret"
        held.write_text("of the host")
        self.addCleanup(held.unlink)
        with open(held, "r+b") as file:
            command = [BINARY, "--state-dir", KILN.state, "shell", self.one, "--", "python3", "-c", HELD]
            # Files as input, output and more.
            os.set_inheritable(file.fileno(), True)
            with open(f"{held}.out", "wb") as out:
                self.addCleanup(os.unlink, f"{held}.out")
                done = subprocess.run(command, stdin=file, stdout=out, stderr=file, pass_fds=[file.fileno()], timeout=60)
        lines = pathlib.Path(f"{held}.out").read_text().splitlines()
        self.assertEqual(done.returncode, 0, held.read_text())
        self.assertEqual(lines[-1], "no terminal")
        kinds = [re.sub(r"\[\d+\]|\d+/fd", "", line) for line in lines[:-1]]
        self.assertEqual(kinds[:3], ["0 pipe:", "1 pipe:", "2 pipe:"])
        self.assertLessEqual(set(kinds[3:]), {"3 /proc/"}, "the folder that is listed")
        # Of every process in the machine, the first one too, no file is one of the host's.
        open_files = self.out("ls -l /proc/[0-9]*/fd /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/exe 2>/dev/null; true")
        self.assertNotIn(str(KILN.state.parent / "kiln-"), open_files)
        self.assertNotIn("unreachable", open_files)

    def test_a_terminal_works_as_one(self):
        # Whoever says cat-42 is the one in the foreground: what is typed then is for it.
        first = b"stty size; tty; sh -c 'echo cat-$((40 + 2)); exec sleep 100'\n"
        shown, code = self.on_terminal(self.shell(), (b"#", first), (b"cat-42", b"\x03"), (b"^C", b"echo woken-$((1 + 1)); exit 7\n"))
        self.assertEqual(code, 7, shown)
        self.assertIn("33 77", shown)
        self.assertIn("/dev/pts/", shown)
        self.assertIn("woken-2", shown)

    def test_pipes_are_exact_and_end(self):
        noise = os.urandom(3 << 20)
        command = [BINARY, "--state-dir", KILN.state, "shell", self.one, "--"]
        done = subprocess.run([*command, "cat"], input=noise, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout == noise, done.stderr), (0, True, b""))
        done = subprocess.run([*command, "sh", "-c", "echo out; echo err >&2; exit 42"], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (42, b"out\n", b"err\n"))
        done = subprocess.run([*command, "sh", "-c", "kill -9 $$"], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        self.assertEqual(done.returncode, 137)
        # Something that is left running keeps nobody waiting, and what was said before is there.
        done = subprocess.run([*command, "sh", "-c", "sleep 300 & seq 100000"], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        self.assertEqual(done.stdout.count(b"\n"), 100000)
        # A reader that has seen enough ends the command.
        done = subprocess.run(f"{self.shell('--', 'yes')} | head -n 2", shell=True, capture_output=True, timeout=60)
        self.assertEqual(done.stdout, b"y\ny\n")

    def test_a_signal_to_kiln_shell_ends_the_command(self):
        command = [BINARY, "--state-dir", KILN.state, "shell", self.one, "--", "sh", "-c", "echo $$; exec sleep 1000"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as running:
            inside = int(running.stdout.readline())
            running.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(30), 130)
        self.assertNotEqual(self.run_in(self.one, f"kill -0 {inside}").returncode, 0)

    # ── the kernel's own files ────────────────────────────────────────────

    def test_no_view_of_proc_and_sys_shows_the_host(self):
        self.out(f"cat > /tmp/look <<'END'\n{LOOK}\nEND")
        for what, (script, where) in VIEWS.items():
            with self.subTest(what):
                # In a mount namespace of the attack's own: the machine's own is needed afterwards.
                attack = f"({script}) 2>/dev/null; sh /tmp/look {where}" if "exec" not in script else script
                done = KILN.cli("shell", self.one, "--", "unshare", "--mount", "sh", "-c", attack, check=False)
                self.assertEqual(done.stdout, "", done.stderr)
        # The look can see: on the host it finds plenty.
        seen = subprocess.run(["sh", "-c", LOOK], capture_output=True, text=True, timeout=60).stdout
        self.assertIn("loop", seen)
        self.assertIn(str(KILN.state), seen)

    def test_also_the_machine_s_own_first_view_cannot_be_taken_apart(self):
        for path in ("/proc/partitions", "/proc/keys", "/proc/swaps", "/sys/block", "/sys/fs/ext4"):
            self.assertNotEqual(self.run_in(self.one, f"umount {path} || umount -l {path}").returncode, 0, path)
        self.assertNotEqual(self.run_in(self.one, "mkdir -p /tmp/p && mount -t proc proc /tmp/p").returncode, 0)
        self.assertNotEqual(self.run_in(self.one, "mkdir -p /tmp/p && mount -t sysfs sysfs /tmp/p").returncode, 0)
        self.assertNotEqual(self.run_in(self.one, "mount -o remount,rw /sys").returncode, 0)
        self.assertEqual(self.python(CALLS), "proc False False\nsysfs False False\ntmpfs True\n")
        # What a system needs is there.
        self.out("grep -q MemTotal /proc/meminfo && test -d /proc/sys/net/ipv4 && test -d /sys/class/net/eth0 && test -f /sys/fs/cgroup/cgroup.procs")
        self.out("mkdir -p /tmp/t && mount -t tmpfs none /tmp/t && umount /tmp/t && mount --bind /etc /tmp/t && umount /tmp/t")

    # ── what leaves the box, and what all share ───────────────────────────

    def test_sockets_are_of_a_machine_s_network_only(self):
        families, protocols = self.python(SOCKETS).splitlines()
        self.assertEqual(families, "[1, 2, 10, 16, 17]")
        self.assertLessEqual(set(map(int, protocols.strip("[]").split(","))), {0, 2, 4, 9, 12, 15, 16})

    def test_control_groups_are_bounded(self):
        self.assertEqual(self.python(GROUPS), "EAGAIN True\nEAGAIN True\n")

    def test_namespaces_are_bounded_whoever_makes_them(self):
        self.assertEqual(self.python(UNSHARE + NETWORKS), "True True\n")

    def test_what_the_kernel_counts_by_user_is_counted_for_each_machine(self):
        """Watchers of files and message queues: one machine's root takes all it gets, the other still has its own."""
        other = self.launch(self.base)
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[other])
        take = "import ctypes; libc = ctypes.CDLL(None); n = 0\nwhile n < 5000 and libc.inotify_init() >= 0: n += 1\nprint(n, flush=True); input()"
        command = [BINARY, "--state-dir", KILN.state, "shell", self.one, "--", "python3", "-c", take]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as greedy:
            taken = int(greedy.stdout.readline())
            self.assertLess(taken, 5000, "there is a bound")
            some = "import ctypes; libc = ctypes.CDLL(None); print(all(libc.inotify_init() >= 0 for _ in range(20)))"
            self.assertEqual(KILN.cli("shell", other, "--", "python3", "-c", some).stdout, "True\n")
            greedy.communicate(b"\n", timeout=30)

    def test_what_is_in_memory_is_no_larger_than_the_machine_s(self):
        """File systems in memory count as the machine's; their sizes say so. (t3.micro: 1 GiB)"""
        sizes = [int(line.split()[1]) for line in self.out("df -k -t tmpfs").splitlines()[1:]]
        self.assertTrue(sizes)
        self.assertLessEqual(max(sizes), 1 << 20)

    def test_a_crash_runs_no_program_of_the_host_s(self):
        piped = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()[0] in "|@"
        limits = self.out("grep -h 'Max core' /proc/1/limits /proc/self/limits").splitlines()
        for line in limits:
            self.assertEqual(line.split()[4:6] == ["1", "1"], piped, line)
        self.assertEqual(self.run_in(self.one, "ulimit -H -c unlimited").returncode == 0, not piped)

    def test_terminals_are_bounded(self):
        self.assertEqual(self.python(TERMINALS), "True No space left on device\n")


if __name__ == "__main__":
    unittest.main()
