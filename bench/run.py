#!/usr/bin/env python3
"""All benchmarks, one after the other; prints their tables and writes bench/results.md.

Ratios are what counts: both sides run in the same run, on the same machine, under the same load.
Where a promised number is missed, the table says so.
"""
import datetime
import os
import pathlib
import platform
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "clients"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import api  # noqa: E402
import healing  # noqa: E402
import history  # noqa: E402
import load_balancer  # noqa: E402
import machines  # noqa: E402
import nerves  # noqa: E402
import scale  # noqa: E402

# As kiln runs for its users: without the lines by which tests count calls.
os.environ.setdefault("KILN_LOG", "info")

PARTS = {
    "api": api.run,
    "machines": machines.run,
    "healing": healing.run,
    "load balancer": load_balancer.run,
    "nerves": nerves.run,
    "history": history.run,
    "scale": scale.run,
}


def main():
    chosen = sys.argv[1:] or list(PARTS)
    text = [
        "# Benchmark results",
        "",
        f"{datetime.date.today()}, {os.cpu_count()} cores, kernel {platform.release()}. Made by `make bench`.",
    ]
    for name in chosen:
        print(f"== {name}", flush=True)
        table = PARTS[name]()
        print(table, flush=True)
        text += ["", f"## {name}", "", table]
    if len(chosen) == len(PARTS):
        (pathlib.Path(__file__).parent / "results.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
