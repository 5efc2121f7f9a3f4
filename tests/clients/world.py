"""A world of everything, small: what a state directory of an earlier kiln is made of, and what clients see of it.

`KILN_BINARY=an/older/kiln python tests/clients/world.py NAME` makes tests/states/NAME.tar.zst with that kiln; one
that is released is made once and never again. test_upgrade.py opens each with today's kiln.
"""
import datetime
import gzip
import json
import pathlib
import subprocess
import sys

from kiln import ROOT, Kiln, wait_for

STATES = ROOT / "tests" / "states"
# What belongs to the process that ran, not to its state.
LEFT_OUT = ["kiln.log", "kiln.sock", "kiln.db.lock", "machines"]
ASSUME = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
READ = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::old-*/*"}]})
TEMPLATE = """
Parameters: {Word: {Type: String, Default: written}}
Resources:
  Group: {Type: "AWS::EC2::SecurityGroup", Properties: {GroupDescription: of a stack, VpcId: !Ref Net}}
  Net: {Type: "AWS::EC2::VPC", Properties: {CidrBlock: 10.9.0.0/16}}
  Value: {Type: "AWS::SSM::Parameter", Properties: {Type: String, Name: /old/stack, Value: !Ref Word}}
Outputs:
  Net: {Value: !Ref Net, Export: {Name: old-net}}
"""


def make(kiln):
    """Makes the world."""
    ssm, s3, iam, ec2 = (kiln.client(name) for name in ("ssm", "s3", "iam", "ec2"))
    ssm.put_parameter(Name="/old/plain", Value="one", Type="String", Description="of an older kiln", Tags=[{"Key": "k", "Value": "v"}])
    ssm.put_parameter(Name="/old/plain", Value="two", Type="String", Overwrite=True)
    ssm.put_parameter(Name="/old/list", Value="a,b,c", Type="StringList")
    ssm.put_parameter(Name="/old/secret", Value="kept secret", Type="SecureString")
    s3.create_bucket(Bucket="old-plain")
    s3.put_object(Bucket="old-plain", Key="a/b.txt", Body=b"bytes of an older kiln", Metadata={"who": "ada"}, Tagging="k=v")
    s3.create_bucket(Bucket="old-versions")
    s3.put_bucket_versioning(Bucket="old-versions", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first", b"second"):
        s3.put_object(Bucket="old-versions", Key="same", Body=body)
    s3.put_object(Bucket="old-versions", Key="gone", Body=b"x")
    s3.delete_object(Bucket="old-versions", Key="gone")
    s3.put_bucket_tagging(Bucket="old-versions", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    iam.create_user(UserName="ada", Tags=[{"Key": "k", "Value": "v"}])
    iam.create_group(GroupName="readers")
    iam.add_user_to_group(GroupName="readers", UserName="ada")
    policy = iam.create_policy(PolicyName="read", PolicyDocument=READ)["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="readers", PolicyArn=policy)
    iam.create_access_key(UserName="ada")
    iam.create_role(RoleName="machine", AssumeRolePolicyDocument=ASSUME)
    iam.put_role_policy(RoleName="machine", PolicyName="inline", PolicyDocument=READ)
    iam.create_instance_profile(InstanceProfileName="machine")
    iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="machine")

    image = ec2.describe_images(Owners=["self", "amazon"])["Images"][0]["ImageId"]
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"][:2]]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(zones)
    ]
    gate = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gate, VpcId=vpc)
    group = ec2.create_security_group(GroupName="web", Description="of an older kiln", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
    ec2.create_key_pair(KeyName="old")
    data = {"ImageId": image, "InstanceType": "t3.nano"}
    ec2.create_launch_template(LaunchTemplateName="old", LaunchTemplateData=data)
    ec2.create_launch_template_version(LaunchTemplateName="old", SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.micro"})
    made = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=subnets[0], SecurityGroupIds=[group], UserData="#!/bin/sh\n")
    instance = made["Instances"][0]["InstanceId"]
    state = lambda: ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]  # noqa: E731
    wait_for("the instance", lambda: state() == "running")
    ec2.stop_instances(InstanceIds=[instance])
    wait_for("the instance to stop", lambda: state() == "stopped")
    ec2.create_tags(Resources=[instance, vpc], Tags=[{"Key": "Name", "Value": "old"}])

    elb = kiln.client("elbv2")
    balancer = elb.create_load_balancer(Name="old", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]["LoadBalancerArn"]
    wait_for("the load balancer", lambda: elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]["State"]["Code"] == "active")
    target = elb.create_target_group(Name="old", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": target}]
    listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)["Listeners"][0]["ListenerArn"]
    elb.create_rule(ListenerArn=listener, Priority=7, Conditions=[{"Field": "path-pattern", "Values": ["/a*"]}], Actions=forward)

    scaling = kiln.client("autoscaling")
    common = {"LaunchTemplate": {"LaunchTemplateName": "old"}, "VPCZoneIdentifier": ",".join(subnets)}
    scaling.create_auto_scaling_group(AutoScalingGroupName="empty", MinSize=0, MaxSize=2, **common)
    scaling.create_auto_scaling_group(AutoScalingGroupName="one", MinSize=1, MaxSize=2, **common)
    in_service = lambda: [i["LifecycleState"] for i in scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["one"])["AutoScalingGroups"][0]["Instances"]]  # noqa: E731
    wait_for("the group's instance", lambda: in_service() == ["InService"])

    stacks = kiln.client("cloudformation")
    for name, word in (("kept", "written"), ("gone", "passing")):
        body = TEMPLATE if name == "kept" else TEMPLATE.replace("/old/stack", "/old/gone").replace("old-net", "gone-net")
        stacks.create_stack(StackName=name, TemplateBody=body, Parameters=[{"ParameterKey": "Word", "ParameterValue": word}])
        stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    gone = stacks.describe_stacks(StackName="gone")["Stacks"][0]["StackId"]
    stacks.delete_stack(StackName="gone")
    stacks.get_waiter("stack_delete_complete").wait(StackName=gone, WaiterConfig={"Delay": 1})


# What is asked, and what of the answers may be otherwise: what machines do, and what a place has for its name.
ASKED = [
    ("ssm", "describe_parameters", {}),
    ("ssm", "get_parameters_by_path", {"Path": "/old", "WithDecryption": True}),
    ("ssm", "get_parameter_history", {"Name": "/old/plain"}),
    ("ssm", "list_tags_for_resource", {"ResourceType": "Parameter", "ResourceId": "/old/plain"}),
    ("s3", "list_buckets", {}),
    ("s3", "list_objects_v2", {"Bucket": "old-plain"}),
    ("s3", "get_object", {"Bucket": "old-plain", "Key": "a/b.txt"}),
    ("s3", "get_object_tagging", {"Bucket": "old-plain", "Key": "a/b.txt"}),
    ("s3", "list_object_versions", {"Bucket": "old-versions"}),
    ("s3", "get_bucket_versioning", {"Bucket": "old-versions"}),
    ("s3", "get_bucket_tagging", {"Bucket": "old-versions"}),
    ("iam", "get_account_authorization_details", {}),
    ("iam", "list_access_keys", {"UserName": "ada"}),
    ("iam", "list_instance_profiles", {}),
    ("ec2", "describe_vpcs", {}),
    ("ec2", "describe_subnets", {}),
    ("ec2", "describe_internet_gateways", {}),
    ("ec2", "describe_route_tables", {}),
    ("ec2", "describe_security_groups", {}),
    ("ec2", "describe_security_group_rules", {}),
    ("ec2", "describe_key_pairs", {}),
    ("ec2", "describe_launch_templates", {}),
    ("ec2", "describe_launch_template_versions", {"LaunchTemplateName": "old"}),
    ("ec2", "describe_instances", {"Filters": [{"Name": "tag:Name", "Values": ["old"]}]}),
    ("elbv2", "describe_load_balancers", {}),
    ("elbv2", "describe_target_groups", {}),
    ("autoscaling", "describe_auto_scaling_groups", {"AutoScalingGroupNames": ["empty"]}),
    ("cloudformation", "describe_stacks", {"StackName": "kept"}),
    ("cloudformation", "list_stacks", {}),
    ("cloudformation", "list_stack_resources", {"StackName": "kept"}),
    ("cloudformation", "describe_stack_events", {"StackName": "kept"}),
    ("cloudformation", "get_template", {"StackName": "kept"}),
    ("cloudformation", "list_exports", {}),
]
PASSING = {"ResponseMetadata", "AvailableIpAddressCount", "NextToken"}


def plain(value):
    """An answer as JSON has it, without what passes."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if name not in PASSING}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value.read().decode() if hasattr(value, "read") else value


def seen(kiln):
    """What clients see: the answer to each question, by its words."""
    answers = {}
    for service, operation, asked in ASKED:
        answers[f"{service} {operation} {json.dumps(asked)}"] = plain(getattr(kiln.client(service), operation)(**asked))
    elb = kiln.client("elbv2")
    balancer = elb.describe_load_balancers(Names=["old"])["LoadBalancers"][0]["LoadBalancerArn"]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer)
    answers["elbv2 listeners"] = plain(listeners)
    answers["elbv2 rules"] = plain(elb.describe_rules(ListenerArn=listeners["Listeners"][0]["ListenerArn"]))
    return answers


def pack(kiln_state, to):
    """One file of a state directory at rest."""
    excluded = [f"--exclude=./{name}" for name in LEFT_OUT]
    order = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner"]
    subprocess.run(["tar", "-C", kiln_state, *excluded, *order, "--zstd", "-cf", to, "."], check=True, timeout=60)


def unpack(name, to):
    subprocess.run(["tar", "-C", to, "--zstd", "-xf", STATES / f"{name}.tar.zst"], check=True, timeout=60)


def main(name):
    STATES.mkdir(exist_ok=True)
    with Kiln(machines="sim") as kiln:
        make(kiln)
        answers = seen(kiln)
        kiln.cli("down")
        kiln.process.wait(60)
        pack(kiln.state, STATES / f"{name}.tar.zst")
    with gzip.GzipFile(STATES / f"{name}.json.gz", "wb", mtime=0) as file:
        file.write(json.dumps(answers, indent=1, sort_keys=True).encode())
    for file in sorted(pathlib.Path(STATES).iterdir()):
        print(file.name, file.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1])
