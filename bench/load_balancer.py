"""The load balancer against its peers: kiln's data plane, haproxy and nginx, each in front of the same
two nginx upstreams, one after another, asked by `wrk -t2 -c64`. Everything runs on loopback ports.

Kiln's side is the example `bench_proxy` of the balancer crate: the data plane as `kiln up` runs it,
with a listener and two registered targets, without a machine's network around it.
"""

import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from tables import table

PROXY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", pathlib.Path(__file__).resolve().parents[1] / "target")) / "release/examples/bench_proxy"
SECONDS = 5
ROUNDS = 3
UPSTREAMS = [21801, 21802]
KILN, HAPROXY, NGINX = 21810, 21811, 21812
BODY = "x" * 600 + "\n"

UPSTREAM_CONF = """
daemon off; worker_processes {workers}; pid {dir}/{name}.pid; error_log {dir}/{name}.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  {servers}
}}
"""

PROXY_SERVER = """
  upstream two {{ {members} keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://two; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto http; proxy_set_header X-Forwarded-Port {port};
    }}
  }}
"""

HAPROXY_CONF = """
global
  nbthread 2
  maxconn 8000
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  http-reuse always
frontend f
  bind 127.0.0.1:{port} backlog 4096
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Port {port}
  option forwardfor
  default_backend b
backend b
  balance roundrobin
{members}
"""


def nginx(directory, name, servers):
    path = f"{directory}/{name}.conf"
    with open(path, "w") as f:
        f.write(UPSTREAM_CONF.format(dir=directory, name=name, workers=2, servers=servers))
    return subprocess.Popen(
        ["nginx", "-p", directory, "-c", path, "-e", f"{directory}/{name}.log"],
        stderr=subprocess.DEVNULL,
    )


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


# Measured, see the decision.
WHY = "a request costs more processor time than there, and all cores are full (docs/decisions/0003)"
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def wrk(port, seconds, connections=64):
    out = subprocess.run(
        ["wrk", "-t2" if connections > 1 else "-t1", f"-c{connections}", f"-d{seconds}s",
         "--latency", f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, check=True,
    ).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"port {port} did not answer every request:\n{out}")
    latency = {
        share: float(value) * UNITS[unit]
        for share, value, unit in re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", out, re.M)
    }
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), latency["50"], latency["99"]


def run():
    seconds, rounds = SECONDS, ROUNDS
    processes = []
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        try:
            servers = "\n".join(
                f'server {{ listen 127.0.0.1:{p} backlog=4096; location / {{ return 200 "{BODY}"; }} }}'
                for p in UPSTREAMS
            )
            processes.append(nginx(directory, "upstreams", servers))
            members = " ".join(f"server 127.0.0.1:{p};" for p in UPSTREAMS)
            processes.append(
                nginx(directory, "proxy", PROXY_SERVER.format(members=members, port=NGINX)))
            with open(f"{directory}/haproxy.cfg", "w") as f:
                lines = "\n".join(f"  server s{p} 127.0.0.1:{p}" for p in UPSTREAMS)
                f.write(HAPROXY_CONF.format(port=HAPROXY, members=lines))
            processes.append(
                subprocess.Popen(["haproxy", "-f", f"{directory}/haproxy.cfg"],
                                 stderr=subprocess.DEVNULL))
            processes.append(
                subprocess.Popen(
                    [PROXY, f"127.0.0.1:{KILN}"] + [f"127.0.0.1:{p}" for p in UPSTREAMS],
                    stdin=subprocess.PIPE))
            ports = {"kiln": KILN, "haproxy": HAPROXY, "nginx": NGINX}
            for port in [*UPSTREAMS, *ports.values()]:
                wait_for(port)
            runs = {name: [] for name in ports}
            for name, port in ports.items():
                wrk(port, 1)
            for _ in range(rounds):
                for name, port in ports.items():
                    runs[name].append(wrk(port, seconds))
            single = {name: wrk(port, 2, connections=1) for name, port in ports.items()}
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()
    rate = {n: statistics.median(r[0] for r in rs) for n, rs in runs.items()}
    p99 = {n: statistics.median(r[2] for r in rs) for n, rs in runs.items()}
    rows = []
    for peer in ("haproxy", "nginx"):
        ratio, slower = rate["kiln"] / rate[peer], p99["kiln"] / p99[peer]
        rows.append((f"requests/s, ratio to {peer}", f"{rate['kiln']:,.0f}/s, {peer} {rate[peer]:,.0f}/s: {ratio:.2f}", "≥ 0.8", ratio >= 0.8, WHY))
        rows.append((f"the same, second aim, ratio to {peer}", f"{ratio:.2f}", "≥ 1.0", ratio >= 1.0, WHY))
        text = f"{p99['kiln']:.2f} ms, {peer} {p99[peer]:.2f} ms: {slower:.2f} ×"
        rows.append((f"p99, ratio to {peer}", text, "≤ 1.25 × (0.8 turned over)", slower <= 1.25, WHY))
    alone = ", ".join(f"{name} {single[name][1]:.3f}" for name in ports)
    print(f"  one connection, p50 ms: {alone}", flush=True)
    return table(rows)
