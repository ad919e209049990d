#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that a GPU is needed for, on a machine with python3, a CUDA torch, CMake, a C++ compiler and nvcc, and
# nothing else: no network, no JDK. Run it from the sources beside the folder that bench/gpu/pack.sh made.
#
#   bench/gpu/accept.sh                     all stages, most valuable first; what was done before is left out
#   bench/gpu/accept.sh tests bench         these stages
#   bench/gpu/accept.sh --device cpu        the same script on a CPU build, with emulated kernels: shows that it runs
#   bench/gpu/accept.sh --pack DIR          the pack is there, not in build/gpu-pack
#   bench/gpu/accept.sh --retry             what failed is tried again; otherwise it stays failed
#   bench/gpu/accept.sh --out DIR           after every part the results go there too, as files of at most 15 MB
#
# Exit status 0 when all of it is done, 3 when there is more to do: call again until it is not, and 1 when something
# failed. No call of a stage takes eight minutes. Results are in bench/results/gpu/<commit>-<device>; what has to live
# on between calls (build, trainings, results so far) is in build/gpu. What the machine refuses is reported as a line
# with SKIP.
set -u
cd "$(dirname "$0")/../.." || exit 2
root=$(pwd)
device=cuda
pack=$root/build/gpu-pack
stages=""
retry=""
away=""
while [ $# -gt 0 ]; do
    case $1 in
    --device) device=$2; shift ;;
    --pack) pack=$(cd "$2" && pwd) || exit 2; shift ;;
    --retry) retry=yes ;;
    --out) mkdir -p "$2" && away=$(cd "$2" && pwd) || exit 2; shift ;;
    build | tests | bench | memory | small | medium | prune | java | core) stages="$stages $1" ;;
    *) echo "accept: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
[ -n "$stages" ] || stages="build tests bench memory small medium prune java core"
[ -d "$pack/prefix" ] || { echo "accept: there is no pack in $pack; bench/gpu/pack.sh makes one" >&2; exit 2; }

work=$root/build/gpu
native=$work/native
driver=$native/bin/gpu_driver
presets=$root/bench/gpu/presets
if git rev-parse --short HEAD >/dev/null 2>&1; then
    commit=$(git rev-parse --short HEAD)$(git diff --quiet HEAD || echo -changed)
else
    commit=$(cat "$pack/commit")
fi
state=$work/$commit-$device
marks=$state/done
out=$state/$commit-$device # until publish
mkdir -p "$marks" "$out"

# What differs between a GPU and the proof on a CPU: sizes, and which library has the kernels.
if [ "$device" = cpu ]; then
    FILIGREE_EMULATED_CUDA=$native/lib/libfiligree_cuda_emulated.so
    emulated=_emulated cases=g0 repeats=2 small=proof medium="" tokens=nano slice=15 seeds="1 2" tasks=single_double_quote
    longest=1800 # of a build, on two cores
else
    emulated="" cases="g2 g1 g3" repeats=5 small=small medium=medium tokens=small slice=240 seeds="1 2 3"
    tasks="single_double_quote bracket_counting for_while if_equals"
    longest=220 # seconds of one unit; one that is begun within a slice ends within eight minutes
fi

# Copy the results so far to where they stay.
publish() {
    mkdir -p "$root/bench/results/gpu"
    cp -R "$out" "$root/bench/results/gpu/"
    [ -z "$away" ] || tar -C "$state" -cz "$commit-$device" | split -b 15M -d - "$away/results.tar.gz."
}

# unit <name> <command>...: a part of a stage. It is left out when done or failed before or when the slice is over.
# skippable <name> <command>...: the same, and when it fails that is no failure of the stage.
again=""
broken=""
skippable() { unit_that "SKIP" "$@"; }
unit() { unit_that "FAILED" "$@"; }
unit_that() {
    otherwise=$1 name=$2
    shift 2
    mark=$marks/$stage.$name
    [ ! -e "$mark" ] || return 0
    if [ -e "$mark.failed" ] && [ -z "$retry" ]; then
        echo "FAILED $name before"
        broken=yes
        return 0
    fi
    if [ $(($(date +%s) - begun)) -ge "$slice" ]; then
        again=yes
        return 0
    fi
    echo "-- $name"
    timeout "$longest" "$@"
    status=$?
    rm -f "$mark.failed"
    if [ $status -eq 0 ]; then
        touch "$mark"
    elif [ $status -eq 124 ] && { [ "$stage" = build ] || [ "$name" = train ]; }; then
        again=yes # it goes on where it was
    elif [ "$otherwise" = SKIP ]; then
        echo "SKIP $name: exit status $status$([ $status -ne 124 ] || echo ", more than $longest seconds")"
        touch "$mark"
    else
        echo "FAILED $name: exit status $status"
        touch "$mark.failed"
        broken=yes
    fi
    publish
}

stage_build() {
    set -- -S "$root" -B "$native" -DCMAKE_BUILD_TYPE=Release "-DFILIGREE_CUDA=$([ "$device" = cpu ] && echo OFF || echo ON)"
    ! command -v ninja >/dev/null 2>&1 || set -- "$@" -G Ninja
    for name in GTest nlohmann_json; do
        set -- "$@" "-D${name}_DIR=$(find "$pack/prefix" -type d -name $name -path '*cmake*')"
    done
    if [ "$device" = cuda ]; then # for this device alone
        kind=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
        [ "$kind" != 90 ] || kind=90a
        set -- "$@" "-DCMAKE_CUDA_ARCHITECTURES=$kind-real"
    fi
    unit configure cmake "$@"
    unit libraries cmake --build "$native" -j "$(nproc)" --target filigree gpu_bench
    unit kernel-tests cmake --build "$native" -j "$(nproc)" --target "test_cuda$emulated"
    # What of the core's tests runs on a device.
    [ "$device" = cpu ] ||
        unit core-tests cmake --build "$native" -j "$(nproc)" --target test_ops test_model test_train test_prune
}

stage_tests() {
    [ -e "$marks/build" ] || { echo "tests wait for the build"; again=yes; return; }
    # Tests that are skipped show nothing.
    unit kernels sh -c '"$1" --gtest_brief=1 >"$2"; status=$?; cat "$2"; ! grep -q "SKIPPED" "$2" && exit $status' \
        sh "$native/bin/test_cuda$emulated" "$state/kernels"
    [ "$device" != cpu ] || return 0
    for folder in ops model train prune; do
        unit "$folder" sh -c 'ctest --test-dir "$1" --no-tests=error --output-on-failure -R "^$2\.cuda\$" >"$3"
            status=$?
            cat "$3"
            ! grep -q "Skipped" "$3" && exit $status' sh "$native" "$folder" "$state/$folder.tests"
    done
}

# The core's own tests, on the CPU of that machine and its LibTorch.
stage_core() {
    [ "$device" != cpu ] || { echo "SKIP core: mvn verify runs the tests of the CPU"; return; }
    [ -e "$marks/build" ] || { echo "core waits for the build"; again=yes; return; }
    unit build cmake --build "$native" -j "$(nproc)"
    for part in 1 2 3 4; do
        unit "part-$part" env OMP_NUM_THREADS=2 \
            ctest --test-dir "$native" -j 4 --output-on-failure -E '^cuda\.|cuda_emulated|\.cuda$' -I "$part,,4"
    done
}

stage_bench() {
    baseline=$root/bench/gpu/baseline.py
    if [ "$device" = cpu ]; then
        unit kernels "$native/bin/kernel_bench_emulated" --small
        skippable topk python3 "$baseline" topk --device cpu --elements 8192 --repeats $repeats
        skippable dense python3 "$baseline" dense --device cpu --rows 16 --width 64 --repeats $repeats
    else
        unit kernels "$native/bin/kernel_bench"
        skippable topk python3 "$baseline" topk
        skippable dense python3 "$baseline" dense
    fi
    for case in $cases; do
        unit "$case" "$driver" step "$presets/$case" "$device" $repeats
        skippable "$case-floor" python3 "$baseline" floor "$presets/$case" --device "$device"
        skippable "$case-eager" python3 "$baseline" step "$presets/$case" --device "$device" --repeats $repeats
        fits=$(sed -n 's/.*"plan": "eager", "case": "'"$case"'", "micro_batch": \([0-9]*\).*/\1/p' "$log" | tail -n 1)
        if [ -n "$fits" ]; then
            skippable "$case-compiled" python3 "$baseline" step "$presets/$case" --device "$device" \
                --repeats $repeats --compile --micro-batch "$fits"
        elif [ -e "$marks/$stage.$case-eager" ]; then
            echo "SKIP $case-compiled: its micro-batch would be that of the eager step, which did not run"
        fi
    done
}

stage_memory() {
    if [ "$device" = cpu ]; then
        echo "SKIP memory: the checker is for a device; the emulated tests have guards around every array"
    elif ! compute-sanitizer --version >/dev/null 2>&1; then
        echo "SKIP memory: there is no compute-sanitizer on PATH"
    else
        for tool in memcheck racecheck; do
            # 9 is what the checker found, and tests say when they fail; any other failure is the machine's.
            unit "$tool" sh -c 'compute-sanitizer --tool "$1" --error-exitcode 9 "$2" --gtest_brief=1 \
                    --gtest_filter="$3" >"$4"
                status=$?
                cat "$4"
                [ $status -ne 9 ] && ! grep -q "FAILED" "$4" || exit 9
                [ $status -eq 0 ] || echo "SKIP $1: refused, exit status $status"' \
                sh "$tool" "$native/bin/test_cuda" \
                '*Refuses*:*TakesAndGives*:*TakesHeads*:*EveryLine*:CudaAdam.*:CudaLoss.*:CudaRows.*:*NonzerosAreTaken*:*NoRoom*' \
                "$state/$tool"
        done
    fi
}

# train <preset> <tokens>: go on for a slice; when the training is over, its held-out loss and its weights.
train() {
    if [ ! -e "$state/$1/trained" ]; then
        "$driver" train "$presets/$1" "$pack/tokens/$2" "$state/$1" "$device" "$slice"
        case $? in
        0) touch "$state/$1/trained" ;;
        3) again=yes; return ;;
        *) broken=yes; return ;;
        esac
    fi
    unit held-out "$driver" loss "$presets/$1" "$pack/tokens/$2" "$state/$1" "$device"
    unit export "$driver" export "$state/$1" "$state/$1.safetensors"
    # No file that comes out is larger than 16 MB; cat puts parts together again.
    unit copy split -b 15M -d "$state/$1.safetensors" "$out/$1.sparse.safetensors."
}
stage_small() { train "$small" "$tokens"; }
stage_medium() {
    [ -n "$medium" ] || { echo "SKIP medium: hours on a CPU"; return; }
    train "$medium" "$medium"
}

stage_prune() {
    [ -e "$state/$small/trained" ] || { echo "prune waits for the model of the stage small"; again=yes; return; }
    mkdir -p "$out/circuits"
    # On the device first; then on the CPU, to compare the circuits with.
    for where in "$device" cpu; do
        for seed in $seeds; do
            for task in $tasks; do
                name=$task-$where-$seed
                set -- "$driver" prune "$presets/$small" "$pack/tokens/$tokens" "$pack/tasks/$tokens" \
                    "$state/$small" "$where" "$task" "$seed" "$out/circuits/$name.json"
                if [ "$where" = "$device" ]; then unit "$name" "$@"; else skippable "$name" "$@"; fi
            done
        done
    done
}

# The Java command line, on the runtime of the pack.
stage_java() {
    runtime=$work/java
    [ -x "$runtime/bin/java" ] || tar -C "$work" -xzf "$pack/runtime.tar.gz" || { broken=yes; return; }
    set -- "$runtime/bin/java" --enable-native-access=ALL-UNNAMED "-Dfiligree.library=$native/lib/libfiligree.so" \
        -cp "$pack/jars/*" dev.filigree.cli.Main
    run=$state/java
    if [ "$device" = cpu ]; then
        preset=nano size="--set train.steps=6 --set train.batch_size=2 --set run.eval_batch=2 --set run.eval_sequences=2"
        for pairs in train validation final; do size="$size --set prune.${pairs}_pairs=8"; done
        size="$size --set prune.mean_sequences=4 --set prune.fast.masks.steps=4 --set prune.fast.masks.batch_pairs=4"
        size="$size --set prune.published.masks.batch_pairs=4"
    else
        preset=small size="--set train.steps=1000"
    fi
    # shellcheck disable=SC2086 # words
    if [ -d "$run/checkpoints" ]; then
        unit train "$@" train --resume --device "$device" --run "$run" --json
    else
        unit train "$@" train --preset $preset $size --device "$device" --run "$run" --json
    fi
    unit eval "$@" eval --run "$run" --device "$device" --json
    # Exit status 3 when the model has not learnt the task, which is no failure of this script.
    unit prune sh -c '"$@"; status=$?; [ $status -eq 3 ] || exit $status' sh \
        "$@" prune --run "$run" --task single_double_quote --device "$device" --json
    # 3: it does not hold. 5: the model has not learnt the task, so that there is no circuit.
    unit evidence sh -c '"$@"; status=$?
        [ $status -ne 5 ] || echo "SKIP evidence: no circuit was found"
        [ $status -eq 3 ] || [ $status -eq 5 ] || exit $status' sh \
        "$@" evidence --run "$run" --device "$device" --json
}

machine() {
    date -u '+%Y-%m-%d %H:%M UTC'
    if [ "$device" = cpu ]; then
        echo "CPU BUILD WITH EMULATED KERNELS. This shows that the script runs. No figure in this folder is a measurement."
    else
        nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
    fi
    echo "commit $commit"
    uname -sr
    nvcc --version 2>/dev/null | tail -n 2
    python3 -c 'import torch; print("torch", torch.__version__, "CUDA", torch.version.cuda)' 2>/dev/null ||
        echo "no torch for Python"
    [ ! -x "$driver" ] || "$driver" info | sed "s|$root/||g"
}

[ "$device" = cuda ] || export FILIGREE_EMULATED_CUDA
outcome=0
for stage in $stages; do
    printf '\n== %s, %s ==\n' "$stage" "$device"
    if [ -e "$marks/$stage" ]; then
        echo "done before"
        continue
    fi
    begun=$(date +%s) again="" broken=""
    log=$out/$stage.txt
    printf '== %s\n' "$(date -u '+%Y-%m-%d %H:%M:%S UTC')" >>"$log"
    lines=$(wc -l <"$log")
    "stage_$stage" >>"$log" 2>&1
    tail -n +$((lines + 1)) "$log" | tail -n 30 | cut -c 1-300
    grep '^{' "$log" >"$out/$stage.jsonl" || rm "$out/$stage.jsonl"
    if [ -n "$broken" ]; then
        echo "FAILED $stage; everything it printed is in $log"
        came="failed"
        outcome=1
    elif [ -n "$again" ]; then
        echo "AGAIN $stage: a slice of it is done; call once more to go on"
        came="not finished"
        [ $outcome -ne 0 ] || outcome=3
    else
        came=$(tail -n +$((lines + 1)) "$log" | grep -q '^-- ' && echo done || echo "nothing to do here")
        touch "$marks/$stage"
    fi
    grep -v "^$stage:" "$out/stages" >"$state/stages" 2>/dev/null
    echo "$stage: $came" >>"$state/stages"
    cp "$state/stages" "$out/stages"
    if [ ! -e "$state/machine" ]; then
        machine >"$out/machine.txt" 2>&1
        [ ! -x "$driver" ] || touch "$state/machine"
    fi
    publish
    [ "$stage" != build ] || [ -z "$broken" ] || break
done
python3 "$root/bench/gpu/summary.py" "$out" && publish && echo "results in bench/results/gpu/$commit-$device"
exit $outcome
