#!/usr/bin/env bash
# `make demo`: starts kiln if it does not run, then hands over to the example's demo.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/target/release:$PWD/.venv/bin:$PATH"
export KILN_STATE_DIR="${KILN_STATE_DIR:-/var/lib/kiln}"
kiln up --detach
eval "$(kiln env)"
exec python3 examples/securecart/demo.py
