"""A group behind a load balancer heals by itself: real machines, real requests, a real kill.

The figures printed are measurements; the assertions are about what happened, not about time.
"""
import http.client
import statistics
import tempfile
import threading
import time
import unittest

from images import docker_archive
from kiln import Kiln, wait_for


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


class Healing(unittest.TestCase):
    def test_a_killed_machine_is_replaced_behind_its_load_balancer(self):
        with Kiln(machines="local") as kiln:
            ec2, elb, asg = kiln.client("ec2"), kiln.client("elbv2"), kiln.client("autoscaling")
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
            balancer = elb.create_load_balancer(Name="shop", Subnets=subnets, SecurityGroups=[front])["LoadBalancers"][0]
            targets = elb.create_target_group(Name="shop", Protocol="HTTP", Port=8080, VpcId=vpc, HealthCheckPath="/")["TargetGroups"][0]["TargetGroupArn"]
            forward = [{"Type": "forward", "TargetGroupArn": targets}]
            elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward)
            ec2.create_launch_template(
                LaunchTemplateName="shop", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro", "SecurityGroupIds": [back]}
            )
            asg.create_auto_scaling_group(
                AutoScalingGroupName="shop",
                LaunchTemplate={"LaunchTemplateName": "shop", "Version": "$Latest"},
                MinSize=3,
                MaxSize=6,
                VPCZoneIdentifier=",".join(subnets),
                TargetGroupARNs=[targets],
                HealthCheckType="ELB",
                HealthCheckGracePeriod=30,
            )

            def whole(without=()):
                group = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["shop"])["AutoScalingGroups"][0]
                good = {i["InstanceId"] for i in group["Instances"] if (i["LifecycleState"], i["HealthStatus"]) == ("InService", "Healthy")}
                health = elb.describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]
                healthy = {t["Target"]["Id"] for t in health if t["TargetHealth"]["State"] == "healthy"}
                return len(good) == 3 and good == healthy and not good & set(without) and (good, group)

            good, group = wait_for("three machines in service", whole, 60)
            self.assertEqual(len({i["AvailabilityZone"] for i in group["Instances"]}), 3, "one in each zone")
            times = []
            with Shoppers(kiln.port, balancer["DNSName"]) as shoppers:
                wait_for("the shop to answer", lambda: shoppers.sent > 20 and not shoppers.failed[-1:] or None, 10)
                before = len(shoppers.failed)
                for _ in range(5):
                    victim = sorted(good)[0]
                    began = time.monotonic()
                    kiln.cli("fault", "kill", victim)
                    good, _ = wait_for("the group to be whole again", lambda: whole([victim]), 60, every=0.02)
                    times.append(time.monotonic() - began)
            failed = len(shoppers.failed) - before
            print(f"\nhealed 5 times, p50 {statistics.median(times):.2f} s, all {[round(t, 2) for t in times]}; {shoppers.sent} requests, {failed} failed")
            # No more than were in flight on the dead machine: at most one per shopper and kill.
            self.assertLessEqual(failed, 5 * len(shoppers.threads), shoppers.failed[-5:])
            causes = [a["Cause"] for a in asg.describe_scaling_activities(AutoScalingGroupName="shop")["Activities"]]
            self.assertTrue(any("health check" in cause for cause in causes), causes)
            asg.delete_auto_scaling_group(AutoScalingGroupName="shop", ForceDelete=True)
            wait_for("the group to be gone", lambda: not asg.describe_auto_scaling_groups(AutoScalingGroupNames=["shop"])["AutoScalingGroups"], 60)
            wait_for("its machines to be gone", lambda: not kiln.status()["machines"], 30)


if __name__ == "__main__":
    unittest.main()
