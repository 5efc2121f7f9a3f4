"""What people do with stacks from the command line: deploy, package, share values, look first, wait."""
import json
import pathlib
import unittest

from kiln import wait_for
from stacks import Stacks

NOTE = "Resources: {N: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: %s}}}"
LOOPS = """
Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList, Default: "red,green"}}
Resources:
  Fn::ForEach::Notes:
    - Name
    - !Ref Names
    - Note${Name}: {Type: AWS::SSM::Parameter, Properties: {Name: !Sub "/loops/${Name}", Type: String, Value: !ToJsonString {is: !Ref Name, of: !Length {Ref: Names}}}}
"""


# In the form in which the AWS CDK writes templates: JSON, looked-up parameters, a rule, and what it was made of.
CDK = {
    "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/made/version"}},
    "Rules": {
        "CheckBootstrapVersion": {
            "Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "BootstrapVersion"}]}]}, "AssertDescription": "too old"}],
        }
    },
    "Conditions": {"CDKMetadataAvailable": {"Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, region]} for region in ("us-east-1", "eu-west-1")]}},
    "Resources": {
        "Note9D21A5F3": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": "a", "Name": "/cdk/note"},
            "Metadata": {"aws:cdk:path": "Shop/Note/Resource"},
        },
        "CDKMetadata": {
            "Type": "AWS::CDK::Metadata",
            "Properties": {"Analytics": "v2:deflate64:made"},
            "Condition": "CDKMetadataAvailable",
        },
    },
}


GROUP = """
Parameters: {Image: {Type: AWS::EC2::Image::Id}}
Resources:
  Template: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: !Ref Image, InstanceType: t3.micro}}}
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties: {MinSize: 1, MaxSize: 1, AvailabilityZones: !GetAZs '', LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}}
"""


class Flows(Stacks):
    def create(self, name, body, **more):
        stack = self.cfn.create_stack(StackName=name, TemplateBody=body, **more)["StackId"]
        self.assertEqual(self.settled(stack), "CREATE_COMPLETE")
        return stack

    def test_a_security_group_without_a_vpc_is_named(self):
        body = """
Parameters: {Port: {Type: Number, Default: 80}}
Resources:
  G: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: g, SecurityGroupIngress: [{IpProtocol: tcp, FromPort: !Ref Port, ToPort: !Ref Port, CidrIp: 0.0.0.0/0}], Tags: [{Key: p, Value: !Ref Port}]}}
  In: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupName: !Ref G, IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 10.0.0.0/8}}
Outputs: {Name: {Value: !Ref G}, Id: {Value: !GetAtt G.GroupId}}
"""
        ec2 = self.kiln.client("ec2")
        self.create("bare", body)
        outputs = {o["OutputKey"]: o["OutputValue"] for o in self.cfn.describe_stacks(StackName="bare")["Stacks"][0]["Outputs"]}
        group = lambda: ec2.describe_security_groups(GroupIds=[outputs["Id"]])["SecurityGroups"][0]
        self.assertEqual(outputs["Name"], group()["GroupName"])
        self.assertTrue(outputs["Name"].startswith("bare-G-") and outputs["Id"].startswith("sg-"))
        self.assertEqual(sorted(rule["FromPort"] for rule in group()["IpPermissions"]), [22, 80])
        self.cfn.update_stack(StackName="bare", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Port", "ParameterValue": "81"}])
        self.assertEqual(self.settled("bare"), "UPDATE_COMPLETE")
        self.assertEqual(sorted(rule["FromPort"] for rule in group()["IpPermissions"]), [22, 81])
        self.assertIn({"Key": "p", "Value": "81"}, group()["Tags"])
        self.cfn.delete_stack(StackName="bare")
        self.cfn.get_waiter("stack_delete_complete").wait(StackName="bare", WaiterConfig={"Delay": 1})
        self.assertEqual(self.refused(group)[0], "InvalidGroup.NotFound")

    def test_values_in_use_by_others_are_kept(self):
        shares = NOTE % "%s" + "\nOutputs: {N: {Value: !GetAtt N.Value, Export: {Name: shared}}}"
        self.create("gives", shares % "a")
        self.create("takes", NOTE % "!ImportValue shared")
        self.assertEqual([e["Name"] for e in self.cfn.list_exports()["Exports"]], ["shared"])
        self.assertEqual(self.cfn.list_imports(ExportName="shared")["Imports"], ["takes"])
        self.assertEqual(self.refused(self.cfn.delete_stack, StackName="gives"), ("ValidationError", "Export shared cannot be deleted as it is in use by takes"))
        self.cfn.update_stack(StackName="gives", TemplateBody=shares % "b")
        self.assertEqual(self.settled("gives"), "UPDATE_ROLLBACK_COMPLETE")
        reasons = [e.get("ResourceStatusReason") for e in self.cfn.describe_stack_events(StackName="gives")["StackEvents"]]
        self.assertIn("Export shared cannot be updated as it is in use by takes", reasons)
        self.assertEqual(self.cfn.list_exports()["Exports"][0]["Value"], "a")
        self.cfn.create_stack(StackName="third", TemplateBody=NOTE % "!ImportValue nothing")
        self.assertEqual(self.settled("third"), "ROLLBACK_COMPLETE")
        reasons = [e.get("ResourceStatusReason") for e in self.cfn.describe_stack_events(StackName="third")["StackEvents"]]
        self.assertIn("No export named nothing found. Rollback requested by user.", reasons)
        self.cfn.delete_stack(StackName="takes")
        self.cfn.get_waiter("stack_delete_complete").wait(StackName="takes", WaiterConfig={"Delay": 1})
        self.cfn.delete_stack(StackName="gives")
        self.cfn.get_waiter("stack_delete_complete").wait(StackName="gives", WaiterConfig={"Delay": 1})

    def test_an_update_is_not_blamed_for_what_failed_before(self):
        ec2, asg = self.kiln.client("ec2"), self.kiln.client("autoscaling")
        base = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        image = ec2.copy_image(Name="gone", SourceImageId=base, SourceRegion="us-east-1")["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})
        stack = self.create("healed", GROUP, Parameters=[{"ParameterKey": "Image", "ParameterValue": image}])
        group = self.cfn.describe_stack_resource(StackName="healed", LogicalResourceId="Group")["StackResourceDetail"]["PhysicalResourceId"]
        show = lambda: asg.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]["Instances"]
        # Its image goes, and then its machine: no launch succeeds any more.
        ec2.deregister_image(ImageId=image)
        ec2.terminate_instances(InstanceIds=[show()[0]["InstanceId"]])
        failed = lambda: [a for a in asg.describe_scaling_activities(AutoScalingGroupName=group)["Activities"] if a["StatusCode"] == "Failed"]
        wait_for("three launches to fail", lambda: len(failed()) >= 3)
        self.cfn.update_stack(StackName="healed", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Image", "ParameterValue": base}])
        self.assertEqual(self.settled("healed"), "UPDATE_COMPLETE")
        self.assertEqual([i["LifecycleState"] for i in show()], ["InService"])
        self.cfn.delete_stack(StackName="healed")
        self.assertEqual(self.settled(stack), "DELETE_COMPLETE")

    def test_a_template_of_the_cdk(self):
        self.ssm.put_parameter(Name="/cdk-bootstrap/made/version", Value="2", Type="String")
        self.assertIn("too old", self.refused(self.cfn.create_stack, StackName="cdk", TemplateBody=json.dumps(CDK))[1])
        self.ssm.put_parameter(Name="/cdk-bootstrap/made/version", Value="21", Type="String", Overwrite=True)
        stack = self.create("cdk", json.dumps(CDK))
        kinds = {r["LogicalResourceId"]: r["ResourceType"] for r in self.cfn.describe_stack_resources(StackName="cdk")["StackResources"]}
        self.assertEqual(kinds, {"Note9D21A5F3": "AWS::SSM::Parameter", "CDKMetadata": "AWS::CDK::Metadata"})
        # Other constructs are used: the metadata changes with them, in place.
        CDK["Resources"]["CDKMetadata"]["Properties"]["Analytics"] = "v2:deflate64:other"
        self.cfn.update_stack(StackName="cdk", TemplateBody=json.dumps(CDK))
        self.assertEqual(self.settled("cdk"), "UPDATE_COMPLETE")
        self.cfn.delete_stack(StackName="cdk")
        self.assertEqual(self.settled(stack), "DELETE_COMPLETE")

    def test_loops_are_deployed_and_change_with_their_parameter(self):
        # A change set, as `aws cloudformation deploy` makes one: nothing to acknowledge, it is looked at first.
        stack = self.cfn.create_change_set(StackName="loops", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=LOOPS)["StackId"]
        self.cfn.execute_change_set(StackName="loops", ChangeSetName="c")
        self.assertEqual(self.settled(stack), "CREATE_COMPLETE")
        self.assertEqual(self.notes(), {"red": {"is": "red", "of": 2}, "green": {"is": "green", "of": 2}})
        names = [{"ParameterKey": "Names", "ParameterValue": "red,blue,grey"}]
        self.assertEqual(
            self.refused(self.cfn.update_stack, StackName="loops", UsePreviousTemplate=True, Parameters=names),
            ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"),
        )
        self.cfn.update_stack(StackName="loops", UsePreviousTemplate=True, Parameters=names, Capabilities=["CAPABILITY_AUTO_EXPAND"])
        self.assertEqual(self.settled("loops"), "UPDATE_COMPLETE")
        self.assertEqual(self.notes(), {name: {"is": name, "of": 3} for name in ("red", "blue", "grey")})

    def notes(self):
        found = self.ssm.get_parameters_by_path(Path="/loops")["Parameters"]
        return {parameter["Name"].rsplit("/")[-1]: json.loads(parameter["Value"]) for parameter in found}

    def test_what_is_not_built_says_so(self):
        plain = self.file("plain.yaml", NOTE % "x")
        packed = str(self.folder / "packed.yaml")
        # Without anything to upload, package works.
        done = self.kiln.aws("cloudformation", "package", "--template-file", plain, "--s3-bucket", "b", "--output-template-file", packed, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.create("packed", pathlib.Path(packed).read_text())
        for more, word in [
            ({"TemplateBody": "Transform: AWS::Serverless-2016-10-31\n" + NOTE % "x"}, "AWS::Serverless-2016-10-31"),
        ]:
            code, message = self.refused(self.cfn.create_stack, StackName="not", **more)
            self.assertEqual(code, "NotImplemented")
            self.assertIn(word, message)

    def test_secrets_are_hidden_in_change_sets(self):
        body = "Parameters: {P: {Type: String, NoEcho: true}}\n" + NOTE % "!Sub 'x-${P}'"
        value = lambda text: [{"ParameterKey": "P", "ParameterValue": text}]  # noqa: E731
        self.create("quiet", body, Parameters=value("first-secret"))
        self.cfn.create_change_set(StackName="quiet", ChangeSetName="c", UsePreviousTemplate=True, Parameters=value("second-secret"))
        self.cfn.get_waiter("change_set_create_complete").wait(StackName="quiet", ChangeSetName="c")
        shown = self.cfn.describe_change_set(StackName="quiet", ChangeSetName="c", IncludePropertyValues=True)
        self.assertNotIn("secret", json.dumps(shown, default=str))
        self.assertEqual(shown["Changes"][0]["ResourceChange"]["Details"][0]["Target"]["AfterValue"], "****")
        self.cfn.execute_change_set(StackName="quiet", ChangeSetName="c")
        self.cfn.get_waiter("stack_update_complete").wait(StackName="quiet", WaiterConfig={"Delay": 1})
        events = self.cfn.describe_stack_events(StackName="quiet")["StackEvents"]
        self.assertNotIn("secret", json.dumps(events, default=str))
        name = self.cfn.describe_stack_resource(StackName="quiet", LogicalResourceId="N")["StackResourceDetail"]["PhysicalResourceId"]
        self.assertEqual(self.ssm.get_parameter(Name=name)["Parameter"]["Value"], "x-second-secret")

    def test_what_has_a_name_is_not_replaced_under_it(self):
        named = "Resources: {P: {Type: AWS::IAM::ManagedPolicy, Properties: {ManagedPolicyName: mine, Description: %s, PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: '*', Resource: '*'}]}}}}"
        capabilities = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
        self.create("named", named % "a", **capabilities)
        self.cfn.update_stack(StackName="named", TemplateBody=named % "b", **capabilities)
        self.assertEqual(self.settled("named"), "UPDATE_ROLLBACK_COMPLETE")
        reasons = [e.get("ResourceStatusReason") for e in self.cfn.describe_stack_events(StackName="named")["StackEvents"]]
        self.assertIn("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename mine and update the stack again.", reasons)
        policies = self.kiln.client("iam").list_policies(Scope="Local")["Policies"]
        self.assertEqual([policy["PolicyName"] for policy in policies], ["mine"])


if __name__ == "__main__":
    unittest.main()
