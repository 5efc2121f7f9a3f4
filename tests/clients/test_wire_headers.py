"""Headers that are not ASCII: nothing is dropped, everything comes back as AWS gives it back.

Metadata as in the Amazon S3 User Guide, "Working with object metadata". AWS's documents are silent about other headers;
here their bytes come back as they came."""
import http.client
import unittest

from kiln import Kiln

SIGNED = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class Headers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim", auth="open"))
        cls.s3 = cls.kiln.client("s3")
        cls.s3.create_bucket(Bucket="docs")

    def send(self, method, path, headers=None, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.kiln.port, timeout=20)
        self.addCleanup(link.close)
        link.request(method, path, body=body, headers={k: v for k, v in {"Authorization": SIGNED, **(headers or {})}.items() if v})
        answer = link.getresponse()
        return answer, answer.read().decode()

    def test_metadata_and_names_of_files(self):
        sent = {
            "x-amz-meta-nonascii": "ÄMÄZÕÑ S3".encode(),
            "x-amz-meta-word": b"=?UTF-8?B?w4TDlg==?=",
            "x-amz-meta-plain": b"as it is",
            "Content-Disposition": 'attachment; filename="grün 日本.pdf"'.encode(),
            "Cache-Control": b"max-age=60",
        }
        answer, text = self.send("PUT", "/docs/one", sent, b"one")
        self.assertEqual(answer.status, 200, text)
        back = {**sent, "x-amz-meta-nonascii": b"=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?="}
        for method in ("HEAD", "GET"):
            answer, _ = self.send(method, "/docs/one")
            self.assertEqual({name: answer.headers[name].encode("latin-1") for name in back}, back)
        # Copied, it is still there.
        answer, text = self.send("PUT", "/docs/two", {"x-amz-copy-source": "/docs/one"})
        self.assertEqual(answer.status, 200, text)
        self.assertEqual(self.send("HEAD", "/docs/two")[0].headers["x-amz-meta-nonascii"].encode(), back["x-amz-meta-nonascii"])

    def test_an_answer_s_header_that_no_header_can_say(self):
        self.s3.put_object(Bucket="docs", Key="three", Body=b"three")

        def ask(name):
            asked = {"Bucket": "docs", "Key": "three", "ResponseContentDisposition": name}
            url = self.s3.generate_presigned_url("get_object", Params=asked)
            return self.send("GET", url[url.index("/docs/") :], {"Authorization": None})

        self.assertEqual(ask("grün")[0].headers["Content-Disposition"], "grün")
        answer, text = ask("日本")
        self.assertEqual(answer.status, 400)
        self.assertIn("<Code>InvalidArgument</Code><Message>Header value cannot be represented using ISO-8859-1.</Message>", text)


if __name__ == "__main__":
    unittest.main()
