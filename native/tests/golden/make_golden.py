# SPDX-License-Identifier: Apache-2.0
"""
Write the golden files beside this script: what reference.py computes for four small models and one pruning run.

    python3 make_golden.py          (PyTorch 2.13 and safetensors; ten seconds)

README.md has the format. Every expected value is computed in float64 from fp32 weights and stored rounded to fp32;
the same run in fp32 gives the error that the tolerances are derived from. Weights and token batches are random, but
chosen so that no top-k decision is close: with near-ties the sets of kept entries, and so everything after them,
would depend on rounding.
"""

import copy
import json
import math
import pathlib
import shutil

import torch
from safetensors.torch import save_file

from reference import (Gpt, Pruner, Trainer, calibrate, circuit_edges, circuit_scores, masked_logits,
                       next_token_loss, node_means, scored_logits, two_way_losses)

FOLDER = pathlib.Path(__file__).resolve().parent
MAGIC, VERSION = "filigree-golden", 1
STEPS = 10
# Smallest accepted gap (|x_k| - |x_(k+1)|) / |x_k| at the boundary of any top-k, of a training step and of the whole
# pruning run: tens of times the fp32 noise, and still found by search in seconds.
MIN_GAP, MIN_PRUNING_GAP = 1e-4, 3e-5


def model_config(**changes):
    return {
        "block_size": 24, "vocab_size": 61, "n_layer": 2, "n_head": 4, "d_head": 8, "d_model": 24, "dropout": 0.0,
        "bias": True, "ln_bias": False, "rms_norm": True, "residual_activation_type": "identity",
        "activation_type": "gelu", "afrac": 0.25,
        "afrac_loctypes": "attn_in,attn_q,attn_k,attn_v,attn_out,mlp_in,mlp_neuron,mlp_out", "debug_nans": False,
        "tied_unembed": False, "tokenizer_name": "golden", "grad_checkpointing": False, "d_mlp": 64,
        "enable_bigram_table": True, "learnable_bigram_table": True, "d_pos_emb": None, "dropout_cat_pos_emb": False,
        "sinusoidal_cat_pos_emb": False, "enable_sparse_kernels": False, "flash": True, "sink": True, **changes,
    }


def trainer_config(fractions, anneal, **changes):
    return {
        "steps": 12, "batch_size": 2, "accumulate": 1, "seq_len": 17, "seed": 1, "lr": 0.02, "warmup": 0.2,
        "adam": {"beta1": 0.9, "beta2": 0.95, "eps": 0.1}, "weight_decay": 0.1, "gradient": "normalize",
        "sparsity": {
            "fractions": dict(zip(("matrix", "embedding", "unembedding", "bias", "position"), fractions)),
            "anneal": dict(zip(("shape", "start", "end", "exponent"), anneal)),
            "minimum_alive": 2, "sharkfin": True,
            # Off: what they do is Filigree's own, and tested against its own definitions.
            "revive": {"every": 0, "until": 1, "weights": 1, "share": 0},
            "levels": {"count": 1, "ratio": 1, "settle": 0},
        }, "distill": {"weight": 0, "temperature": 1}, **changes,
    }


def with_sparsity(config, **changes):
    return {**config, "sparsity": {**config["sparsity"], **changes}}


# A = n_head * d_head differs from d_model in the first and third; fractions are dyadic, or no k hangs on rounding.
CASES = {
    "sparse_sink": (
        model_config(),
        trainer_config((1 / 8, 1 / 2, 1 / 4, 1 / 4, 1), ("linear", 0.05, 0.7, 1))),
    "sparse_nosink": (
        model_config(sink=False, activation_type="relu", n_head=3, d_model=30, d_mlp=69, afrac=0.2),
        trainer_config((1 / 8, 1 / 2, 1 / 4, 1 / 2, 1), ("power_law", 0.1, 0.6, 1), warmup=0.0, lr=0.01,
                       steps=STEPS)),
    "dense": (
        model_config(afrac=None, n_head=3, vocab_size=73, enable_bigram_table=False, learnable_bigram_table=False),
        with_sparsity(trainer_config((1, 1, 1, 1, 1), ("linear", 0.0, 0.5, 1), gradient="clip", batch_size=3, lr=0.01,
                                     adam={"beta1": 0.8, "beta2": 0.99, "eps": 0.05}), minimum_alive=0,
                      sharkfin=False)),
    "positions": (
        model_config(sink=False, d_model=32, n_head=2, d_mlp=72, vocab_size=67, block_size=20,
                     afrac_loctypes="attn_in,attn_out,mlp_in,mlp_out", learnable_bigram_table=False),
        with_sparsity(trainer_config((1 / 4, 1, 1 / 2, 1, 1 / 4), ("linear", 0.07, 0.8, 2), seq_len=19),
                      minimum_alive=0, sharkfin=False)),
}

PRUNER = {"steps": 8, "batch_pairs": 3, "seed": 1, "lr": 0.05, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8,
          "weight_decay": 0.01, "k_coef": 1e-3, "init_scale": 0.1, "init_bias": 0.02, "temperature": 0.5,
          "warmup": 0.25, "clip_rms": 4.5e-3}
PRUNE_STEPS = 5


# ---- Distance of every top-k decision from a tie -------------------------------------------------------------------

def boundary_gap(magnitudes, k):
    """Smallest relative gap between rank k and rank k + 1 over the rows of a tensor; 0 when rank k is exactly 0."""
    if not 0 < k < magnitudes.shape[-1]:
        return math.inf
    ranked = magnitudes.sort(dim=-1, descending=True).values
    gap = (ranked[..., k - 1] - ranked[..., k]) / ranked[..., k - 1]
    return gap.nan_to_num(nan=0.0).min().item()


class Decisions:
    """Watches the top-k decisions of a run: what each chose from, and the smallest relative gap so far."""

    def __init__(self, stop_below=0.0):
        self.activation_gap, self.projection_gap = math.inf, math.inf
        self.stop_below = stop_below
        self.choices = []  # (values of one decision per row, k)

    class TooClose(Exception):
        pass

    def activation(self, key, x, k):
        x = x.detach()
        self.activation_gap = min(self.activation_gap, boundary_gap(x.abs(), k))
        self.choices.append((x.clone(), k))
        self._check()

    def projection(self, name, w, k, group_dim, alive, fraction):
        exact = fraction * w.numel()
        assert abs(exact - round(exact)) > 1e-6 or (fraction * 1024).is_integer(), f"k of {name} hangs on rounding"
        magnitudes, rest = w.detach().abs(), k
        if alive:
            groups = magnitudes if group_dim == 0 else magnitudes.T
            self.projection_gap = min(self.projection_gap, boundary_gap(groups, alive))
            rest -= alive * groups.shape[0]
            forced = groups.topk(alive, dim=-1).indices
            magnitudes = groups.scatter(-1, forced, -1.0)
            magnitudes = magnitudes[magnitudes >= 0]
        magnitudes = magnitudes.flatten()
        self.projection_gap = min(self.projection_gap, boundary_gap(magnitudes, rest))
        self.choices.append((magnitudes.sort(descending=True).values, rest))
        self._check()

    def _check(self):
        if min(self.activation_gap, self.projection_gap) < self.stop_below:
            raise Decisions.TooClose


def noise_margin(decisions64, decisions32):
    """Smallest ratio of a boundary gap to twice the largest fp32 error among the values it was chosen from."""
    margin = math.inf
    for (x64, k), (x32, k32) in zip(decisions64.choices, decisions32.choices, strict=True):
        assert k == k32
        if 0 < k < x64.shape[-1]:
            ranked = x64.abs().sort(dim=-1, descending=True).values
            noise = (x64 - x32.double()).abs().amax(dim=-1).clamp(min=1e-12)
            margin = min(margin, ((ranked[..., k - 1] - ranked[..., k]) / (2 * noise)).min().item())
    return margin


# ---- Cases ---------------------------------------------------------------------------------------------------------

def initial_weights(config, positions, generator):
    """Every tensor away from its neutral value, so that a part that is ignored or misplaced shows."""
    scales = {"wte.weight": 0.2, "wpe.weight": 0.1 if positions else 0.0, "c_attn.weight": 0.3, "c_fc.weight": 0.3,
              "c_proj.weight": 0.2, "lm_head.weight": 0.2, ".bias": 0.1, "sink_logit": 1.0, "final_logits_bias": 0.3,
              "bigram_table": 0.3}
    weights = {}
    for name, t in Gpt(config).state_dict().items():
        noise = torch.randn(t.shape, generator=generator)
        if "ln_" in name:
            weights[name] = 1 + 0.2 * noise
        else:
            weights[name] = noise * next(scale for suffix, scale in scales.items() if name.endswith(suffix))
    if config["afrac"] is None:
        # Small embeddings and large logits give gradients of RMS above 1 at first, so that clipping is seen to act
        # and to stop acting.
        weights["transformer.wte.weight"] *= 0.1
        weights["lm_head.weight"] *= 8
    else:
        # A short row, for which the epsilon of RMSNorm is visible.
        weights["transformer.wte.weight"][3] *= 0.02
    return weights


def build(config, weights, dtype):
    model = Gpt(config)
    model.load(weights)
    return model.to(dtype)


def random_batch(config, trainer, generator, first):
    tokens = torch.randint(config["vocab_size"], (trainer["batch_size"], trainer["seq_len"]), generator=generator)
    if first:
        tokens[0, 1] = 3                           # the short embedding row
        tokens[-1, 2] = config["vocab_size"] - 1   # the last row of the bigram table
    return tokens


def find_batches(config, trainer_json, weights, generator):
    """Ten batches, each the first random one whose forward and projection make no close decision."""
    state = Trainer(build(config, weights, torch.float64), trainer_json)
    batches = []
    while len(batches) < STEPS:
        tokens = random_batch(config, trainer_json, generator, first=not batches)
        trial, decisions = None, Decisions(stop_below=MIN_GAP)
        try:
            state.model(tokens, before_top_k=decisions.activation)
            trial = copy.deepcopy(state)
            trial.step(tokens, before_projection=decisions.projection)
        except Decisions.TooClose:
            continue
        state = trial
        batches.append(tokens)
    return batches


def relative_error(value, truth):
    """Largest absolute difference over the largest magnitude: the error measure of the tests."""
    value, truth = torch.as_tensor(value).double(), torch.as_tensor(truth).double()
    return ((value - truth).abs().max() / truth.abs().max().clamp(min=1e-30)).item()


def worst(values, truths):
    return max(relative_error(values[name], truths[name]) for name in truths)


def run_training(config, trainer_json, weights, batches, dtype):
    model = build(config, weights, dtype)
    trainer = Trainer(model, trainer_json)
    decisions, steps, snapshots = Decisions(), [], {}
    with torch.no_grad():
        logits = model(batches[0])
    for i, tokens in enumerate(batches):
        steps.append(trainer.step(tokens, before_top_k=decisions.activation,
                                  before_projection=decisions.projection))
        if i + 1 in (1, STEPS):
            m, v = trainer.moments()
            snapshots[i + 1] = copy.deepcopy({"weight": dict(trainer.parameters), "adam_m": m, "adam_v": v})
    return logits, steps, snapshots, decisions, model


def tolerances(errors):
    """What the tests allow for each quantity; README.md argues for the factor and the floor."""
    return {quantity: max(2e-6, 20 * error) for quantity, error in errors.items()}


def write_json(path, value):
    """One line per top-level key."""
    lines = (f"  {json.dumps(key)}: {json.dumps(item)}" for key, item in value.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def write_tensors(path, tensors):
    save_file({name: t.detach().float().contiguous() for name, t in tensors.items()}, path)


def make_training_case(name, config, trainer_json, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = initial_weights(config, name == "positions", generator)
    batches = find_batches(config, trainer_json, weights, generator)
    logits, steps, snapshots, decisions, model = run_training(config, trainer_json, weights, batches, torch.float64)
    logits32, steps32, snapshots32, decisions32, _ = run_training(config, trainer_json, weights, batches,
                                                                  torch.float32)
    assert [s["nonzeros"] for s in steps] == [s["nonzeros"] for s in steps32]

    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", weights)
    write_json(folder / "trainer.json", trainer_json)
    expected = {"logits": logits} | {f"gradient.{n}": g for n, g in steps[0]["gradients"].items()}
    for after, snapshot in snapshots.items():
        for kind, tensors in snapshot.items():
            expected |= {f"step{after}.{kind}.{n}": t for n, t in tensors.items()}
    write_tensors(folder / "expected.safetensors", expected)

    def errors_of(key):
        return max(relative_error(a[key], b[key]) for a, b in zip(steps32, steps))

    errors = {"logits": relative_error(logits32, logits),
              "gradient": worst(steps32[0]["gradients"], steps[0]["gradients"]),
              "loss": errors_of("loss"), "grad_norm": errors_of("grad_norm")}
    for kind in ("weight", "adam_m", "adam_v"):
        for after in snapshots:
            errors[f"{kind}_step{after}"] = worst(snapshots32[after][kind], snapshots[after][kind])
    golden = {
        "magic": MAGIC, "version": VERSION, "seed": seed,
        "tokens": [b.tolist() for b in batches],
        "steps": [{key: s[key] for key in ("lr", "density", "loss", "grad_norm", "nonzeros")} for s in steps],
        "smallest_relative_gap": {
            key: gap for key, gap in (("activation", decisions.activation_gap),
                                      ("projection", decisions.projection_gap)) if gap < math.inf},
        "fp32_error": errors, "tolerance": tolerances(errors),
    }
    margin = noise_margin(decisions, decisions32)
    if margin < math.inf:
        golden["smallest_gap_over_fp32_noise"] = margin
        assert margin > 5, margin
    write_json(folder / "golden.json", golden)
    report(name, errors, margin)
    return model


def report(name, errors, margin):
    print(f"{name}: smallest gap is {margin:.0f} x fp32 noise; fp32 errors "
          + ", ".join(f"{quantity} {error:.1e}" for quantity, error in errors.items()))


def find_windows(model, count, generator):
    """Windows of block_size tokens without close decisions, and a remainder that the loss must drop."""
    stream, block = [], model.config["block_size"]
    while len(stream) < count:
        window = torch.randint(model.config["vocab_size"], (1, block), generator=generator)
        try:
            model(window, before_top_k=Decisions(stop_below=MIN_GAP).activation)
        except Decisions.TooClose:
            continue
        stream.append(window)
    remainder = torch.randint(model.config["vocab_size"], (5,), generator=generator)
    return torch.cat(stream), remainder


def random_examples(vocabulary, generator):
    pairs, length = PRUNER["batch_pairs"], 7
    tokens = torch.randint(1, vocabulary, (pairs, 2, length), generator=generator)
    eval_positions = torch.randint(3, length, (pairs, 2), generator=generator)
    tokens[torch.arange(length) > eval_positions.unsqueeze(-1)] = 0  # right padding
    first = torch.randint(vocabulary, (pairs,), generator=generator)
    second = (first + 1 + torch.randint(vocabulary - 1, (pairs,), generator=generator)) % vocabulary
    return tokens, eval_positions, torch.stack([first, second], dim=1)


def run_pruning(model, means, tau, examples, decisions):
    pruner, steps, taus = Pruner(model, PRUNER, tau, means), [], []
    for _ in range(PRUNE_STEPS):
        steps.append(pruner.step(*examples, before_top_k=decisions.activation))
        taus.append(pruner.tau.detach().clone())
    return steps, taus


def run_circuit(model, means, keep, examples, decisions):
    tokens, eval_positions, answers = examples
    with torch.no_grad():
        logits = masked_logits(model, tokens.flatten(0, 1), keep.to(means.dtype), means, decisions.activation)
        scored = scored_logits(logits, eval_positions)
    fit = calibrate(scored, answers)
    return logits, {**circuit_scores(scored, answers), "calibrated": fit}


def make_pruning_case(trained, seed):
    """Masks over the model that sparse_sink ends with."""
    config, name = trained.config, "pruning"
    generator = torch.Generator().manual_seed(seed)
    weights = {n: t.detach().float() for n, t in trained.state_dict().items()}
    model, model32 = (build(config, weights, dtype).requires_grad_(False) for dtype in (torch.float64, torch.float32))
    windows, remainder = find_windows(model, 3, generator)
    decisions, decisions32 = Decisions(), Decisions()
    means = node_means(model, windows, decisions.activation)
    means32 = node_means(model32, windows, decisions32.activation)
    given_means = means.float()  # the pruner gets the stored values
    nodes = model.n_nodes()

    while True:
        examples = random_examples(config["vocab_size"], generator)
        tau = (PRUNER["init_bias"] + PRUNER["init_scale"] * torch.randn(nodes, generator=generator)).clamp(-1, 1)
        keep = torch.rand(nodes, generator=generator) < 0.6
        try:
            trial = Decisions(stop_below=MIN_PRUNING_GAP)
            _, whole = run_circuit(model, given_means.double(), torch.ones(nodes), examples, trial)
            _, circuit = run_circuit(model, given_means.double(), keep, examples, trial)
            fits = [scores["calibrated"] for scores in (whole, circuit)]
            # Answers that a threshold separates have no best scale.
            if not all(0.2 < fit["scale"] < 5 and math.isfinite(fit["shift"]) for fit in fits):
                continue
            steps, taus = run_pruning(model, given_means.double(), tau.double(), examples, trial)
        except (Decisions.TooClose, torch.linalg.LinAlgError):
            continue
        clipped = {s["grad_rms"] > PRUNER["clip_rms"] for s in steps}
        if min(t.abs().min() for t in taus + [tau]) > 2e-5 and len(clipped) == 2:
            break

    def everything(model, dtype, decisions):
        fill = given_means.to(dtype)
        _, whole = run_circuit(model, fill, torch.ones(nodes), examples, decisions)
        logits, circuit = run_circuit(model, fill, keep, examples, decisions)
        return whole, logits, circuit, *run_pruning(model, fill, tau.to(dtype), examples, decisions)

    whole, logits, circuit, steps, taus = everything(model, torch.float64, decisions)
    whole32, logits32, circuit32, steps32, taus32 = everything(model32, torch.float32, decisions32)
    assert [s["nodes"] for s in steps] == [s["nodes"] for s in steps32]
    assert len({s["nodes"] for s in steps}) > 2
    with torch.no_grad():
        loss, loss32 = (next_token_loss(m(windows), windows).item() for m in (model, model32))

    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", weights)
    write_json(folder / "pruner.json", PRUNER)
    write_tensors(folder / "expected.safetensors", {
        "means": means, "tau0": tau, "tau0_gradient": steps[0]["gradient"], "masked_logits": logits,
        **{f"tau{i + 1}": t for i, t in enumerate(taus)}})
    tokens, eval_positions, answers = examples

    def scalars(scores):
        return torch.tensor([scores["raw_loss"], scores["full_loss"], scores["calibrated"]["loss"]])

    errors = {
        "means": relative_error(means32, means), "loss": abs(loss32 / loss - 1),
        "masked_logits": relative_error(logits32, logits),
        "tau_gradient": relative_error(steps32[0]["gradient"], steps[0]["gradient"]),
        "tau": max(relative_error(a, b) for a, b in zip(taus32, taus)),
        "task_loss": max(abs(a["task_loss"] / b["task_loss"] - 1) for a, b in zip(steps32, steps)),
        "scores": max(relative_error(scalars(a), scalars(b)) for a, b in ((whole32, whole), (circuit32, circuit))),
        "calibration": max(abs(a["calibrated"][key] - b["calibrated"][key])
                           for a, b in ((whole32, whole), (circuit32, circuit)) for key in ("scale", "shift")),
    }
    write_json(folder / "golden.json", {
        "magic": MAGIC, "version": VERSION, "seed": seed, "nodes": nodes,
        "stream": torch.cat([windows.flatten(), remainder]).tolist(), "stream_loss": loss,
        "tokens": tokens.tolist(), "eval_positions": eval_positions.tolist(), "answers": answers.tolist(),
        "steps": [{key: s[key] for key in ("task_loss", "lr", "grad_rms", "nodes")} for s in steps],
        "keep": keep.int().tolist(), "whole": whole, "circuit": circuit,
        "edges": circuit_edges(model, keep.tolist()),
        "smallest_relative_gap": {"activation": decisions.activation_gap},
        "smallest_tau": min(t.abs().min().item() for t in taus + [tau]),
        "smallest_gap_over_fp32_noise": noise_margin(decisions, decisions32),
        "fp32_error": errors, "tolerance": tolerances(errors),
    })
    report(name, errors, noise_margin(decisions, decisions32))


def main():
    torch.set_num_threads(1)
    trained = {name: make_training_case(name, *case, seed=seed) for seed, (name, case) in enumerate(CASES.items(), 1)}
    make_pruning_case(trained["sparse_sink"], seed=len(CASES) + 1)


if __name__ == "__main__":
    main()
