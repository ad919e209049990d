#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the folder that bench/gpu/accept.sh needs beside the sources on a machine that has neither network nor JDK:
#   bench/gpu/pack.sh [folder]       build/gpu-pack unless told otherwise, at most 60 MB
# It takes what the ordinary build makes; ./filigree builds it first where it is missing.
set -eu
cd "$(dirname "$0")/../.."
pack=${1:-build/gpu-pack}
./filigree help >/dev/null
rm -rf "$pack"
mkdir -p "$pack/prefix" "$pack/jars"
git rev-parse --short HEAD >"$pack/commit"
git diff --quiet HEAD || echo "$(cat "$pack/commit")-changed" >"$pack/commit"

# Test framework and JSON header as they are installed here, each file at its place below /usr.
for package in libgtest-dev nlohmann-json3-dev; do
    dpkg -L "$package" | grep -E '^/usr/(include|lib|share/cmake)/' | while read -r file; do
        [ -f "$file" ] || continue
        mkdir -p "$pack/prefix${file%/*}"
        cp -L "$file" "$pack/prefix$file"
    done
done

# The JDK that ./filigree runs on.
jdk=$(./filigree doctor --json | python3 -c '
import json, re, sys
for check in json.load(sys.stdin)["checks"]:
    if check["name"] == "JDK":
        print(re.search(r" in (.*)", check["found"])[1])')

# Text and examples in the tokens of the presets; megabytes of tokens, at most 24 of them together.
text() {
    "$jdk/bin/java" -cp "java/target/lib/*:$(echo java/target/filigree-*.jar)" \
        bench/src/main/java/dev/filigree/bench/GpuPack.java "$pack" "$@"
}
text nano 1 single_double_quote
text small 8 single_double_quote bracket_counting for_while if_equals
text medium 11

# A Java runtime with what the command line needs, and the jars.
runtime=$(mktemp -d)
trap 'rm -rf "$runtime"' EXIT
"$jdk/bin/jlink" --add-modules java.base,java.logging,java.management,java.xml,jdk.unsupported \
    --strip-debug --no-header-files --no-man-pages --output "$runtime/java"
tar -C "$runtime" -czf "$pack/runtime.tar.gz" java
cp java/target/lib/*.jar "$pack/jars/"
# Filigree's own without the model that ships in it, which no stage asks for.
python3 - java/target/filigree-*.jar "$pack/jars/filigree.jar" <<'EOF'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as whole, zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as part:
    for entry in whole.infolist():
        if not entry.filename.endswith("/shipped/model.zip"):
            part.writestr(entry, whole.read(entry))
EOF

size() { du -sk "$1" | awk '{printf "%.1f MB", $1 * 1024 / 1e6}'; }
for part in prefix tokens tasks runtime.tar.gz jars; do
    echo "pack: $(size "$pack/$part") $part"
done
echo "pack: $(size "$pack") in $pack"
[ "$(du -sk "$pack/tokens" | cut -f 1)" -le $((24 * 1000 * 1000 / 1024)) ] || { echo "pack: more than 24 MB of tokens" >&2; exit 1; }
[ "$(du -sk "$pack" | cut -f 1)" -le $((60 * 1000 * 1000 / 1024)) ] || { echo "pack: more than 60 MB" >&2; exit 1; }
