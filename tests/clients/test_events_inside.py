"""What happens inside is an event on the default bus: instances, groups, stacks and alarms, as AWS documents them."""
import json
import unittest

from kiln import Kiln, wait_for
from test_events_delivery import ACCOUNT, Given

SERVICES = "events ec2 autoscaling cloudformation cloudwatch sqs"
STACK = {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}}}}


class Inside(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.image = cls.kiln.client("ssm").get_parameter(Name="/aws/service/debian/release/12/latest/amd64")["Parameter"]["Value"]

    def listening(self, name, source):
        """A queue that is told of all events from a source."""
        queue, events = Given(self.kiln, name), self.kiln.client("events")
        states = {"source": [source], "detail-type": [{"anything-but": "AWS API Call via CloudTrail"}]}
        events.put_rule(Name=name, EventPattern=json.dumps(states))
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": queue.arn}])
        return queue

    def come(self, queue, enough):
        """All events until some are enough."""
        got = []
        wait_for("the events", lambda: got.extend(queue.come()) or enough(got))
        return got

    def test_an_instance(self):
        queue = self.listening("machines", "aws.ec2")
        ec2 = self.kiln.client("ec2")
        id = ec2.run_instances(ImageId=self.image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[id], WaiterConfig={"Delay": 1})
        ec2.terminate_instances(InstanceIds=[id])
        states = ["pending", "running", "shutting-down", "terminated"]
        got = self.come(queue, lambda got: {event["detail"]["state"] for event in got} >= set(states))
        self.assertEqual(len(got), 4, got)
        for event in got:
            self.assertEqual((event["detail-type"], event["detail"]["instance-id"]), ("EC2 Instance State-change Notification", id))
            self.assertEqual(event["resources"], [f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{id}"])

    def test_a_call(self):
        queue, events, ssm = Given(self.kiln, "calls"), self.kiln.client("events"), self.kiln.client("ssm")
        events.put_rule(Name="calls", EventPattern=json.dumps({"source": ["aws.ssm"], "detail-type": ["AWS API Call via CloudTrail"]}))
        events.put_targets(Rule="calls", Targets=[{"Id": "1", "Arn": queue.arn}])
        ssm.put_parameter(Name="/called", Type="String", Value="v")
        ssm.get_parameter(Name="/called")
        ssm.delete_parameter(Name="/called")
        got = self.come(queue, lambda got: len(got) >= 2)
        # What only reads is told to nobody.
        self.assertEqual([event["detail"]["eventName"] for event in got], ["PutParameter", "DeleteParameter"])
        detail = got[0]["detail"]
        self.assertEqual((detail["eventSource"], detail["requestParameters"]["name"], detail["readOnly"]), ("ssm.amazonaws.com", "/called", False))

    def test_an_alarm(self):
        queue = self.listening("alarms", "aws.cloudwatch")
        cloudwatch = self.kiln.client("cloudwatch")
        cloudwatch.put_metric_alarm(AlarmName="hot", Namespace="shop", MetricName="heat", Statistic="Sum", Period=60, EvaluationPeriods=1,
                                    Threshold=1, ComparisonOperator="GreaterThanThreshold", Dimensions=[{"Name": "room", "Value": "1"}], ActionsEnabled=False)
        cloudwatch.set_alarm_state(AlarmName="hot", StateValue="ALARM", StateReason="said so")
        event = self.come(queue, lambda got: got)[0]
        self.assertEqual(event["detail-type"], "CloudWatch Alarm State Change")
        detail = event["detail"]
        self.assertEqual((detail["alarmName"], detail["state"]["value"], detail["state"]["reason"], detail["previousState"]["value"]), ("hot", "ALARM", "said so", "INSUFFICIENT_DATA"))
        stat = detail["configuration"]["metrics"][0]["metricStat"]
        self.assertEqual(stat, {"metric": {"namespace": "shop", "name": "heat", "dimensions": {"room": "1"}}, "period": 60, "stat": "Sum"})

    def test_a_stack(self):
        queue = self.listening("stacks", "aws.cloudformation")
        cloudformation = self.kiln.client("cloudformation")
        id = cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(STACK))["StackId"]
        of_stack = lambda got: [event["detail"]["status-details"]["status"] for event in got if event["detail-type"] == "CloudFormation Stack Status Change"]
        got = self.come(queue, lambda got: "CREATE_COMPLETE" in of_stack(got))
        self.assertEqual(set(of_stack(got)), {"CREATE_IN_PROGRESS", "CREATE_COMPLETE"})
        of_parameter = [event["detail"] for event in got if event["detail-type"] == "CloudFormation Resource Status Change"]
        self.assertEqual({(one["logical-resource-id"], one["resource-type"], one["stack-id"]) for one in of_parameter}, {("P", "AWS::SSM::Parameter", id)})

    def test_a_group(self):
        queue = self.listening("groups", "aws.autoscaling")
        groups = self.kiln.client("autoscaling")
        groups.create_launch_configuration(LaunchConfigurationName="l", ImageId=self.image, InstanceType="t3.micro")
        groups.create_auto_scaling_group(AutoScalingGroupName="g", LaunchConfigurationName="l", MinSize=0, MaxSize=1, DesiredCapacity=1, AvailabilityZones=["us-east-1a"],
                                         LifecycleHookSpecificationList=[{"LifecycleHookName": "h", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "NotificationMetadata": "m"}])
        hook = self.come(queue, lambda got: got)[0]
        self.assertEqual((hook["detail-type"], hook["detail"]["LifecycleHookName"], hook["detail"]["NotificationMetadata"]), ("EC2 Instance-launch Lifecycle Action", "h", "m"))
        groups.complete_lifecycle_action(AutoScalingGroupName="g", LifecycleHookName="h", LifecycleActionResult="CONTINUE", LifecycleActionToken=hook["detail"]["LifecycleActionToken"])
        launched = self.come(queue, lambda got: got)[0]
        self.assertEqual((launched["detail-type"], launched["detail"]["EC2InstanceId"]), ("EC2 Instance Launch Successful", hook["detail"]["EC2InstanceId"]))
        groups.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=0)
        gone = self.come(queue, lambda got: got)[0]
        self.assertEqual((gone["detail-type"], gone["detail"]["AutoScalingGroupName"], gone["detail"]["EC2InstanceId"]), ("EC2 Instance Terminate Successful", "g", hook["detail"]["EC2InstanceId"]))
