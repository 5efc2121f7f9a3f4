"""What ten thousand simulated machines in 200 groups cost, beside a group alone: a round of all controllers, a
group's pass, a look at one machine.

A round is a minute in which nothing happens: every controller looks at each of its things once. Its cost is the
time that passes took in it, all together, as kiln's metrics tell.
"""
import statistics
import time

import figures
import memory
from kiln import Kiln, wait_for
from tables import table

MINUTE = 60
SAMPLES = 200


def groups(kiln, count, machines):
    """So many groups, all of whose machines are in service."""
    ec2, asg = kiln.client("ec2"), kiln.client("autoscaling")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{block}.0/18", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for zone, block in [("us-east-1a", 0), ("us-east-1b", 64), ("us-east-1c", 128)]
    ]
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.nano"})
    for n in range(count):
        asg.create_auto_scaling_group(
            AutoScalingGroupName=f"group-{n}", MinSize=machines, MaxSize=machines, VPCZoneIdentifier=",".join(subnets),
            LaunchTemplate={"LaunchTemplateName": "web", "Version": "1"},
        )  # fmt: skip
    shown = asg.get_paginator("describe_auto_scaling_groups")

    def in_service():
        found = [i["LifecycleState"] for page in shown.paginate() for g in page["AutoScalingGroups"] for i in g["Instances"]]
        return found.count("InService") == count * machines

    wait_for(f"{count * machines} machines in service", in_service, seconds=1800, every=1)


def quiet(kiln):
    """Waits until no controller has anything to do but its rounds."""
    calm = 0
    for _ in range(600):
        calm = 0 if figures.total(figures.read(kiln), "kiln_controller_queue_length") else calm + 1
        if calm == 10:
            return
        time.sleep(0.2)
    raise SystemExit("the controllers do not come to rest: not a measurement")


def of_world(count, machines):
    """Seconds of a round, of a group's pass and of one look at a machine; MiB held."""
    with Kiln(machines="sim") as kiln:
        began = time.monotonic()
        groups(kiln, count, machines)
        print(f"  {count * machines:,} machines in service after {time.monotonic() - began:.0f} s", flush=True)
        quiet(kiln)
        time.sleep(MINUTE)  # what began at the same moment has spread
        before = figures.read(kiln)
        time.sleep(MINUTE)
        after = figures.read(kiln)
        ran = lambda name, **of: figures.total(after, name, **of) - figures.total(before, name, **of)  # noqa: E731
        whole = ran("kiln_controller_pass_duration_seconds_total")
        passes = ran("kiln_controller_passes_total")
        group = {"controller": "autoscaling/group"}
        of_group = ran("kiln_controller_passes_total", **group)
        if passes < count * machines or not of_group:
            raise SystemExit(f"{passes:.0f} passes, {of_group:.0f} of groups: not a round of everything")
        own = ran("kiln_controller_pass_duration_seconds_total", **group) / of_group
        ec2 = kiln.client("ec2")
        one = kiln.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["group-0"])
        one = one["AutoScalingGroups"][0]["Instances"][0]["InstanceId"]
        looks = []
        for _ in range(SAMPLES):
            began = time.perf_counter()
            ec2.describe_instances(InstanceIds=[one])
            looks.append(time.perf_counter() - began)
        held = memory.resident(kiln.process.pid)
        return whole, own, statistics.median(looks), held / 1024


def run():
    few, many = of_world(1, 50), of_world(200, 50)
    pair = lambda of, unit, form: f"{few[of] * unit:{form}} with 50, {many[of] * unit:{form}} with 10,000"  # noqa: E731
    rows = [
        ("a round of all controllers, 10,000 simulated machines in 200 groups", f"{many[0]:.2f} s of passes", "≤ 1 s", many[0] <= 1),
        ("the pass of a group of 50, ms", pair(1, 1000, ".2f"), "≤ 1.5 × with 10,000", many[1] <= 1.5 * few[1]),
        ("DescribeInstances of one by its id, p50, ms", pair(2, 1000, ".2f"), "≤ 1.5 × with 10,000", many[2] <= 1.5 * few[2]),
        ("resident memory, MiB", pair(3, 1, ".0f"), "no promise", True),
    ]
    return table(rows)
