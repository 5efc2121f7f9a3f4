"""Bad input and bad circumstances: AWS's error or one clear line, never a panic, nothing lost."""
import http.client
import os
import socket
import subprocess
import tempfile
import unittest

from kiln import BINARY, Kiln


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
        status, text = self.query("Action=DescribeInstances&Version=2016-11-15&x=" + "y" * (17 << 20))
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
            os.chmod(state, 0o711)
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


if __name__ == "__main__":
    unittest.main()
