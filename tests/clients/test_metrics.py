"""`GET /_kiln/metrics`, read with Prometheus' own parser: its figures are what was done. And the log's lines say
within which call and which controller's pass they were written."""
import http.client
import re
import socket
import unittest

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
from prometheus_client.parser import text_string_to_metric_families

from kiln import Kiln, wait_for

PAGE = "/_kiln/metrics"


def ask(kiln, path=PAGE, method="GET", address="127.0.0.1", **headers):
    """Status, headers and text of one plain request."""
    link = http.client.HTTPConnection(address, kiln.port, timeout=20)
    try:
        link.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = link.getresponse()
        return answer.status, answer.headers, answer.read().decode(errors="replace")
    finally:
        link.close()


def families(kiln):
    """The page's metrics, by name."""
    status, headers, text = ask(kiln)
    assert status == 200, text
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(kiln, name, **labels):
    """One sample; None where there is none."""
    found = [s.value for f in families(kiln).values() for s in f.samples if s.name == name and labels.items() <= s.labels.items()]
    assert len(found) < 2, found
    return found[0] if found else None


class Figures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim", environment={"KILN_LOG": "kiln=debug,info"}))

    def calls(self, operation, **labels):
        return value(self.kiln, "kiln_calls_total", operation=operation, origin="client", **labels)

    def test_calls_are_counted_by_how_they_ended(self):
        ssm = self.kiln.client("ssm")
        for n in range(7):
            ssm.put_parameter(Name=f"/counted/{n}", Value="x", Type="String")
        for _ in range(3):
            with self.assertRaises(botocore.exceptions.ClientError):
                ssm.put_parameter(Name="/counted/0", Value="y", Type="String")
        self.assertEqual(self.calls("PutParameter", service="ssm", outcome="ok"), 7)
        self.assertEqual(self.calls("PutParameter", service="ssm", outcome="refused"), 3)
        self.assertIsNone(self.calls("PutParameter", service="ssm", outcome="failed"))
        self.assertEqual(value(self.kiln, "kiln_call_duration_seconds_count", service="ssm", operation="PutParameter"), 10)
        self.assertEqual(value(self.kiln, "kiln_call_duration_seconds_bucket", operation="PutParameter", le="+Inf"), 10)
        self.assertGreater(value(self.kiln, "kiln_call_duration_seconds_sum", operation="PutParameter"), 0)
        self.assertEqual(value(self.kiln, "kiln_store_records", kind="ssm/parameter"), 7)
        self.assertGreaterEqual(value(self.kiln, "kiln_store_transactions_total"), 7)
        self.assertGreaterEqual(value(self.kiln, "kiln_store_commits_total"), 1)
        self.assertGreater(value(self.kiln, "kiln_store_commit_duration_seconds_total"), 0)
        before = value(self.kiln, "kiln_store_read_records_total")
        ssm.get_parameters_by_path(Path="/counted")
        self.assertGreaterEqual(value(self.kiln, "kiln_store_read_records_total"), before + 7)
        self.assertEqual(value(self.kiln, "kiln_store_stopped"), 0)

    def test_what_is_unknown_makes_no_rows(self):
        before = {(s.name, *s.labels.values()) for s in families(self.kiln)["kiln_calls"].samples}
        for n in range(20):
            status, _, text = ask(self.kiln, f"/?Action=MakeCoffee{n}&Version=2011-06-15")
            self.assertGreaterEqual(status, 400, text)
        after = {(s.name, *s.labels.values()) for s in families(self.kiln)["kiln_calls"].samples}
        self.assertEqual([row for row in after - before if "Coffee" in str(row)], [])

    def test_controllers_and_machines(self):
        ec2 = self.kiln.client("ec2")
        image = ec2.describe_images(Owners=["self", "amazon"])["Images"][0]["ImageId"]
        reservation = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=2, MaxCount=2)
        ids = [instance["InstanceId"] for instance in reservation["Instances"]]
        self.addCleanup(ec2.terminate_instances, InstanceIds=ids)
        wait_for("both machines", lambda: value(self.kiln, "kiln_machines", state="running") == 2)
        ec2.stop_instances(InstanceIds=ids[:1])
        wait_for("one to stop", lambda: value(self.kiln, "kiln_machines", state="stopped") == 1)
        self.assertEqual(value(self.kiln, "kiln_machines", state="running"), 1)
        self.assertGreaterEqual(value(self.kiln, "kiln_controller_passes_total", controller="ec2/instance"), 4)
        self.assertGreater(value(self.kiln, "kiln_controller_pass_duration_seconds_total", controller="ec2/instance"), 0)
        self.assertEqual(value(self.kiln, "kiln_controller_failed_passes_total", controller="ec2/instance"), 0)
        self.assertIsNone(value(self.kiln, "kiln_controller_last_failure_timestamp_seconds", controller="ec2/instance"))
        self.assertEqual(value(self.kiln, "kiln_controller_queue_length", controller="ec2/instance"), 0)
        self.assertGreater(value(self.kiln, "kiln_controller_slots", controller="autoscaling/group"), 0)

    def test_names_follow_prometheus_conventions(self):
        for family in families(self.kiln).values():
            self.assertRegex(family.name, r"^(kiln|process)_[a-z_]+$")
            self.assertTrue(family.documentation, family.name)
            self.assertNotEqual(family.type, "untyped", family.name)
            self.assertNotRegex(family.name, "milli|micro|_ms$|kib|percent", "base units only")
            for sample in family.samples:
                if family.type == "counter":
                    self.assertTrue(sample.name.endswith("_total"), sample.name)
        for name in ["process_cpu_seconds_total", "process_open_fds", "process_max_fds", "process_resident_memory_bytes"]:
            self.assertGreater(value(self.kiln, name), 0, name)
        self.assertGreaterEqual(value(self.kiln, "kiln_door_open_connections", door="api"), 1, "our own")

    def test_who_may_not_read_it(self):
        for headers in [
            {"Origin": "http://localhost:3000"},
            {"Referer": f"http://localhost:{self.kiln.port}/bucket/page.html"},
            {"Sec_Fetch_Site": "same-origin"},
            {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
        ]:
            status, _, text = ask(self.kiln, **headers)
            self.assertEqual(status, 403, headers)
            self.assertNotIn("kiln_calls", text)
        # A page whose name leads here asks for that name.
        for host in ["evil.test", f"evil.test:{self.kiln.port}", "localhost.evil.test", "192.0.2.1"]:
            status, _, text = ask(self.kiln, Host=host)
            self.assertGreaterEqual(status, 400, host)
            self.assertNotIn("kiln_calls", text)
        self.assertEqual(ask(self.kiln, method="POST")[0], 405)
        self.assertEqual(ask(self.kiln, Sec_Fetch_Site="none")[0], 200, "typed by a person")

    def test_a_bucket_s_object_of_that_name_is_the_bucket_s(self):
        s3 = self.kiln.client("s3")
        s3.create_bucket(Bucket="mine")
        s3.put_object(Bucket="mine", Key=PAGE[1:], Body=b"an object")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "mine", "Key": PAGE[1:]})
        self.assertIn(PAGE, url)
        path = url.split("/", 3)[3]
        host = url.split("/")[2]
        self.assertEqual(ask(self.kiln, f"/{path}", Host=host)[2], "an object")

    def test_lines_of_the_log_carry_their_call_and_their_pass(self):
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            self.kiln.client("ssm").get_parameter(Name="/not/there")
        request = refused.exception.response["ResponseMetadata"]["RequestId"]
        account = self.kiln.client("sts").get_caller_identity()["Account"]
        [line] = [line for line in self.kiln.log().splitlines() if request in line and "ParameterNotFound" in line]
        for part in [f'request_id="{request}"', 'service="ssm"', 'operation="GetParameter"', f'account="{account}"']:
            self.assertIn(part, line[line.index("call{") :].split("}")[0])
        scaling, ec2 = self.kiln.client("autoscaling"), self.kiln.client("ec2")
        image = ec2.describe_images(Owners=["self", "amazon"])["Images"][0]["ImageId"]
        ec2.create_launch_template(LaunchTemplateName="lines", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.nano"})
        zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
        template = {"LaunchTemplateName": "lines"}
        scaling.create_auto_scaling_group(AutoScalingGroupName="lines", MinSize=1, MaxSize=1, LaunchTemplate=template, AvailabilityZones=[zone])
        self.addCleanup(scaling.delete_auto_scaling_group, AutoScalingGroupName="lines", ForceDelete=True)
        within = re.compile(r'pass\{controller="autoscaling/group" account="\d{12}" region="us-east-1" id="lines"\}:call\{.*operation="RunInstances"')
        wait_for("a line of the group's pass", lambda: within.search(self.kiln.log()))

    def test_no_secret_is_on_the_page_or_in_the_log(self):
        self.kiln.client("ssm").put_parameter(Name="/secret", Value="hunter2-hunter2", Type="SecureString")
        for text in [ask(self.kiln)[2], self.kiln.log()]:
            self.assertNotIn("hunter2", text)
            self.assertNotIn(self.kiln.info["secret"], text)


class FromElsewhere(unittest.TestCase):
    """Where kiln listens for others too, they sign as the root user."""

    @classmethod
    def setUpClass(cls):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                # Nothing is sent: it chooses the address that others see.
                probe.connect(("192.0.2.1", 9))
            except OSError as error:
                raise unittest.SkipTest("this host has no address but loopback") from error
            cls.address = probe.getsockname()[0]
        cls.kiln = cls.enterClassContext(Kiln(machines="sim", listen="0.0.0.0"))

    def signed(self, key, secret, service="kiln"):
        request = botocore.awsrequest.AWSRequest("GET", f"http://{self.address}:{self.kiln.port}{PAGE}")
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), service, "us-east-1").add_auth(request)
        return dict(request.headers)

    def asked(self, headers):
        link = http.client.HTTPConnection(self.address, self.kiln.port, timeout=20)
        self.addCleanup(link.close)
        link.request("GET", PAGE, headers=headers)
        answer = link.getresponse()
        text = answer.read().decode()
        self.assertEqual(answer.status == 200, "kiln_calls" in text, text)
        return answer.status

    def test_root_s_signature_opens_it_and_nothing_else_does(self):
        key, secret = self.kiln.info["access_key"], self.kiln.info["secret"]
        self.kiln.client("sts", endpoint_url=f"http://127.0.0.1:{self.kiln.port}").get_caller_identity()
        self.assertEqual(self.asked(self.signed(key, secret)), 200)
        refused = (400, 403)
        for headers in [
            {},
            {"Host": "localhost"},
            self.signed(key, "wrong"),
            self.signed(key, secret, service="sts"),
            {**self.signed(key, secret), "Origin": "http://evil.test"},
        ]:
            self.assertIn(self.asked(headers), refused, headers)
        iam = self.kiln.client("iam", endpoint_url=f"http://127.0.0.1:{self.kiln.port}")
        iam.create_user(UserName="admin")
        iam.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        made = iam.create_access_key(UserName="admin")["AccessKey"]
        self.assertEqual(self.asked(self.signed(made["AccessKeyId"], made["SecretAccessKey"])), 403)


if __name__ == "__main__":
    unittest.main()
