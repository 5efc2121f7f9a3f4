#!/usr/bin/env bash
# `make test`: every check and test. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
step() { echo; echo "== $*"; SECONDS=0; "$@"; echo "== ${SECONDS} s: $*"; }

step cargo xtask check
step cargo test --workspace --quiet -- --test-threads=4
step cargo build -p kiln-protocol --example wire
step python3 protocol/tests/check_with_botocore.py "${CARGO_TARGET_DIR:-target}/debug/examples/wire"
step python3 -m unittest discover -q -s examples/securecart/shop/tests -t examples/securecart/shop
step cargo build -p kiln-server
step python3 -m unittest discover -v -s tests/clients -t tests/clients
