"""A group behind a load balancer heals by itself: real machines, real requests, a real kill.

The figures printed are measurements; the assertions are about what happened, not about time.
"""
import statistics
import time
import unittest

from kiln import Kiln, wait_for
from shop import Group, Shoppers

SERVICES = "autoscaling elbv2"

ALONE = "it measures how long healing takes"


class Healing(unittest.TestCase):
    def test_a_killed_machine_is_replaced_behind_its_load_balancer(self):
        with Kiln(machines="local") as kiln:
            shop = Group(kiln)
            good, group = wait_for("three machines in service", shop.whole, 60)
            self.assertEqual(len({i["AvailabilityZone"] for i in group["Instances"]}), 3, "one in each zone")
            times = []
            with Shoppers(kiln.port, shop.balancer["DNSName"]) as shoppers:
                wait_for("the shop to answer", lambda: shoppers.sent > 20 and not shoppers.failed[-1:] or None, 10)
                before = len(shoppers.failed)
                for _ in range(5):
                    victim = sorted(good)[0]
                    began = time.monotonic()
                    kiln.kill_init(victim)
                    good, _ = wait_for("the group to be whole again", lambda: shop.whole([victim]), 60, every=0.02)
                    times.append(time.monotonic() - began)
            failed = len(shoppers.failed) - before
            print(f"\nhealed 5 times, p50 {statistics.median(times):.2f} s, all {[round(t, 2) for t in times]}; {shoppers.sent} requests, {failed} failed")
            # No more than were in flight on the dead machine: at most one per shopper and kill.
            self.assertLessEqual(failed, 5 * len(shoppers.threads), shoppers.failed[-5:])
            causes = [a["Cause"] for a in shop.asg.describe_scaling_activities(AutoScalingGroupName="shop")["Activities"]]
            self.assertTrue(any("health check" in cause for cause in causes), causes)
            shop.delete()
            wait_for("the group to be gone", shop.gone, 60)
            wait_for("its machines to be gone", lambda: not kiln.status()["machines"], 30)


if __name__ == "__main__":
    unittest.main()
