#!/usr/bin/env bash
# `make test`: every check and test. Stops at the first that fails. Each part has a bound (in seconds) and
# tells what it took, so that one that hangs fails by name and what grows is seen.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
took=()
step() {
    local bound=$1 began=$SECONDS code=0
    shift
    echo; echo "== $*"
    timeout --kill-after=60 "$bound" "$@" </dev/null || code=$?
    took+=("$(printf '%5d s  %s' $((SECONDS - began)) "$*")")
    echo "== $((SECONDS - began)) s: $*"
    [ "$code" != 124 ] || echo "test: not done within $bound s: $*" >&2
    return "$code"
}

for part in fmt:rustfmt clippy:clippy; do
    cargo "${part%%:*}" --version >/dev/null 2>&1 ||
        { echo "test: cargo ${part%%:*} is not there. Install it: rustup component add ${part##*:}" >&2; exit 1; }
done
host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
step 1800 cargo xtask check
step 1800 cargo test --workspace --quiet --no-run
step 1800 env "CARGO_TARGET_${host}_RUNNER=$PWD/scripts/bounded.py" cargo test --workspace --quiet -- --test-threads=4
step 600 cargo build -p kiln-protocol --example wire
step 600 python3 protocol/tests/check_with_botocore.py "${CARGO_TARGET_DIR:-target}/debug/examples/wire"
step 300 python3 -m unittest discover -q -s examples/securecart/shop/tests -t examples/securecart/shop
step 1800 cargo build -p kiln-server
step 3600 python3 tests/clients/run.py
echo; printf '%s\n' "== all parts" "${took[@]}"
