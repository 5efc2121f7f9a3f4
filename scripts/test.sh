#!/usr/bin/env bash
# `make test`: every check and test. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
step() { echo; echo "== $*"; SECONDS=0; "$@"; echo "== ${SECONDS} s: $*"; }

for part in fmt:rustfmt clippy:clippy; do
    cargo "${part%%:*}" --version >/dev/null 2>&1 ||
        { echo "test: cargo ${part%%:*} is not there. Install it: rustup component add ${part##*:}" >&2; exit 1; }
done
step cargo xtask check
step cargo test --workspace --quiet -- --test-threads=4
step cargo build -p kiln-protocol --example wire
step python3 protocol/tests/check_with_botocore.py "${CARGO_TARGET_DIR:-target}/debug/examples/wire"
step python3 -m unittest discover -q -s examples/securecart/shop/tests -t examples/securecart/shop
step cargo build -p kiln-server
step python3 -m unittest discover -v -s tests/clients -t tests/clients
