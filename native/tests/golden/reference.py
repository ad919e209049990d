# SPDX-License-Identifier: Apache-2.0
"""Weight-sparse transformer, its training step and its pruning step, written for reading, not for speed.

Works from the method (Gao et al., arXiv 2511.13653) alone and shares nothing with the C++ core, which is tested
against the numbers that come out of it (make_golden.py). Section numbers are those of the method specification.
Shapes: B sequences, T tokens, d = d_model, A = n_head * d_head, m = d_mlp, V = vocab_size.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

# RMSNorm with eps unset takes the machine epsilon of its dtype. The float64 run must normalise with the epsilon of
# the fp32 run, or the two would be different models.
EPSILON = torch.finfo(torch.float32).eps

# The eight node sites of a layer in flat-node order (1.2): kind -> hook key.
SITES = {
    "attn_in": "{i}.attn.act_in",
    "attn_q": "{i}.attn.q",
    "attn_k": "{i}.attn.k",
    "attn_v": "{i}.attn.v",
    "attn_out": "{i}.attn.resid_delta",
    "mlp_in": "{i}.mlp.act_in",
    "mlp_neuron": "{i}.mlp.post_act",
    "mlp_out": "{i}.mlp.resid_delta",
}


def abs_top_k(x, k):
    """Keep the k entries of largest magnitude of every row (last dimension), zero the others (1.3)."""
    kept = x.abs().topk(k, dim=-1).indices
    return torch.zeros_like(x).scatter(-1, kept, x.gather(-1, kept))


class Sink(nn.Module):
    def __init__(self, n_head):
        super().__init__()
        self.sink_logit = nn.Parameter(torch.zeros(n_head))


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        width = c["n_head"] * c["d_head"]
        self.n_head, self.d_head, self.width = c["n_head"], c["d_head"], width
        self.c_attn = nn.Linear(c["d_model"], 3 * width)
        self.c_proj = nn.Linear(width, c["d_model"])
        if c["sink"]:
            self.attn_imp = Sink(c["n_head"])

    def forward(self, x, site):
        B, T, _ = x.shape
        q, k, v = self.c_attn(site("attn_in", x)).split(self.width, dim=-1)
        q, k, v = (
            site(kind, t).view(B, T, self.n_head, self.d_head).transpose(1, 2)  # [B, H, T, dh]
            for kind, t in (("attn_q", q), ("attn_k", k), ("attn_v", v))
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.d_head)  # [B, H, T, T]
        future = torch.ones(T, T, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, -math.inf)
        if hasattr(self, "attn_imp"):
            # 1.4: one more key, always visible, with logit sink_logit and value 0.
            sink = self.attn_imp.sink_logit.view(1, -1, 1, 1).expand(B, -1, T, 1)
            weights = torch.cat([scores, sink], dim=-1).softmax(dim=-1)[..., :-1]
        else:
            weights = scores.softmax(dim=-1)
        y = (weights @ v).transpose(1, 2).reshape(B, T, self.width)
        return site("attn_out", self.c_proj(y))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c_fc = nn.Linear(c["d_model"], c["d_mlp"])
        self.c_proj = nn.Linear(c["d_mlp"], c["d_model"])
        self.activation = {"gelu": F.gelu, "relu": F.relu}[c["activation_type"]]  # F.gelu is the exact (erf) one

    def forward(self, x, site):
        h = site("mlp_neuron", self.activation(self.c_fc(site("mlp_in", x))))
        return site("mlp_out", self.c_proj(h))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.ln_1 = nn.RMSNorm(c["d_model"], eps=EPSILON)
        self.ln_2 = nn.RMSNorm(c["d_model"], eps=EPSILON)
        self.attn = Attention(c)
        self.mlp = Mlp(c)

    def forward(self, x, site):
        x = x + self.attn(self.ln_1(x), site)
        return x + self.mlp(self.ln_2(x), site)


class Gpt(nn.Module):
    """The model of section 1.1. Its state dict has the names and shapes of section 1.8."""

    def __init__(self, config):
        super().__init__()
        c = self.config = config
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(c["vocab_size"], c["d_model"]),
            "wpe": nn.Embedding(c["block_size"], c["d_model"]),
            "h": nn.ModuleList(Block(c) for _ in range(c["n_layer"])),
            "ln_f": nn.RMSNorm(c["d_model"], eps=EPSILON),
        })
        self.lm_head = nn.Linear(c["d_model"], c["vocab_size"], bias=False)
        self.register_buffer("final_logits_bias", torch.zeros(c["vocab_size"]))
        if c["enable_bigram_table"]:
            table = torch.zeros(c["vocab_size"], c["vocab_size"])
            if c["learnable_bigram_table"]:
                self.bigram_table = nn.Parameter(table)
            else:
                self.register_buffer("bigram_table", table)
        self.widths = {
            kind: {"attn_q": c["n_head"] * c["d_head"], "attn_k": c["n_head"] * c["d_head"],
                   "attn_v": c["n_head"] * c["d_head"], "mlp_neuron": c["d_mlp"]}.get(kind, c["d_model"])
            for kind in SITES
        }
        self.sparse_sites = set() if c["afrac"] is None else set(c["afrac_loctypes"].split(","))

    def load(self, weights):
        """Take initial weights. Positions that are all zero stay zero: that is the variant without them (1.5)."""
        self.load_state_dict(weights)
        self.transformer["wpe"].weight.requires_grad_(bool(self.transformer["wpe"].weight.any()))

    def site_keys(self):
        """[(hook key, kind, width)] in flat-node order."""
        return [(pattern.format(i=i), kind, self.widths[kind])
                for i in range(self.config["n_layer"]) for kind, pattern in SITES.items()]

    def n_nodes(self):
        return sum(width for _, _, width in self.site_keys())

    def kept_activations(self, kind):
        """k of AbsTopK at a site, or None where the site has none."""
        if kind not in self.sparse_sites:
            return None
        return max(1, int(self.config["afrac"] * self.widths[kind]))

    def forward(self, idx, hook=None, before_top_k=None):
        """
        Logits [B, T, V] of token ids idx [B, T].
        hook(key, x) sees the activation of every node site after its AbsTopK and returns what goes on.
        before_top_k(key, x, k) watches what every AbsTopK has to choose from.
        """
        def site_of_layer(i):
            def site(kind, x):
                key, k = SITES[kind].format(i=i), self.kept_activations(kind)
                if k is not None:
                    if before_top_k:
                        before_top_k(key, x, k)
                    x = abs_top_k(x, k)
                return hook(key, x) if hook else x
            return site

        t = self.transformer
        x = t["wte"](idx) + t["wpe"].weight[: idx.shape[1]]
        for i, block in enumerate(t["h"]):
            x = block(x, site_of_layer(i))
        logits = self.lm_head(t["ln_f"](x)) + self.final_logits_bias
        if self.config["enable_bigram_table"]:
            logits = logits + self.bigram_table[idx]
        return logits


def next_token_loss(logits, tokens):
    """Mean cross-entropy of every token but the first of each sequence, nats."""
    V = logits.shape[-1]
    return F.cross_entropy(logits[:, :-1].reshape(-1, V), tokens[:, 1:].reshape(-1))


# ---- Training (section 2) ------------------------------------------------------------------------------------------

def family(name):
    """Which sparsity fraction a tensor follows; None for those that are never sparsified (2.2)."""
    if name.endswith(("c_attn.weight", "c_fc.weight", "c_proj.weight")):
        return "matrix"
    if name.endswith(".bias"):
        return "bias"
    return {"transformer.wte.weight": "embedding", "lm_head.weight": "unembedding",
            "transformer.wpe.weight": "position"}.get(name)


def warmup_then_linear(lr, step, steps, warmup):
    W = warmup * steps
    return lr * step / W if step < W else lr * (1 - (step - W) / (steps - W))


def matrix_density(step, steps, final, anneal):
    """Kept fraction of the block matrices at a 0-based step (2.4)."""
    s0, s1 = anneal["start"] * steps, anneal["end"] * steps
    if step >= s1:
        return final
    if step <= s0:
        return 1.0
    if anneal["shape"] == "linear":
        u = (step - s0) / (s1 - s0)
        return 1 + (final - 1) * (1 - (1 - u) ** anneal["exponent"])
    return final ** (math.log(step / s0) / math.log(s1 / s0))  # log density is linear in log step


def family_density(density, final_matrix, final):
    """Kept fraction of another family: dense with the matrices, final with the matrices (2.2)."""
    return final if final_matrix == 1 else final + (1 - final) * (density - final_matrix) / (1 - final_matrix)


def project(w, k, group_dim, alive):
    """
    Zero all but the k entries of w of largest magnitude. Of every group (a row when group_dim is 0, a column when it
    is 1) the `alive` largest are kept first, and count inside k (2.3). Equal magnitudes: the lower flat index wins.
    """
    score = w.abs()
    if alive:
        # Rank inside the group by a stable sort, so that ties keep flat order.
        order = score.sort(dim=1 - group_dim, descending=True, stable=True).indices
        score = score.scatter(1 - group_dim, order.narrow(1 - group_dim, 0, alive), math.inf)
        assert alive * w.shape[group_dim] <= k
    order = score.flatten().sort(descending=True, stable=True).indices
    w.view(-1)[order[k:]] = 0


class Trainer:
    def __init__(self, model, config):
        self.model, self.config, self.steps_done = model, config, 0
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        adam = config["adam"]
        self.adam = torch.optim.Adam(self.parameters.values(), betas=(adam["beta1"], adam["beta2"]), eps=adam["eps"],
                                     foreach=False)

    def step(self, tokens, before_top_k=None, before_projection=None):
        c, sparsity, i = self.config, self.config["sparsity"], self.steps_done
        fractions = sparsity["fractions"]
        density = matrix_density(i, c["steps"], fractions["matrix"], sparsity["anneal"])
        lr = warmup_then_linear(c["lr"], i, c["steps"], c["warmup"])
        if sparsity["sharkfin"]:
            lr *= math.sqrt(fractions["matrix"] / density)

        self.adam.zero_grad()
        loss = next_token_loss(self.model(tokens, before_top_k=before_top_k), tokens)
        loss.backward()
        gradients = {name: p.grad.clone() for name, p in self.parameters.items()}

        norm = math.sqrt(sum(float(p.grad.double().pow(2).sum()) for p in self.parameters.values()))
        rms = norm / math.sqrt(sum(p.numel() for p in self.parameters.values()))
        scale = 1 / (rms + 1e-5)
        if c["gradient"] == "clip":
            scale = min(1.0, scale)
        with torch.no_grad():
            for p in self.parameters.values():
                p.grad *= scale
            self.adam.param_groups[0]["lr"] = lr
            self.adam.step()
            for name, p in self.parameters.items():
                if family(name):
                    self._project(name, p, density, before_projection)
            for name, p in self.parameters.items():
                if p.dim() >= 2 and name != "bigram_table":
                    p *= 1 - c["weight_decay"] * lr
        self.steps_done += 1
        nonzeros = {name: int(p.count_nonzero()) for name, p in self.parameters.items()}
        return {"loss": loss.item(), "lr": lr, "grad_norm": norm, "density": density, "nonzeros": nonzeros,
                "gradients": gradients}

    def _project(self, name, p, density, before_projection):
        sparsity, fractions = self.config["sparsity"], self.config["sparsity"]["fractions"]
        if family(name) == "matrix":
            # Inputs of a channel or neuron are a row; outputs of a value channel or neuron are a column.
            group_dim, alive = (1 if "c_proj" in name else 0), sparsity["minimum_alive"]
            fraction = density
        else:
            group_dim, alive = 0, 0
            fraction = family_density(density, fractions["matrix"], fractions[family(name)])
        k = int(fraction * p.numel())
        if k < p.numel():
            if before_projection:
                before_projection(name, p, k, group_dim, alive, fraction)
            project(p, k, group_dim, alive)

    def moments(self):
        """Adam's first and second moment by tensor name."""
        state = {name: self.adam.state[p] for name, p in self.parameters.items()}
        return ({n: s["exp_avg"] for n, s in state.items()}, {n: s["exp_avg_sq"] for n, s in state.items()})


# ---- Nodes, masks, pruning (sections 3 and 4) ----------------------------------------------------------------------

def node_means(model, windows, before_top_k=None):
    """Mean of every node over all positions of token windows [n, T], after AbsTopK (4.4): [nodes]."""
    means = {}

    def record(key, x):
        means[key] = x.mean(dim=(0, 1))
        return x

    with torch.no_grad():
        model(windows, hook=record, before_top_k=before_top_k)
    return torch.cat([means[key] for key, _, _ in model.site_keys()])


class Gate(torch.autograd.Function):
    """Heaviside step of tau with the slope of a sigmoid of temperature T (4.1)."""

    @staticmethod
    def forward(context, tau, temperature):
        context.save_for_backward(tau)
        context.temperature = temperature
        return (tau >= 0).to(tau.dtype)

    @staticmethod
    def backward(context, grad):
        (tau,) = context.saved_tensors
        s = torch.sigmoid(tau / context.temperature)
        return grad * s * (1 - s) / context.temperature, None


def masked_logits(model, tokens, gate, means, before_top_k=None):
    """Logits with node j replaced by gate_j * x_j + (1 - gate_j) * means_j at every position."""
    keys = [key for key, _, _ in model.site_keys()]
    widths = [width for _, _, width in model.site_keys()]
    gates, fill = dict(zip(keys, gate.split(widths))), dict(zip(keys, means.split(widths)))
    return model(tokens, hook=lambda key, x: x * gates[key] + fill[key] * (1 - gates[key]),
                 before_top_k=before_top_k)


def scored_logits(logits, eval_positions):
    """logits [pairs * 2, T, V] at eval_positions [pairs, 2]: [pairs, 2, V]."""
    rows = torch.arange(logits.shape[0])
    return logits[rows, eval_positions.flatten()].view(*eval_positions.shape, -1)


def two_way_losses(scored, answers):
    """Cross-entropy between a member's right answer and the other member's, [pairs, 2] (4.7)."""
    right = scored.gather(-1, answers.unsqueeze(-1)).squeeze(-1)
    wrong = scored.gather(-1, answers.flip(1).unsqueeze(-1)).squeeze(-1)
    return F.softplus(wrong - right)


def circuit_scores(scored, answers):
    """raw_loss, full_loss and accuracy of answers, each per sequence."""
    full = -scored.log_softmax(-1).gather(-1, answers.unsqueeze(-1))
    losses = two_way_losses(scored, answers)
    return {"raw_loss": losses.mean().item(), "full_loss": full.mean().item(),
            "accuracy": (losses < math.log(2)).double().mean().item()}


def calibrate(scored, answers):
    """
    Scale s and shift c that minimise the loss of the two-way logit s * (z_a - z_b) + c, a and b being the answers of
    a pair's first and second member (4.6). Newton's method on a convex function of two numbers.
    """
    difference = scored.gather(-1, answers[:, :1].unsqueeze(1).expand(-1, 2, 1)) \
        - scored.gather(-1, answers[:, 1:].unsqueeze(1).expand(-1, 2, 1))  # [pairs, 2, 1]
    features = torch.cat([difference, torch.ones_like(difference)], dim=-1).flatten(0, 1)  # [pairs * 2, 2]
    sign = torch.tensor([1.0, -1.0], dtype=scored.dtype).repeat(answers.shape[0])
    w = torch.tensor([1.0, 0.0], dtype=scored.dtype)
    for _ in range(50):
        p = torch.sigmoid(-sign * (features @ w))
        gradient = -(sign * p) @ features / len(sign)
        hessian = (features * (p * (1 - p)).unsqueeze(1)).T @ features / len(sign)
        w = w - torch.linalg.solve(hessian, gradient)
    loss = F.softplus(-sign * (features @ w)).mean()
    return {"scale": w[0].item(), "shift": w[1].item(), "loss": loss.item()}


class Pruner:
    def __init__(self, model, config, tau, means):
        self.model, self.config, self.means, self.steps_done = model, config, means, 0
        self.tau = nn.Parameter(tau.clamp(-1, 1))
        self.adam = torch.optim.AdamW([self.tau], betas=(config["beta1"], config["beta2"]), eps=config["eps"],
                                      weight_decay=config["weight_decay"], foreach=False)

    def step(self, tokens, eval_positions, answers, before_top_k=None):
        """One step on tokens [pairs, 2, T], eval_positions [pairs, 2], answers [pairs, 2]."""
        c = self.config
        gate = Gate.apply(self.tau, c["temperature"])
        logits = masked_logits(self.model, tokens.flatten(0, 1), gate, self.means, before_top_k)
        task_loss = two_way_losses(scored_logits(logits, eval_positions), answers).mean()
        self.adam.zero_grad()
        (task_loss + c["k_coef"] * gate.sum()).backward()
        gradient = self.tau.grad.clone()
        rms = float(gradient.pow(2).mean().sqrt())
        lr = warmup_then_linear(c["lr"], self.steps_done, c["steps"], c["warmup"])
        with torch.no_grad():
            if rms > c["clip_rms"]:
                self.tau.grad *= c["clip_rms"] / rms
            self.adam.param_groups[0]["lr"] = lr
            self.adam.step()
            self.tau.clamp_(-1, 1)
        self.steps_done += 1
        return {"task_loss": task_loss.item(), "lr": lr, "grad_rms": rms, "gradient": gradient,
                "nodes": int((self.tau >= 0).sum())}


def circuit_edges(model, keep):
    """[(source, target, weight)] between kept nodes (section 3): by layer, matrix, target, source."""
    offsets, offset = {}, 0
    for key, _, width in model.site_keys():
        offsets[key] = offset
        offset += width
    edges = []
    for i, block in enumerate(model.transformer["h"]):
        at = {kind: offsets[pattern.format(i=i)] for kind, pattern in SITES.items()}
        w_q, w_k, w_v = block.attn.c_attn.weight.split(block.attn.width)
        for weight, source, target in ((w_q, "attn_in", "attn_q"), (w_k, "attn_in", "attn_k"),
                                       (w_v, "attn_in", "attn_v"), (block.attn.c_proj.weight, "attn_v", "attn_out"),
                                       (block.mlp.c_fc.weight, "mlp_in", "mlp_neuron"),
                                       (block.mlp.c_proj.weight, "mlp_neuron", "mlp_out")):
            for r, c in weight.nonzero().tolist():
                if keep[at[target] + r] and keep[at[source] + c]:
                    edges.append((at[source] + c, at[target] + r, weight[r, c].item()))
    return edges
