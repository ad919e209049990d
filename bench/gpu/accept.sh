#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that a GPU is needed for, on a machine with python3, a CUDA torch, CMake, a C++ compiler and nvcc, and
# nothing else: no network, no JDK. Run it from the sources beside the folder that bench/gpu/pack.sh made.
#
#   bench/gpu/accept.sh                     all stages, most valuable first; those done before are left out
#   bench/gpu/accept.sh tests bench         these stages
#   bench/gpu/accept.sh --device cpu        the same script on a CPU build, with emulated kernels: shows that it runs
#
# Each stage stays well inside eight minutes and leaves its output in bench/results/gpu/<commit>-<device>; what has to
# live on between calls (build, trainings) is in build/gpu. A stage that the machine refuses is reported as a skip.
set -u
cd "$(dirname "$0")/../.." || exit 2
root=$(pwd)
device=cuda
quick=""
pack=$root/build/gpu-pack
stages=""
while [ $# -gt 0 ]; do
    case $1 in
    --device) device=$2; shift ;;
    --pack) pack=$2; shift ;;
    --quick) quick=yes ;;
    build | tests | bench | memory | small | medium | prune | java) stages="$stages $1" ;;
    *) echo "accept: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
[ -n "$stages" ] || stages="build tests bench memory small medium prune java"

commit=$(git rev-parse --short HEAD 2>/dev/null || cat "$pack/commit" 2>/dev/null || echo unknown)
work=$root/build/gpu
out=$root/bench/results/gpu/$commit-$device
build=$work/native
mkdir -p "$work/done" "$out"

if [ "$device" = cpu ]; then
    # The kernels compiled for the host, for everything that would run on the device.
    FILIGREE_EMULATED_CUDA=$build/lib/libfiligree_cuda_emulated.so
    suffix=_emulated
    quick=yes
else
    suffix=""
fi
slice=240
[ -z "$quick" ] || slice=20

say() { printf '\n== %s (device %s) ==\n' "$*" "$device"; }
stamp() { date -u '+%Y-%m-%dT%H:%M:%SZ'; }
driver() { "$build/bin/gpu_driver" "$@"; }

machine() {
    echo "commit $commit, $(stamp), device $device"
    uname -sr
    if [ "$device" = cuda ]; then
        nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
    else
        echo "CPU BUILD: the kernels are emulated on the host. No figure below says anything about a GPU."
    fi
    nvcc --version 2>/dev/null | tail -n 2
    python3 -c 'import torch; print("torch", torch.__version__, "CUDA", torch.version.cuda)' 2>/dev/null
    [ ! -x "$build/bin/gpu_driver" ] || driver info
}

stage_build() {
    set -- -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release
    command -v ninja >/dev/null 2>&1 && set -- "$@" -G Ninja
    [ "$device" = cpu ] || set -- "$@" -DFILIGREE_CUDA=ON
    # What the machine lacks comes from the pack.
    for name in GTest nlohmann_json; do
        config=$(find "$pack/prefix" -type d -name $name -path '*cmake*' 2>/dev/null | head -n 1)
        [ -z "$config" ] || set -- "$@" -D${name}_DIR="$config"
    done
    cmake "$@" && cmake --build "$build" -j "$(nproc)" --target filigree gpu_bench test_cuda_emulated \
        $([ "$device" = cpu ] || echo test_cuda) || return 1
    machine
}

stage_tests() {
    if [ "$device" = cpu ]; then
        "$build/bin/test_cuda_emulated"
        return
    fi
    "$build/bin/test_cuda" || return 1
    # The goldens and the comparisons of plans, with the core's ops on the device, come with the whole build.
    cmake --build "$build" -j "$(nproc)" && ctest --test-dir "$build" --output-on-failure
}

stage_bench() {
    "$build/bin/kernel_bench$suffix" $([ -z "$quick" ] || echo --small) || return 1
    if [ -n "$quick" ]; then
        FILIGREE_EMULATED_CUDA=${FILIGREE_EMULATED_CUDA:-} driver step 1 32 16 2 64 16 fp32 "$device" 2 || return 1
        python3 "$root/bench/gpu/baseline.py" --layers 1 --width 32 --length 16 --batch 2 --vocabulary 64 --one-in 16 \
            --repeats 2 --device "$device" || echo "SKIP baseline: python3 has no torch here"
        return 0
    fi
    # layers width length tokens/step kept: G1, G2, G3. A batch that does not fit is halved.
    for case in "4 1024 256 512 64" "8 2048 256 512 256" "8 4096 256 256 512"; do
        # shellcheck disable=SC2086 # five words
        set -- $case
        batch=$4
        until driver step "$1" "$2" "$3" "$batch" 2048 "$5" bf16 "$device" 5; do
            batch=$((batch / 2))
            [ "$batch" -gt 0 ] || break
        done
        for plan in "" --compile; do
            # shellcheck disable=SC2086 # may be empty
            timeout 150 python3 "$root/bench/gpu/baseline.py" --layers "$1" --width "$2" --length "$3" --batch "$4" \
                --one-in "$5" --device "$device" $plan || echo "SKIP baseline $case $plan"
        done
    done
}

stage_memory() {
    if [ "$device" = cpu ]; then
        echo "SKIP memory: the memory checker is for a device; the emulated tests have guards around every array"
        return 0
    fi
    if ! compute-sanitizer --version >/dev/null 2>&1; then
        echo "SKIP memory: no compute-sanitizer"
        return 0
    fi
    for tool in memcheck racecheck; do
        timeout 220 compute-sanitizer --tool $tool --error-exitcode 9 "$build/bin/test_cuda" \
            --gtest_filter='*Refuses*:*TakesAndGives*:*TakesHeads*:*EveryLine*:*NonzerosAreTaken*' >"$out/$tool.txt" 2>&1
        status=$?
        tail -n 3 "$out/$tool.txt"
        case $status in
        0) ;;
        9) return 1 ;;
        *) echo "SKIP memory: the machine refuses $tool (exit $status)" ;;
        esac
    done
}

# train <preset>: one slice; done when the driver says that it is finished.
train() {
    driver train "$root/bench/gpu/presets/$1" "$pack/tokens/$1.bin" "$work/$1" "$device" "$slice" \
        "$([ -z "$quick" ] && echo 0 || echo 4)" | tee -a "$out/$1.jsonl" | tail -n 3
    grep -q '"what": "saved"' "$out/$1.jsonl" || return 1
    if [ -z "$quick" ] && ! tail -n 1 "$out/$1.jsonl" | grep -q '"finished": true'; then
        echo "AGAIN $1: a slice is done; call once more to go on"
        return 3
    fi
    driver loss "$work/$1" "$root/bench/gpu/presets/$1" "$pack/tokens/$1.bin" "$device" | tee -a "$out/$1.jsonl"
}
stage_small() { train "$([ "$device" = cpu ] && echo nano || echo small)"; }
stage_medium() {
    if [ "$device" = cpu ]; then
        echo "SKIP medium: hours on a CPU"
        return 0
    fi
    train medium
}

# The Java command line with its runtime from the pack.
filigree() {
    "$pack/runtime/bin/java" --enable-native-access=ALL-UNNAMED -Dfiligree.library="$build/lib/libfiligree.so" \
        -cp "$pack/jars/*" dev.filigree.cli.Main "$@"
}
have_java() {
    [ -x "$pack/runtime/bin/java" ] || { echo "SKIP $1: the pack has no Java runtime"; return 1; }
}
stage_java() {
    have_java java || return 0
    filigree doctor
    preset=$([ -n "$quick" ] && echo nano || echo small)
    filigree train --preset "$preset" --device "$device" --run "$work/java" --json >"$out/java-train.json" &&
        filigree eval --run "$work/java" --device "$device" --json >"$out/java-eval.json"
}
stage_prune() {
    have_java prune || return 0
    [ -d "$work/java" ] || stage_java || return 1
    for task in single_double_quote bracket_counting for_while if_equals; do
        started=$(date +%s)
        filigree prune --run "$work/java" --task $task --device "$device" --json >"$out/prune-$task.json" ||
            echo "no circuit for $task"
        echo "{\"what\": \"prune\", \"task\": \"$task\", \"seconds\": $(($(date +%s) - started))}"
        [ -z "$quick" ] || break
    done
}

[ "$device" = cuda ] || export FILIGREE_EMULATED_CUDA
failed=""
for stage in $stages; do
    mark=$work/done/$commit-$device-$stage
    if [ -e "$mark" ]; then
        echo "$stage: done before"
        continue
    fi
    say "$stage"
    [ "$stage" = build ] || machine >"$out/machine.txt" 2>&1
    "stage_$stage" >"$out/$stage.txt" 2>&1
    status=$?
    tail -n 25 "$out/$stage.txt"
    case $status in
    0) touch "$mark" ;;
    3) ;;
    *)
        echo "FAILED $stage, everything it printed is in $out/$stage.txt"
        failed="$failed $stage"
        [ "$stage" != build ] || break
        ;;
    esac
done
# Trained state stays here; only what is small goes along with the results.
find "$out" -size +16M -delete
say "results in $out${failed:+, failed:$failed}"
[ -z "$failed" ]
