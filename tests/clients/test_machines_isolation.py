"""What a machine cannot do, tried from inside it as its root: see or touch the host, its kernel,
its devices, its network, another machine, or its own limits.
"""
import pathlib
import socket
import unittest

from kiln import Kiln, wait_for

KILN = None

# Calls into the kernel that all machines share, by their numbers on x86-64 and arm64. Each must be as
# if the kernel did not have it.
CALLS = """
import ctypes, errno, platform
libc = ctypes.CDLL(None, use_errno=True)
x86 = {"init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320, "bpf": 321,
       "perf_event_open": 298, "io_uring_setup": 425, "add_key": 248, "request_key": 249, "keyctl": 250, "userfaultfd": 323,
       "swapon": 167, "settimeofday": 164, "clock_settime": 227, "open_by_handle_at": 304, "quotactl": 179, "acct": 163, "syslog": 103}
arm = {"init_module": 105, "finit_module": 273, "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294, "bpf": 280,
       "perf_event_open": 241, "io_uring_setup": 425, "add_key": 217, "request_key": 218, "keyctl": 219, "userfaultfd": 282,
       "swapon": 224, "settimeofday": 170, "clock_settime": 112, "open_by_handle_at": 265, "quotactl": 60, "acct": 89, "syslog": 116}
for name, number in (x86 if platform.machine() == "x86_64" else arm).items():
    if libc.syscall(number, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.ENOSYS:
        print(name, ctypes.get_errno())
"""

# What must fail; each is tried by the machine's root.
REFUSED = {
    "mount the host's disk": "mount -t ext4 /dev/vda /mnt || mount -t ext4 /dev/sda1 /mnt",
    "make a block device": "mknod /tmp/disk b 254 0",
    "make a character device": "mknod /tmp/mem c 1 1",
    "mount debugfs": "mount -t debugfs none /mnt",
    "mount tracefs": "mount -t tracefs none /mnt",
    "mount devtmpfs": "mount -t devtmpfs none /mnt",
    "mount securityfs": "mount -t securityfs none /mnt",
    "change a setting of the kernel": "echo x > /proc/sys/kernel/core_pattern",
    "drop the host's caches": "echo 1 > /proc/sys/vm/drop_caches",
    "press the magic key": "echo h > /proc/sysrq-trigger",
    "write to sysfs": "echo never > /sys/kernel/mm/transparent_hugepage/enabled",
    "write to a sysfs of its own": "mkdir -p /tmp/s && mount -t sysfs none /tmp/s && echo never > /tmp/s/kernel/mm/transparent_hugepage/enabled",
    "read the kernel's log": "dmesg | grep .",
    "read the kernel's memory": "head -c1 /proc/kcore | grep .",
    "read key rings": "grep . /proc/keys",
    "see other machines' disks": "ls /sys/block | grep . || grep . /proc/partitions /proc/diskstats || ls /sys/devices/virtual/block | grep .",
    "set the clock": "date -s 2001-01-01",
    "raise its memory limit (v1)": "mkdir -p /tmp/m && mount -t cgroup -o memory none /tmp/m && echo 1000000000000 > /tmp/m/memory.limit_in_bytes",
    "leave its group (v1)": "mkdir -p /tmp/p && mount -t cgroup -o pids none /tmp/p && echo max > /tmp/p/pids.max",
    "raise its memory limit (v2)": "echo max > /sys/fs/cgroup/memory.max",
    "see above its own control group": "ls -d /sys/fs/cgroup/../kiln-* /sys/fs/cgroup/kiln-*",
}


def setUpModule():
    global KILN
    KILN = Kiln(machines="local")
    unittest.addModuleCleanup(KILN.close)
    KILN.with_base()


class Isolation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        ec2 = KILN.client("ec2")
        base = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        made = ec2.run_instances(ImageId=base, MinCount=2, MaxCount=2, InstanceType="t3.nano")["Instances"]
        cls.one, cls.other = [i["InstanceId"] for i in made]
        for instance in (cls.one, cls.other):
            wait_for("a shell", lambda: cls.run_in(instance, "systemctl is-system-running").stdout == "running\n", 60)

    @staticmethod
    def run_in(instance, script):
        return KILN.cli("shell", instance, "--", "sh", "-c", script, check=False)

    def out(self, script, instance=None):
        done = self.run_in(instance or self.one, script)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_what_is_refused(self):
        for what, script in REFUSED.items():
            with self.subTest(what):
                done = self.run_in(self.one, script)
                self.assertNotEqual(done.returncode, 0, done.stdout)

    def test_calls_into_the_shared_kernel_are_not_there(self):
        self.assertEqual(KILN.cli("shell", self.one, "--", "python3", "-c", CALLS).stdout, "")

    def test_every_process_has_the_filter_and_no_more_rights_than_the_first(self):
        """Also a shell that is opened from the host: the machine's programs can reach it."""
        text = self.out("cat /proc/[0-9]*/status")
        of = lambda name: [line.split()[1] for line in text.splitlines() if line.startswith(name)]  # noqa: E731
        self.assertEqual(set(of("Seccomp:")), {"2"})
        bounding = int(of("CapBnd:")[0], 16)
        for held in of("CapBnd:") + of("CapPrm:") + of("CapEff:"):
            self.assertEqual(int(held, 16) & ~bounding, 0)
        # SYS_MODULE, SYS_RAWIO, SYS_PACCT, SYS_RESOURCE, SYS_TIME, MKNOD, AUDIT_CONTROL, MAC_*, SYSLOG, BPF, PERFMON.
        for number in (16, 17, 20, 24, 25, 27, 30, 32, 33, 34, 38, 39):
            self.assertFalse(bounding & 1 << number, f"capability {number}")

    def test_its_users_are_nobody_on_the_host_and_no_other_machine_s(self):
        pids = {m["id"]: m["pid"] for m in KILN.status()["machines"]}
        ranges = [pathlib.Path(f"/proc/{pids[i]}/uid_map").read_text().split() for i in (self.one, self.other)]
        self.assertEqual([(r[0], r[2]) for r in ranges], [("0", "65536")] * 2)
        first, second = sorted(int(r[1]) for r in ranges)
        self.assertGreater(first, 1 << 30)
        self.assertGreaterEqual(second, first + 65536)

    def test_it_has_few_devices_and_none_of_the_host_s(self):
        listed = self.out("ls -l /dev /dev/pts | grep '^[bc]'").splitlines()
        self.assertEqual({line.split()[-1] for line in listed} - {"0", "1", "2"}, {"full", "null", "ptmx", "random", "tty", "urandom", "zero"})

    def test_it_is_alone_with_its_processes_and_its_network(self):
        programs = set(self.out("cat /proc/[0-9]*/comm").split())
        self.assertLessEqual(programs, {"systemd", "systemd-journal", "sshd", "sh", "cat"})
        self.assertEqual(self.out("ls /sys/class/net").split(), ["eth0", "lo"])
        self.assertEqual(self.out("readlink /proc/1/exe").strip(), "/usr/lib/systemd/systemd")

    def test_it_does_not_reach_the_host(self):
        """Neither what listens on the host's loopback nor on its other addresses, by any way out."""
        with socket.create_server(("0.0.0.0", 0)) as listening:
            port = listening.getsockname()[1]
            listening.settimeout(0.2)
            addresses = {a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} | {"127.0.0.1"}
            gateway = self.out("ip route | awk '/^default/ {print $3}'").strip()
            for address in sorted(addresses | {gateway, "198.19.255.2", "169.254.169.254"}):
                for at in (port, KILN.port):
                    done = self.run_in(self.one, f"curl -s --max-time 1 -o /dev/null http://{address}:{at}/")
                    self.assertNotEqual(done.returncode, 0, f"{address}:{at}")
            with self.assertRaises(TimeoutError):
                listening.accept()

    def test_what_one_writes_the_other_does_not_see(self):
        self.out("echo secret > /srv/secret && echo secret > /tmp/secret")
        self.assertNotEqual(self.run_in(self.other, "cat /srv/secret || cat /tmp/secret").returncode, 0)
        state = KILN.state
        self.assertNotEqual(self.run_in(self.other, f"ls {state}").returncode, 0)


if __name__ == "__main__":
    unittest.main()
