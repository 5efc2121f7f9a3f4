"""Auto Scaling tells: topics of launches and terminations, queues of instances that wait at a hook; and counts what groups have. Simulated machines."""
import datetime
import json
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for
from test_sns_delivery import bodies, queue

SERVICES = "autoscaling"
EVENTS = ["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE", "autoscaling:EC2_INSTANCE_LAUNCH_ERROR"]


class Told(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.kiln.wait_for_base(60)
        cls.asg, cls.sns, cls.sqs, cls.cw = (cls.kiln.client(name) for name in ("autoscaling", "sns", "sqs", "cloudwatch"))
        image = cls.kiln.client("ec2").describe_images(Owners=["self", "amazon"])["Images"][0]["ImageId"]
        cls.kiln.client("ec2").create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"})

    def group(self, name, **more):
        template = {"LaunchTemplateName": "web", "Version": "$Latest"}
        self.asg.create_auto_scaling_group(AutoScalingGroupName=name, LaunchTemplate=template, MinSize=0, MaxSize=4, DesiredCapacity=0, AvailabilityZones=["us-east-1a"], **more)

    def in_service(self, name, count):
        def instances():
            found = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]["Instances"]
            serving = [i["InstanceId"] for i in found if i["LifecycleState"] == "InService"]
            return len(serving) == count and len(found) == count and (serving or True)

        return wait_for(f"{count} in service", instances, 60)

    def test_a_topic_is_told_of_launches_and_terminations(self):
        topic = self.sns.create_topic(Name="told")["TopicArn"]
        url, arn = queue(self.kiln, "told", topic)
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.group("told")
        self.asg.put_notification_configuration(AutoScalingGroupName="told", TopicARN=topic, NotificationTypes=EVENTS)
        envelope = json.loads(bodies(self.kiln, url, 1)[0])
        test = json.loads(envelope["Message"])
        self.assertEqual((test["Event"], test["AutoScalingGroupName"], test["AccountId"]), ("autoscaling:TEST_NOTIFICATION", "told", "000000000000"))
        self.assertEqual(envelope["Subject"], 'Auto Scaling: test notification for group "told"')
        shown = self.asg.describe_notification_configurations(AutoScalingGroupNames=["told"])["NotificationConfigurations"]
        self.assertEqual(sorted(each["NotificationType"] for each in shown), sorted(EVENTS))
        pages = self.asg.get_paginator("describe_notification_configurations").paginate(PaginationConfig={"PageSize": 1})
        self.assertEqual([each["TopicARN"] for page in pages for each in page["NotificationConfigurations"]], [topic] * 3)

        self.asg.set_desired_capacity(AutoScalingGroupName="told", DesiredCapacity=1)
        (instance,) = self.in_service("told", 1)
        launch = json.loads(json.loads(bodies(self.kiln, url, 1)[0])["Message"])
        activity = self.asg.describe_scaling_activities(AutoScalingGroupName="told")["Activities"][0]
        self.assertEqual((launch["Event"], launch["EC2InstanceId"], launch["StatusCode"]), (EVENTS[0], instance, "Successful"))
        self.assertEqual((launch["ActivityId"], launch["Cause"], launch["Description"]), (activity["ActivityId"], activity["Cause"], activity["Description"]))
        self.assertEqual(launch["Details"]["Availability Zone"], "us-east-1a")

        self.asg.set_desired_capacity(AutoScalingGroupName="told", DesiredCapacity=0)
        end = json.loads(json.loads(bodies(self.kiln, url, 1)[0])["Message"])
        self.assertEqual((end["Event"], end["EC2InstanceId"]), (EVENTS[1], instance))
        # Nobody is told any more.
        self.asg.delete_notification_configuration(AutoScalingGroupName="told", TopicARN=topic)
        self.asg.set_desired_capacity(AutoScalingGroupName="told", DesiredCapacity=1)
        self.in_service("told", 1)
        self.assertEqual(self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []), [])
        self.assertEqual(self.asg.describe_notification_configurations()["NotificationConfigurations"], [])

    def test_a_queue_is_told_of_who_waits_at_a_hook(self):
        arn = "arn:aws:sqs:us-east-1:000000000000:hooks"
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "autoscaling.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]}
        url = self.sqs.create_queue(QueueName="hooks", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
        self.group("hooked")
        self.asg.put_lifecycle_hook(
            AutoScalingGroupName="hooked", LifecycleHookName="in", LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
            NotificationTargetARN=arn, NotificationMetadata="shop", HeartbeatTimeout=300, DefaultResult="ABANDON",
        )
        self.assertEqual(json.loads(bodies(self.kiln, url, 1)[0])["Event"], "autoscaling:TEST_NOTIFICATION")
        self.asg.set_desired_capacity(AutoScalingGroupName="hooked", DesiredCapacity=1)
        told = json.loads(bodies(self.kiln, url, 1)[0])
        self.assertEqual((told["LifecycleHookName"], told["LifecycleTransition"], told["NotificationMetadata"]), ("in", "autoscaling:EC2_INSTANCE_LAUNCHING", "shop"))
        # What it says is enough to let the instance go on.
        self.asg.complete_lifecycle_action(
            AutoScalingGroupName=told["AutoScalingGroupName"], LifecycleHookName=told["LifecycleHookName"], LifecycleActionToken=told["LifecycleActionToken"],
            LifecycleActionResult="CONTINUE",
        )
        self.assertEqual(self.in_service("hooked", 1), [told["EC2InstanceId"]])

    def test_what_cannot_be_told_is_refused(self):
        self.group("refused")
        nowhere = "arn:aws:sns:us-east-1:000000000000:nowhere"
        for call, arguments, text in [
            ("put_notification_configuration", dict(TopicARN=nowhere, NotificationTypes=EVENTS), "does not exist"),
            ("put_notification_configuration", dict(TopicARN=nowhere, NotificationTypes=["autoscaling:RAIN"]), "not a valid Notification Type"),
            ("put_notification_configuration", dict(TopicARN="arn:aws:sqs:us-east-1:000000000000:q", NotificationTypes=EVENTS), "Invalid topic ARN"),
            ("put_lifecycle_hook", dict(LifecycleHookName="h", LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING", NotificationTargetARN="arn:aws:sqs:us-east-1:000000000000:none"), "does not exist"),
            ("put_lifecycle_hook", dict(LifecycleHookName="h", LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING", RoleARN="arn:aws:iam::000000000000:role/none"), "Invalid role ARN"),
            ("enable_metrics_collection", dict(Granularity="5Minute"), "granularity"),
            ("enable_metrics_collection", dict(Granularity="1Minute", Metrics=["GroupRain"]), "Invalid metric"),
        ]:
            with self.subTest(text=text):
                with self.assertRaises(botocore.exceptions.ClientError) as caught:
                    getattr(self.asg, call)(AutoScalingGroupName="refused", **arguments)
                self.assertEqual(caught.exception.response["Error"]["Code"], "ValidationError")
                self.assertIn(text, caught.exception.response["Error"]["Message"])

    def test_what_groups_have_is_told_each_minute(self):
        self.group("counted")
        self.asg.enable_metrics_collection(AutoScalingGroupName="counted", Granularity="1Minute", Metrics=["GroupMaxSize", "GroupInServiceInstances"])
        enabled = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=["counted"])["AutoScalingGroups"][0]["EnabledMetrics"]
        self.assertEqual(sorted(each["Metric"] for each in enabled), ["GroupInServiceInstances", "GroupMaxSize"])
        self.asg.set_desired_capacity(AutoScalingGroupName="counted", DesiredCapacity=2)
        self.in_service("counted", 2)

        def points(name):
            now = datetime.datetime.now(datetime.timezone.utc)
            of = [{"Name": "AutoScalingGroupName", "Value": "counted"}]
            found = self.cw.get_metric_statistics(Namespace="AWS/AutoScaling", MetricName=name, Dimensions=of, StartTime=now - datetime.timedelta(minutes=10), EndTime=now + datetime.timedelta(minutes=1), Period=60, Statistics=["Maximum"])
            return {point["Maximum"] for point in found["Datapoints"]}

        wait_for("the group's count", lambda: 2 in points("GroupInServiceInstances"), 80)
        self.assertEqual(points("GroupMaxSize"), {4})
        self.assertEqual(points("GroupMinSize"), set())
        # Queues are measured too: they are there by the time that groups are.
        url = self.sqs.create_queue(QueueName="measured")["QueueUrl"]
        self.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "x" * 10} for n in range(3)])
        got = self.sqs.receive_message(QueueUrl=url)["Messages"][0]
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])

        def queued(name, statistic):
            now = datetime.datetime.now(datetime.timezone.utc)
            of = [{"Name": "QueueName", "Value": "measured"}]
            found = self.cw.get_metric_statistics(Namespace="AWS/SQS", MetricName=name, Dimensions=of, StartTime=now - datetime.timedelta(minutes=10), EndTime=now + datetime.timedelta(minutes=1), Period=60, Statistics=[statistic])
            return sum(point[statistic] for point in found["Datapoints"])

        wait_for("what was sent", lambda: queued("NumberOfMessagesSent", "Sum") == 3, 30)
        self.assertEqual((queued("NumberOfMessagesReceived", "Sum"), queued("NumberOfMessagesDeleted", "Sum")), (1, 1))
        self.assertEqual((queued("SentMessageSize", "Sum"), queued("SentMessageSize", "SampleCount")), (30, 3))
        wait_for("what it holds", lambda: queued("ApproximateNumberOfMessagesVisible", "Maximum") >= 2, 80)
        self.assertGreater(queued("ApproximateAgeOfOldestMessage", "Maximum"), 0)


if __name__ == "__main__":
    unittest.main()
