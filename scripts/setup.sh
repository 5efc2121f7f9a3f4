#!/usr/bin/env bash
# Installs what kiln needs at run time and in its tests: Debian packages, and AWS's clients in a
# Python environment of their own (.venv), pinned in tests/requirements.txt. Quick when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { echo "setup: $*" >&2; }

if ! command -v cargo >/dev/null; then
    say "there is no cargo. Install a Rust toolchain (1.90 or newer, from rustup) and run this again."
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    say "kiln makes machines, so set-up, demo and tests run as root. Try: sudo -E make ${MAKECMDGOALS:-demo}"
    exit 1
fi

# program or file -> Debian package
need=(
    crun:crun ip:iproute2 nft:nftables mkfs.erofs:erofs-utils mmdebstrap:mmdebstrap
    slirp4netns:slirp4netns conntrack:conntrack ssh-keygen:openssh-client curl:curl
    newuidmap:uidmap busybox:busybox-static gcc:gcc make:make python3:python3
    ssh:openssh-client git:git
)
missing=()
for pair in "${need[@]}"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
    say "installing ${missing[*]}"
    command -v apt-get >/dev/null || { say "there is no apt-get; install these by hand: ${missing[*]}"; exit 1; }
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

stamp=.venv/.requirements
if ! cmp -s tests/requirements.txt "$stamp"; then
    say "installing AWS's clients into .venv"
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
    cp tests/requirements.txt "$stamp"
fi
