#!/usr/bin/env bash
# `make test-package`: the Debian package on a bare Debian. Makes a minimal root of this host's release with apt's
# sources as they are here, installs the package there by apt with what it depends on, looks at what it brings, runs
# kiln with a real machine, and purges it. As root. test-package.sh PACKAGE; KEEP=1 keeps the root.
set -euo pipefail
deb=$(realpath "${1:?the package}")
say() { echo "test-package: $*" >&2; }
fail() { say "$*"; exit 1; }
[ "$(id -u)" = 0 ] || fail "needs root"
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$(mktemp -d /var/tmp/kiln-package-XXXXXX)
# A user namespace cannot be made in a chroot, so the root is one of a mount namespace, which `holder` keeps.
inside() { nsenter --target "$holder" --mount -- /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@" </dev/null; }
finish() {
    if [ -x "$root/usr/bin/kiln" ]; then inside kiln down --stop-machines >/dev/null 2>&1 || true; fi
    if [ -n "${holder:-}" ]; then kill "$holder" 2>/dev/null || true; fi
    if [ -n "${KEEP:-}" ]; then say "kept $root"; else rm -rf --one-file-system "$root"; fi
}
trap finish EXIT

say "making a bare $suite"
sources=()
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
    if [ -s "$file" ] && grep -q -e "debian.org" -e "/debian" "$file"; then sources+=("$file"); fi
done
mmdebstrap --quiet --variant=minbase --include=ca-certificates "$suite" "$root" "${sources[@]}"
chmod 755 "$root"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
unshare --mount --propagation private -- sh -c 'cd "$1" && mount --bind . . && cd "$1" &&
    for place in proc sys dev; do mount --rbind "/$place" "$place" || exit; done &&
    pivot_root . mnt && umount --lazy /mnt && echo ready && exec sleep infinity' sh "$root" >"$root/tmp/holder" </dev/null &
holder=$!
for _ in $(seq 100); do
    if grep -q ready "$root/tmp/holder"; then break; fi
    kill -0 "$holder" || fail "the bare root cannot be entered"
    sleep 0.1
done
# Until then it is in the host's root.
grep -q ready "$root/tmp/holder" || fail "the bare root was not entered in time"
if compgen -G "/usr/local/share/ca-certificates/*.crt" >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
    inside update-ca-certificates >/dev/null 2>&1
fi

say "installing $(basename "$deb")"
cp "$deb" "$root/tmp/kiln.deb"
inside apt-get -qq update
inside apt-get -qq install -y /tmp/kiln.deb >"$root/tmp/install.log" 2>&1 || { tail -n 20 "$root/tmp/install.log" >&2; fail "apt could not install it"; }
files=$(inside dpkg -L kiln)

say "looking at what it brought"
inside kiln --version | grep -Eq '^kiln [0-9]+\.[0-9]+' || fail "kiln --version"
inside sh -c 'cd / && md5sum --quiet --check /var/lib/dpkg/info/kiln.md5sums' || fail "files differ from their sums"
for file in /usr/bin/kiln /usr/share/man/man1/kiln.1.gz /usr/share/man/man1/kiln-backup.1.gz \
    /usr/share/bash-completion/completions/kiln /usr/share/zsh/vendor-completions/_kiln \
    /usr/share/fish/vendor_completions.d/kiln.fish /usr/share/doc/kiln/copyright; do
    [ -s "$root$file" ] || fail "$file is not there"
done
unit=$(grep -E '/kiln\.service$' <<<"$files") || fail "no systemd unit"
started=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$root$unit")
[ -x "$root$started" ] || fail "the unit starts $started, which is not there"
gzip -dc "$root/usr/share/man/man1/kiln.1.gz" | grep -q '^\.SH NAME' || fail "the manual is no manual"
inside bash -c '. /usr/share/bash-completion/completions/kiln && complete -p kiln' >/dev/null || fail "bash cannot use the completion"
[ ! -e "$root/var/lib/kiln" ] || fail "something was started at the installation"

say "starting kiln (it builds its base image first)"
inside env KILN_PORT="${KILN_PORT:-4599}" kiln up --detach >"$root/tmp/up.log" 2>&1 || { cat "$root/tmp/up.log" >&2; fail "kiln up"; }
inside kiln status >"$root/tmp/status" || fail "kiln status"
grep -q "base image: ready" "$root/tmp/status" || { cat "$root/tmp/status" >&2; fail "the base image is not ready"; }
eval "$(inside kiln env)"
# A call as AWS's clients make it; curl came with the package, as a recommendation.
call() { # SERVICE FORM
    inside curl --silent --show-error --fail-with-body --noproxy '*' --aws-sigv4 "aws:amz:$AWS_REGION:$1" \
        --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" --data "$2" "$AWS_ENDPOINT_URL/"
}
call sts 'Action=GetCallerIdentity&Version=2011-06-15' | grep -q ':root</Arn>' || fail "GetCallerIdentity"

say "running a machine"
image=$(call ec2 'Action=DescribeImages&Version=2016-11-15&Owner.1=amazon' | grep -o 'ami-[0-9a-f]*' | head -n 1)
instance=$(call ec2 "Action=RunInstances&Version=2016-11-15&ImageId=$image&InstanceType=t3.micro&MinCount=1&MaxCount=1" | sed -n 's/.*<instanceId>\(i-[0-9a-f]*\)<.*/\1/p' | head -n 1)
for _ in $(seq 60); do
    if inside kiln shell "$instance" -- /bin/true 2>/dev/null; then ran=yes; break; fi
    sleep 1
done
[ "${ran:-}" = yes ] || { inside kiln explain "$instance" >&2; inside kiln logs --server -n 20 >&2; fail "no machine ran"; }
say "in the machine: $(inside kiln shell "$instance" -- /bin/sh -c '. /etc/os-release && echo "$PRETTY_NAME"')"
inside kiln down --stop-machines >/dev/null

say "purging it"
inside apt-get -qq purge -y kiln >"$root/tmp/purge.log" 2>&1 || { cat "$root/tmp/purge.log" >&2; fail "apt could not purge it"; }
while read -r file; do
    if [ -f "$root$file" ]; then fail "$file is left"; fi
done <<<"$files"
[ ! -e "$root/usr/share/doc/kiln" ] || fail "/usr/share/doc/kiln is left"
if inside dpkg-query -W kiln 2>/dev/null | grep -q .; then fail "dpkg still knows it"; fi
# The state directory is the operator's.
[ -s "$root/var/lib/kiln/kiln.db" ] || fail "the state directory went with the package"
say "good"
