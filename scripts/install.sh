#!/usr/bin/env bash
# `make install`: the binary, its manual, completions and the systemd unit, below $DESTDIR$PREFIX.
# Starts nothing: systemctl enable --now kiln does.
set -euo pipefail
binary=${1:?the binary}
cd "$(dirname "$0")/.."
[ -x "$binary" ] || { echo "install: there is no $binary. Make it first: make build" >&2; exit 1; }
binary=$(realpath "$binary")
prefix=${PREFIX:-/usr/local} root=${DESTDIR:-}
share=$root$prefix/share
# A running kiln keeps the file that it runs from; the next start takes the new one.
install -D -m 755 "$binary" "$root$prefix/bin/kiln"
"$binary" man "$share/man/man1"
chmod 644 "$share/man/man1"/kiln*.1
for shell in bash:bash-completion/completions/kiln zsh:zsh/vendor-completions/_kiln fish:fish/vendor_completions.d/kiln.fish; do
    mkdir -p "$share/$(dirname "${shell#*:}")"
    "$binary" completion "${shell%%:*}" >"$share/${shell#*:}"
    chmod 644 "$share/${shell#*:}"
done
unit=$root$prefix/lib/systemd/system/kiln.service
install -D -m 644 packaging/kiln.service "$unit"
sed -i "s|/usr/bin/kiln|$prefix/bin/kiln|" "$unit"
install -D -m 644 LICENSE "$share/doc/kiln/copyright"
install -m 644 README.md CHANGELOG.md "$share/doc/kiln/"
