"""A group of three machines behind a load balancer, and clients that keep asking it.

The healing test and the healing benchmark look at the same thing: one asserts what happened, the
other measures how long it took.
"""
import http.client
import tempfile
import threading
import time

from images import docker_archive


class Shoppers:
    """Clients that keep asking the load balancer by its name on the main port."""

    def __init__(self, port, host, threads=4, pause=0.01):
        self.port, self.host, self.pause = port, host, pause
        self.sent, self.failed, self.stopped = 0, [], threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.shop) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def ask(self):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request("GET", "/", headers={"Host": self.host})
            answer = link.getresponse()
            answer.read()
            return answer.status
        finally:
            link.close()

    def shop(self):
        while not self.stopped.is_set():
            try:
                status = self.ask()
            except OSError as error:
                status = repr(error)
            with self.lock:
                self.sent += 1
                if status != 200:
                    self.failed.append((time.monotonic(), status))
            time.sleep(self.pause)


class Group:
    """Three machines, one a zone, with a web server as their first process, behind a load balancer."""

    SIZE = 3

    def __init__(self, kiln):
        ec2, elb, asg = kiln.client("ec2"), kiln.client("elbv2"), kiln.client("autoscaling")
        self.elb, self.asg = elb, asg
        with tempfile.TemporaryDirectory() as directory:
            image = kiln.cli("image", "import", str(docker_archive(directory)), "--name", "httpd").stdout.strip()
        vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        subnets = [s["SubnetId"] for s in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]]
        front = ec2.create_security_group(GroupName="front", Description="from all", VpcId=vpc)["GroupId"]
        back = ec2.create_security_group(GroupName="back", Description="from front", VpcId=vpc)["GroupId"]
        ec2.authorize_security_group_ingress(
            GroupId=front, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        )
        ec2.authorize_security_group_ingress(
            GroupId=back, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": front}]}]
        )
        self.balancer = elb.create_load_balancer(Name="shop", Subnets=subnets, SecurityGroups=[front])["LoadBalancers"][0]
        self.targets = elb.create_target_group(Name="shop", Protocol="HTTP", Port=8080, VpcId=vpc, HealthCheckPath="/")["TargetGroups"][0]["TargetGroupArn"]
        forward = [{"Type": "forward", "TargetGroupArn": self.targets}]
        elb.create_listener(LoadBalancerArn=self.balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward)
        ec2.create_launch_template(
            LaunchTemplateName="shop", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro", "SecurityGroupIds": [back]}
        )
        asg.create_auto_scaling_group(
            AutoScalingGroupName="shop",
            LaunchTemplate={"LaunchTemplateName": "shop", "Version": "$Latest"},
            MinSize=3,
            MaxSize=6,
            VPCZoneIdentifier=",".join(subnets),
            TargetGroupARNs=[self.targets],
            HealthCheckType="ELB",
            HealthCheckGracePeriod=30,
        )

    def whole(self, without=()):
        """The ids of the group's machines and the group, once all are in service and healthy and none is of `without`."""
        group = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=["shop"])["AutoScalingGroups"][0]
        good = {i["InstanceId"] for i in group["Instances"] if (i["LifecycleState"], i["HealthStatus"]) == ("InService", "Healthy")}
        health = self.elb.describe_target_health(TargetGroupArn=self.targets)["TargetHealthDescriptions"]
        healthy = {t["Target"]["Id"] for t in health if t["TargetHealth"]["State"] == "healthy"}
        return len(good) == self.SIZE and good == healthy and not good & set(without) and (good, group)

    def delete(self):
        """Deletes the group with its machines."""
        self.asg.delete_auto_scaling_group(AutoScalingGroupName="shop", ForceDelete=True)

    def gone(self):
        """Whether the group is no longer there."""
        return not self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=["shop"])["AutoScalingGroups"]
