#!/usr/bin/env bash
# `make package`: a Debian package of a built binary. package.sh BINARY DIRECTORY writes
# kiln_VERSION_ARCHITECTURE.deb into the directory and prints its path. COMPRESSION: as dpkg-deb -Z names it.
set -euo pipefail
binary=$(realpath "${1:?the binary}") out=$(realpath -m "${2:?the directory}")
cd "$(dirname "$0")/.."
for program in dpkg-deb objdump; do
    command -v "$program" >/dev/null || { echo "package: $program is not there. Install it: apt-get install dpkg binutils" >&2; exit 1; }
done
version=$("$binary" --version | cut -d' ' -f2)
architecture=$(dpkg --print-architecture)
# The newest interface of libc that the binary asks for decides on which Debian it runs.
libc=$(objdump -T "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1 | cut -d_ -f2)
# Packed relocations have no interface, only a name; libc reads them since 2.36.
if readelf -V "$binary" | grep GLIBC_ABI_DT_RELR >/dev/null; then
    libc=$(printf '%s\n2.36\n' "$libc" | sort -V | tail -n 1)
fi
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
umask 022
DESTDIR=$tree PREFIX=/usr scripts/install.sh "$binary"
gzip --best --no-name "$tree"/usr/share/man/man1/*.1
mkdir "$tree/DEBIAN"
size=$(du -sk "$tree/usr" | cut -f1)
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@LIBC@/$libc/; s/@SIZE@/$size/" packaging/control >"$tree/DEBIAN/control"
install -m 755 packaging/postinst packaging/prerm packaging/postrm "$tree/DEBIAN/"
(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
mkdir -p "$out"
deb=$out/kiln_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "-Z${COMPRESSION:-xz}" "$tree" "$deb" >&2
echo "$deb"
