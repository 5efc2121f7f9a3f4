"""EventBridge Scheduler's calls by boto3, each at least once, and what comes of a schedule."""
import datetime
import json

from calls import Calls
from kiln import wait_for

SERVICES = "scheduler events sqs"
ACCOUNT = "000000000000"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:told"


class Scheduler(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scheduler = cls.kiln.client("scheduler")
        iam = cls.kiln.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole",
                 "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:*:{ACCOUNT}:schedule-group/*"}}}
        document = lambda statement: json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        cls.role = iam.create_role(RoleName="teller", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        may = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE}
        iam.put_role_policy(RoleName="teller", PolicyName="p", PolicyDocument=document(may))
        cls.sqs = cls.kiln.client("sqs")
        cls.url = cls.sqs.create_queue(QueueName="told")["QueueUrl"]

    def schedule(self, **more):
        return {"FlexibleTimeWindow": {"Mode": "OFF"}, "ScheduleExpression": "rate(5 days)",
                "Target": {"Arn": QUEUE, "RoleArn": self.role, "Input": "hello"}, **more}

    def test_groups_and_schedules(self):
        scheduler = self.scheduler
        group = scheduler.create_schedule_group(Name="g", Tags=[{"Key": "a", "Value": "1"}])["ScheduleGroupArn"]
        self.assertEqual(self.refused(scheduler.create_schedule_group, Name="g"), "ConflictException")
        self.assertEqual({one["Name"] for one in scheduler.list_schedule_groups()["ScheduleGroups"]}, {"default", "g"})
        self.assertEqual(scheduler.get_schedule_group(Name="g")["State"], "ACTIVE")
        scheduler.tag_resource(ResourceArn=group, Tags=[{"Key": "b", "Value": "2"}])
        scheduler.untag_resource(ResourceArn=group, TagKeys=["a"])
        self.assertEqual(scheduler.list_tags_for_resource(ResourceArn=group)["Tags"], [{"Key": "b", "Value": "2"}])
        arn = scheduler.create_schedule(Name="s", GroupName="g", **self.schedule(State="DISABLED"))["ScheduleArn"]
        self.assertEqual(arn, f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/g/s")
        scheduler.update_schedule(Name="s", GroupName="g", **self.schedule(
            State="DISABLED", ScheduleExpression="cron(0 10 * * ? *)", ScheduleExpressionTimezone="Europe/Berlin"))
        found = scheduler.get_schedule(Name="s", GroupName="g")
        self.assertEqual((found["ScheduleExpression"], found["ScheduleExpressionTimezone"], found["State"]), ("cron(0 10 * * ? *)", "Europe/Berlin", "DISABLED"))
        self.assertEqual([one["Name"] for one in scheduler.list_schedules(GroupName="g")["Schedules"]], ["s"])
        self.assertEqual(scheduler.list_schedules(GroupName="g", State="ENABLED")["Schedules"], [])
        scheduler.delete_schedule(Name="s", GroupName="g")
        self.assertEqual(self.refused(scheduler.get_schedule, Name="s", GroupName="g"), "ResourceNotFoundException")
        scheduler.delete_schedule_group(Name="g")
        self.assertEqual(self.refused(scheduler.get_schedule_group, Name="g"), "ResourceNotFoundException")

    def test_what_is_refused(self):
        create = self.scheduler.create_schedule
        for change, code in [({"ScheduleExpression": "rate(1 minutes)"}, "ValidationException"), ({"GroupName": "none"}, "ResourceNotFoundException"),
                             ({"ScheduleExpressionTimezone": "Mars/Olympus"}, "ValidationException")]:
            self.assertEqual(self.refused(create, Name="x", **self.schedule(**change)), code, change)
        for arn in ["arn:aws:lambda:us-east-1:000000000000:function:f", "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"]:
            self.assertEqual(self.refused(create, Name="x", **self.schedule(Target={"Arn": arn, "RoleArn": self.role})), "NotImplemented", arn)

    def test_one_time_comes_and_the_schedule_goes(self):
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        target = {"Arn": QUEUE, "RoleArn": self.role, "Input": "<aws.scheduler.scheduled-time>"}
        at = soon.strftime("%Y-%m-%dT%H:%M:%S")
        self.scheduler.create_schedule(Name="once", **self.schedule(ScheduleExpression=f"at({at})", ActionAfterCompletion="DELETE", Target=target))
        got = []
        wait_for("the time", lambda: got.extend(self.sqs.receive_message(QueueUrl=self.url).get("Messages", [])) or got)
        self.assertEqual(got[0]["Body"], at + "Z")
        wait_for("its end", lambda: not self.scheduler.list_schedules(NamePrefix="once")["Schedules"])
