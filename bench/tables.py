# SPDX-License-Identifier: Apache-2.0
"""A result of bench/run as Markdown, as lines of times, and as the bars that it misses."""

# How many times the reference plan the fast one has to be, and should be.
MUST = {
    "fp32": {"C1": 3, "C2": 4, "C3": 3, "C4": 1.5, "R": 2.5},
    "bf16": {"C1": 4, "C2": 6, "C3": 6, "C4": 2, "R": 3},
}
AIM = {"C1": 10, "C2": 12, "C3": 10, "C4": 3, "R": 7}

# What plain PyTorch did on the machine of the project, which has AVX-512 and bf16, tokens/s: the reference plan is no
# straw man.
PLAIN = {"C1": 3700, "C2": 490, "C3": 410, "C4": 4200}

# Pruning by the fast method: seconds a task, and of the published method's time; no more edges than it finds.
MOST_SECONDS = 20
LEAST_RATIO = 10

MOST_MEMORY = 2  # times that of parameters, moments and activations

MOST_BRIDGE = 0.01  # of a C1 step
MOST_DOWNCALL = 15  # nanoseconds

ALTERNATIVES = """\
JavaCPP's `org.bytedeco:pytorch` 2.13.0-1.5.14 brings LibTorch 2.13.0, with OpenBLAS 0.3.31-1.5.13 in place of the
0.3.34-1.5.14 that it asks for and that is not to be had; JavaCPP warns of that mismatch. DJL 0.36.0 brings LibTorch
2.7.1, the newest it has: its figures compare that version too. Filigree runs on LibTorch 2.13.0. Each in forks of its
own.
"""
WORK = {
    "downcall": "an empty call",
    "add": "add two tensors of one number, free the sum",
    "write": "hand over a `float[]` of",
    "read": "get back a `float[]` of",
    "step": "a small training step, losses seen to be the same",
}


def title(result):
    machine = result["machine"]
    quick = ", quick" if result["quick"] else ""
    changed = " with local changes" if result["changed"] else ""
    return (
        f"{result['date']}, commit {result['commit']}{changed}{quick}, {machine['cpu']}, {machine['cores']} cores"
    )


def table(head, rows):
    cells = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in cells) + "\n"


def number(value, digits=3):
    """Write a number with so many digits that count."""
    return f"{float(f'{value:.{digits}g}'):,.12g}"


def find(result, benchmark):
    return next((run for run in result.get("bridge", []) if run["benchmark"] == benchmark), None)


def bridge_share(run):
    return 1e-3 * run["secondary"]["bridgeMicros"] / run["secondary"]["nativeMillis"]


def has_bf16(result):
    """Say whether the processor multiplies bf16, as those of the results did that do not say so."""
    return result["machine"].get("bf16", True)


def missed(result):
    """Return a sentence for every bar that the result misses. Those of bf16 need a processor that has it."""
    lines = []
    for precision, cases in result.get("step", {}).items():
        for case in cases:
            if not has_bf16(result) and precision == "bf16":
                continue
            name, must = case["case"], MUST[precision][case["case"]]
            if case["ratio"] < must:
                lines.append(f"{name} {precision}: {case['ratio']:.2f} times the reference, not {must}")
            plain = PLAIN.get(name, 0) if has_bf16(result) else 0
            if precision == "fp32" and case["reference_tokens_per_s"] < plain:
                lines.append(f"{name}: the reference does {case['reference_tokens_per_s']:.0f} tokens/s, "
                             f"plain PyTorch {PLAIN[name]}")
    for growth in result.get("memory", {}).get("growth", []):
        if not growth["passed"]:
            lines.append(f"memory grows: {growth}")
    for peak in result.get("memory", {}).get("peaks", []):
        if peak["plan"] == "fast" and peak["ratio"] > MOST_MEMORY:
            lines.append(f"{peak['name']} takes {peak['ratio']:.2f} times the memory of parameters and activations, "
                         f"not at most {MOST_MEMORY}")
    downcall = find(result, "BoundaryBenchmark.downcall")
    if downcall and downcall["score"] >= MOST_DOWNCALL:
        lines.append(f"an empty downcall takes {downcall['score']:.1f} ns, not less than {MOST_DOWNCALL}")
    step = find(result, "StepBenchmark.step")
    if step and bridge_share(step) >= MOST_BRIDGE:
        lines.append(f"the bridge takes {bridge_share(step):.2%} of a C1 step, not less than {MOST_BRIDGE:.0%}")
    totals = result.get("prune", {}).get("totals")
    if totals:
        fast, published = totals["fast"], totals["published"]
        if fast["most_seconds"] > MOST_SECONDS:
            lines.append(f"pruning takes {fast['most_seconds']:.1f} s for a task, not at most {MOST_SECONDS}")
        if totals["seconds_ratio"] < LEAST_RATIO:
            lines.append(f"fast pruning is {totals['seconds_ratio']:.1f} times as fast as the published method, "
                         f"not {LEAST_RATIO}")
        for row in result["prune"]["tasks"]:
            if not row["fast"]["reached"]:
                lines.append(f"fast pruning of {row['task']} misses its target")
        if fast["edges"] is None:
            lines.append("no task has circuits of both methods that reach the target")
        elif fast["edges"] > published["edges"]:
            lines.append(f"fast circuits have {fast['edges']:.1f} edges, published ones {published['edges']:.1f}")
    return lines


def times(result):
    """Return the times of a result by name, each with its unit."""
    out = {}
    for precision, cases in result.get("step", {}).items():
        for case in cases:
            out[f"step {case['case']} {precision}"] = (1e3 * case["step_s"], "ms")
            for part, seconds in case["parts"].items():
                out[f"step {case['case']} {precision} {part}"] = (1e3 * seconds, "ms")
    for series in result.get("growth", []):
        for x, seconds in zip(series["x"], series["step_s"]):
            out[f"growth {series['series']} {x}"] = (1e3 * seconds, "ms")
    for peak in result.get("memory", {}).get("peaks", []):
        out[f"memory {peak['name']} {peak['plan']}"] = (1e-6 * peak["peak_bytes"], "MB")
    for section in ("bridge", "alternatives"):
        for run in result.get(section, []):
            parameters = "".join(f" {value}" for value in run["params"].values())
            rate = run["unit"] == "ops/s"
            out[run["benchmark"] + parameters] = (1 / run["score"], "s/op") if rate else (run["score"], run["unit"])
    for op in result.get("ops", []):
        out[f"op {op['shape']} {op['op']} {op['direction']}"] = (op["ms"], "ms")
    return {name: value for name, value in out.items() if value[0] > 0}


def step_tables(cases, precision):
    yield f"### Steps, {precision}\n"
    yield table(
        ["case", "fast, tokens/s", "reference, tokens/s", "ratio (least - greatest)", "must", "aim", "step", "floor",
         "step / floor", "cores busy"],
        [
            [
                case["case"],
                number(case["tokens_per_s"]),
                number(case["reference_tokens_per_s"]),
                f"**{case['ratio']:.2f}** ({case['ratio_min']:.2f} - {case['ratio_max']:.2f})",
                f"{MUST[precision][case['case']]}",
                AIM[case["case"]] if precision == "bf16" else "",
                f"{1e3 * case['step_s']:.1f} ms",
                f"{1e3 * case['floor_s']:.1f} ms",
                f"{case['step_s'] / case['floor_s']:.1f}",
                f"{case['cores_busy']:.2f}",
            ]
            for case in cases
        ],
    )
    for case in cases:
        if case.get("run_s"):
            yield (
                f"All steps of the preset would take {case['run_s']:.0f} s by the fast plan and "
                f"{case['reference_run_s']:.0f} s by the reference plan.\n"
            )
    yield (
        "Milliseconds of each part of a step, and its floor (operations at the measured rates, bytes at the measured\n"
        "bandwidth); what has no floor is work that an ideal step would not do.\n"
    )
    parts = list(cases[0]["parts"])
    yield table(
        ["part", *(case["case"] for case in cases)],
        [
            [
                part.replace("_", " "),
                *(
                    f"{1e3 * case['parts'][part]:.1f}"
                    + (f" / {1e3 * case['floor_parts'][part]:.1f}" if part in case["floor_parts"] else "")
                    for case in cases
                ),
            ]
            for part in parts
        ],
    )


def growth_tables(series, plot):
    yield "### How the cost grows\n"
    yield (
        "One layer, 2,048 tokens a step. Width: the same nonzeros in every tensor at each width. Sparsity: one over\n"
        "the kept fraction, width 512. Length: tokens of a sequence, width 256, 1/32 kept.\n"
    )
    yield f"![step time over width, sparsity and length]({plot})\n"
    yield table(
        ["series", "step time at each point", "slope", "slope at the end"],
        [
            [
                one["series"],
                ", ".join(f"{x}: {1e3 * s:.1f} ms" for x, s in zip(one["x"], one["step_s"])),
                f"{one['slope']:.2f}",
                f"{one['last_slope']:.2f}",
            ]
            for one in series
        ],
    )


def memory_tables(memory):
    yield "### Memory\n"
    yield table(
        ["case", "plan", "parameters", "16 bytes each", "activations", "peak", "peak / both"],
        [
            [
                peak["name"],
                peak["plan"],
                f"{peak['parameters']:,}",
                f"{1e-6 * peak['parameter_bytes']:.0f} MB",
                f"{1e-6 * peak['activation_bytes']:.0f} MB",
                f"{1e-6 * peak['peak_bytes']:.0f} MB",
                f"{peak['ratio']:.2f}",
            ]
            for peak in memory["peaks"]
        ],
    )
    for growth in memory["growth"]:
        verdict = "no growth" if growth["passed"] else "**memory grows**"
        yield f"{growth['steps']:,} steps of {growth['name']}: {1e-6 * growth['growth_bytes']:+.1f} MB, {verdict}.\n"


def jmh_table(runs):
    return table(
        ["benchmark", "parameters", "score", "+-", "unit"],
        [
            [
                run["benchmark"],
                ", ".join(f"{name} {value}" for name, value in run["params"].items()),
                number(run["score"]),
                number(run["error"], 2) if isinstance(run["error"], float) else "",
                # Its operations are megabytes.
                "MB/s" if run["benchmark"].startswith("TokenizerBenchmark") else run["unit"],
            ]
            for run in runs
        ],
    )


def bridge_tables(result):
    yield "### What Java sees\n"
    step, handed = find(result, "StepBenchmark.step"), find(result, "StepBenchmark.stepOn")
    yield (
        f"A C1 step takes {step['secondary']['nativeMillis']:.1f} ms in the core and "
        f"{step['secondary']['bridgeMicros']:.0f} us between Java and there and back, {bridge_share(step):.3%} of it "
        f"(less than {MOST_BRIDGE:.0%}); with a batch of Java's {handed['secondary']['bridgeMicros']:.0f} us. "
        f"An empty downcall takes {find(result, 'BoundaryBenchmark.downcall')['score']:.1f} ns "
        f"(less than {MOST_DOWNCALL}).\n"
    )
    yield jmh_table(result["bridge"])


def alternatives_tables(result):
    yield "### Other ways from Java to LibTorch\n"
    yield ALTERNATIVES
    ours = {
        "downcall": ("BoundaryBenchmark.downcall", {}),
        "write": ("TransferBenchmark.write", {}),
        "read": ("TransferBenchmark.read", {}),
        "step": ("SmallStepBenchmark.step", {"plan": "FAST"}),
    }

    def score(section, benchmark, parameters):
        run = next(
            (
                run
                for run in result.get(section, [])
                if run["benchmark"] == benchmark and parameters.items() <= run["params"].items()
            ),
            None,
        )
        return f"{number(run['score'])} {run['unit']}" if run else ""

    rows = []
    for run in result["alternatives"]:
        if run["params"]["library"] != "JAVACPP":
            continue
        name, sizes = run["benchmark"].split(".")[1], {k: v for k, v in run["params"].items() if k != "library"}
        benchmark, parameters = ours.get(name, ("", {}))
        size = f" {4 * int(sizes['side']) ** 2:,} bytes" if sizes else ""
        rows.append(
            [
                WORK[name] + size,
                score("bridge", benchmark, {**parameters, **sizes}),
                f"{number(run['score'])} {run['unit']}",
                score("alternatives", run["benchmark"], {**sizes, "library": "DJL"}),
            ]
        )
    reference = score("bridge", "SmallStepBenchmark.step", {"plan": "REFERENCE"})
    if reference:
        rows.append(["the same step by Filigree's reference plan", reference, "", ""])
    yield table(["work", "Filigree", "JavaCPP", "DJL"], rows)


def prune_tables(prune):
    yield "### Pruning\n"
    yield (
        f"Both methods on tasks that {prune['run']} does at step {prune['step']:,}, on {prune['device']}: target\n"
        f"{prune['target']} nats on validation examples, the published method with {prune['runs']} runs.\n"
        "Weights are all those between the nodes, which the published method counts as edges; losses are those of the whole model\n"
        "with exactly the circuit's nodes and edges.\n"
    )

    def cells(found):
        return [
            f"{found['seconds']:.2f} s", f"{found['nodes']:,}", f"{found['edges']:,}", f"{found['weights']:,}",
            f"{found['loss_validation']:.3f}", f"{found['loss_final']:.3f}", "yes" if found["holds"] else "**no**",
        ]

    def mean(value):
        return "-" if value is None else f"{value:.1f}"

    rows = []
    for row in prune["tasks"]:
        rows.append([row["task"], "fast", *cells(row["fast"])])
        rows.append(["", "published", *cells(row["published"])])
    totals = prune["totals"]
    if totals:
        count = len(prune["tasks"])
        for method in ("fast", "published"):
            one = totals[method]
            rows.append(
                [
                    "all: sum, geometric means" if method == "fast" else "",
                    method, f"{one['seconds']:.1f} s",
                    mean(one["nodes"]), mean(one["edges"]), mean(one["weights"]), "", "", f"{one['holds']} of {count}",
                ]
            )
    yield table(["task", "method", "time", "nodes", "edges", "weights", "validation", "final", "holds"], rows)
    if totals:
        yield f"The published method takes {totals['seconds_ratio']:.1f} times as long (must: {LEAST_RATIO}).\n"
    if prune["skipped"]:
        yield "Not done by the model, or not to be expressed by its vocabulary: " + ", ".join(f"`{task}`" for task in prune["skipped"]) + ".\n"


def ops_tables(runs):
    yield "### Ops\n"
    yield (
        "The roofline is the longer of two times: bytes of inputs and outputs, each counted once, at the bandwidth of\n"
        "reading memory; multiply-adds of nonzeros at the measured fp32 rate. Its fraction is of the shortest run; what\n"
        "stays in the caches exceeds it. `tiny` and C1 are the shapes of those models; products keep 1/32 of the weights\n"
        "and 1/4 of the activations.\n"
    )
    yield table(
        ["shape", "op", "fast", "reference", "ratio", "GB/s", "Gflop/s", "of the roofline"],
        [
            [
                run["shape"],
                f"{run['op']} {run['direction']}",
                f"{run['ms']:.2f} ms",
                f"{run['reference_ms']:.2f} ms",
                f"{run['ratio']:.1f}",
                f"{run['gb_per_s']:.1f}",
                f"{run['gflops']:.1f}" if run["gflops"] else "",
                f"{run['of_roofline']:.0%}",
            ]
            for run in runs
        ],
    )


def markdown(result, plot):
    machine = result["machine"]
    lines = [
        "<!-- SPDX-License-Identifier: Apache-2.0 -->",
        f"# {result['date'][:10]}, commit {result['commit']}\n",
        f"{title(result)}, {machine['memory_gb']} GB, {machine['system']}, JDK {machine['jdk']}, "
        f"LibTorch {machine['libtorch']}, {machine['compiler']}. Load when each section began: "
        + ", ".join(f"{name} {load}" for name, load in result["load"].items())
        + f". Took {sum(result['seconds'].values()) / 60:.0f} minutes.\n",
    ]
    bars = missed(result)
    lines.append("Missed bars:\n\n" + "".join(f"- {line}\n" for line in bars) if bars else "Every bar holds.\n")
    if not has_bf16(result):
        lines.append("This processor has no bf16: the bars of that precision do not count, nor does the one on the\n"
                     "reference plan, which is what plain PyTorch did on a processor that has it.\n")
    for precision, cases in result.get("step", {}).items():
        lines += step_tables(cases, precision)
    if "growth" in result:
        lines += growth_tables(result["growth"], plot)
    if "memory" in result:
        lines += memory_tables(result["memory"])
    if "bridge" in result:
        lines += bridge_tables(result)
    if "alternatives" in result:
        lines += alternatives_tables(result)
    if "ops" in result:
        lines += ops_tables(result["ops"])
    if "prune" in result:
        lines += prune_tables(result["prune"])
    return "\n".join(lines)
