#!/usr/bin/env bash
# One service's tests: those of its crate, and those with real clients that are about it.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
service=${1:-}
[ -n "$service" ] && [ -d "services/$service" ] ||
    { echo "test-service: name a service: make test-service S=NAME, one of: $(ls services | tr '\n' ' ')" >&2; exit 1; }
cargo test --package "kiln-$service" --quiet
cargo build --package kiln-server
python3 tests/clients/run.py --service "$service"
