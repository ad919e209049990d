#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the folder that bench/gpu/accept.sh needs beside the sources on a machine that has neither network nor JDK:
#   bench/gpu/pack.sh [folder]       build/gpu-pack unless told otherwise, at most 60 MB
# It takes what the ordinary build makes; ./filigree builds it first where it is missing.
set -eu
cd "$(dirname "$0")/../.."
pack=${1:-build/gpu-pack}
rm -rf "$pack"
mkdir -p "$pack/prefix" "$pack/tokens" "$pack/jars"
git rev-parse --short HEAD >"$pack/commit"

# Test framework and JSON header as they are installed here, each file at its place below /usr.
for package in libgtest-dev nlohmann-json3-dev; do
    dpkg -L "$package" | grep -E '^/usr/(include|lib|share/cmake|share/pkgconfig)/' | while read -r file; do
        [ -f "$file" ] || continue
        mkdir -p "$pack/prefix${file%/*}"
        cp -L "$file" "$pack/prefix$file"
    done
done

# Token files: what a run of each preset trains on, all corpora one after the other, at most 24 MB of them together.
for preset in nano:2 small:10 medium:12; do
    name=${preset%:*}
    run=build/gpu-tokens/$name
    [ -e "$run/data/data.json" ] || ./filigree train --preset "$name" --set train.steps=1 --run "$run" >/dev/null
    for file in "$run"/data/*.train.u16; do
        # Whole tokens of each corpus, the same share of the room for all.
        corpora=$(find "$run/data" -name '*.train.u16' | wc -l)
        head -c $((${preset#*:} * 1000000 / corpora / 2 * 2)) "$file"
    done >"$pack/tokens/$name.bin"
done

# A Java runtime with what the command line needs, and the jars.
jlink=${JAVA_HOME:+$JAVA_HOME/bin/}jlink
if command -v "$jlink" >/dev/null 2>&1 && [ -d java/target/lib ]; then
    "$jlink" --add-modules java.base,java.logging,java.management,java.net.http,java.xml,java.desktop,jdk.unsupported \
        --strip-debug --no-header-files --no-man-pages --compress zip-9 --output "$pack/runtime"
    cp java/target/lib/*.jar "$pack/jars/"
else
    echo "pack: no jlink or no jars (mvn -q package): the stages java and prune will be skipped" >&2
fi

bytes=$(du -sk "$pack" | cut -f 1)
echo "pack: $pack, $((bytes / 1024)) MB"
[ "$bytes" -le $((60 * 1024)) ] || { echo "pack: more than 60 MB" >&2; exit 1; }
