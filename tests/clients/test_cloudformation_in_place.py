"""Every property that can change in place: changed, changed back, and gone back to when an update fails half way."""
import json
import re
import unittest

from kiln import Kiln, wait_for

BODY = """
Parameters:
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/debian/release/12/latest/amd64}
  M: {Type: String, Default: a}
Conditions: {B: !Equals [!Ref M, b]}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16, EnableDnsHostnames: !If [B, true, false], EnableDnsSupport: true, Tags: [{Key: x, Value: !Ref M}]}}
  Igw: {Type: AWS::EC2::InternetGateway}
  Att: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Igw}}
  S1: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24, AvailabilityZone: us-east-1a, MapPublicIpOnLaunch: !If [B, true, false]}}
  S2: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1b}}
  S3: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.2.0/24, AvailabilityZone: us-east-1c}}
  Rt: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Rt2: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  As: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref S1, RouteTableId: !If [B, !Ref Rt2, !Ref Rt]}}
  NatIp: {Type: AWS::EC2::EIP, DependsOn: Att, Properties: {Domain: vpc}}
  Nat: {Type: AWS::EC2::NatGateway, Properties: {AllocationId: !GetAtt NatIp.AllocationId, SubnetId: !Ref S1, Tags: [{Key: x, Value: !Ref M}]}}
  Ro: {Type: AWS::EC2::Route, DependsOn: Att, Properties: {RouteTableId: !Ref Rt, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !If [B, !Ref AWS::NoValue, !Ref Igw], NatGatewayId: !If [B, !Ref Nat, !Ref AWS::NoValue]}}
  G: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: g, VpcId: !Ref Vpc, SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0, Description: !Ref M}], SecurityGroupEgress: !If [B, [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}], !Ref AWS::NoValue]}}
  G2: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: g2, VpcId: !Ref Vpc}}
  In: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref G2, IpProtocol: tcp, FromPort: !If [B, 90, 91], ToPort: 91, CidrIp: 10.0.0.0/8}}
  In2: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref G2, IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 10.0.0.0/8, Description: !Ref M}}
  Role: {Type: AWS::IAM::Role, Properties: {MaxSessionDuration: !If [B, 7200, 3600], ManagedPolicyArns: !If [B, [!Ref MP], []], Policies: [{PolicyName: !Ref M, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "*", Resource: "*"}]}}], AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: !If [B, lambda.amazonaws.com, ec2.amazonaws.com]}, Action: "sts:AssumeRole"}]}, Tags: [{Key: !Ref M, Value: z}]}}
  Role2: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  MP: {Type: AWS::IAM::ManagedPolicy, Properties: {Users: !If [B, [!Ref U], []], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: !If [B, "ec2:*", "s3:*"], Resource: "*"}]}}}
  Pr: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!If [B, !Ref Role, !Ref Role2]]}}
  Pr2: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role2]}}
  Gr: {Type: AWS::IAM::Group, Properties: {Path: !If [B, /b/, /a/]}}
  Gr2: {Type: AWS::IAM::Group}
  U: {Type: AWS::IAM::User, Properties: {Groups: [!If [B, !Ref Gr, !Ref Gr2]], Path: !If [B, /b/, /a/]}}
  U2: {Type: AWS::IAM::User}
  UA: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: !If [B, !Ref Gr, !Ref Gr2], Users: [!Ref U2]}}
  K: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref U2, Status: !If [B, Inactive, Active]}}
  Po: {Type: AWS::IAM::Policy, Properties: {PolicyName: !Sub "p-${M}", Roles: [!If [B, !Ref Role, !Ref Role2]], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: !If [B, "ec2:*", "s3:*"], Resource: "*"}]}}}
  RP: {Type: AWS::IAM::RolePolicy, Properties: {PolicyName: rp, RoleName: !Ref Role2, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: !If [B, "ec2:*", "s3:*"], Resource: "*"}]}}}
  I: {Type: AWS::EC2::Instance, Properties: {ImageId: !Ref Image, InstanceType: !If [B, t3.small, t3.micro], SubnetId: !Ref S1, SecurityGroupIds: [!If [B, !Ref G, !Ref G2]], IamInstanceProfile: !If [B, !Ref Pr, !Ref Pr2], DisableApiTermination: false, InstanceInitiatedShutdownBehavior: !If [B, terminate, stop], SourceDestCheck: !If [B, false, true], MetadataOptions: {HttpTokens: !If [B, required, optional]}, UserData: {"Fn::Base64": !Ref M}, Tags: [{Key: !Ref M, Value: z}]}}
  Ip: {Type: AWS::EC2::EIP, DependsOn: Att, Properties: {Domain: vpc, InstanceId: !If [B, !Ref I, !Ref AWS::NoValue]}}
  Eni: {Type: AWS::EC2::NetworkInterface, Properties: {SubnetId: !Ref S1, GroupSet: [!If [B, !Ref G, !Ref G2]], Description: !Ref M, SourceDestCheck: !If [B, false, true]}}
  Lt: {Type: AWS::EC2::LaunchTemplate, Properties: {VersionDescription: !Ref M, LaunchTemplateData: {ImageId: !Ref Image, InstanceType: !If [B, t3.small, t3.micro]}}}
  Lb: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Subnets: !If [B, [!Ref S1, !Ref S2, !Ref S3], [!Ref S1, !Ref S2]], SecurityGroups: [!If [B, !Ref G, !Ref G2]], LoadBalancerAttributes: !If [B, [{Key: idle_timeout.timeout_seconds, Value: "30"}], !Ref AWS::NoValue]}}
  Tg: {Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {Port: 80, Protocol: HTTP, VpcId: !Ref Vpc, HealthCheckPath: !If [B, /b, !Ref AWS::NoValue], HealthCheckIntervalSeconds: !If [B, 10, 20], Targets: !If [B, [{Id: !Ref I, Port: 81}], [{Id: !Ref I}]], TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: !If [B, 5, 6]}]}}
  Tg2: {Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {Port: 80, Protocol: HTTP, VpcId: !Ref Vpc}}
  Li: {Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {LoadBalancerArn: !Ref Lb, Port: !If [B, 8081, 8080], Protocol: HTTP, DefaultActions: [!If [B, {Type: fixed-response, FixedResponseConfig: {StatusCode: "404"}}, {Type: forward, TargetGroupArn: !Ref Tg}]]}}
  Ru: {Type: AWS::ElasticLoadBalancingV2::ListenerRule, Properties: {ListenerArn: !Ref Li, Priority: !If [B, 20, 10], Conditions: [{Field: path-pattern, PathPatternConfig: {Values: [!Sub "/${M}"]}}], Actions: [{Type: forward, ForwardConfig: {TargetGroups: [{TargetGroupArn: !If [B, !Ref Tg, !Ref Tg2], Weight: 1}]}}]}}
  Asg: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {MinSize: !If [B, 2, 1], MaxSize: 3, Cooldown: !If [B, "20", !Ref AWS::NoValue], VPCZoneIdentifier: !If [B, [!Ref S1, !Ref S2], [!Ref S2]], LaunchTemplate: {LaunchTemplateId: !Ref Lt, Version: !GetAtt Lt.LatestVersionNumber}, TargetGroupARNs: !If [B, [!Ref Tg2], []], TerminationPolicies: !If [B, [OldestInstance], !Ref AWS::NoValue], Tags: [{Key: !Ref M, Value: z, PropagateAtLaunch: true}]}}
  Ho: {Type: AWS::AutoScaling::LifecycleHook, Properties: {AutoScalingGroupName: !Ref Asg, LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING", HeartbeatTimeout: !If [B, 40, 30], DefaultResult: CONTINUE}}
  P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Name: /in/place, Value: !Ref M, Description: !If [B, b, !Ref AWS::NoValue], Tags: {a: !Ref M}}}
"""
LATE = "  Late: {Type: AWS::EC2::Subnet, DependsOn: [%s], Properties: {VpcId: !Ref Vpc, CidrBlock: 192.168.0.0/24}}\n"
FAILING = BODY + LATE % ", ".join(re.findall(r"^  (\w+): \{Type: AWS", BODY, re.MULTILINE))
CAPABILITIES = ["CAPABILITY_IAM"]
# Moments, and names that are new with every association.
PASSING = {
    "ResponseMetadata", "LaunchTime", "AttachTime", "AttachmentId", "StateTransitionReason", "StateReason", "LastModifiedDate", "Version",
    "PolicyVersionId", "UpdateDate", "DefaultVersionId", "AssociationId", "RouteTableAssociationId", "Instances", "CreateDate", "SecurityGroupRuleId",
    "AvailableIpAddressCount", "DesiredCapacity", "UsageOperationUpdateTime",
}


def still(value):
    """A value without what passes, lists in one order."""
    if isinstance(value, dict):
        return {key: still(item) for key, item in value.items() if key not in PASSING and item not in (None, "")}
    if isinstance(value, (list, tuple)):
        return sorted((still(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True, default=str))
    return value


class InPlace(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.cfn = cls.kiln.client("cloudformation")
        wait_for("the base image", lambda: cls.kiln.status()["base_image"]["state"] == "ready")

    def settled(self):
        def status():
            status = self.cfn.describe_stacks(StackName=self.stack)["Stacks"][0]["StackStatus"]
            return None if status.endswith("IN_PROGRESS") else status

        return wait_for("the stack to settle", status, seconds=120)

    def failures(self):
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=self.stack)
        events = [event for page in pages for event in page["StackEvents"]]
        return [(e["LogicalResourceId"], e["ResourceStatusReason"]) for e in events if e["ResourceStatus"].endswith("FAILED")]

    def update(self, body, mode):
        parameters = [{"ParameterKey": "M", "ParameterValue": mode}]
        self.cfn.update_stack(StackName=self.stack, TemplateBody=body, Parameters=parameters, Capabilities=CAPABILITIES)
        return self.settled()

    def state(self):
        """All that the services say of the stack's things."""
        ec2, iam, elb = self.kiln.client("ec2"), self.kiln.client("iam"), self.kiln.client("elbv2")
        asg, ssm = self.kiln.client("autoscaling"), self.kiln.client("ssm")
        ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in self.cfn.describe_stack_resources(StackName=self.stack)["StackResources"]}
        instance = ec2.describe_instances(InstanceIds=[ids["I"]])["Reservations"][0]["Instances"][0]
        shown = ("InstanceType", "SecurityGroups", "SourceDestCheck", "MetadataOptions", "Tags", "State", "PublicIpAddress", "IamInstanceProfile")
        version = ec2.describe_launch_template_versions(LaunchTemplateId=ids["Lt"], Versions=["$Latest"])["LaunchTemplateVersions"][0]
        policy = iam.get_policy(PolicyArn=ids["MP"])["Policy"]
        health = elb.describe_target_health(TargetGroupArn=ids["Tg"])["TargetHealthDescriptions"]
        return still({
            # These two are replaced each time.
            "ids": {name: physical for name, physical in ids.items() if name not in ("In", "As", "Late")},
            "vpc": ec2.describe_vpcs(VpcIds=[ids["Vpc"]])["Vpcs"],
            "dns": ec2.describe_vpc_attribute(VpcId=ids["Vpc"], Attribute="enableDnsHostnames"),
            "subnets": ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [ids["Vpc"]]}])["Subnets"],
            "tables": ec2.describe_route_tables(RouteTableIds=[ids["Rt"], ids["Rt2"]])["RouteTables"],
            "groups": ec2.describe_security_groups(GroupIds=[ids["G"], ids["G2"]])["SecurityGroups"],
            "role": iam.get_role(RoleName=ids["Role"])["Role"],
            "inline": [iam.list_role_policies(RoleName=ids[name])["PolicyNames"] for name in ("Role", "Role2")],
            "attached": [iam.list_attached_role_policies(RoleName=ids[name])["AttachedPolicies"] for name in ("Role", "Role2")],
            "of role": iam.get_role_policy(RoleName=ids["Role2"], PolicyName="rp")["PolicyDocument"],
            "policy": [policy, iam.get_policy_version(PolicyArn=ids["MP"], VersionId=policy["DefaultVersionId"])["PolicyVersion"]["Document"]],
            "profiles": [iam.get_instance_profile(InstanceProfileName=ids[name])["InstanceProfile"] for name in ("Pr", "Pr2")],
            "users": [iam.get_user(UserName=ids[name])["User"] for name in ("U", "U2")],
            "members": {name: [g["GroupName"] for g in iam.list_groups_for_user(UserName=ids[name])["Groups"]] for name in ("U", "U2")},
            "keys": iam.list_access_keys(UserName=ids["U2"])["AccessKeyMetadata"],
            "group": iam.get_group(GroupName=ids["Gr"])["Group"],
            "instance": {name: instance.get(name) for name in shown},
            "data": ec2.describe_instance_attribute(InstanceId=ids["I"], Attribute="userData")["UserData"],
            "shutdown": ec2.describe_instance_attribute(InstanceId=ids["I"], Attribute="instanceInitiatedShutdownBehavior"),
            "addresses": ec2.describe_addresses()["Addresses"],
            "interface": ec2.describe_network_interfaces(NetworkInterfaceIds=[ids["Eni"]])["NetworkInterfaces"],
            "nat": ec2.describe_nat_gateways()["NatGateways"],
            "template": [version["LaunchTemplateData"], version["VersionDescription"]],
            "balancer": [elb.describe_load_balancers()["LoadBalancers"], elb.describe_load_balancer_attributes(LoadBalancerArn=ids["Lb"])["Attributes"]],
            "targets": [elb.describe_target_groups()["TargetGroups"], elb.describe_target_group_attributes(TargetGroupArn=ids["Tg"])["Attributes"]],
            "registered": [target["Target"] for target in health if target["TargetHealth"]["State"] != "draining"],
            "listeners": [elb.describe_listeners(LoadBalancerArn=ids["Lb"])["Listeners"], elb.describe_rules(ListenerArn=ids["Li"])["Rules"]],
            "servers": [asg.describe_auto_scaling_groups()["AutoScalingGroups"], asg.describe_lifecycle_hooks(AutoScalingGroupName=ids["Asg"])["LifecycleHooks"]],
            "parameter": ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/in/place"]}])["Parameters"],
            "value": ssm.get_parameter(Name="/in/place")["Parameter"]["Value"],
            "tags": ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/in/place")["TagList"],
        })

    def test_there_and_back(self):
        self.stack = self.cfn.create_stack(StackName="place", TemplateBody=BODY, Capabilities=CAPABILITIES)["StackId"]
        self.assertEqual(self.settled(), "CREATE_COMPLETE", self.failures())
        first = self.state()
        self.assertEqual(self.update(FAILING, "b"), "UPDATE_ROLLBACK_COMPLETE", self.failures())
        self.assertEqual([name for name, _ in self.failures()], ["Late"], "all others had changed when it failed")
        self.assertEqual(self.state(), first)
        self.assertEqual(self.update(BODY, "b"), "UPDATE_COMPLETE", self.failures())
        second = self.state()
        alike = [name for name in first if first[name] == second[name]]
        self.assertEqual(alike, ["ids"], "everything changed, and in place")
        self.assertEqual(self.update(FAILING, "a"), "UPDATE_ROLLBACK_COMPLETE", self.failures())
        self.assertEqual(self.state(), second)
        self.assertEqual(self.update(BODY, "a"), "UPDATE_COMPLETE", self.failures())
        self.assertEqual(self.state(), first)
        self.cfn.delete_stack(StackName=self.stack)
        self.assertEqual(self.settled(), "DELETE_COMPLETE", self.failures())


if __name__ == "__main__":
    unittest.main()
