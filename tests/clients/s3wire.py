"""S3 below its clients: heads and bodies as a test wants them, signed as S3 wants it."""
import http.client
import re
import urllib.parse

import botocore.awsrequest
from botocore.auth import S3SigV4Auth
from botocore.credentials import Credentials


class Answer:
    def __init__(self, response):
        self.status, self.body = response.status, response.read()
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    @property
    def code(self):
        """The error's code; nothing of a success."""
        return self.element("Code") if self.status >= 300 else None

    def element(self, name):
        found = re.search(f"<{name}>(.*?)</{name}>", self.body.decode(errors="replace"), re.DOTALL)
        return found and found[1]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:600]!r}"


class Wire:
    """One kiln's S3 by path-style addresses."""

    def __init__(self, kiln, region=None, key=None):
        self.host = urllib.parse.urlsplit(kiln.info["endpoint"]).netloc
        self.region = region or kiln.info["region"]
        self.credentials = Credentials(*(key or (kiln.info["access_key"], kiln.info["secret"])))

    def signed(self, method, path, headers, payload="UNSIGNED-PAYLOAD"):
        """The headers, with a signature over them."""
        request = botocore.awsrequest.AWSRequest(method, f"http://{self.host}{path}", headers=dict(headers))
        signer = S3SigV4Auth(self.credentials, "s3", self.region)
        signer.payload = lambda _: payload
        if payload != "UNSIGNED-PAYLOAD":
            request.headers["X-Amz-Content-SHA256"] = payload
        signer.add_auth(request)
        return dict(request.headers)

    def send(self, method, path, body=b"", headers=(), payload="UNSIGNED-PAYLOAD", sign=True):
        """One request and its answer."""
        headers = dict(headers)
        all_headers = self.signed(method, path, headers, payload) if sign else headers
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body, all_headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()
