"""Healing: how long a group behind a load balancer is not whole after one of its machines died.

Timed from `kill -9` of a machine's first process, from outside, to a replacement that is InService
and healthy behind the load balancer, while clients keep asking. Seen by asking the public API every
20 ms, so the asking is in the figure.
"""
import statistics
import time

from kiln import Kiln, wait_for
from shop import Group, Shoppers
from tables import table

ROUNDS = 9
# Requests sent between two kills, so that each meets clients in full swing.
BETWEEN = 200


def run():
    times = []
    with Kiln(machines="local") as kiln:
        shop = Group(kiln)
        good, _ = wait_for("three machines in service", shop.whole, 60)
        with Shoppers(kiln.port, shop.balancer["DNSName"]) as shoppers:
            wait_for("the shop to answer", lambda: shoppers.sent > 20, 10)
            before = len(shoppers.failed)
            for _ in range(ROUNDS):
                victim = sorted(good)[0]
                began = time.perf_counter()
                kiln.kill_init(victim)
                good, _ = wait_for("the group to be whole again", lambda: shop.whole([victim]), 60, every=0.02)
                times.append(time.perf_counter() - began)
                enough = shoppers.sent + BETWEEN
                wait_for("more requests", lambda: shoppers.sent >= enough, 30)
        failed, clients = len(shoppers.failed) - before, len(shoppers.threads)
        shop.delete()
        wait_for("the group to be gone", shop.gone, 60)
    middle = statistics.median(times)
    most = ROUNDS * clients
    return table([
        (f"kill -9 of a machine's init to its replacement in service, p50 of {ROUNDS}", f"{middle:.2f} s (longest {max(times):.2f} s)", "≤ 2 s", middle <= 2),
        (
            f"requests that failed meanwhile, {clients} clients, {ROUNDS} kills",
            f"{failed} of {shoppers.sent:,}",
            f"≤ {most}: those in flight, at most one per client and kill",
            failed <= most,
        ),
    ])
