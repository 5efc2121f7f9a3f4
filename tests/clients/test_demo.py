"""The demo on real machines: alone, two at the same time, and with parts of it failing."""
import http.client
import os
import re
import subprocess
import sys
import unittest
from urllib.parse import urlencode, urlsplit

from kiln import BINARY, ROOT, Kiln, wait_for

ALONE = "two demos at once, with visitors, are as much as a small host does in time"

DEMO = ROOT / "examples" / "securecart" / "demo.py"


def start(environment):
    return subprocess.Popen([sys.executable, DEMO], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(demo):
    text = demo.communicate(timeout=300)[0]
    return demo.returncode, text


class Visitor:
    """Asks by a new connection each time, so that any machine may answer, and keeps the cart's cookie."""

    def __init__(self, url):
        self.host, self.cookie, self.served_by = urlsplit(url).netloc, "", set()

    def ask(self, method, path, **fields):
        link = http.client.HTTPConnection("127.0.0.1", int(self.host.rsplit(":", 1)[1]), timeout=10)
        headers = {"Host": self.host, "Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        link.request(method, path, urlencode(fields) if fields else None, headers)
        answer = link.getresponse()
        page = answer.read().decode()
        link.close()
        self.cookie = (answer.getheader("Set-Cookie") or self.cookie).split(";")[0]
        self.served_by.update(re.findall(r"SecureCart 1\.0\.0 · served by (i-[0-9a-f]{17}) in us-east-1", page))
        return answer.status, page


class Demo(unittest.TestCase):
    def shops(self, url):
        """Search, cart and checkout, each request at another machine."""
        visitor = Visitor(url)
        self.assertIn("Calm Mug", visitor.ask("GET", "/?q=mug")[1])
        self.assertEqual(visitor.ask("POST", "/cart", slug="calm-mug", add="1")[0], 303)
        self.assertEqual(visitor.ask("POST", "/cart", slug="lantern-key", add="1")[0], 303)
        self.assertIn("Cart (2)", visitor.ask("GET", "/cart")[1])
        form = re.search(r'name="form" value="([0-9a-f]{32})"', visitor.ask("GET", "/checkout")[1])[1]
        status, page = visitor.ask("POST", "/checkout", form=form, name="Ada Byron", email="ada@example.com", address="1 Lane, London")
        self.assertEqual(status, 201, page)
        self.assertRegex(page, r'id="order">SC-[2-9A-Z]{8}<')
        self.assertIn("Your cart is empty", visitor.ask("GET", "/cart")[1])
        self.assertGreater(len(visitor.served_by), 1, "the load balancer spreads requests")
        self.assertEqual(visitor.ask("GET", "/healthz")[0], 200)

    def heals(self, demo):
        status, text = finish(demo)
        self.assertEqual(status, 0, text)
        sent, failed = map(int, re.search(r"requests: (\d+) sent, (\d+) failed", text).groups())
        self.assertGreater(sent, 100, text)
        # At most what was in flight on the dead machine, of five visitors.
        self.assertLessEqual(failed, 10, text)
        self.assertRegex(text, r"kill -9 \d+, the first process of i-[0-9a-f]{17}")
        self.assertRegex(text, r"from the kill to a whole, healthy group +\d+\.\d s")
        return text

    def test_the_demo(self):
        with Kiln(machines="local") as kiln:
            environment = kiln.environ(KILN=str(BINARY), KILN_STATE_DIR=str(kiln.state))
            # Two beside each other, from nothing: one bakes and deploys, the other finds it done;
            # each sees a machine die and come back.
            both = [self.heals(demo) for demo in [start(environment), start(environment)]]
            self.assertEqual(sum("nothing changed since the last bake" in text for text in both), 1, both)
            url = re.search(r"The shop: +(\S+)", both[0])[1]
            self.assertIn(url, kiln.cli("status").stdout)
            self.shops(url)
            self.assertIn(f'export KILN_STATE_DIR="{kiln.state}"', both[0])

            # What does not happen is not told as done.
            status, text = finish(start({**environment, "KILN": "/bin/false"}))
            self.assertEqual(status, 1, text)
            self.assertIn("cannot kill", text)
            self.assertNotIn("Done.", text)
            group = kiln.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]["AutoScalingGroupName"]
            kiln.client("autoscaling").suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["Launch"])
            healing = start({**environment, "SECURECART_HEAL_SECONDS": "5"})
            status, text = finish(healing)
            self.assertEqual(status, 1, text)
            self.assertIn("the group to heal: not within 5 s", text)
            cfn = kiln.client("cloudformation")
            cfn.delete_stack(StackName="securecart")
            wait_for("the stack to be gone", lambda: all(s["StackStatus"] == "DELETE_COMPLETE" for s in cfn.list_stacks()["StackSummaries"]), 120)
            self.assertEqual(kiln.status()["machines"], [])

    def test_without_a_kiln_it_fails_and_says_so(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        status, text = finish(start(environment))
        self.assertEqual(status, 1, text)
        self.assertIn('eval "$(kiln env)"', text)
        nobody = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x",
                  "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true"}
        status, text = finish(start({**environment, **nobody}))
        self.assertEqual(status, 1, text)
        self.assertIn("FAILED", text)


if __name__ == "__main__":
    unittest.main()
