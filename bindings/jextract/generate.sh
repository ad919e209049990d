#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Regenerate bindings/src/generated/java from native/include/filigree/filigree.h with the jextract on PATH.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
header="$root/native/include/filigree/filigree.h"
output="$root/bindings/src/generated/java"

command -v jextract >/dev/null 2>&1 || {
    echo "generate.sh: no jextract on PATH; get the build named in $here/VERSION" >&2
    exit 1
}
wanted=$(sed -n 's/^jextract //p' "$here/VERSION")
found=$(jextract --version 2>&1 | sed -n 's/^jextract //p')
[ "$found" = "$wanted" ] || {
    echo "generate.sh: jextract $found on PATH, but the bindings are made with jextract $wanted" >&2
    exit 1
}

log=$(mktemp)
symbols=$(mktemp)
trap 'rm -f "$log" "$symbols"' EXIT
grep -v '^#' "$here/symbols.txt" >"$symbols" # jextract has no comments in argument files
rm -rf "$output"
jextract --target-package dev.filigree.ffi --header-class-name Filigree \
    --output "$output" "@$symbols" "$header" 2>"$log" || {
    cat "$log" >&2
    exit 1
}
# Opaque handles are skipped on purpose, they are MemorySegments; so is a type of clang's own stddef.h.
if grep -v -e '(type Declared(fg_[a-z]*) is not supported)' -e '__clang_max_align_nonce' "$log" | grep . >&2; then
    echo "generate.sh: jextract skipped something that the bindings need, see above" >&2
    exit 1
fi
find "$output" -name '*.java' -exec sed -i \
    -e '1i // SPDX-License-Identifier: Apache-2.0' -e 's/[ \t]*$//' {} +
(cd "$root/native/include/filigree" && sha256sum filigree.h) >"$here/filigree.h.sha256"
echo "generate.sh: $(find "$output" -name '*.java' | wc -l) files in bindings/src/generated/java; commit them" >&2
