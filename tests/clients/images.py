"""Small images made here: no registry is asked."""
import hashlib
import io
import json
import pathlib
import shutil
import tarfile
import tempfile


HTTPD = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]


def docker_archive(directory, command=HTTPD):
    """A docker archive whose only program is busybox, as a web server unless told otherwise."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(shutil.which("busybox"), "bin/busybox")
        page = tarfile.TarInfo("www/index.html")
        page.size = 3
        tar.addfile(page, io.BytesIO(b"ok\n"))
    layer = layer.getvalue()
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": command},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    archive = pathlib.Path(directory) / "httpd.tar"
    with tarfile.open(archive, "w") as tar:
        for name, data in [
            ("config.json", json.dumps(config).encode()),
            ("layer.tar", layer),
            ("manifest.json", json.dumps([{"Config": "config.json", "RepoTags": ["httpd:latest"], "Layers": ["layer.tar"]}]).encode()),
        ]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return archive


def imported(kiln, name="httpd", command=HTTPD):
    """The id of such an image, imported into a kiln."""
    with tempfile.TemporaryDirectory() as directory:
        return kiln.cli("image", "import", str(docker_archive(directory, command)), "--name", name).stdout.strip()
