"""What one kiln holds on the host, counted from outside: by the kernel's tables, not by kiln's word.

Everything of a kiln carries its state directory (mounts, processes) or the name of its control
group, which is made of the directory's digest.
"""
import hashlib
import os
import pathlib


def control_group(state):
    """The name of the control group above all machines of a state directory."""
    place = os.path.realpath(pathlib.Path(state) / "machines")
    return "kiln-" + hashlib.sha256(place.encode()).hexdigest()[:8]


def mounts(state):
    """Mount points of the state directory, those of the driver itself left out."""
    place = os.path.realpath(state)
    own = [os.path.join(place, "machines/run/mnt"), os.path.join(place, "machines/run/mnt/guest")]
    points = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted(point for point in points if point.startswith(place + "/") and point not in own)


def loops(state):
    """Block devices made of files of the state directory, removed ones too."""
    place, found = os.path.realpath(state) + "/", []
    for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            file = backing.read_text().strip()
        except OSError:
            continue  # it was freed meanwhile
        if file.startswith(place):
            found.append(file)
    return sorted(found)


def cgroups(state):
    """Control groups of machines, over all trees."""
    name = control_group(state)
    trees = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup" in line]
    return sorted({str(group) for tree in trees for group in pathlib.Path(tree, name).glob("*") if group.is_dir()})


def processes(state):
    """Processes in those groups or started for this state directory, except kiln itself."""
    place, name, found = os.path.realpath(state), control_group(state), []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            groups = (entry / "cgroup").read_text()
            dead = (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            continue  # it ended meanwhile
        if dead:
            continue  # nothing is left of it but a number that its parent has not asked for
        of_kiln = f"{place}/machines" in command or f"/{name}/" in groups
        if of_kiln:
            found.append((int(entry.name), command.strip()[:80]))
    return sorted(found)


def folders(state):
    """Machines' own folders, and what the driver keeps of networks and of the runtime."""
    place = pathlib.Path(state, "machines")
    kept = []
    for part in ["machines", "networks", "run/crun", "run/mnt/lower", "run/mnt/consoles", "run/mnt/netns", "images/work"]:
        kept += [str(path) for path in (place / part).glob("*")]
    return sorted(kept)


def all_of(state):
    """Everything, by kind; the kinds of which there is none left out."""
    kinds = {"mounts": mounts(state), "loops": loops(state), "cgroups": cgroups(state), "processes": processes(state), "folders": folders(state)}
    return {kind: found for kind, found in kinds.items() if found}
