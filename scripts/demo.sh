#!/usr/bin/env bash
# `make demo`: starts kiln if it does not run, then hands over to the example's demo.
# KILN_STATE_DIR and KILN_PORT choose another place and port.
set -euo pipefail
cd "$(dirname "$0")/.."
added="$PWD/target/release:$PWD/.venv/bin"
case ":$PATH:" in *":$added:"*) ;; *) export PATH="$added:$PATH" DEMO_PATH_ADDED="$added" ;; esac
export KILN_STATE_DIR="${KILN_STATE_DIR:-/var/lib/kiln}"
kiln up --detach
# Apart from `eval`, so that a failure ends this.
settings=$(kiln env)
eval "$settings"
exec python3 examples/securecart/demo.py
