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
    say "kiln makes machines, so set-up, demo and tests run as root. Try: sudo -E make demo"
    exit 1
fi

# Two set-ups at the same time would fight for apt and for .venv.
mkdir -p target
exec 9>target/.setup.lock
flock 9

# program or file -> Debian package, beyond what each Debian has
need=(
    # machines: runtime, network, images
    crun:crun ip:iproute2 nft:nftables mkfs.erofs:erofs-utils mke2fs:e2fsprogs mmdebstrap:mmdebstrap gpg:gpg curl:curl
    /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
    slirp4netns:slirp4netns conntrack:conntrack newuidmap:uidmap modprobe:kmod zstd:zstd xz:xz-utils
    ssh-keygen:openssh-client ssh:openssh-client
    # building
    gcc:gcc objcopy:binutils /usr/include/stdio.h:libc6-dev make:make git:git
    # AWS's clients, tests and the demo
    python3:python3 curl:curl /etc/ssl/certs/ca-certificates.crt:ca-certificates
    busybox:busybox-static openssl:openssl packer:packer
)
missing=()
for pair in "${need[@]}"; do
    command -v "${pair%%:*}" >/dev/null || [ -f "${pair%%:*}" ] || missing+=("${pair##*:}")
done
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
    say "installing ${missing[*]}"
    command -v apt-get >/dev/null || { say "there is no apt-get; install these by hand: ${missing[*]}"; exit 1; }
    export DEBIAN_FRONTEND=noninteractive
    # Another apt may be at work, as after a first boot.
    apt=(apt-get -o DPkg::Lock::Timeout=300 -qq)
    if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null; }; then
        say "apt-get could not install ${missing[*]}: its words are above. Set this right and run it again."
        exit 1
    fi
fi

stamp=.venv/.requirements
if ! cmp -s tests/requirements.txt "$stamp"; then
    say "installing AWS's clients into .venv"
    if ! { python3 -m venv .venv &&
        .venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt; }; then
        say "AWS's clients could not be installed into .venv: pip's words are above. Set this right and run it again."
        exit 1
    fi
    cp tests/requirements.txt "$stamp"
fi
