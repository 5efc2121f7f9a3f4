"""A template as people write them, with every resource type: made, changed, gone back, removed."""
import http.client
import json
import unittest

import botocore.exceptions

from kiln import Kiln, wait_for

BODY = """
AWSTemplateFormatVersion: "2010-09-09"
Description: three tiers
Parameters:
  VpcCidr: {Type: String, Default: 10.20.0.0/16, AllowedPattern: '^\\d+\\.\\d+\\.\\d+\\.\\d+/\\d+$', ConstraintDescription: a CIDR}
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/debian/release/12/latest/amd64}
  Size: {Type: Number, Default: 2, MinValue: 1, MaxValue: 5}
  Env: {Type: String, Default: test, AllowedValues: [test, prod]}
  Secret: {Type: String, NoEcho: true, MinLength: 8, Default: not-to-be-told}
  Zones: {Type: "List<AWS::EC2::AvailabilityZone::Name>", Default: "us-east-1a,us-east-1b"}
Mappings:
  Types: {test: {Type: t3.micro, Ports: [80, 8080]}, prod: {Type: t3.small, Ports: [80, 443]}}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
Rules:
  ProdSize:
    RuleCondition: !Equals [!Ref Env, prod]
    Assertions: [{Assert: !Not [!Equals [!Ref Size, "1"]], AssertDescription: prod needs two}]
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref VpcCidr, EnableDnsHostnames: true, EnableDnsSupport: "true", Tags: [{Key: Name, Value: !Sub "${AWS::StackName}-vpc"}]}}
  More: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.99.0.0/16}}
  Igw: {Type: AWS::EC2::InternetGateway}
  IgwAttached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Igw}}
  PubA: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, AvailabilityZone: !Select [0, !Ref Zones], CidrBlock: !Select [0, !Cidr [!Ref VpcCidr, 4, 8]], MapPublicIpOnLaunch: true}}
  PubB: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, AvailabilityZone: !Select [1, !Ref Zones], CidrBlock: !Select [1, !Cidr [!Ref VpcCidr, 4, 8]]}}
  PrivA: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, AvailabilityZone: !Select [0, "Fn::GetAZs": ""], CidrBlock: !Select [2, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]]}}
  PubTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  PubRoute: {Type: AWS::EC2::Route, DependsOn: IgwAttached, Properties: {RouteTableId: !Ref PubTable, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Igw}}
  PubA1: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref PubA, RouteTableId: !Ref PubTable}}
  NatIp: {Type: AWS::EC2::EIP, DependsOn: IgwAttached, Properties: {Domain: vpc}}
  Nat: {Type: AWS::EC2::NatGateway, Properties: {AllocationId: !GetAtt NatIp.AllocationId, SubnetId: !Ref PubA}}
  Acl: {Type: AWS::EC2::NetworkAcl, Properties: {VpcId: !Ref Vpc}}
  AclIn: {Type: AWS::EC2::NetworkAclEntry, Properties: {NetworkAclId: !Ref Acl, RuleNumber: 100, RuleAction: allow, Protocol: 6, CidrBlock: !GetAtt Vpc.CidrBlock, PortRange: {From: 80, To: 443}}}
  AclPing: {Type: AWS::EC2::NetworkAclEntry, Properties: {NetworkAclId: !GetAtt Acl.Id, RuleNumber: 110, RuleAction: deny, Protocol: 1, CidrBlock: 0.0.0.0/0, Icmp: {Type: 8, Code: -1}}}
  AclOut: {Type: AWS::EC2::NetworkAclEntry, Properties: {NetworkAclId: !Ref Acl, RuleNumber: 100, Egress: true, RuleAction: allow, Protocol: -1, CidrBlock: 0.0.0.0/0}}
  AclOfPrivA: {Type: AWS::EC2::SubnetNetworkAclAssociation, Properties: {SubnetId: !Ref PrivA, NetworkAclId: !Ref Acl}}
  PrivTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  PrivRoute: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref PrivTable, DestinationCidrBlock: 0.0.0.0/0, NatGatewayId: !Ref Nat}}
  PrivA1: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref PrivA, RouteTableId: !Ref PrivTable}}
  LbGroup:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: lb
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: !Select [0, !FindInMap [Types, !Ref Env, Ports]], ToPort: 80, CidrIp: 0.0.0.0/0, Description: web}
        - !If [IsProd, {IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}, !Ref AWS::NoValue]
  WebGroup: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: web, VpcId: !Ref Vpc}}
  WebFromLb: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !GetAtt WebGroup.GroupId, IpProtocol: tcp, FromPort: 8080, ToPort: 8080, SourceSecurityGroupId: !GetAtt LbGroup.GroupId}}
  LbToWeb: {Type: AWS::EC2::SecurityGroupEgress, Properties: {GroupId: !GetAtt LbGroup.GroupId, IpProtocol: tcp, FromPort: 8080, ToPort: 8080, DestinationSecurityGroupId: !GetAtt WebGroup.GroupId}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]}
      Path: /app/
      ManagedPolicyArns: [!Ref Managed]
      Policies: [{PolicyName: inline, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "ssm:GetParameter", Resource: !Sub "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/*"}]}}]
      Tags: [{Key: a, Value: b}]
  Linked: {Type: AWS::IAM::ServiceLinkedRole, Properties: {AWSServiceName: autoscaling.amazonaws.com, CustomSuffix: !Ref AWS::StackName, Description: !Ref Env}}
  Managed: {Type: AWS::IAM::ManagedPolicy, Properties: {PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "ec2:Describe*", Resource: "*"}]}}}
  OnRole: {Type: AWS::IAM::Policy, Properties: {PolicyName: extra, Roles: [!Ref Role], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "ec2:*", Resource: "*"}]}}}
  OfRole: {Type: AWS::IAM::RolePolicy, Properties: {PolicyName: more, RoleName: !Ref Role, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "ec2:*", Resource: "*"}]}}}
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
  People: {Type: AWS::IAM::Group, Properties: {ManagedPolicyArns: [!Ref Managed]}}
  User: {Type: AWS::IAM::User, Properties: {Groups: [!Ref People]}}
  Other: {Type: AWS::IAM::User}
  Member: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: !Ref People, Users: [!Ref Other]}}
  Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref User}}
  OfUser: {Type: AWS::IAM::UserPolicy, Properties: {PolicyName: up, UserName: !Ref User, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:*", Resource: "*"}]}}}
  OfPeople: {Type: AWS::IAM::GroupPolicy, Properties: {PolicyName: gp, GroupName: !Ref People, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Deny, Action: "iam:*", Resource: "*"}]}}}
  Pair: {Type: AWS::EC2::KeyPair, Properties: {KeyName: !Sub "${AWS::StackName}-key", KeyType: ed25519}}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        ImageId: !Ref Image
        InstanceType: !FindInMap [Types, !Ref Env, Type]
        KeyName: !Ref Pair
        IamInstanceProfile: {Arn: !GetAtt Profile.Arn}
        SecurityGroupIds: [!Ref WebGroup]
        MetadataOptions: {HttpTokens: required}
        UserData: {"Fn::Base64": !Sub "#!/bin/sh\\necho ${Secret}\\n"}
  Lb: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Subnets: [!Ref PubA, !Ref PubB], SecurityGroups: [!Ref LbGroup], LoadBalancerAttributes: [{Key: idle_timeout.timeout_seconds, Value: "30"}]}}
  Targets: {Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {Port: 8080, Protocol: HTTP, VpcId: !Ref Vpc, HealthCheckPath: /healthz, Matcher: {HttpCode: 200-299}, TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: "5"}]}}
  Listener: {Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {LoadBalancerArn: !Ref Lb, Port: 80, Protocol: HTTP, DefaultActions: [{Type: forward, TargetGroupArn: !Ref Targets}]}}
  Rule: {Type: AWS::ElasticLoadBalancingV2::ListenerRule, Properties: {ListenerArn: !Ref Listener, Priority: 10, Conditions: [{Field: path-pattern, Values: ["/old/*"]}], Actions: [{Type: redirect, RedirectConfig: {Path: "/new/#{path}", StatusCode: HTTP_301}}]}}
  Servers: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {MinSize: "1", MaxSize: "4", DesiredCapacity: !Ref Size, VPCZoneIdentifier: [!Ref PrivA], LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}, Tags: [{Key: Name, Value: web, PropagateAtLaunch: true}]}}
  Hook: {Type: AWS::AutoScaling::LifecycleHook, Properties: {AutoScalingGroupName: !Ref Servers, LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING", DefaultResult: CONTINUE, HeartbeatTimeout: 30}}
  OldWay: {Type: AWS::AutoScaling::LaunchConfiguration, Properties: {ImageId: !Ref Image, InstanceType: t3.micro, SecurityGroups: [!Ref WebGroup]}}
  Interface: {Type: AWS::EC2::NetworkInterface, Properties: {SubnetId: !Ref PubA, GroupSet: [!Ref WebGroup], Description: spare}}
  Bastion: {Type: AWS::EC2::Instance, Properties: {ImageId: !Ref Image, InstanceType: t3.micro, SubnetId: !Ref PubA, SecurityGroupIds: [!Ref WebGroup], IamInstanceProfile: !Ref Profile}}
  BastionIp: {Type: AWS::EC2::EIP, DependsOn: IgwAttached, Properties: {Domain: vpc}}
  BastionAddress: {Type: AWS::EC2::EIPAssociation, Properties: {InstanceId: !Ref Bastion, AllocationId: !GetAtt BastionIp.AllocationId}}
  Note: {Type: AWS::SSM::Parameter, Properties: {Name: !Sub "/${AWS::StackName}/note", Type: String, Value: !Join [",", [!Ref Env, !Ref Size, !Select [1, !Split ["|", "a|b"]]]], Tags: {a: b}}}
Outputs:
  Url: {Description: the shop, Value: !Sub "http://${Lb.DNSName}/"}
  KeySecret: {Value: !GetAtt Key.SecretAccessKey}
  Address: {Value: !Ref BastionIp}
  Cond: {Condition: IsProd, Value: x}
"""
CAPABILITIES = ["CAPABILITY_IAM"]


class EveryType(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="sim"))
        cls.cfn = cls.kiln.client("cloudformation")
        cls.ec2 = cls.kiln.client("ec2")
        cls.iam = cls.kiln.client("iam")
        wait_for("the base image", lambda: cls.kiln.status()["base_image"]["state"] == "ready")

    def settled(self, name):
        def status():
            status = self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            return None if status.endswith("IN_PROGRESS") else status

        return wait_for(f"{name} to settle", status, seconds=120)

    def events(self, name):
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=name)
        return [event for page in pages for event in page["StackEvents"]]

    def failures(self, name):
        return [(e["LogicalResourceId"], e["ResourceStatusReason"]) for e in self.events(name) if e["ResourceStatus"].endswith("FAILED")]

    def ids(self, name):
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in self.cfn.describe_stack_resources(StackName=name)["StackResources"]}

    def own(self, tags):
        return {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}

    def test_a_whole_life(self):
        stack = self.cfn.create_stack(StackName="all", TemplateBody=BODY, Capabilities=CAPABILITIES, Tags=[{"Key": "team", "Value": "a"}])["StackId"]
        self.assertEqual(self.settled("all"), "CREATE_COMPLETE", self.failures("all"))
        shown = self.cfn.describe_stacks(StackName="all")["Stacks"][0]
        outputs = {o["OutputKey"]: o["OutputValue"] for o in shown["Outputs"]}
        self.assertNotIn("Cond", outputs)
        ids = self.ids("all")
        self.assertEqual(ids["BastionIp"], outputs["Address"])
        # The key really signs requests, with the rights that the template gives.
        caller = self.kiln.client("sts", aws_access_key_id=ids["Key"], aws_secret_access_key=outputs["KeySecret"]).get_caller_identity()
        self.assertTrue(caller["Arn"].endswith(f":user/{ids['User']}"), caller)
        # The secret is in the user data, and nowhere in what CloudFormation tells.
        told = json.dumps([shown, self.events("all")], default=str)
        self.assertNotIn("not-to-be-told", told)
        self.assertNotIn("bm90LXRvLWJlLXRvbG", told)
        version = self.ec2.describe_launch_template_versions(LaunchTemplateId=ids["Template"])["LaunchTemplateVersions"][0]
        self.assertTrue(version["LaunchTemplateData"]["UserData"])
        blocks = self.ec2.describe_vpcs(VpcIds=[ids["Vpc"]])["Vpcs"][0]["CidrBlockAssociationSet"]
        self.assertEqual([block["CidrBlock"] for block in blocks], ["10.20.0.0/16", "10.99.0.0/16"])
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.cfn.update_stack(StackName="all", UsePreviousTemplate=True, Capabilities=CAPABILITIES, Tags=[{"Key": "team", "Value": "a"}])
        self.assertIn("No updates are to be performed.", str(caught.exception))

        self.cfn.update_stack(
            StackName="all", UsePreviousTemplate=True, Capabilities=CAPABILITIES, Tags=[{"Key": "group", "Value": "b"}],
            Parameters=[{"ParameterKey": "Env", "ParameterValue": "prod"}],
        )
        self.assertEqual(self.settled("all"), "UPDATE_COMPLETE", self.failures("all"))
        after = self.ids("all")
        self.assertEqual(after, ids, "nothing was replaced")
        tagged = {
            "Vpc": self.ec2.describe_vpcs(VpcIds=[ids["Vpc"]])["Vpcs"][0]["Tags"],
            "Pair": self.ec2.describe_key_pairs(KeyNames=["all-key"])["KeyPairs"][0]["Tags"],
            "Role": self.iam.get_role(RoleName=ids["Role"])["Role"]["Tags"],
            "Profile": self.iam.get_instance_profile(InstanceProfileName=ids["Profile"])["InstanceProfile"]["Tags"],
            "User": self.iam.get_user(UserName=ids["User"])["User"]["Tags"],
            "Servers": self.kiln.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]["Tags"],
            "Lb": self.kiln.client("elbv2").describe_tags(ResourceArns=[ids["Lb"]])["TagDescriptions"][0]["Tags"],
            "Note": self.kiln.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId="/all/note")["TagList"],
        }
        for name, tags in tagged.items():
            self.assertEqual(self.own(tags).get("group"), "b", name)
            self.assertNotIn("team", self.own(tags), f"{name} keeps a tag that the stack has no more")
        linked = self.iam.get_role(RoleName=ids["Linked"])["Role"]
        self.assertEqual((linked["RoleName"], linked["Description"]), ("AWSServiceRoleForAutoScaling_all", "prod"))
        ports = [rule["FromPort"] for rule in self.ec2.describe_security_groups(GroupIds=[ids["LbGroup"]])["SecurityGroups"][0]["IpPermissions"]]
        self.assertEqual(sorted(ports), [80, 443])

        # A load balancer cannot move to another VPC: the update fails half way and everything goes back.
        count = len(self.events("all"))
        self.cfn.update_stack(
            StackName="all", UsePreviousTemplate=True, Capabilities=CAPABILITIES,
            Parameters=[{"ParameterKey": "Env", "UsePreviousValue": True}, {"ParameterKey": "VpcCidr", "ParameterValue": "10.21.0.0/16"}],
        )
        self.assertEqual(self.settled("all"), "UPDATE_ROLLBACK_COMPLETE", self.failures("all"))
        self.assertGreater(len(self.events("all")), count)
        back = self.ids("all")
        anew = {name for name in ids if back[name] != ids[name]}
        # Of these there cannot be two, so they were removed first and came back anew.
        self.assertLessEqual(anew, {"PubA1", "PrivA1", "AclOfPrivA", "IgwAttached", "BastionAddress"})
        mine = [{"Name": "tag:aws:cloudformation:stack-name", "Values": ["all"]}]
        self.assertEqual([vpc["VpcId"] for vpc in self.ec2.describe_vpcs(Filters=mine)["Vpcs"]], [ids["Vpc"]])

        self.cfn.delete_stack(StackName="all")
        self.assertEqual(self.settled(stack), "DELETE_COMPLETE", self.failures(stack))
        left = [
            self.ec2.describe_vpcs(Filters=mine)["Vpcs"], self.ec2.describe_addresses()["Addresses"],
            self.ec2.describe_network_interfaces()["NetworkInterfaces"], self.ec2.describe_key_pairs()["KeyPairs"],
            self.iam.list_users()["Users"], self.iam.list_groups()["Groups"], self.iam.list_policies(Scope="Local")["Policies"],
            self.iam.list_roles()["Roles"],
        ]
        self.assertEqual(left, [[]] * len(left))

    def test_attributes_and_updates_in_place(self):
        body = """
        Parameters: {Tokens: {Type: String, Default: optional}, Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/debian/release/12/latest/amd64}}
        Resources:
          Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
          Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24}}
          Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: x, VpcId: !Ref Vpc}}
          Template: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: !Ref Image}, TagSpecifications: [{ResourceType: launch-template, Tags: [{Key: !Ref Tokens, Value: v}]}]}}
          Box: {Type: AWS::EC2::Instance, Properties: {ImageId: !Ref Image, InstanceType: t3.micro, SubnetId: !Ref Subnet, MetadataOptions: {HttpTokens: !Ref Tokens}}}
          Servers: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {MinSize: 0, MaxSize: 2, VPCZoneIdentifier: [!Ref Subnet], LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: "1"}}}
          Role: {Type: AWS::IAM::Role, Properties: {Description: !Ref Tokens, AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
        Outputs:
          Dns: {Value: !GetAtt Vpc.EnableDnsSupport}
          Public: {Value: !GetAtt Subnet.MapPublicIpOnLaunch}
          Name: {Value: !GetAtt Group.GroupName}
          Said: {Value: !GetAtt Group.GroupDescription}
          Where: {Value: !GetAtt Box.SubnetId}
          Desired: {Value: !GetAtt Servers.DesiredCapacity}
          Version: {Value: !GetAtt Servers.LaunchTemplate.Version}
        """
        self.cfn.create_stack(StackName="attributes", TemplateBody=body, Capabilities=CAPABILITIES)
        self.assertEqual(self.settled("attributes"), "CREATE_COMPLETE", self.failures("attributes"))
        ids = self.ids("attributes")
        outputs = {o["OutputKey"]: o["OutputValue"] for o in self.cfn.describe_stacks(StackName="attributes")["Stacks"][0]["Outputs"]}
        name = self.ec2.describe_security_groups(GroupIds=[ids["Group"]])["SecurityGroups"][0]["GroupName"]
        self.assertEqual(outputs, {"Dns": "true", "Public": "false", "Name": name, "Said": "x", "Where": ids["Subnet"], "Desired": "0", "Version": "1"})
        self.cfn.update_stack(StackName="attributes", UsePreviousTemplate=True, Capabilities=CAPABILITIES, Parameters=[{"ParameterKey": "Tokens", "ParameterValue": "required"}])
        self.assertEqual(self.settled("attributes"), "UPDATE_COMPLETE", self.failures("attributes"))
        self.assertEqual(self.ids("attributes"), ids, "all in place")
        box = self.ec2.describe_instances(InstanceIds=[ids["Box"]])["Reservations"][0]["Instances"][0]
        self.assertEqual(box["MetadataOptions"]["HttpTokens"], "required")
        template = self.ec2.describe_launch_templates(LaunchTemplateIds=[ids["Template"]])["LaunchTemplates"][0]
        self.assertEqual(self.own(template["Tags"]), {"required": "v"})
        self.assertEqual(self.iam.get_role(RoleName=ids["Role"])["Role"]["Description"], "required")
        stack = self.cfn.describe_stacks(StackName="attributes")["Stacks"][0]["StackId"]
        self.cfn.delete_stack(StackName="attributes")
        self.assertEqual(self.settled(stack), "DELETE_COMPLETE", self.failures(stack))

    def test_a_wait_condition_is_signaled_from_the_host(self):
        body = """
        Resources:
          Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
          Wait: {Type: AWS::CloudFormation::WaitCondition, Properties: {Handle: !Ref Handle, Timeout: "120"}}
        """
        self.cfn.create_stack(StackName="waits", TemplateBody=body)
        url = wait_for("the handle", lambda: self.ids("waits").get("Handle"))
        path = url[url.index("/cloudformation-waitcondition/"):]
        signal = json.dumps({"Status": "SUCCESS", "Reason": "done", "UniqueId": "1", "Data": "d"})

        def ask(method, path, body):
            link = http.client.HTTPConnection("127.0.0.1", self.kiln.port, timeout=20)
            self.addCleanup(link.close)
            link.request(method, path, body=body)
            return link.getresponse().status

        self.assertEqual(ask("PUT", path + "0", signal), 403)
        self.assertEqual(ask("GET", path, None), 405)
        self.assertEqual(ask("PUT", path, "not JSON"), 400)
        self.assertEqual(ask("PUT", path, "x" * (1 << 20)), 413)
        self.assertEqual(ask("PUT", path, signal), 200)
        self.assertEqual(self.settled("waits"), "CREATE_COMPLETE", self.failures("waits"))

    def test_what_still_uses_a_thing_is_told_and_does_not_hang(self):
        body = "Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}"
        self.cfn.create_stack(StackName="used", TemplateBody=body)
        self.assertEqual(self.settled("used"), "CREATE_COMPLETE")
        stack = self.cfn.describe_stacks(StackName="used")["Stacks"][0]["StackId"]
        subnet = self.ec2.create_subnet(VpcId=self.ids("used")["Vpc"], CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        self.cfn.delete_stack(StackName="used")
        waits = wait_for("kiln to say what it waits for", lambda: next((line for line in self.kiln.cli("status").stdout.splitlines() if "Vpc: " in line), None))
        self.assertIn("has dependencies and cannot be deleted", waits)
        self.ec2.delete_subnet(SubnetId=subnet)
        self.assertEqual(self.settled(stack), "DELETE_COMPLETE", self.failures(stack))


if __name__ == "__main__":
    unittest.main()
