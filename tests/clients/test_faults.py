"""Bad input and bad circumstances: AWS's error or one clear line, never a panic, nothing lost."""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tarfile
import tempfile
import unittest
import unittest.mock
import urllib.request

import botocore.exceptions

from images import docker_archive, imported
from kiln import BINARY, Kiln, wait_for


class BadRequests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim", auth="open"))

    def send(self, body, headers, path="/"):
        link = http.client.HTTPConnection("127.0.0.1", self.kiln.port, timeout=20)
        self.addCleanup(link.close)
        link.request("POST", path, body=body, headers=headers)
        answer = link.getresponse()
        return answer.status, answer.read().decode(errors="replace")

    def ssm(self, body):
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.PutParameter"}
        return self.send(body, headers)

    def query(self, body):
        return self.send(body, {"Content-Type": "application/x-www-form-urlencoded"})

    def test_malformed_json(self):
        for body in ["{", "[]", '"x"', '{"Name": 1}', "\x00\xff", '{"Name": ' + "[" * 100_000]:
            status, text = self.ssm(body.encode("latin-1"))
            self.assertEqual(status, 400, text)
            self.assertIn("SerializationException", text)

    def test_every_violation_is_told_at_once(self):
        status, text = self.ssm(b'{"Name": "", "Type": "Nothing"}')
        self.assertEqual(status, 400)
        self.assertIn("ValidationException", text)
        self.assertIn("3 validation errors detected", text)

    def test_an_action_nobody_has(self):
        status, text = self.query("Action=MakeCoffee&Version=2016-11-15")
        self.assertEqual(status, 400)
        self.assertIn("InvalidAction", text)

    def test_a_request_without_a_name(self):
        self.assertIn("MissingAction", self.query("")[1])
        self.assertIn("MissingAction", self.query("%%%&&&===\xff")[1])

    def test_a_body_that_is_too_large(self):
        status, text = self.query("Action=DescribeInstances&Version=2016-11-15&x=" + "y" * (16 << 20))
        self.assertEqual(status, 413, text)

    def test_a_client_that_goes_away_in_the_middle(self):
        with socket.create_connection(("127.0.0.1", self.kiln.port)) as link:
            link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nAction=")
        self.assertEqual(self.query("Action=GetCallerIdentity&Version=2011-06-15")[0], 200)

    @classmethod
    def tearDownClass(cls):
        log = cls.kiln.log()
        assert "panicked" not in log, log[-3000:]


class BadCircumstances(unittest.TestCase):
    def fails(self, *arguments):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as state:
            command = [BINARY, "--state-dir", state, "up", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            text = self.fails("--machines", "sim", "--port", str(taken.getsockname()[1]))
        self.assertIn("in use", text)
        self.assertIn("--port", text)

    def test_a_second_kiln_in_the_same_place(self):
        with Kiln(machines="sim") as kiln:
            command = [BINARY, "--state-dir", kiln.state, "up", "--machines", "sim", "--port", "0"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("in use", done.stderr)
            self.assertEqual(kiln.cli("status", "--json").returncode, 0)

    def test_commands_say_how_to_start_a_kiln_that_is_not_there(self):
        with tempfile.TemporaryDirectory() as state:
            done = subprocess.run([BINARY, "--state-dir", state, "status"], capture_output=True, text=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("kiln up", done.stderr)


class Host(unittest.TestCase):
    """What this host lacks is said in one line each, with what to do, before anything is begun."""

    def up(self, *before, machines="local", state=None):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as own:
            os.chmod(own, 0o777)
            command = [*before, BINARY, "--state-dir", state or f"{own}/state", "up", "--port", "0", "--machines", machines]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr.splitlines()

    def test_programs_that_are_not_installed(self):
        needed = {"crun": "crun", "nft": "nftables", "mkfs.erofs": "erofs-utils", "mke2fs": "e2fsprogs", "mmdebstrap": "mmdebstrap", "slirp4netns": "slirp4netns"}
        # Each is hidden from kiln alone, in a mount namespace of its own.
        hide = "".join(f"mount --bind /dev/null {shutil.which(program)}; " for program in needed)
        lines = self.up("unshare", "--mount", "--propagation", "private", "sh", "-c", f'{hide} exec "$@"', "sh")
        expected = {f"kiln: the program {program} is not installed: apt-get install {package}" for program, package in needed.items()}
        self.assertEqual(set(lines), expected)

    def test_loop_devices_that_are_not_there(self):
        hide = "mount --bind /dev/null /dev/loop-control; "
        [line] = self.up("unshare", "--mount", "--propagation", "private", "sh", "-c", f'{hide} exec "$@"', "sh")
        self.assertIn("loop device", line)
        self.assertIn("modprobe loop", line)

    def test_one_program_that_is_not_installed(self):
        lines = self.up("unshare", "--mount", "--propagation", "private", "sh", "-c", f'mount --bind /dev/null {shutil.which("crun")}; exec "$@"', "sh")
        self.assertEqual(lines, ["kiln: the program crun is not installed: apt-get install crun"])

    def test_no_root(self):
        # The binary may lie where only root goes: it is opened before root is given up.
        with tempfile.TemporaryDirectory(dir="/var/tmp") as there:
            os.chmod(there, 0o755)
            copy = shutil.copy(BINARY, there)
            os.chmod(copy, 0o755)
            with unittest.mock.patch(f"{__name__}.BINARY", copy):
                lines = self.up("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        self.assertEqual(lines, ["kiln: real machines need root: run kiln as root or with sudo"])

    def test_a_file_system_that_cannot_hold_images(self):
        [line] = self.up(state="/dev/shm/kiln-test-state")
        shutil.rmtree("/dev/shm/kiln-test-state", ignore_errors=True)
        self.assertIn("is on tmpfs", line)
        self.assertIn("--state-dir", line)


@contextlib.contextmanager
def small_disk():
    """A folder on a file system of 8 MiB."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "kiln-test", place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True)


@contextlib.contextmanager
def disk_for_machines():
    """A folder on a file system of 1 GiB that images can be on."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        image, state = f"{place}/disk", f"{place}/state"
        with open(image, "wb") as file:
            file.truncate(1 << 30)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-m", "0", image], check=True)
        os.mkdir(state)
        os.chmod(place, 0o711)
        subprocess.run(["mount", "-o", "loop", image, state], check=True)
        try:
            yield state
        finally:
            subprocess.run(["umount", "-l", state], check=True)


# fsync that fails for as long as a file is there.
FSYNC = """
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static int broken(void) { errno = EIO; return access(getenv("BROKEN_DISK"), F_OK) == 0; }
int fsync(int fd) { return broken() ? (errno = EIO, -1) : (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return broken() ? (errno = EIO, -1) : (int)syscall(SYS_fdatasync, fd); }
"""


class BrokenDisk(unittest.TestCase):
    def test_a_disk_that_does_not_confirm_a_write(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
            broken, shim = pathlib.Path(place, "broken"), pathlib.Path(place, "fsync.so")
            pathlib.Path(place, "fsync.c").write_text(FSYNC)
            subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim, f"{place}/fsync.c"], check=True, timeout=60)
            with Kiln(machines="sim", environment={"LD_PRELOAD": str(shim), "BROKEN_DISK": str(broken)}) as kiln:
                ssm = kiln.client("ssm")
                put = lambda name: ssm.put_parameter(Name=name, Value="x", Type="String")  # noqa: E731
                put("/before")
                self.assertIsNone(kiln.status()["store"]["stopped"])
                broken.touch()
                with self.assertRaises(botocore.exceptions.ClientError):
                    put("/lost")
                broken.unlink()
                # Also once the disk is well: what is on it is known only after a look.
                with self.assertRaises(botocore.exceptions.ClientError):
                    put("/later")
                self.assertEqual(ssm.get_parameter(Name="/before")["Parameter"]["Value"], "x", "what is known is read")
                self.assertIn("the disk did not confirm a write", kiln.status()["store"]["stopped"])
                self.assertIn("NOTHING IS WRITTEN: ", kiln.cli("status").stdout)
                self.assertIn("restart kiln", kiln.cli("status").stdout)
                page = urllib.request.urlopen(f"http://localhost:{kiln.port}/_kiln/metrics", timeout=20).read().decode()
                self.assertIn("\nkiln_store_stopped 1\n", page)
                kiln.kill()
                kiln.start()
                self.assertIsNone(kiln.status()["store"]["stopped"])
                put("/again")
                self.assertEqual(ssm.get_parameter(Name="/before")["Parameter"]["Value"], "x")


class FullDisk(unittest.TestCase):
    """A disk of a few MiB, filled while kiln runs: what cannot be kept is refused in one line, what
    was acknowledged stays, and all goes on when there is room again."""

    def test_the_database_cannot_grow(self):
        with small_disk() as state:
            with Kiln(machines="sim", state=state) as kiln:
                ssm, kept = kiln.client("ssm"), {}

                def put(name):
                    ssm.put_parameter(Name=name, Value=name * 100, Type="String")
                    kept[name] = name * 100

                put("before")
                ballast = os.path.join(state, "ballast")
                with open(ballast, "wb", buffering=0) as file, self.assertRaises(OSError):
                    while True:
                        file.write(b"x" * 4096)
                with self.assertRaises(botocore.exceptions.ClientError) as caught:
                    for n in range(10_000):
                        put(f"while-{n}")
                error = caught.exception.response
                self.assertEqual((error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]), ("ServiceUnavailable", 503))
                self.assertIn("disk is full", error["Error"]["Message"])
                # Reading needs no room.
                self.assertEqual(ssm.get_parameter(Name="before")["Parameter"]["Value"], kept["before"])
                self.assertEqual(kiln.cli("status", "--json").returncode, 0)
                os.remove(ballast)
                put("after")
                kiln.kill()
                kiln.start()
                found = {p["Name"]: p["Value"] for page in kiln.client("ssm").get_paginator("get_parameters_by_path").paginate(Path="/") for p in page["Parameters"]}
                self.assertEqual({name: found.get(name) for name in kept}, kept)


    def filled(self, state, name="ballast"):
        """A file that takes all that is left, to the last byte."""
        ballast = os.path.join(state, name)
        with open(ballast, "wb", buffering=0) as file:
            for size in (65_536, 4_096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * size)
        return ballast

    def test_kiln_lives_on_and_serves_what_needs_no_room(self):
        """Its own log is on that disk, too."""
        with small_disk() as state, Kiln(machines="sim", state=state) as kiln:
            ssm, s3, iam, ec2, elb = (kiln.client(name) for name in ("ssm", "s3", "iam", "ec2", "elbv2"))
            ssm.put_parameter(Name="/kept", Value="kept", Type="String")
            s3.create_bucket(Bucket="kept")
            s3.put_object(Bucket="kept", Key="one", Body=b"kept")
            subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
            [group] = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
            ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
            balancer = elb.create_load_balancer(Name="kept", Subnets=subnets)["LoadBalancers"][0]
            page = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "a page", "ContentType": "text/plain"}}
            elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[page])
            elb.get_waiter("load_balancer_available").wait(Names=["kept"], WaiterConfig={"Delay": 1})
            address = next(l for l in kiln.status()["load_balancers"] if l["name"] == "kept")["urls"][1]
            ballast = self.filled(state)
            image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
            asks = {
                "a parameter": lambda: ssm.put_parameter(Name="/more", Value="x" * 4_000, Type="String"),
                "a user": lambda: iam.create_user(UserName="more", Path=f"/{'x' * 500}/"),
                "an instance": lambda: ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, UserData="x" * 12_000),
                "a session": lambda: kiln.client("sts").get_session_token(),
                "an object": lambda: s3.put_object(Bucket="kept", Key="more", Body=b"x" * 300_000),
            }
            for what, ask in asks.items():
                with self.subTest(what):
                    # Some pages of the database may still have room for some.
                    for _ in range(200):
                        try:
                            ask()
                        except botocore.exceptions.ClientError as error:
                            refused = error.response
                            break
                        finally:
                            self.assertIsNone(kiln.process.poll(), "kiln has died")
                    self.assertEqual(refused["ResponseMetadata"]["HTTPStatusCode"] // 100, 5, refused)
                    self.assertRegex(refused["Error"]["Message"], "disk.* is full|no space left")
            for _ in range(50):
                with contextlib.suppress(botocore.exceptions.ClientError):
                    asks["a parameter"]()
                with contextlib.suppress(botocore.exceptions.ClientError):
                    iam.get_user(UserName="nobody")
            self.assertIsNone(kiln.process.poll(), "kiln has died")
            self.assertEqual(ssm.get_parameter(Name="/kept")["Parameter"]["Value"], "kept")
            self.assertEqual(s3.get_object(Bucket="kept", Key="one")["Body"].read(), b"kept")
            self.assertEqual(kiln.cli("status", "--json").returncode, 0)
            for url, headers in ((address, {}), (f"{kiln.info['endpoint']}/", {"Host": balancer["DNSName"]})):
                with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
                    self.assertEqual(answer.read(), b"a page")
            os.remove(ballast)
            for what, ask in asks.items():
                if what != "a user":
                    wait_for(what, lambda ask=ask: ask() or True)
            self.assertNotIn("panicked", kiln.log())
            self.assertIn("lines could not be written", kiln.log())

    def test_machines_have_their_metadata_and_no_new_ones_are_made(self):
        with disk_for_machines() as state, Kiln(machines="local", state=state) as kiln:
            ec2 = kiln.client("ec2")
            image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
            asked = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", "MetadataOptions": {"HttpTokens": "optional"}}
            machine = ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
            ask = "curl -s --max-time 10 http://169.254.169.254/latest/meta-data/instance-id"
            shell = lambda script: kiln.cli("shell", machine, "--", "sh", "-c", script, check=False).stdout  # noqa: E731
            wait_for("its metadata", lambda: shell(ask) == machine)
            ballast = os.path.join(state, "ballast")
            with open(ballast, "wb") as file:
                free = os.statvfs(state)
                os.posix_fallocate(file.fileno(), 0, (free.f_bavail - 64) * free.f_frsize)
            rest = self.filled(state, "rest")
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                for n in range(200):
                    ec2.create_tags(Resources=[machine], Tags=[{"Key": "fill", "Value": f"{n:0255}"}])
            self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 503)
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                ec2.run_instances(**asked, UserData="x" * 12_000)
            self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 503)
            self.assertEqual(shell(ask), machine)
            self.assertIsNone(kiln.process.poll(), "kiln has died")
            os.remove(ballast)
            os.remove(rest)
            again = ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
            ec2.get_waiter("instance_running").wait(InstanceIds=[again], WaiterConfig={"Delay": 1})
            self.assertEqual({m["id"] for m in kiln.status()["machines"]}, {machine, again})

    def test_one_that_cannot_start_says_so(self):
        with small_disk() as state:
            with Kiln(machines="sim", state=state) as kiln:
                kiln.client("ssm").put_parameter(Name="/kept", Value="kept", Type="String")
            ballast = self.filled(state)
            command = [BINARY, "--state-dir", state]
            up = [*command, "up", "--detach", "--no-wait", "--machines", "sim", "--port", "0"]
            done = subprocess.run(up, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1)
            [line] = done.stderr.splitlines()
            self.assertIn("space", line)
            self.assertIn(state, line)
            os.remove(ballast)
            subprocess.run(up, check=True, capture_output=True, timeout=60)
            subprocess.run([*command, "down"], check=True, capture_output=True, timeout=60)


class Images(unittest.TestCase):
    """An image that is not what it says is refused by the digest of the layer, and nothing of it stays."""

    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2 = cls.kiln.client("ec2")

    def refused(self, path, *words):
        done = self.kiln.cli("image", "import", str(path), "--name", "bad", check=False)
        self.assertNotEqual(done.returncode, 0)
        [line] = done.stderr.splitlines()
        for word in ["is corrupt", "fetch or build the image again", *words]:
            self.assertIn(word, line)
        self.assertEqual(self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["bad"]}])["Images"], [])
        self.assertEqual(list((self.kiln.state / "machines/images/work").iterdir()), [])

    def test_a_docker_archive_with_a_changed_layer(self):
        with tempfile.TemporaryDirectory() as directory:
            archive, work = docker_archive(directory), pathlib.Path(directory) / "work"
            with tarfile.open(archive) as tar:
                tar.extractall(work, filter="data")
            config = json.loads((work / "config.json").read_text())
            layer = bytearray((work / "layer.tar").read_bytes())
            layer[len(layer) // 2] ^= 1
            (work / "layer.tar").write_bytes(layer)
            with tarfile.open(archive, "w") as tar:
                for name in ("config.json", "layer.tar", "manifest.json"):
                    tar.add(work / name, name)
            self.refused(archive, config["rootfs"]["diff_ids"][0], f"sha256-{hashlib.sha256(layer).hexdigest()}")

    def test_an_oci_layout_with_a_changed_layer(self):
        with tempfile.TemporaryDirectory() as directory:
            layout = pathlib.Path(directory)
            (layout / "blobs/sha256").mkdir(parents=True)

            def blob(data):
                digest = hashlib.sha256(data).hexdigest()
                (layout / "blobs/sha256" / digest).write_bytes(data)
                return {"digest": f"sha256:{digest}", "size": len(data), "mediaType": "application/octet-stream"}

            with tarfile.open(docker_archive(directory)) as tar:
                config, layer = (blob(tar.extractfile(name).read()) for name in ("config.json", "layer.tar"))
            manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode())
            (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
            good = self.kiln.cli("image", "import", str(layout), "--name", "good").stdout.strip()
            self.assertTrue(good.startswith("ami-"), good)
            with open(layout / "blobs/sha256" / layer["digest"].removeprefix("sha256:"), "r+b") as file:
                file.seek(100)
                file.write(b"changed")
            self.refused(layout, layer["digest"])

    def test_a_kept_layer_that_was_damaged(self):
        image = imported(self.kiln, "kept")
        place = self.kiln.state / "machines/images"
        newest = max((place / "manifests").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        layer = json.loads(newest.read_text())["layers"][0]["digest"]
        file = place / "layers" / f"{layer}.erofs"
        file.chmod(0o600)
        with open(file, "r+b") as damaged:
            damaged.seek(file.stat().st_size // 2)
            damaged.write(b"\xff" * 64)
        instance = self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]["InstanceId"]
        described = lambda: self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]  # noqa: E731
        reason = wait_for("the end", lambda: (i := described())["State"]["Name"] == "terminated" and i["StateReason"], 30)
        self.assertIn(layer, reason["Message"])
        self.assertIn("delete the image and build or import it again", reason["Message"])


if __name__ == "__main__":
    unittest.main()
