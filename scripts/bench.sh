#!/usr/bin/env bash
# `make bench`: measures kiln beside named peers in one run and writes bench/results.md.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
need=()
for pair in wrk:wrk nginx:nginx haproxy:haproxy; do command -v "${pair%%:*}" >/dev/null || need+=("${pair##*:}"); done
if [ "${#need[@]}" -gt 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
stamp=.venv/.bench-requirements
if ! cmp -s bench/requirements.txt "$stamp"; then
    .venv/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
    cp bench/requirements.txt "$stamp"
fi
cargo build --release -p kiln-balancer --example bench_proxy
export KILN_BINARY="${KILN_BINARY:-$PWD/target/release/kiln}"
python3 bench/run.py "$@"
