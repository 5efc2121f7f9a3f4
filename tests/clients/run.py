#!/usr/bin/env python3
"""Runs the client tests: each module in a process of its own, a few at a time, none longer than its bound.

    run.py [--jobs N] [--write-times] [--service S] [test_module …]

Modules start their own kilns, so they do not meet, except those that say `ALONE = "why"`: they look at what
a host has once, flood it, or must find kiln at one moment of its work. They run after the others, by
themselves. The slowest begin (times.txt has what each took; `--write-times` writes it anew). After a run of all,
every served operation must have been answered to a client by one of their kilns. What a module
prints is shown whole when it has ended. One that is not done within its bound is told by name with the stacks
of its threads, and ended with the kilns that it started; the others go on. The exit code is 1 if any failed.
"""
import argparse
import collections
import concurrent.futures
import faulthandler
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TIMES = HERE / "times.txt"
# Seconds: what any module may take, and how many times what it took when its time was written down.
LEAST_BOUND, TIMES_USUAL = 300, 4
# The first kiln of a target directory builds the base image, which downloads and packs a system.
BASE_IMAGE = "base_image"
BASE_IMAGE_BOUND = 900


def as_child(module, folder=HERE):
    """What a module's own process does: its tests, and its threads' stacks when the runner asks for them."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    sys.path[:0] = [str(folder), str(HERE)]
    if module == BASE_IMAGE:
        from kiln import Kiln

        with Kiln(machines="local"):
            return
    unittest.main(module=None, argv=["run.py", "--verbose", module])


def times():
    """Seconds by module, as they were written down."""
    lines = TIMES.read_text().splitlines() if TIMES.exists() else []
    return {name: float(seconds) for name, seconds in (line.split() for line in lines if not line.startswith("#"))}


def alone(file):
    """Why a module must run by itself; None if it need not."""
    found = re.search(r'^ALONE = "(.+)"$', file.read_text(), re.M)
    return found and found[1]


def is_of(service, file):
    """Whether a module is about a service: by its name, or because it says `SERVICES = "one another"`."""
    said = re.search(r'^SERVICES = "(.+)"$', file.read_text(), re.M)
    parts = file.stem.removeprefix("test_").removeprefix("calls_").split("_")
    return service == parts[0] or service in (said[1].split() if said else [])


class Runner:
    """Runs modules and keeps what became of them."""

    def __init__(self, folder, usual, least_bound):
        self.modules, self.usual, self.least_bound = folder, usual, least_bound
        self.took, self.failed = {}, {}
        self.calls = collections.Counter()
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.folder = tempfile.TemporaryDirectory(prefix="kiln-clients-")

    def bound(self, module):
        """Seconds that a module may take."""
        return BASE_IMAGE_BOUND if module == BASE_IMAGE else max(self.least_bound, TIMES_USUAL * self.usual.get(module, 0))

    def run(self, module):
        """Runs one module to its end and shows what it printed."""
        if self.stopped.is_set():
            return
        notes, output, calls = (pathlib.Path(self.folder.name, f"{module}.{kind}") for kind in ("states", "output", "calls"))
        began = time.monotonic()
        with open(output, "wb") as file:
            # A session of its own, so that all it starts can be ended with it.
            process = subprocess.Popen(
                [sys.executable, __file__, "--child", module, self.modules],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                start_new_session=True, env={**os.environ, "KILN_TEST_STATES": str(notes), "KILN_TEST_CALLS": str(calls)},
            )
            what = self.wait(process, began + self.bound(module))
            if what:
                end(process, notes)
        with self.lock:
            self.count(calls)
            self.took[module] = time.monotonic() - began
            if what or process.returncode:
                self.failed[module] = what or f"exit code {process.returncode}"
            print(f"\n== {module}: {self.failed.get(module, 'ok')}, {self.took[module]:.1f} s", flush=True)
            sys.stdout.buffer.write(output.read_bytes())
            sys.stdout.flush()

    def count(self, calls):
        """Takes in what a module's kilns answered."""
        for line in calls.read_text().splitlines() if calls.exists() else []:
            service, operation, count = line.split()
            self.calls[service, operation] += int(count)

    def check_calls(self, every_call, only=None):
        """Tells by service how many of its operations were answered; with `every_call` none may be missing. Of `only`
        one service: which of its operations its modules leave to others."""
        import services
        from kiln import NEVER_SET

        missing = []
        print("\n== operations answered to clients, of those served, and calls:")
        for folder in [folder for folder in services.FOLDERS if only in (None, folder.name)]:
            served = services.served_by(folder)
            # What cannot be set here is answered by its code alone; once it is answered otherwise, it can be set.
            refused = {name for of, name in NEVER_SET if of == folder.name and self.calls[of, name + "!"]}
            answered = [name for name in served if self.calls[folder.name, name] or name in refused]
            print(f"{len(answered):5} of {len(served):3}  {sum(self.calls[folder.name, name] for name in served):7}  {folder.name}")
            missing += [f"{folder.name}:{name}" for name in served if name not in answered]
        if can := [f"{of}:{name}" for of, name in NEVER_SET if self.calls[of, name]]:
            self.failed["never_set"] = f"can be set now, take it out of NEVER_SET in kiln.py: {' '.join(can)}"
        if missing and only:
            print(f"      not by these modules: {' '.join(missing)}")
        if missing and every_call:
            self.failed["every_call"] = f"answered to no client: {' '.join(missing)}"

    def wait(self, process, until):
        """Waits for a process; why it has to be ended, if it has."""
        while time.monotonic() < until:
            try:
                process.wait(0.5)
                return None
            except subprocess.TimeoutExpired:
                if self.stopped.is_set():
                    return "ended from outside"
        return "NOT DONE WITHIN ITS BOUND; where its threads were is below"

    def run_all(self, modules, jobs):
        """Runs modules, so many at a time, in this order."""
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            try:
                for done in concurrent.futures.as_completed([pool.submit(self.run, module) for module in modules]):
                    done.result()
            except BaseException:
                self.stopped.set()
                raise


def end(process, notes):
    """Ends a module's process and its kilns with their machines; its threads' stacks go to its output first."""
    for sign, patience in ((signal.SIGUSR1, 2), (signal.SIGINT, 30)):
        try:
            process.send_signal(sign)
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
    process.kill()
    process.wait()
    from kiln import stop_machines

    states = [state for state in (notes.read_text().splitlines() if notes.exists() else []) if pathlib.Path(state).is_dir()]
    for state in states:
        stop_machines(state, 60)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    for state in states:
        # Once more for a kiln that did not answer: now its machines are nobody's.
        stop_machines(state, 60)
        shutil.rmtree(state, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="modules at a time (as many as there are processors)")
    parser.add_argument("--write-times", action="store_true", help="write what each module took to times.txt")
    parser.add_argument("--least-bound", type=float, default=LEAST_BOUND, help="seconds that any module may take")
    parser.add_argument("--folder", type=pathlib.Path, default=HERE, help="where the modules are")
    parser.add_argument("--every-call", action="store_true", help="fail if a served operation was answered to no client, as after a run of all")
    parser.add_argument("--service", help="those about this service (a folder of services/)")
    parser.add_argument("modules", nargs="*", help="all, if none is named")
    options = parser.parse_args()
    modules = options.modules or sorted(path.stem for path in options.folder.glob("test_*.py"))
    if options.service:
        modules = [module for module in modules if is_of(options.service, options.folder / f"{module}.py")]
        if not modules:
            parser.error(f"no module is about {options.service}: write tests/clients/test_calls_{options.service}.py, a class of calls.Calls with a call of each operation")
    if unknown := [module for module in modules if not (options.folder / f"{module}.py").is_file()]:
        parser.error(f"there is no {', '.join(unknown)} in {options.folder}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    usual = times()
    # What nobody has timed may be slow.
    modules.sort(key=lambda module: usual.get(module, float("inf")), reverse=True)
    by_themselves = [module for module in modules if alone(options.folder / f"{module}.py")]
    together = [module for module in modules if module not in by_themselves]
    runner, began = Runner(options.folder, usual, options.least_bound), time.monotonic()
    from kiln import TARGET

    try:
        if not (TARGET / "test-images").is_dir() and os.geteuid() == 0:
            runner.run_all([BASE_IMAGE], 1)
        if not runner.failed:
            runner.run_all(together, options.jobs)
            runner.run_all(by_themselves, 1)
    except KeyboardInterrupt:
        print("run.py: ended from outside", file=sys.stderr)
        return 130
    is_all = not (options.modules or options.service) and options.folder == HERE
    runner.check_calls(options.every_call or is_all, options.service)
    print(f"\n== {len(runner.took)} modules in {time.monotonic() - began:.0f} s, {options.jobs} at a time; seconds of each:")
    for module, seconds in sorted(runner.took.items(), key=lambda pair: -pair[1]):
        print(f"{seconds:7.1f}  {module}{'  (alone)' if module in by_themselves else ''}{'  FAILED' if module in runner.failed else ''}")
    if options.write_times and not runner.failed:
        lines = [f"{module} {seconds:.0f}" for module, seconds in sorted({**usual, **runner.took}.items()) if module != BASE_IMAGE]
        TIMES.write_text("# Seconds that each module took when this was last written (run.py --write-times).\n" + "\n".join(lines) + "\n")
    for module, what in runner.failed.items():
        print(f"FAILED {module}: {what}")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        as_child(*sys.argv[2:])
    else:
        sys.exit(main())
