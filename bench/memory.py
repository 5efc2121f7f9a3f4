"""What an idle machine costs beside the guest's own processes.

Two views of the same: what the host has less of (MemAvailable, so kernel memory such as network
namespaces, mounts and rules is in it), without what the guests' own processes hold; and what kiln's
own processes grew by. Of the guests only what is not backed by files is taken off: the pages of their
programs are page cache, which MemAvailable counts as available already.
"""
import pathlib


def available():
    """The host's available memory, in KiB."""
    return next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemAvailable"))


def share(pid, kinds=("Pss:",)):
    """A process's proportional share of memory of these kinds, in KiB; nothing once it has ended."""
    try:
        return sum(int(line.split()[1]) for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith(kinds))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def resident(pid):
    """A process's resident memory, in KiB."""
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


def family(pid):
    """A process and all that descend from it."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


class Holding:
    """What is held at one moment, split in guests' own, kiln's own, and what the host has left."""

    def __init__(self, kiln):
        machines = [m["pid"] for m in kiln.status()["machines"] if m.get("pid")]
        guests = {pid for init in machines for pid in family(init)}
        own = set(family(kiln.process.pid)) - guests
        self.guests = sum(share(pid, ("Pss_Anon:", "Pss_Shmem:")) for pid in guests)
        self.own = sum(share(pid) for pid in own)
        self.available = available()


def per_machine(before, after, count):
    """(KiB of the host, KiB of kiln's processes) that each of `count` machines costs."""
    host = (before.available - after.available) - (after.guests - before.guests)
    return host / count, (after.own - before.own) / count
