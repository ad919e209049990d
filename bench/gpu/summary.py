#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables of what bench/gpu/accept.sh left in a folder: summary.py <folder> writes README.md there."""
import itertools
import json
import pathlib
import re
import sys


def is_emulated(folder):
    return folder.name.endswith("-cpu")


def lines(folder, stage):
    """What a stage printed; of emulated kernels without times, which would mean nothing."""
    file = folder / (stage + ".jsonl")
    entries = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    for entry in entries if is_emulated(folder) else []:
        for key in ("seconds", "tokens_per_second"):
            entry.pop(key, None)
    return entries


def table(heads, rows):
    if not rows:
        return []
    return ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|",
            *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


def last(entries, **values):
    """The newest line with these values; {} without one."""
    return next((e for e in reversed(entries) if all(e.get(k) == v for k, v in values.items())), {})


def times(one, other):
    return f"{one / other:.2f}" if one and other else "-"


def number(value, form):
    return "-" if value is None else format(value, form)


def kernels(bench):
    names = dict.fromkeys(e["kernel"] for e in bench if e["what"] == "kernel")
    rows = [last(bench, what="kernel", kernel=name) for name in names]
    if rows and "seconds" not in rows[0]:
        yield "Kernels: " + ", ".join(names) + "."
        yield ""
        return
    yield from table(["kernel", "ms", "MB", "floor, ms", "fraction"],
                     [[e["kernel"], f"{e['seconds'] * 1e3:.4f}", f"{e['bytes'] / 1e6:.1f}",
                       f"{e['floor'] * 1e3:.4f}", f"{e['fraction']:.2f}"] for e in rows])
    ours = last(bench, what="kernel", kernel="projection")
    theirs = last(bench, what="topk")
    if ours and theirs.get("seconds"):
        yield f"Projection by torch.topk takes {theirs['seconds'] / ours['seconds']:.1f} times as long."
        yield ""
    yield from crossovers(bench)


def crossovers(bench):
    """Densities up to which a product by the nonzeros of a weight is faster than the dense one of the same type."""
    dense = last(bench, what="dense")
    for kind in ("bf16", "fp32"):
        for direction, key in (("", "seconds"), (" dX", "seconds_of_dx")):
            seconds_of_dense = dense.get(kind, {}).get(key)
            timed = {}
            for entry in bench:
                found = re.fullmatch(rf"sparse product 1/(\d+) {kind}{direction}", entry.get("kernel", ""))
                if found and "seconds" in entry:
                    timed[1 / int(found.group(1))] = entry["seconds"]
            if seconds_of_dense and timed:
                name = "dX" if direction else "x wT"
                yield (f"The dense product of {kind}, {name}, takes {seconds_of_dense * 1e3:.2f} ms and is "
                       f"{compared(seconds_of_dense, sorted(timed.items()))}.")
                yield ""


def compared(dense, timed):
    """In words, where a dense product meets those by nonzeros. timed: (density, seconds) in ascending density."""
    slower = [i for i, (_, seconds) in enumerate(timed) if seconds >= dense]
    if not slower:
        return f"slower than the sparse one up to a density of 1/{1 / timed[-1][0]:.0f}"
    if slower[0] == 0:
        return f"faster than the sparse one from a density of 1/{1 / timed[0][0]:.0f} on"
    (low, quick), (high, slow) = timed[slower[0] - 1], timed[slower[0]]
    return f"as fast as the sparse one at a density of 1/{1 / (low + (high - low) * (dense - quick) / (slow - quick)):.0f}"


def steps(bench):
    cases = dict.fromkeys(e["case"] for e in bench if e.get("case"))
    rows = []
    for case in cases:
        ours = last(bench, what="step", plan="filigree", case=case).get("seconds")
        for plan in ("filigree", "eager", "torch.compile", "floor"):
            entry = last(bench, plan=plan, case=case)
            seconds = entry.get("seconds")
            rows.append([case, plan, entry.get("micro_batch", "-"), number(seconds, ".4f"),
                         number(entry.get("tokens_per_second"), ".0f"), times(seconds, ours),
                         number(entry.get("first_loss"), ".3f")])
    yield from table(["case", "plan", "sequences at a time", "s a step", "tokens/s", "ours is faster by", "first loss"],
                     rows)


def trainings(folder):
    rows = []
    for stage in ("small", "medium"):
        entries = lines(folder, stage)
        end = last(entries, what="train")
        if end:
            chunks = {e["step"]: e for e in entries if e["what"] == "train"}.values()
            seconds = sum(e["seconds"] for e in chunks) if "seconds" in end else None
            rows.append([stage, end["step"], end["tokens"], end["L0"], number(seconds, ".0f"),
                         number(last(entries, what="held out").get("loss"), ".3f")])
    yield from table(["training", "steps", "tokens", "L0", "s", "held-out loss"], rows)


def circuits(folder):
    entries = lines(folder, "prune")
    keys = sorted({(e["task"], e["device"], e["seed"]) for e in entries}, key=str)
    rows = [last(entries, task=task, device=device, seed=seed) for task, device, seed in keys]
    yield from table(["task", "device", "seed", "s", "nodes", "edges", "loss", "target reached", "whole model"],
                     [[e["task"], e["device"], e["seed"], number(e.get("seconds"), ".1f"), e["nodes"], e["edges"],
                       f"{e['final']['loss']:.3f}", "yes" if e["reached"] else "no",
                       f"{e['whole_model']['loss']:.3f}"] for e in rows])


def overlaps(folder):
    """How alike the nodes of circuits are: of seeds on one device, and across devices. Jaccard, the mean over pairs."""
    kept = {}
    for file in sorted(folder.glob("circuits/*.json")):
        task, device, seed = file.stem.rsplit("-", 2)
        kept.setdefault(task, []).append((device, seed, set(json.loads(file.read_text()))))
    rows = []
    for task, found in kept.items():
        alike = {}
        for one, other in itertools.combinations(found, 2):
            union = one[2] | other[2]
            pair = " and ".join(sorted({one[0], other[0]}))
            alike.setdefault(pair, []).append(len(one[2] & other[2]) / len(union) if union else 1.0)
        rows += [[task, pair, len(values), f"{sum(values) / len(values):.2f}", f"{min(values):.2f}",
                  f"{max(values):.2f}"] for pair, values in sorted(alike.items())]
    yield from table(["task", "circuits of", "pairs", "nodes in common", "least", "most"], rows)


def main():
    folder = pathlib.Path(sys.argv[1])
    bench = lines(folder, "bench")
    machine = (folder / "machine.txt").read_text() if (folder / "machine.txt").exists() else ""
    skipped = []
    for stage in sorted(folder.glob("*.txt")):
        text = stage.read_text()
        skipped += [line for line in dict.fromkeys(text.splitlines()) if line.startswith("SKIP")]
        skipped += [line for line in text.split("\n== ")[-1].splitlines() if line.startswith("FAILED")]
    emulated = ["**The kernels were emulated on a CPU. This shows that the script runs; no figure is a measurement.**", ""]
    stages = (folder / "stages").read_text().splitlines() if (folder / "stages").exists() else []
    text = ["<!-- SPDX-License-Identifier: Apache-2.0 -->", "# " + folder.name, "",
            *(emulated if is_emulated(folder) else []), "```", machine.strip(), "```", "",
            *(["Stages: " + "; ".join(line.replace(": ", " ") for line in stages) + ".", ""] if stages else []),
            *kernels(bench), *steps(bench), *trainings(folder), *circuits(folder), *overlaps(folder),
            *(f"- {line}" for line in skipped)]
    (folder / "README.md").write_text("\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
