"""A new version is shipped by `aws cloudformation deploy`: instances are replaced batch by batch, a bad one goes back."""
import pathlib
import subprocess
import tempfile
import time
import unittest

from kiln import Kiln, wait_for

SHOP = """
Parameters:
  Image: {Type: AWS::EC2::Image::Id}
  Patience: {Type: String, Default: PT5M}
Resources:
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties: {LaunchTemplateData: {ImageId: !Ref Image, InstanceType: t3.micro}}
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    UpdatePolicy:
      AutoScalingRollingUpdate: {MinInstancesInService: 2, MaxBatchSize: 1, WaitOnResourceSignals: true, PauseTime: !Ref Patience}
    Properties:
      MinSize: 1
      MaxSize: 4
      DesiredCapacity: 2
      AvailabilityZones: !GetAZs ''
      LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}
Outputs: {Group: {Value: !Ref Group}}
"""


class Shop(unittest.TestCase):
    """A stack with a group, and how it is looked at."""

    MACHINES = "sim"

    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines=cls.MACHINES))
        wait_for("the base image", lambda: cls.kiln.status()["base_image"]["state"] == "ready")
        cls.cfn, cls.asg, cls.ec2 = (cls.kiln.client(name) for name in ("cloudformation", "autoscaling", "ec2"))
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.template = pathlib.Path(folder) / "shop.yaml"
        cls.template.write_text(SHOP)
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def image(self, name):
        """Another image: what is in it does not matter here."""
        made = self.ec2.copy_image(Name=name, SourceImageId=self.base, SourceRegion=self.kiln.info["region"])["ImageId"]
        self.ec2.get_waiter("image_available").wait(ImageIds=[made])
        return made

    def create(self):
        parameters = [{"ParameterKey": "Image", "ParameterValue": self.base}]
        self.cfn.create_stack(StackName="shop", TemplateBody=SHOP, Parameters=parameters)
        wait_for("the stack", lambda: self.status() == "CREATE_COMPLETE")
        self.assertEqual(list(self.serving().values()), [self.base, self.base])

    def deploy(self, image, *more):
        """Begins `aws cloudformation deploy` of an image."""
        command = ["aws", "cloudformation", "deploy", "--stack-name", "shop", "--template-file", str(self.template)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*command, "--parameter-overrides", f"Image={image}", *more], env=self.kiln.environ(), **pipes)

    def finished(self, deploy):
        out, error = deploy.communicate(timeout=120)
        self.assertEqual(deploy.returncode, 0, f"{out}{error}{self.reasons()}")

    def group(self):
        [group] = self.asg.describe_auto_scaling_groups()["AutoScalingGroups"]
        return group

    def serving(self):
        """Instances in service, by id, with their image."""
        ids = [i["InstanceId"] for i in self.group()["Instances"] if i["LifecycleState"] == "InService"]
        if not ids:
            return {}
        reservations = self.ec2.describe_instances(InstanceIds=ids)["Reservations"]
        return {i["InstanceId"]: i["ImageId"] for r in reservations for i in r["Instances"]}

    def sizes(self):
        return tuple(self.group()[name] for name in ("MinSize", "DesiredCapacity", "MaxSize"))

    def status(self):
        return self.cfn.describe_stacks(StackName="shop")["Stacks"][0]["StackStatus"]

    def reasons(self):
        """What the group's events say, oldest first."""
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName="shop")
        events = [event for page in pages for event in page["StackEvents"] if event["LogicalResourceId"] == "Group"]
        return [event.get("ResourceStatusReason", event["ResourceStatus"]) for event in reversed(events)]

    def told(self, start, since=0):
        return [reason for reason in self.reasons()[since:] if reason.startswith(start)]

    def signal(self, instance):
        self.kiln.aws(
            "cloudformation", "signal-resource", "--stack-name", "shop", "--logical-resource-id", "Group",
            "--unique-id", instance, "--status", "SUCCESS",
        )


class Shipping(Shop):
    def test_a_new_image_rolls_and_a_bad_one_goes_back(self):
        self.create()
        # A good one: each new instance says that it works, and only then the next old one goes.
        new, fewest, signalled = self.image("two"), 9, set()
        deploy = self.deploy(new)
        while deploy.poll() is None:
            serving = self.serving()
            fewest = min(fewest, len(serving))
            for instance, image in serving.items():
                if image == new and instance not in signalled and self.told("New instance(s) added")[len(signalled):]:
                    self.signal(instance)
                    signalled.add(instance)
            time.sleep(0.02)
        self.finished(deploy)
        self.assertGreaterEqual(fewest, 2, self.reasons())
        after = self.serving()
        self.assertEqual((set(after.values()), set(after), self.sizes()), ({new}, signalled, (1, 2, 4)))
        self.assertEqual(len(self.told("Received SUCCESS signal with UniqueId i-")), 2)
        batches = self.told("Terminating instance(s) [i-")
        self.assertEqual([batch.split("]")[1] for batch in batches], ["; replacing with 1 new instance(s).", "; replacing with 0 new instance(s)."])
        # A bad one says nothing: nobody who works goes for it. (`deploy` itself looks again only after half a minute.)
        bad, since, fewest, seen = self.image("three"), len(self.reasons()), 9, set()
        self.finished(self.deploy(bad, "Patience=PT1S", "--no-execute-changeset"))
        [change_set] = [c for c in self.cfn.list_change_sets(StackName="shop")["Summaries"] if c["ExecutionStatus"] == "AVAILABLE"]
        self.cfn.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
        while self.status().endswith("IN_PROGRESS"):
            serving = self.serving()
            seen |= set(serving.values())
            fewest = min(fewest, len(serving))
            time.sleep(0.02)
        self.assertEqual(self.status(), "UPDATE_ROLLBACK_COMPLETE", self.reasons())
        self.assertGreaterEqual(fewest, 2, self.reasons())
        self.assertEqual((self.serving(), self.sizes(), seen), (after, (1, 2, 4), {new, bad}))
        failed = "Received 0 SUCCESS signal(s) out of 2.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement"
        self.assertEqual(self.told(failed, since), [failed])


class CutOff(Shop):
    """Real machines, and kiln killed in the middle."""

    MACHINES = "local"

    def test_a_rolling_update_comes_through_kills(self):
        self.create()
        new = self.image("two")
        self.cfn.update_stack(
            StackName="shop", UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": "Image", "ParameterValue": new}, {"ParameterKey": "Patience", "UsePreviousValue": True}],
        )
        signalled = set()

        def on():
            """Kills kiln after each thing that happens."""
            self.kiln.kill()
            self.kiln.start()
            for instance, image in self.serving().items():
                if image == new and instance not in signalled and self.told("New instance(s) added")[len(signalled):]:
                    self.cfn.signal_resource(StackName="shop", LogicalResourceId="Group", UniqueId=instance, Status="SUCCESS")
                    signalled.add(instance)
            return self.status() == "UPDATE_COMPLETE"

        wait_for("the update", on, seconds=120, every=0.3)
        after = self.serving()
        self.assertEqual((set(after), set(after.values()), self.sizes()), (signalled, {new}, (1, 2, 4)), self.reasons())
        reasons = self.reasons()
        self.assertEqual(len(self.told("Rolling update initiated.")), 1, reasons)
        self.assertEqual(len(self.told("Terminating instance(s)")), 2, reasons)


if __name__ == "__main__":
    unittest.main()
