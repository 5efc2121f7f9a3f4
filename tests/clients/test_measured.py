"""What kiln measures of itself: a load balancer's 5xx become a metric, an alarm, a topic's message, a queue's and a mail; machines' use becomes metrics.

Machines are real, and so is the time: points are told each ten seconds, how things stand each minute, so that a test
waits a minute for some of them.
"""
import datetime
import http.client
import json
import unittest

from images import imported
from kiln import Kiln, wait_for
from test_sns_delivery import bodies, queue

SERVICES = "cloudwatch elbv2 ec2"

# A web server whose page /cgi-bin/broken answers 500, and that is busy now and then.
SERVER = ["/bin/busybox", "sh", "-c", """
b=/bin/busybox
$b mkdir -p /www/cgi-bin
$b printf '#!/bin/busybox sh\\nprintf "Status: 500 Broken\\\\r\\\\nContent-Type: text/plain\\\\r\\\\n\\\\r\\\\nbroken"\\n' > /www/cgi-bin/broken
$b chmod 755 /www/cgi-bin/broken
$b dd if=/dev/zero of=/filled bs=1M count=8 2>/dev/null
(while true; do $b seq 200000 > /dev/null; $b sleep 0.2; done) &
exec $b httpd -f -p 8080 -h /www
"""]


def ask(port, host, path):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request("GET", path, headers={"Host": host})
        answer = link.getresponse()
        return answer.status, answer.read()
    finally:
        link.close()


class Measured(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.ec2, cls.elb, cls.cw = (cls.kiln.client(name) for name in ("ec2", "elbv2", "cloudwatch"))
        cls.sns = cls.kiln.client("sns")
        cls.image = imported(cls.kiln, command=SERVER)
        cls.start = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
        cls.vpc = cls.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        subnets = cls.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [cls.vpc]}])["Subnets"]
        cls.subnets = sorted((s["AvailabilityZone"], s["SubnetId"]) for s in subnets)[:2]
        everyone = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9000, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        cls.open = cls.ec2.create_security_group(GroupName="open", Description="open", VpcId=cls.vpc)["GroupId"]
        cls.ec2.authorize_security_group_ingress(GroupId=cls.open, IpPermissions=everyone)
        cls.machines = []
        for detailed, (_, subnet) in zip((True, False), cls.subnets):
            made = cls.ec2.run_instances(ImageId=cls.image, MinCount=1, MaxCount=1, InstanceType="t3.micro", SecurityGroupIds=[cls.open], SubnetId=subnet, Monitoring={"Enabled": detailed})
            cls.machines.append(made["Instances"][0]["InstanceId"])
        cls.ec2.get_waiter("instance_running").wait(InstanceIds=cls.machines, WaiterConfig={"Delay": 1})

    def points(self, namespace, name, dimensions, statistic="Sum"):
        """A statistic of each minute since the test began."""
        metric = {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()]}
        query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}}
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1)
        return self.cw.get_metric_data(MetricDataQueries=[query], StartTime=self.start, EndTime=end)["MetricDataResults"][0]["Values"]

    def mails(self):
        return json.loads(self.kiln.cli("mail", "--json").stdout)["mails"]

    def confirm(self, topic):
        """Follows the link in the mailbox, as its owner would."""
        def link():
            for mail in self.mails():
                if "Token=" in mail["body"]:
                    return mail["body"].split("Token=")[1].split("&")[0].split()[0]

        self.sns.confirm_subscription(TopicArn=topic, Token=wait_for("the mail with the link", link))

    def test_a_burning_machine_becomes_a_mail(self):
        elb, cw = self.elb, self.cw
        topic = self.sns.create_topic(Name="ops")["TopicArn"]
        url, arn = queue(self.kiln, "ops", topic)
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
        self.confirm(topic)

        balancer = elb.create_load_balancer(Name="web", Subnets=[s for _, s in self.subnets], SecurityGroups=[self.open])["LoadBalancers"][0]
        lb, host = balancer["LoadBalancerArn"], balancer["DNSName"]
        group = elb.create_target_group(Name="web", Protocol="HTTP", Port=8080, VpcId=self.vpc, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2)["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": i} for i in self.machines])
        listener = elb.create_listener(LoadBalancerArn=lb, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])["Listeners"][0]["ListenerArn"]
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
        elb.create_rule(ListenerArn=listener, Priority=1, Conditions=[{"Field": "path-pattern", "Values": ["/closed"]}], Actions=[fixed])
        elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

        named = {"LoadBalancer": lb.split("loadbalancer/")[1]}
        grouped = {**named, "TargetGroup": group.split(":")[-1]}
        cw.put_metric_alarm(
            AlarmName="errors", Namespace="AWS/ApplicationELB", MetricName="HTTPCode_Target_5XX_Count", Dimensions=[{"Name": n, "Value": v} for n, v in named.items()],
            Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanOrEqualToThreshold", TreatMissingData="notBreaching", AlarmActions=[topic],
        )
        wait_for("the alarm to be OK", lambda: cw.describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]["StateValue"] == "OK", 70)

        # What answers well, answers badly, and what no machine is asked for.
        self.assertEqual({ask(self.kiln.port, host, "/")[0] for _ in range(8)}, {200})
        self.assertEqual({ask(self.kiln.port, host, "/cgi-bin/broken") for _ in range(6)}, {(500, b"broken")})
        self.assertEqual({ask(self.kiln.port, host, "/closed")[0] for _ in range(3)}, {503})

        told = json.loads(json.loads(bodies(self.kiln, url, 1, 60)[0])["Message"])
        self.assertEqual((told["AlarmName"], told["NewStateValue"], told["Trigger"]["MetricName"]), ("errors", "ALARM", "HTTPCode_Target_5XX_Count"))
        mail = wait_for("the mail", lambda: [each for each in self.mails() if each["subject"].startswith('ALARM: "errors"')])[0]
        self.assertIn("HTTPCode_Target_5XX_Count", mail["body"])

        # Every request is counted once, under each of the documented dimensions.
        def counts(name, dimensions):
            return sum(self.points("AWS/ApplicationELB", name, dimensions))

        wait_for("all requests to be counted", lambda: counts("RequestCount", named) == 14, 30)
        for name, expected in [("RequestCount", 14), ("HTTPCode_Target_2XX_Count", 8), ("HTTPCode_Target_5XX_Count", 6)]:
            zones = [{"AvailabilityZone": zone} for zone, _ in self.subnets]
            self.assertEqual([counts(name, named), counts(name, grouped)], [expected] * 2, name)
            for of in (named, grouped):
                self.assertEqual(sum(counts(name, {**of, **zone}) for zone in zones), expected, name)
        self.assertEqual(counts("RequestCountPerTarget", {"TargetGroup": grouped["TargetGroup"]}), 7)
        for name in ("HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_503_Count", "HTTP_Fixed_Response_Count"):
            self.assertEqual(counts(name, named), 3, name)
        self.assertEqual(counts("RuleEvaluations", named), 17)
        self.assertGreater(counts("ProcessedBytes", named), 17 * 100)
        self.assertEqual(sum(self.points("AWS/ApplicationELB", "TargetResponseTime", named, "SampleCount")), 14)
        slowest = max(self.points("AWS/ApplicationELB", "TargetResponseTime", grouped, "p99"))
        self.assertTrue(0 < slowest < 10, slowest)
        listed = {m["MetricName"] for page in cw.get_paginator("list_metrics").paginate(Namespace="AWS/ApplicationELB") for m in page["Metrics"]}
        self.assertFalse(listed & {"HTTPCode_Target_4XX_Count", "HTTPCode_ELB_4XX_Count", "TargetConnectionErrorCount", "RejectedConnectionCount"}, "nothing is told of what was not")

        # The topic is measured too: what was published, and what reached the queue and the mailbox.
        told = lambda name, statistic="Sum": sum(self.points("AWS/SNS", name, {"TopicName": "ops"}, statistic))  # noqa: E731
        wait_for("what the topic did", lambda: told("NumberOfNotificationsDelivered") >= 3, 30)
        self.assertGreaterEqual(told("NumberOfMessagesPublished"), 1)
        self.assertGreater(told("PublishSize", "Maximum"), 100)
        self.assertFalse(cw.list_metrics(Namespace="AWS/SNS", MetricName="NumberOfNotificationsFailed")["Metrics"])

        # How things stand is told once a minute.
        healthy = wait_for("healthy hosts", lambda: [v for v in self.points("AWS/ApplicationELB", "HealthyHostCount", grouped, "Maximum") if v == 2], 80)
        self.assertTrue(healthy)
        self.assertIn(0, self.points("AWS/ApplicationELB", "UnHealthyHostCount", grouped, "Minimum"))

    def test_machines_are_measured(self):
        detailed, basic = self.machines
        shown = {i["InstanceId"]: i["Monitoring"]["State"] for r in self.ec2.describe_instances(InstanceIds=self.machines)["Reservations"] for i in r["Instances"]}
        self.assertEqual(shown, {detailed: "enabled", basic: "disabled"})
        of = {"InstanceId": detailed}
        busy = wait_for("the processor's use", lambda: self.points("AWS/EC2", "CPUUtilization", of, "Average"), 130)
        self.assertTrue(all(0 < value <= 100 for value in busy), busy)
        for name in ("NetworkIn", "NetworkOut", "EBSWriteBytes", "EBSWriteOps"):
            self.assertTrue(self.points("AWS/EC2", name, of), name)
        for more in ({}, {"ImageId": self.image}, {"InstanceType": "t3.micro"}):
            self.assertTrue(self.points("AWS/EC2", "CPUUtilization", more), more)
        for machine in self.machines:
            self.assertEqual(set(wait_for("status checks", lambda machine=machine: self.points("AWS/EC2", "StatusCheckFailed", {"InstanceId": machine}, "Maximum"), 80)), {0})
            for name in ("mem_used_percent", "disk_used_percent"):
                used = self.points("CWAgent", name, {"InstanceId": machine}, "Maximum")
                self.assertTrue(used and all(0 < value < 100 for value in used), (name, used))
        minutes = datetime.datetime.now(datetime.timezone.utc)
        if minutes - self.start < datetime.timedelta(minutes=4) and self.start.minute // 5 == minutes.minute // 5:
            self.assertFalse(self.points("AWS/EC2", "CPUUtilization", {"InstanceId": basic}), "basic monitoring has no point before its five minutes are over")
        # Monitoring goes on from now on as it is asked for.
        self.assertEqual(self.ec2.monitor_instances(InstanceIds=[basic])["InstanceMonitorings"][0]["Monitoring"]["State"], "enabled")
        wait_for("the other's use", lambda: self.points("AWS/EC2", "CPUUtilization", {"InstanceId": basic}), 130)
        self.assertEqual(self.ec2.unmonitor_instances(InstanceIds=[basic])["InstanceMonitorings"][0]["Monitoring"]["State"], "disabled")
        self.assertFalse(self.cw.list_metrics(Namespace="AWS/EC2", MetricName="DiskReadOps")["Metrics"], "there are no instance store disks")


if __name__ == "__main__":
    unittest.main()
