#!/usr/bin/env python3
"""Runs one Rust test binary and ends it when it has not ended within its bound.

Cargo starts every test binary through this (scripts/test.sh sets it as the target's runner), so a test
that hangs fails its binary by name within minutes, with what each thread waited for: libtest names a thread
after its test. `KILN_TEST_SECONDS` is the bound of one binary. What each took is told on stderr.
"""
import os
import pathlib
import signal
import subprocess
import sys
import time

BOUND = float(os.environ.get("KILN_TEST_SECONDS", 600))
# As of timeout(1).
TIMED_OUT = 124


def processes(session):
    """Numbers of the processes of a session."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                yield int(entry.name)
        except OSError:
            continue  # it ended meanwhile


def told(session):
    """What each thread of a session's processes waits for, as lines."""
    for process in sorted(processes(session)):
        try:
            command = pathlib.Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            yield f"process {process}: {command.strip()[:200]}"
            for thread in sorted(pathlib.Path(f"/proc/{process}/task").iterdir(), key=lambda path: int(path.name)):
                name, waits = ((thread / what).read_text().strip() for what in ("comm", "wchan"))
                yield f"    thread {thread.name} {name}: {'waits in ' + waits if waits not in ('', '0') else 'runs'}"
        except OSError:
            continue  # it ended meanwhile


def main():
    name, began = pathlib.Path(sys.argv[1]).name.rpartition("-")[0] or sys.argv[1], time.monotonic()
    # A session of its own, so that what the tests start is ended with them.
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = process.wait(BOUND)
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as why:
        late = isinstance(why, subprocess.TimeoutExpired)
        if late:
            print(f"\nFAILED {name}: not done within {BOUND:.0f} s", *told(process.pid), sep="\n", file=sys.stderr)
        for one in processes(process.pid):
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()
        return TIMED_OUT if late else 130
    print(f"-- {time.monotonic() - began:.1f} s: {name}", file=sys.stderr)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
