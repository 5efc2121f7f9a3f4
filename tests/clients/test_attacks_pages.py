"""Open mode and web pages: what a page in the operator's browser can make it send changes nothing, and what
AWS's clients send goes on."""
import http.client
import unittest
import urllib.request

import botocore.config

from kiln import Kiln

USER = "Action=CreateUser&UserName=intruder&Version=2010-05-08"
LIST = "/?Action=ListUsers&Version=2010-05-08"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SIGNED = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
PRESIGNED = "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fiam%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=" + 64 * "0"


class OpenMode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim", auth="open"))
        cls.iam, cls.s3 = cls.kiln.client("iam"), cls.kiln.client("s3")
        cls.s3.create_bucket(Bucket="pictures")
        cls.s3.put_object(Bucket="pictures", Key="one", Body=b"a picture")

    def send(self, method, path, headers=None, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.kiln.port, timeout=20)
        self.addCleanup(link.close)
        link.request(method, path, body=body, headers={"Host": f"localhost:{self.kiln.port}", **(headers or {})})
        answer = link.getresponse()
        return answer.status, answer.read().decode(errors="replace")

    def users(self):
        return [user["UserName"] for user in self.iam.list_users()["Users"]]

    def refused(self, *request, **more):
        status, text = self.send(*request, **more)
        self.assertIn(status, (403, 405), (request, text))
        self.assertEqual(self.users(), [], request)

    def test_names_that_a_page_can_have(self):
        """DNS rebinding: the page's own name leads here, so that nothing but the Host says that it is one."""
        for host in ("evil.test", f"evil.test:{self.kiln.port}", "localhost.evil.test", "127.0.0.1.nip.io", "s3.amazonaws.com", "10.0.0.1", "[::ffff:10.0.0.1]", "evil-localhost", "kiln"):
            with self.subTest(host):
                amz = {"Host": host, "X-Amz-Date": "20260101T000000Z", "Authorization": SIGNED}
                self.refused("POST", "/", {**FORM, "Host": host}, USER)
                self.refused("POST", "/", {**FORM, "Host": host, "X-Amz-Date": "20260101T000000Z"}, USER)
                self.assertEqual(self.send("GET", LIST, {"Host": host})[0], 403)
                target = {"X-Amz-Target": "AmazonSSM.DescribeParameters", "Content-Type": "application/x-amz-json-1.1"}
                self.assertEqual(self.send("POST", "/", {**target, "Host": host}, "{}")[0], 403)
                self.assertEqual(self.send("GET", "/pictures/one", {"Host": host})[0], 403)
                self.assertEqual(self.send("PUT", "/pictures/two", amz, "x")[0], 403)
        # A target that names a whole address counts as well as the Host does.
        self.refused("POST", "http://evil.test/", FORM, USER)

    def test_names_that_are_kiln_s_own(self):
        port = self.kiln.port
        for host in ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}", "127.0.0.2", f"[::1]:{port}", f"iam.localhost:{port}", f"iam.us-east-1.localhost:{port}", "localhost."):
            self.assertEqual(self.send("GET", LIST, {"Host": host})[0], 200, host)
        self.assertEqual(self.send("GET", "/one", {"Host": f"pictures.s3.localhost:{port}"}), (200, "a picture"))

    def test_pictures_links_and_forms(self):
        """What needs no leave of ours: GET and HEAD with what a browser sends, forms of the three simple kinds."""
        picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "User-Agent": "Mozilla/5.0"}
        for headers in ({}, picture, {"User-Agent": "Mozilla/5.0"}, {"Authorization": "Basic cm9vdDpyb290"}, {"Sec-Fetch-Site": "none"}, {"Referer": "http://evil.test/"}):
            for method in ("GET", "HEAD"):
                self.refused(method, f"/?{USER}", headers)
                self.refused(method, f"/?{USER}{PRESIGNED}", headers)
                self.refused(method, f"/?{USER}", {**headers, "Host": f"iam.localhost:{self.kiln.port}"})
        # A body beside a GET is no way around it.
        self.refused("GET", "/", FORM, USER)
        for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
            for origin in ("null", "http://evil.test", "https://localhost.evil.test", "http://shop.elb.localhost", "http://127.64.0.1", f"http://localhost:{self.kiln.port}", "chrome-extension://a", ""):
                with self.subTest(kind=kind, origin=origin):
                    self.refused("POST", "/", {"Content-Type": kind, "Origin": origin}, USER)
                    self.refused("POST", f"/?{USER}", {"Content-Type": kind, "Origin": origin}, "x")
        for site in ("cross-site", "same-origin"):
            self.refused("POST", "/", {**FORM, "Sec-Fetch-Site": site}, USER)

    def test_no_page_is_given_leave(self):
        """A browser asks first before a page of another site sends anything but the simple; the answer gives none."""
        ask = {"Origin": "http://evil.test", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-amz-target"}
        for path in ("/", f"/?{USER}", "/pictures/one"):
            link = http.client.HTTPConnection("127.0.0.1", self.kiln.port, timeout=20)
            self.addCleanup(link.close)
            link.request("OPTIONS", path, headers=ask)
            answer = link.getresponse()
            answer.read()
            self.assertGreaterEqual(answer.status, 400, path)
            self.assertIsNone(answer.headers["Access-Control-Allow-Origin"])
        self.assertEqual(self.users(), [])

    def test_methods_that_aws_does_not_name(self):
        """AWS's documents name GET and POST for these calls and are silent about others; here they are refused."""
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
            status, _ = self.send(method, LIST, {"X-Amz-Date": "20260101T000000Z"})
            self.assertEqual(status, 405, method)

    def test_clients_go_on(self):
        amz = {"X-Amz-Date": "20260101T000000Z"}
        for request in (("POST", "/", FORM, USER), ("GET", f"/?{USER}", amz), ("GET", f"/?{USER}", {"amz-sdk-request": "attempt=1"}), ("POST", "/", {**FORM, "Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, USER)):
            method, path, headers, *body = request
            self.assertEqual(self.send(method, path, headers, *body)[0], 200, request)
            self.iam.delete_user(UserName="intruder")
        # Links to objects may stand in any page.
        url = self.s3.generate_presigned_url("get_object", Params={"Bucket": "pictures", "Key": "one"})
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Sec-Fetch-Site": "cross-site"}), timeout=20) as answer:
            self.assertEqual(answer.read(), b"a picture")
        url = self.s3.generate_presigned_url("put_object", Params={"Bucket": "pictures", "Key": "two"})
        with urllib.request.urlopen(urllib.request.Request(url, data=b"two", method="PUT"), timeout=20) as answer:
            self.assertEqual(answer.status, 200)


class EnforcedMode(unittest.TestCase):
    """Signatures say who asks, so names and pages do not matter."""

    def test_presigned_urls_work_by_any_name(self):
        with Kiln(machines="sim") as kiln:
            s3 = kiln.client("s3")
            s3.create_bucket(Bucket="pictures")
            s3.put_object(Bucket="pictures", Key="one", Body=b"a picture")
            style = botocore.config.Config(s3={"addressing_style": "path"})
            there = kiln.client("s3", endpoint_url=f"http://kiln.example.com:{kiln.port}", config=style)
            url = there.generate_presigned_url("get_object", Params={"Bucket": "pictures", "Key": "one"})
            link = http.client.HTTPConnection("127.0.0.1", kiln.port, timeout=20)
            link.request("GET", url.split(str(kiln.port), 1)[1], headers={"Host": f"kiln.example.com:{kiln.port}", "Sec-Fetch-Site": "cross-site", "Referer": "http://evil.test/"})
            answer = link.getresponse()
            self.assertEqual((answer.status, answer.read()), (200, b"a picture"))
            link.close()
            sts = kiln.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
            with urllib.request.urlopen(urllib.request.Request(sts, headers={"Origin": "https://example.com"}), timeout=20) as answer:
                self.assertEqual(answer.status, 200)


if __name__ == "__main__":
    unittest.main()
