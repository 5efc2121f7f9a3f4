#!/usr/bin/env bash
# Puts a binary's debug lines and symbols into FILE.debug beside it and leaves a link to them: what is
# installed is small, and backtraces name functions and lines where the second file is there too (std, gdb
# and perf follow the link: beside the binary, in .debug/, in /usr/lib/debug). Does nothing if it is done.
set -euo pipefail
file=$1
# Read whole before it is searched: a pipe that is closed early would count as "not done".
sections=$(readelf --section-headers --wide "$file")
[[ $sections != *.gnu_debuglink* ]] || exit 0
objcopy --only-keep-debug "$file" "$file.debug.part"
chmod 644 "$file.debug.part"
mv "$file.debug.part" "$file.debug"
# The link holds the file's name and checksum. A new file takes the old one's place: cargo has a hard link to it.
(cd "$(dirname "$file")" && name=$(basename "$file") &&
    objcopy --strip-all --add-gnu-debuglink="$name.debug" "$name" "$name.part" && mv "$name.part" "$name")
