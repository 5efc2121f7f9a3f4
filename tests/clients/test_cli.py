"""Kiln's own commands as a newcomer types them: with and without a kiln, a terminal, right arguments."""
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import time
import unittest

from images import docker_archive
from kiln import BINARY, Kiln, wait_for


def run(*arguments, state, **environment):
    command = [BINARY, "--state-dir", state, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment})


def on_a_terminal(command, seconds=60):
    """Runs the command with a terminal as all three streams; its exit status and what it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    wrote, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            wrote += part
    else:
        os.kill(pid, 9)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), wrote.decode(errors="replace")


class WithoutAKiln(unittest.TestCase):
    def setUp(self):
        self.state = self.enterContext(tempfile.TemporaryDirectory(dir="/var/tmp"))

    def test_each_command_says_how_to_start_one(self):
        for words in (["status"], ["env"], ["explain", "i-1"], ["logs"], ["logs", "--console", "i-1"], ["shell", "i-1"],
                      ["probe", "i-1", "80"], ["fault", "kill", "i-1"], ["image", "import", "/etc/hostname", "--name", "x"]):
            done = run(*words, state=self.state)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("kiln up --detach", done.stderr, words)
            self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1), words)

    def test_down_promises_nothing_for_simulated_machines(self):
        with Kiln(machines="sim") as kiln:
            ec2 = kiln.client("ec2")
            image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
            instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
            state = lambda: ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]  # noqa: E731
            wait_for("it to run", lambda: state() == "running")
            self.assertEqual(kiln.cli("down").stdout, "kiln is down, and its simulated machines are gone with it\n")
            kiln.process.wait(30)
            kiln.start()
            wait_for("it to be told", lambda: state() != "running")

    def test_down_is_content_where_no_kiln_runs(self):
        done = run("down", state=self.state)
        self.assertEqual((done.returncode, done.stdout), (0, "kiln was not running\n"))
        done = run("down", "--stop-machines", state=self.state)
        self.assertEqual((done.returncode, done.stdout), (0, "kiln was not running, and left no machines\n"))

    def test_the_log_of_a_kiln_that_never_was(self):
        done = run("logs", "--server", state=self.state)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--detach", done.stderr)

    def test_wrong_arguments_are_named(self):
        for words, named in ((["up", "--port", "99999"], "99999"), (["up", "--region", "$(id)"], "us-east-1"),
                             (["up", "--account", "12"], "twelve digits"), (["up", "--auth", "none"], "enforced"),
                             (["frob"], "frob"), (["explain"], "<WHAT>"), (["shell"], "<INSTANCE>")):
            done = run(*words, state=self.state)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(named, done.stderr)

    def test_help_explains_every_argument(self):
        for words in (["up"], ["down"], ["env"], ["status"], ["explain"], ["logs"], ["shell"], ["probe"], ["fault", "kill"], ["image", "import"]):
            text = run(*words, "--help", state=self.state).stdout
            self.assertGreater(len(text.splitlines()), 4, words)
            # "  <NAME>" and its text, on the same line or the next.
            self.assertFalse(re.search(r"^ +[<\[][A-Z]+[>\]](\.\.\.)? *\n *(\n|$|[<\[])", text, re.M), text)


class WithAKiln(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.ec2 = cls.kiln.client("ec2")
        cls.image = wait_for("the base image", lambda: (cls.ec2.describe_images(Owners=["amazon"])["Images"] or [{}])[0].get("ImageId"))

    def instance(self):
        made = self.ec2.run_instances(ImageId=self.image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
        wait_for("it to run", lambda: self.ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running")
        return made

    def explain(self, what):
        return self.kiln.cli("explain", what).stdout

    def test_explain_of_every_kind_of_thing(self):
        machine = self.instance()
        template = {"ImageId": self.image, "InstanceType": "t3.micro"}
        launch = self.ec2.create_launch_template(LaunchTemplateName="cli", LaunchTemplateData=template)["LaunchTemplate"]["LaunchTemplateId"]
        asg, elb = self.kiln.client("autoscaling"), self.kiln.client("elbv2")
        asg.create_auto_scaling_group(AutoScalingGroupName="cli", MinSize=0, MaxSize=1, LaunchTemplate={"LaunchTemplateId": launch},
                                      AvailabilityZones=["us-east-1a"])
        group = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["cli"])["AutoScalingGroups"][0]["AutoScalingGroupARN"]
        subnets = [s["SubnetId"] for s in self.ec2.describe_subnets()["Subnets"][:2]]
        balancer = elb.create_load_balancer(Name="cli", Subnets=subnets)["LoadBalancers"][0]
        targets = elb.create_target_group(Name="cli", Protocol="HTTP", Port=80, VpcId=machine["VpcId"])["TargetGroups"][0]["TargetGroupArn"]
        listener = elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=8099,
                                       DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}])["Listeners"][0]["ListenerArn"]
        body = "Resources: {P: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: x}}}"
        stack = self.kiln.client("cloudformation").create_stack(StackName="cli-stack", TemplateBody=body)["StackId"]
        instance, account = machine["InstanceId"], "000000000000"
        controllers = {
            instance: "ec2/instance", f"arn:aws:ec2:us-east-1:{account}:instance/{instance}": "ec2/instance",
            machine["PrivateIpAddress"]: "ec2/instance", group: "autoscaling/group", balancer["LoadBalancerArn"]: "elbv2/load-balancer",
            balancer["DNSName"]: "elbv2/load-balancer", listener: "elbv2/load-balancer", targets: "elbv2/target-health",
            stack: "cloudformation/stack", "cli-stack": "cloudformation/stack", machine["VpcId"]: "ec2/network",
            machine["SubnetId"]: "ec2/network", machine["SecurityGroups"][0]["GroupId"]: "ec2/network",
            machine["NetworkInterfaces"][0]["NetworkInterfaceId"]: "ec2/network",
        }
        for what, controller in controllers.items():
            text = wait_for(f"a report on {what}", lambda: self.explain(what), 20)
            self.assertIn(controller, text)
            for part in ("sees:", "wants:", "does:", "waits for:"):
                self.assertIn(part, text, what)
        self.assertIn(instance, self.explain(self.image))
        self.assertIn("available", self.explain(self.image))
        self.assertIn("default version 1", self.explain(launch))
        for unknown in ("i-12345678", "ami-12345678", "subnet-12345678", "no such thing"):
            done = self.kiln.cli("explain", unknown, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"nothing is known of {unknown}", done.stderr)

    def test_status_does_not_call_waiting_what_is_as_wanted(self):
        instance = self.instance()["InstanceId"]

        def settled():
            text = self.kiln.cli("status").stdout
            busy, _, rest = text.partition("as wanted: ")
            return instance in text and f"ec2/instance {instance}" not in busy and "ec2/instance" in rest

        wait_for("a running instance to be as wanted", settled, 20)

    def test_logs_are_of_callers_unless_all_is_asked_for_and_may_be_cut_short(self):
        self.instance()
        self.assertNotIn("aws-service-role", self.kiln.cli("logs", "-n", "2000").stdout)
        self.assertIn("RunInstances", self.kiln.cli("logs", "-n", "2000").stdout)
        self.assertEqual(len(self.kiln.cli("logs", "-n", "1", "--all").stdout.splitlines()), 1)
        piped = f"'{BINARY}' --state-dir '{self.kiln.state}' logs -n 2000; echo status $? >&2"
        done = subprocess.run(["sh", "-c", f"{{ {piped}; }} | true"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stderr, "status 0\n")

    def test_logs_tell_of_calls_before_a_restart(self):
        with Kiln() as kiln:
            kiln.client("iam").create_user(UserName="before-it")
            kiln.process.send_signal(signal.SIGTERM)
            self.assertEqual(kiln.process.wait(60), 0)
            kiln.start()
            kiln.client("iam").get_user(UserName="before-it")
            told = [line.split()[1] for line in kiln.cli("logs", "-n", "2").stdout.splitlines()]
            self.assertEqual(told, ["iam:CreateUser", "iam:GetUser"])

    def test_up_detach_beside_a_kiln_that_runs(self):
        done = self.kiln.cli("up", "--detach", "--machines", "sim")
        self.assertIn(f"already running at {self.kiln.info['endpoint']}", done.stdout)
        done = self.kiln.cli("up", "--detach", "--machines", "sim", "--port", "1", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--port 1", done.stderr)
        with tempfile.TemporaryDirectory(dir="/var/tmp") as state:
            done = run("up", "--detach", "--machines", "sim", state=state, KILN_PORT=str(self.kiln.port))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^kiln: port \d+ is in use")

    def test_an_import_shows_how_far_it_is_and_says_why_it_failed(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
            broken = os.path.join(directory, "broken.tar")
            with open(broken, "wb") as file:
                file.write(b"no archive" * 1000)
            archive = docker_archive(directory)
            with Kiln(machines="local") as kiln:
                done = kiln.cli("image", "import", broken, "--name", "broken", check=False)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, r"broken\.tar: .*tar")
                status, text = on_a_terminal([str(BINARY), "--state-dir", str(kiln.state), "image", "import", str(archive), "--name", "httpd"])
                self.assertEqual(status, 0, text)
                self.assertRegex(text, r"ami-[0-9a-f]{17}\s*$")


class Detached(unittest.TestCase):
    def test_from_nothing_to_nothing_on_a_terminal(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as state:
            up = [str(BINARY), "--state-dir", state, "up", "--detach", "--machines", "sim", "--port", "0"]
            try:
                # Two at the same time, as two demos: one starts kiln, both find it.
                first, second = subprocess.Popen(up), on_a_terminal(up)
                self.assertEqual((first.wait(60), second[0]), (0, 0), second[1])
                done = run("env", state=state)
                self.assertEqual(done.stderr, "")
                endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", done.stdout)[1]
                self.assertIn(endpoint, second[1])
                self.assertIn(endpoint, run("status", state=state).stdout)
                self.assertIn("kiln answers", run("logs", "--server", "-n", "1000", state=state).stdout)
            finally:
                self.assertEqual(run("down", "--stop-machines", state=state).returncode, 0)
            done = run("env", state=state)
            self.assertEqual(done.returncode, 0)
            self.assertIn("not running", done.stderr)


if __name__ == "__main__":
    unittest.main()
