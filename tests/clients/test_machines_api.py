"""The AWS API from inside a machine: signed calls with the keys of its role, and CloudFormation's
programs, which have no keys and are known by the machine's address.
"""
import json
import unittest

from kiln import Kiln, wait_for

SERVICES = "ec2 cloudformation"

KILN = None
ENDPOINT = "http://169.254.169.254:4566"

SIGNALLING = """#!/bin/sh
/opt/aws/bin/cfn-init --stack ${AWS::StackName} --resource %(resource)s --region ${AWS::Region}
/opt/aws/bin/cfn-signal --exit-code $? --stack ${AWS::StackName} --resource %(resource)s --region ${AWS::Region}
"""


def setUpModule():
    global KILN
    KILN = Kiln(machines="local")
    unittest.addModuleCleanup(KILN.close)
    KILN.with_base()


class Inside(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ec2, cls.cfn = KILN.client("ec2"), KILN.client("cloudformation")
        cls.base = cls.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def sh(self, instance, script):
        return KILN.cli("shell", instance, "--", "sh", "-c", script, check=False).stdout

    def deploy(self, name, resources):
        self.addCleanup(self.cfn.delete_stack, StackName=name)
        self.cfn.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))

        def ended():
            state = self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            return not state.endswith("_IN_PROGRESS") and state

        state = wait_for("the stack", ended, 90)
        events = [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason")) for e in self.cfn.describe_stack_events(StackName=name)["StackEvents"]]
        self.assertEqual(state, "CREATE_COMPLETE", events)
        return events

    def test_an_instance_and_a_group_signal_that_they_are_set_up(self):
        metadata = {"AWS::CloudFormation::Init": {"config": {"files": {"/etc/shop": {"content": "from-the-template\n"}}}}}
        data = lambda resource: {"Fn::Base64": {"Fn::Sub": SIGNALLING % {"resource": resource}}}  # noqa: E731
        policy = {"ResourceSignal": {"Count": 1, "Timeout": "PT1M"}}
        events = self.deploy(
            "signals",
            {
                "One": {
                    "Type": "AWS::EC2::Instance",
                    "CreationPolicy": policy,
                    "Metadata": metadata,
                    "Properties": {"ImageId": self.base, "InstanceType": "t3.micro", "UserData": data("One")},
                },
                "Template": {
                    "Type": "AWS::EC2::LaunchTemplate",
                    "Properties": {"LaunchTemplateData": {"ImageId": self.base, "InstanceType": "t3.micro", "UserData": data("Group")}},
                },
                "Group": {
                    "Type": "AWS::AutoScaling::AutoScalingGroup",
                    "CreationPolicy": policy,
                    "Metadata": metadata,
                    "Properties": {
                        "MinSize": "1",
                        "MaxSize": "1",
                        "AvailabilityZones": ["us-east-1a"],
                        "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}},
                    },
                },
            },
        )
        one = self.cfn.describe_stack_resource(StackName="signals", LogicalResourceId="One")["StackResourceDetail"]["PhysicalResourceId"]
        self.assertIn(("One", "CREATE_IN_PROGRESS", f"Received SUCCESS signal with UniqueId {one}"), events)
        self.assertTrue(any(who == "Group" and why and why.startswith("Received SUCCESS signal with UniqueId i-") for who, _, why in events), events)
        self.assertEqual(self.sh(one, "cat /etc/shop"), "from-the-template\n", "what cfn-init was told")
        # Not of this stack: nothing to read and nothing to signal.
        stranger = self.ec2.run_instances(ImageId=self.base, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]["InstanceId"]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[stranger])
        wait_for("a shell", lambda: self.sh(stranger, "echo ok") == "ok\n")
        for call in ["Action=DescribeStackResource", "Action=SignalResource&UniqueId=x&Status=SUCCESS", "Action=DeleteStack"]:
            asked = f"curl -s -d '{call}&Version=2010-05-15&StackName=signals&LogicalResourceId=One' {ENDPOINT}/"
            self.assertIn("<Code>AccessDenied</Code>", self.sh(stranger, asked))
        self.assertIn("<Code>AccessDenied</Code>", self.sh(one, f"curl -s -d 'Action=DeleteStack&StackName=signals' {ENDPOINT}/"))

    def test_a_hook_runs_when_the_stack_changes(self):
        hook = "\n".join([
            "[reloader]", "triggers=post.update", "path=Resources.One.Metadata.AWS::CloudFormation::Init",
            "action=/opt/aws/bin/cfn-init --stack ${AWS::StackName} --resource One", "runas=root",
            "[who]", "triggers=post.add", "path=Resources.One.PhysicalResourceId", "action=echo $CFN_NEW_METADATA >> /tmp/who", "runas=admin", "",
        ])
        resources = lambda text: {  # noqa: E731
            "One": {
                "Type": "AWS::EC2::Instance",
                "Metadata": {"AWS::CloudFormation::Init": {"config": {"files": {
                    "/etc/shop": {"content": text},
                    "/etc/cfn/cfn-hup.conf": {"content": {"Fn::Sub": "[main]\nstack=${AWS::StackId}\nregion=${AWS::Region}\ninterval=1\n"}, "mode": "000400"},
                    "/etc/cfn/hooks.d/cfn-auto-reloader.conf": {"content": {"Fn::Sub": hook}, "mode": "000400"},
                }}}},
                "CreationPolicy": {"ResourceSignal": {"Timeout": "PT1M"}},
                "Properties": {"ImageId": self.base, "InstanceType": "t3.micro", "UserData": {"Fn::Base64": {"Fn::Sub": SIGNALLING % {"resource": "One"}}}},
            },
        }
        self.deploy("hooked", resources("first\n"))
        one = self.cfn.describe_stack_resource(StackName="hooked", LogicalResourceId="One")["StackResourceDetail"]["PhysicalResourceId"]
        # In the background, as systemd would have it in the foreground: it looks at once, and then every minute.
        self.assertEqual(self.sh(one, "cfn-hup && echo away"), "away\n")
        wait_for("its first look", lambda: self.sh(one, "cat /tmp/who; stat -c %U /tmp/who") == f"{one}\nadmin\n")
        self.assertEqual(self.sh(one, "pgrep -c -f '[k]iln-guest cfn-hup'"), "1\n")
        self.assertEqual(self.sh(one, "cfn-hup --no-daemon; cat /etc/shop /tmp/who"), f"first\n{one}\n", "nothing changed")
        self.cfn.update_stack(StackName="hooked", TemplateBody=json.dumps({"Resources": resources("second\n")}))
        wait_for("the update", lambda: self.cfn.describe_stacks(StackName="hooked")["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE", 90)
        wait_for("the hook", lambda: self.sh(one, "cfn-hup --no-daemon; cat /etc/shop") == "second\n", 30)

    def test_a_machine_signals_a_wait_condition_by_its_url(self):
        script = "#!/bin/sh\n/opt/aws/bin/cfn-signal --exit-code 0 --data from-inside '${Handle}'\n"
        self.deploy(
            "waits",
            {
                "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
                "One": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": self.base, "InstanceType": "t3.micro", "UserData": {"Fn::Base64": {"Fn::Sub": script}}}},
                "Wait": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": "One", "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "60"}},
                "Note": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/waits", "Type": "String", "Value": {"Fn::GetAtt": ["Wait", "Data"]}}},
            },
        )
        one = self.cfn.describe_stack_resource(StackName="waits", LogicalResourceId="One")["StackResourceDetail"]["PhysicalResourceId"]
        said = KILN.client("ssm").get_parameter(Name="/waits")["Parameter"]["Value"]
        self.assertEqual(json.loads(said), {one: "from-inside"})

    def test_a_signed_call_with_the_keys_of_the_role(self):
        iam = KILN.client("iam")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        iam.create_role(RoleName="inside", AssumeRolePolicyDocument=json.dumps(trust))
        iam.create_instance_profile(InstanceProfileName="inside")
        iam.add_role_to_instance_profile(InstanceProfileName="inside", RoleName="inside")
        instance = self.ec2.run_instances(
            ImageId=self.base, MinCount=1, MaxCount=1, InstanceType="t3.micro", IamInstanceProfile={"Name": "inside"}, MetadataOptions={"HttpTokens": "optional"}
        )["Instances"][0]["InstanceId"]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[instance])
        keys = "http://169.254.169.254/latest/meta-data/iam/security-credentials/inside"
        wait_for("its keys", lambda: "AccessKeyId" in self.sh(instance, f"curl -s {keys}"))
        self.assertEqual(self.sh(instance, "echo $AWS_ENDPOINT_URL $AWS_REGION"), f"{ENDPOINT} us-east-1\n")
        # curl signs by itself.
        script = f"""
        get() {{ curl -s {keys} | python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }}
        call() {{ curl -s --aws-sigv4 aws:amz:us-east-1:$1 --user "$(get AccessKeyId):$(get SecretAccessKey)" -H "X-Amz-Security-Token: $(get Token)" -d "$2" $AWS_ENDPOINT_URL/; }}
        call sts 'Action=GetCallerIdentity&Version=2011-06-15'
        call ec2 'Action=DescribeVpcs&Version=2016-11-15'
        """
        said = self.sh(instance, script)
        self.assertIn(f":assumed-role/inside/{instance}</Arn>", said)
        self.assertIn("UnauthorizedOperation", said, "a role without policies may do nothing else")


class OpenMode(unittest.TestCase):
    def test_a_machine_is_not_let_in_with_any_keys(self):
        with Kiln(machines="local", auth="open") as kiln:
            ec2 = kiln.client("ec2")
            base = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
            instance = ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]["InstanceId"]
            ask = f"curl -sS --max-time 5 --aws-sigv4 aws:amz:us-east-1:sts --user any:keys -d 'Action=GetCallerIdentity&Version=2011-06-15' {ENDPOINT}/"
            def answered():
                done = kiln.cli("shell", instance, "--", "sh", "-c", ask, check=False)
                if done.returncode != 0:
                    raise AssertionError(f"rc {done.returncode}: {done.stderr}")
                return done.stdout

            self.assertIn("<Code>AccessDenied</Code>", wait_for("an answer", answered))


if __name__ == "__main__":
    unittest.main()
