"""Instances with several network interfaces, from a template: made, changed in place, removed."""
import unittest

from kiln import Kiln, wait_for

BODY = """
Parameters:
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/debian/release/12/latest/amd64}
  More: {Type: Number, Default: 1}
  Keep: {Type: String, Default: "false"}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.20.0.0/16}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.20.1.0/24}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: second, VpcId: !Ref Vpc}}
  Machine:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: !Ref Image
      InstanceType: t3.small
      NetworkInterfaces:
        - {DeviceIndex: "0", SubnetId: !Ref Subnet}
        - {DeviceIndex: "1", SubnetId: !Ref Subnet, GroupSet: [!Ref Group], PrivateIpAddresses: [{Primary: true, PrivateIpAddress: 10.20.1.50}, {Primary: false, PrivateIpAddress: 10.20.1.51}]}
  Card:
    Type: AWS::EC2::NetworkInterface
    Properties:
      SubnetId: !Ref Subnet
      GroupSet: [!Ref Group]
      SecondaryPrivateIpAddressCount: !Ref More
  Plugged:
    Type: AWS::EC2::NetworkInterfaceAttachment
    Properties: {InstanceId: !Ref Machine, NetworkInterfaceId: !Ref Card, DeviceIndex: "2", DeleteOnTermination: !Ref Keep}
Outputs:
  Machine: {Value: !Ref Machine}
  Card: {Value: !Ref Card}
  Plugged: {Value: !GetAtt Plugged.AttachmentId}
  Others: {Value: !Join [",", !GetAtt Card.SecondaryPrivateIpAddresses]}
"""


class Interfaces(unittest.TestCase):
    def test_a_stack_with_several_interfaces(self):
        kiln = self.enterContext(Kiln(machines="sim"))
        cloudformation, ec2 = kiln.client("cloudformation"), kiln.client("ec2")

        def outputs():
            stack = cloudformation.describe_stacks(StackName="cards")["Stacks"][0]
            return stack["StackStatus"], {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

        def card(out):
            return ec2.describe_network_interfaces(NetworkInterfaceIds=[out["Card"]])["NetworkInterfaces"][0]

        quick = {"Delay": 1, "MaxAttempts": 60}
        cloudformation.create_stack(StackName="cards", TemplateBody=BODY)
        cloudformation.get_waiter("stack_create_complete").wait(StackName="cards", WaiterConfig=quick)
        _, out = outputs()
        machine = ec2.describe_instances(InstanceIds=[out["Machine"]])["Reservations"][0]["Instances"][0]
        second, third = machine["NetworkInterfaces"][1:]
        self.assertEqual([one["PrivateIpAddress"] for one in second["PrivateIpAddresses"]], ["10.20.1.50", "10.20.1.51"])
        self.assertEqual([group["GroupName"] for group in second["Groups"]], [g["GroupName"] for g in third["Groups"]])
        self.assertEqual((third["Attachment"]["AttachmentId"], third["Attachment"]["Status"]), (out["Plugged"], "attached"))
        self.assertEqual((third["Attachment"]["DeviceIndex"], third["Attachment"]["DeleteOnTermination"]), (2, False))
        self.assertEqual(len(card(out)["PrivateIpAddresses"]), 2)

        # Both change in place: the same interface, the same attachment.
        changed = [{"ParameterKey": "More", "ParameterValue": "3"}, {"ParameterKey": "Keep", "ParameterValue": "true"}]
        cloudformation.update_stack(StackName="cards", UsePreviousTemplate=True, Parameters=changed)
        cloudformation.get_waiter("stack_update_complete").wait(StackName="cards", WaiterConfig=quick)
        _, after = outputs()
        self.assertEqual((after["Card"], after["Plugged"]), (out["Card"], out["Plugged"]))
        self.assertEqual(len(after["Others"].split(",")), 3)
        self.assertIn(out["Others"], after["Others"], "the address it had stays")
        self.assertTrue(card(after)["Attachment"]["DeleteOnTermination"])

        # An interface that cannot be attached fails the update, and everything goes back.
        taken = BODY.replace('DeviceIndex: "2"', 'DeviceIndex: "1"')
        cloudformation.update_stack(StackName="cards", TemplateBody=taken, Parameters=changed)
        wait_for("the update to go back", lambda: outputs()[0] == "UPDATE_ROLLBACK_COMPLETE")
        events = cloudformation.describe_stack_events(StackName="cards")["StackEvents"]
        reasons = [event.get("ResourceStatusReason", "") for event in events if event["LogicalResourceId"] == "Plugged"]
        self.assertTrue(any("already has an interface attached at device index '1'" in reason for reason in reasons), reasons)
        # The type is replaced by removing the old one first, so what goes back is a new attachment.
        back = card(out)["Attachment"]
        self.assertEqual((back["InstanceId"], back["DeviceIndex"], back["Status"]), (out["Machine"], 2, "attached"))

        cloudformation.delete_stack(StackName="cards")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="cards", WaiterConfig=quick)
        left = ec2.describe_network_interfaces(Filters=[{"Name": "network-interface-id", "Values": [out["Card"]]}])
        self.assertEqual(left["NetworkInterfaces"], [])


if __name__ == "__main__":
    unittest.main()
