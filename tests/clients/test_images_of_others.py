"""Images of others: stand-ins that answer to their names because the user said so, and images
that come from a registry (a small one, made here).
"""
import base64
import gzip
import hashlib
import http.server
import io
import json
import pathlib
import shutil
import tarfile
import tempfile
import threading
import unittest

import botocore.exceptions

from images import HTTPD
from kiln import Kiln, wait_for

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
NOBLE = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


class StandIns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.ec2, cls.ssm = cls.kiln.client("ec2"), cls.kiln.client("ssm")
        wait_for("the base image", lambda: cls.kiln.status()["base_image"]["state"] == "ready")
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def tearDown(self):
        for one in json.loads(self.kiln.cli("image", "aliases", "--json").stdout):
            self.kiln.cli("image", "unalias", one["like"], check=False)

    def looked_up(self, owner, name):
        """As `data aws_ami` and templates do."""
        filters = [{"Name": "name", "Values": [name]}, {"Name": "virtualization-type", "Values": ["hvm"]}, {"Name": "root-device-type", "Values": ["ebs"]}]
        return self.ec2.describe_images(Owners=[owner], Filters=filters)["Images"]

    def test_nothing_stands_in_unless_the_user_says_so(self):
        self.assertEqual(self.looked_up("amazon", "al2023-ami-2023.*-x86_64"), [])
        for name in (AL2023, NOBLE):
            with self.assertRaises(self.ssm.exceptions.ParameterNotFound) as refused:
                self.ssm.get_parameter(Name=name)
            self.assertIn("kiln image alias", str(refused.exception))

    def test_an_image_stands_in_for_several_and_no_longer(self):
        self.kiln.cli("image", "alias", self.base, "--like", "amazon-linux-2023", "--like", "amazon-linux-2", "--like", "ubuntu-24.04", "--like", "ubuntu-22.04", "--like", "rhel-9")
        for owner, name in [
            ("amazon", "al2023-ami-2023.*-x86_64"),
            ("137112412989", "al2023-ami-*-kernel-6.1-x86_64"),
            ("amazon", "amzn2-ami-hvm-*-x86_64-gp2"),
            ("amazon", "amzn2-ami-kernel-5.10-hvm-*-x86_64-gp2"),
            ("099720109477", "ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-amd64-server-*"),
            ("099720109477", "ubuntu/images/*ubuntu-jammy-22.04-amd64-server-*"),
            ("309956199498", "RHEL-9*_HVM-*-x86_64-*"),
        ]:
            with self.subTest(name):
                [found] = self.looked_up(owner, name)
                self.assertIn("Stand-in for", found["Description"])
                self.assertIn(self.base, found["Description"])
                self.assertTrue(found["Public"])
        al2023 = self.looked_up("amazon", "al2023-ami-2023.*-x86_64")[0]["ImageId"]
        self.assertEqual(self.ssm.get_parameter(Name=AL2023)["Parameter"]["Value"], al2023)
        self.assertEqual(self.ssm.get_parameter(Name=NOBLE)["Parameter"]["Value"], self.looked_up("099720109477", "ubuntu/*noble*")[0]["ImageId"])
        below = self.ssm.get_parameters_by_path(Path="/aws/service/ami-amazon-linux-latest")["Parameters"]
        self.assertIn(AL2023, [parameter["Name"] for parameter in below])
        # It is launched as any image, by id and by parameter, and in every region.
        for given in (al2023, f"resolve:ssm:{AL2023}"):
            run = self.ec2.run_instances(ImageId=given, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
            self.addCleanup(self.ec2.terminate_instances, InstanceIds=[run["InstanceId"]])
            self.assertEqual(run["ImageId"], al2023)
        elsewhere = self.kiln.client("ssm", region_name="eu-west-1")
        self.assertEqual(elsewhere.get_parameter(Name=AL2023)["Parameter"]["Value"], al2023)
        # Nobody owns it here, so nobody can deregister it.
        with self.assertRaises(botocore.exceptions.ClientError):
            self.ec2.deregister_image(ImageId=al2023)

        listed = self.kiln.cli("image", "aliases").stdout
        self.assertIn(f"{al2023}  amazon-linux-2023  al2023-ami-2023.", listed)
        self.kiln.cli("image", "unalias", "amazon-linux-2023")
        self.assertEqual(self.looked_up("amazon", "al2023-ami-2023.*-x86_64"), [])
        with self.assertRaises(self.ssm.exceptions.ParameterNotFound):
            self.ssm.get_parameter(Name=AL2023)
        self.assertNotEqual(self.looked_up("amazon", "amzn2-ami-hvm-*-x86_64-gp2"), [])
        self.assertEqual(self.kiln.cli("image", "unalias", "amazon-linux-2023", check=False).returncode, 1)

    def test_it_survives_a_restart_and_gives_way_to_another(self):
        self.kiln.cli("image", "alias", self.base, "--like", "ubuntu-24.04")
        first = self.ssm.get_parameter(Name=NOBLE)["Parameter"]["Value"]
        self.kiln.kill()
        self.kiln.start()
        self.assertEqual(self.ssm.get_parameter(Name=NOBLE)["Parameter"]["Value"], first)
        copy = self.ec2.copy_image(Name="another", SourceImageId=self.base, SourceRegion="us-east-1")["ImageId"]
        self.addCleanup(self.ec2.deregister_image, ImageId=copy)
        self.kiln.cli("image", "alias", copy, "--like", "ubuntu-24.04")
        [second] = self.looked_up("099720109477", "ubuntu/*noble*")
        self.assertNotEqual(second["ImageId"], first)
        self.assertIn(copy, second["Description"])
        # What it stands on cannot be taken away under it.
        snapshot = self.ec2.describe_images(ImageIds=[copy])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            self.ec2.delete_snapshot(SnapshotId=snapshot)
        self.assertEqual(refused.exception.response["Error"]["Code"], "InvalidSnapshot.InUse")

    def test_what_cannot_be_is_refused_by_name(self):
        for arguments, text in [
            ((self.base, "--like", "windows-2022"), "amazon-linux-2023, amazon-linux-2"),
            (("ami-00000000000000000", "--like", "debian-13"), "there is no image ami-00000000000000000"),
            ((self.base,), "--like"),
        ]:
            done = self.kiln.cli("image", "alias", *arguments, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(text, done.stderr)
        self.assertEqual(json.loads(self.kiln.cli("image", "aliases", "--json").stdout), [])


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """A registry of one repository; `spoil` changes what it sends."""

    def __init__(self, login=None, spoil=None, foreign=False):
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.add(shutil.which("busybox"), "bin/busybox")
            page = tarfile.TarInfo("www/index.html")
            page.size = 3
            tar.addfile(page, io.BytesIO(b"ok\n"))
        plain = layer.getvalue()
        layer = gzip.compress(plain, mtime=0)
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": HTTPD}, "rootfs": {"type": "layers", "diff_ids": [digest(plain)]}}).encode()
        described = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}
        if foreign:
            described["urls"] = ["https://elsewhere.example/layer"]
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)},
            "layers": [described],
        }).encode()
        index = json.dumps({"schemaVersion": 2, "manifests": [
            {"digest": "sha256:" + "0" * 64, "size": 1, "platform": {"architecture": "s390x", "os": "linux"}},
            {"digest": digest(manifest), "size": len(manifest), "platform": {"architecture": "amd64", "os": "linux"}},
        ]}).encode()
        self.asked = []
        paths = {
            "/v2/shop/web/manifests/1": index,
            f"/v2/shop/web/manifests/{digest(manifest)}": manifest,
            f"/v2/shop/web/blobs/{digest(config)}": config,
            f"/moved/{digest(layer)}": layer,
        }
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                registry.asked.append((self.path, self.headers.get("Authorization")))
                path, _, query = self.path.partition("?")
                given = self.headers.get("Authorization")
                if path == "/token":
                    wanted = "Basic " + base64.b64encode(login.encode()).decode()
                    if given != wanted or "scope=repository:shop/web:pull" not in query:
                        return self.answer(401)
                    return self.answer(200, json.dumps({"token": "let-me-in"}).encode())
                if login and path.startswith("/v2/") and given != "Bearer let-me-in":
                    realm = f"http://{registry.host}/token"
                    return self.answer(401, b"no " * 100, WWW_Authenticate=f'Bearer realm="{realm}",service="reg"')
                if path == f"/v2/shop/web/blobs/{digest(layer)}":
                    to = "http://192.0.2.7/layer" if spoil == "redirect" else f"http://{registry.other}/moved/{digest(layer)}"
                    return self.answer(307, Location=to)
                body = paths.get(path)
                if body is None:
                    return self.answer(404, b"nothing")
                if path.startswith("/moved/") and spoil == "content":
                    body = body[:-1] + b"x"
                if path.startswith("/moved/") and spoil == "endless":
                    self.send_response(200)
                    self.end_headers()
                    try:
                        while True:
                            self.wfile.write(b"\0" * 65536)
                    except OSError:
                        return
                self.answer(200, body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        # The same server under another name: another host to whoever keeps a token.
        self.other = f"localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class FromARegistry(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2 = cls.kiln.client("ec2")

    def load(self, source, *more, name="web", check=False):
        return self.kiln.cli("image", "import", source, "--name", name, *more, check=check)

    def test_an_image_comes_from_a_registry_and_runs(self):
        with Registry() as registry:
            image = self.load(f"docker://{registry.host}/shop/web:1", check=True).stdout.strip()
        instance = self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.nano")["Instances"][0]["InstanceId"]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[instance])
        wait_for("the web server", lambda: self.kiln.cli("shell", instance, "--", "/bin/busybox", "wget", "-qO-", "http://127.0.0.1:8080/", check=False).stdout == "ok\n")

    def test_a_login_is_given_to_the_registry_alone(self):
        with Registry(login="ada:secret") as registry, tempfile.TemporaryDirectory() as directory:
            refused = self.load(f"docker://{registry.host}/shop/web:1", name="private")
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("status 401", refused.stderr)
            file = pathlib.Path(directory) / "config.json"
            file.write_text(json.dumps({"auths": {registry.host: {"auth": base64.b64encode(b"ada:secret").decode()}}}))
            done = self.load(f"docker://{registry.host}/shop/web:1", "--credentials", str(file), name="private", check=True)
            self.assertRegex(done.stdout, r"^ami-[0-9a-f]{17}\n$")
            moved = [given for path, given in registry.asked if path.startswith("/moved/")]
            self.assertEqual(moved, [None], "the token went to another host")
            self.assertNotIn("secret", self.kiln.log())

    def test_what_is_not_as_promised_is_refused_and_leaves_nothing(self):
        before = {image["ImageId"] for image in self.ec2.describe_images()["Images"]}
        for what, text in [({"spoil": "content"}, "sha256:"), ({"spoil": "endless"}, "curl"), ({"spoil": "redirect"}, "only https is"), ({"foreign": True}, "foreign layer")]:
            with self.subTest(what), Registry(**what) as registry:
                done = self.load(f"docker://{registry.host}/shop/web:1", name="wrong")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(text, done.stderr)
        with Registry() as registry:
            for reference, text in [("shop/web:2", "has no shop/web/manifests/2"), ("shop/web@sha256:" + "1" * 64, "has no"), ("../web:1", "is not docker://")]:
                done = self.load(f"docker://{registry.host}/{reference}", name="wrong")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(text, done.stderr)
        self.assertEqual({image["ImageId"] for image in self.ec2.describe_images()["Images"]}, before)
        self.assertEqual(list((self.kiln.state / "machines" / "images" / "work").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
