#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Filigree's step is compared with: the same sparse transformer in plain PyTorch. Shares no code with Filigree.

    baseline.py step presets/g2 [--compile]    a step: seconds, at the largest part of the batch that fits; the search
                                               begins with --micro-batch, as compiling for every size takes minutes
    baseline.py floor presets/g2               seconds that it takes at the device's rates alone
    baseline.py topk --elements 67108864       exact projection of eight matrices by torch.topk, one after the other
    baseline.py dense --rows 32768             what a sparse product of the kernels' benchmark is without its zeros

A step is bf16 matrix products under autocast, torch.topk for AbsTopK and projection, gradients of the parts added up,
normalised, Adam, decay. Prints one JSON line.
"""
import argparse
import gc
import json
import math
import pathlib
import time

import torch
import torch.nn.functional as F


class AbsTopK(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k):
        index = x.abs().topk(k, dim=-1, sorted=False).indices
        ctx.save_for_backward(index)
        return torch.zeros_like(x).scatter_(-1, index, x.gather(-1, index))

    @staticmethod
    def backward(ctx, dy):
        (index,) = ctx.saved_tensors
        return torch.zeros_like(dy).scatter_(-1, index, dy.gather(-1, index)), None


def keep(x):
    return AbsTopK.apply(x, max(1, x.shape[-1] // 4))


class Block(torch.nn.Module):
    def __init__(self, d):
        super().__init__()
        self.heads = d // 16
        self.ln_1 = torch.nn.RMSNorm(d)
        self.ln_2 = torch.nn.RMSNorm(d)
        self.qkv = torch.nn.Linear(d, 3 * d)
        self.out = torch.nn.Linear(d, d)
        self.fc = torch.nn.Linear(d, 4 * d)
        self.proj = torch.nn.Linear(4 * d, d)
        self.sink = torch.nn.Parameter(torch.zeros(self.heads))

    def attention(self, x):
        b, t, d = x.shape
        q, k, v = (keep(part).view(b, t, self.heads, 16).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        # The sink as one more key of zeros, whose score the mask sets.
        mask = torch.full((t, t), float("-inf"), device=x.device).triu(1)
        mask = torch.cat([mask.expand(self.heads, t, t), self.sink.float().view(-1, 1, 1).expand(-1, t, 1)], -1)
        zero = torch.zeros_like(k[:, :, :1])
        y = F.scaled_dot_product_attention(q, torch.cat([k, zero], 2), torch.cat([v, zero], 2), mask.to(q.dtype)[None])
        return y.transpose(1, 2).reshape(b, t, d)

    def forward(self, x):
        x = x + keep(self.out(self.attention(keep(self.ln_1(x)))))
        return x + keep(self.proj(keep(F.gelu(self.fc(keep(self.ln_2(x)))))))


class Model(torch.nn.Module):
    def __init__(self, layers, d, vocabulary):
        super().__init__()
        self.wte = torch.nn.Embedding(vocabulary, d)
        self.blocks = torch.nn.ModuleList(Block(d) for _ in range(layers))
        self.ln = torch.nn.RMSNorm(d)
        self.head = torch.nn.Linear(d, vocabulary, bias=False)
        self.bigram = torch.nn.Parameter(torch.rand(vocabulary, vocabulary) * 0.02)
        for p in self.parameters():
            if p.dim() > 1 and p is not self.bigram:
                torch.nn.init.normal_(p, std=0.02)

    def forward(self, tokens):
        x = self.wte(tokens)
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.ln(x)).float() + F.embedding(tokens, self.bigram)
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def median_seconds(device, repeats, call):
    times = []
    for _ in range(repeats):
        wait(device)
        start = time.perf_counter()
        call()
        wait(device)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


class Case:
    """Sizes of a folder of bench/gpu/presets."""

    def __init__(self, folder):
        self.name = pathlib.Path(folder).name
        model = json.loads(pathlib.Path(folder, "model.json").read_text())
        train = json.loads(pathlib.Path(folder, "train.json").read_text())
        self.layers, self.width, self.vocabulary = model["n_layer"], model["d_model"], model["vocab_size"]
        self.batch, self.length = train["batch_size"], train["seq_len"]
        self.kept = train["sparsity"]["fractions"]["matrix"]
        self.tokens = self.batch * self.length


def project(parameters, kept, decay):
    with torch.no_grad():
        for p in parameters:
            flat = p.view(-1)
            index = flat.abs().topk(max(1, int(kept * flat.numel())), sorted=False).indices
            flat.copy_(torch.zeros_like(flat).scatter_(0, index, flat[index]))
            p.mul_(decay)


def step(case, device, compiled, micro_batch, repeats):
    """In the largest micro-batches that fit, each tried on a new model: half a step must not show in the loss."""
    while True:
        try:
            return step_in(case, device, compiled, micro_batch, repeats)
        except torch.OutOfMemoryError:
            if micro_batch == 1:
                raise
        gc.collect()
        torch.cuda.empty_cache()
        micro_batch //= 2


def step_in(case, device, compiled, micro_batch, repeats):
    torch.manual_seed(1)
    model = Model(case.layers, case.width, case.vocabulary).to(device)
    parameters = list(model.parameters())
    total = sum(p.numel() for p in parameters)
    sparse = [p for p in parameters if p.dim() > 1 and p is not model.bigram]
    adam = torch.optim.Adam(parameters, lr=0.01, betas=(0.9, 0.95), eps=0.1, fused=device.type == "cuda")
    loss_of = torch.compile(model) if compiled else model
    keep_largest = torch.compile(project) if compiled else project

    def run():
        adam.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=device)
        for _ in range(case.batch // micro_batch):
            tokens = torch.randint(case.vocabulary, (micro_batch, case.length), device=device)
            with torch.autocast(device.type, torch.bfloat16):
                part = loss_of(tokens) * (micro_batch / case.batch)
            part.backward()
            loss += part.detach()
        norm = torch.sqrt(sum(p.grad.float().pow(2).sum() for p in parameters))
        torch._foreach_mul_([p.grad for p in parameters], 1 / (norm / math.sqrt(total) + 1e-5))
        adam.step()
        keep_largest(sparse, case.kept, 1 - 0.1 * 0.01)
        return loss

    first = float(run())
    for _ in range(2):
        run()
    losses = []
    seconds = median_seconds(device, repeats, lambda: losses.append(run()))
    if not math.isfinite(float(losses[-1])):
        raise SystemExit("baseline: the loss is not finite")
    return {"plan": "torch.compile" if compiled else "eager", "case": case.name, "micro_batch": micro_batch,
            "tokens": case.tokens, "seconds": seconds, "tokens_per_second": case.tokens / seconds,
            "first_loss": first, "loss": float(losses[-1])}


def rates(device):
    """Bytes per second of a copy, read and written, and bf16 operations per second of a large product."""
    large = device.type == "cuda"
    n = 1 << 28 if large else 1 << 20
    x = torch.ones(n, device=device)
    y = torch.empty_like(x)
    y.copy_(x)
    bandwidth = 8 * n / median_seconds(device, 9, lambda: y.copy_(x))
    m = 8192 if large else 256
    a = torch.randn(m, m, device=device).bfloat16()
    torch.mm(a, a)
    return bandwidth, 2 * m**3 / median_seconds(device, 9, lambda: torch.mm(a, a))


def floor(case, device):
    """The least a step can take: gradients of all weights are dense products of bf16, products with sparse weights cost
    nothing, and each array is read and written as seldom as a step of perfectly fused kernels does."""
    bandwidth, rate = rates(device)
    d, layers = case.width, case.layers
    matrices = 12 * d * d * layers + d * case.vocabulary
    products = 2 * matrices * case.tokens
    # Scores, their use, and the five products of the backward, of the causal half.
    attention = 7 * 2 * (case.length / 2) * d * layers * case.tokens
    # Per token and layer, forward and backward: what enters and leaves each of the eight sites, 13 d values of bf16.
    activations = 2 * 2 * 2 * 13 * d * layers * case.tokens + 2 * 2 * case.vocabulary * case.tokens
    # Weight, two moments and gradient, fp32: written by the backward, read by the norm, then all read and written.
    optimizer = (4 + 4 + 32) * (matrices + (d + case.vocabulary) * case.vocabulary)
    in_products = (products + attention) / rate
    in_memory = (activations + optimizer) / bandwidth
    return {"plan": "floor", "case": case.name, "tokens": case.tokens, "bytes_per_second": bandwidth,
            "bf16_flops": rate, "dw_seconds": products / rate, "seconds": in_products + in_memory,
            "seconds_of_products": in_products, "seconds_of_memory": in_memory}


def topk(elements, device, repeats):
    times = []
    for _ in range(repeats + 1):  # the first warms up
        weights = [torch.randn(elements // 8, device=device) for _ in range(8)]
        times.append(median_seconds(device, 1, lambda: project(weights, 1 / 256, 1.0)))
    return {"plan": "torch.topk", "elements": elements, "seconds": sorted(times[1:])[repeats // 2]}


def dense(rows, width, device, repeats):
    together = 20  # so that waiting for the device does not count
    w = torch.randn(4 * width, width, device=device)

    def seconds(product):
        product()
        return median_seconds(device, repeats, lambda: [product() for _ in range(together)]) / together

    def times(kind):
        x = torch.randn(rows, width, device=device).to(kind)
        dy = torch.randn(rows, 4 * width, device=device).to(kind)
        return {"seconds": seconds(lambda: torch.mm(x, w.to(kind).t())),
                "seconds_of_dx": seconds(lambda: torch.mm(dy, w.to(kind)))}

    return {"plan": "torch.mm", "rows": rows, "bf16": times(torch.bfloat16), "fp32": times(torch.float32)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["step", "floor", "topk", "dense"])
    parser.add_argument("preset", nargs="?")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--micro-batch", type=int)
    parser.add_argument("--elements", type=int, default=1 << 26)
    parser.add_argument("--rows", type=int, default=32768)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    device = torch.device(args.device)
    if args.what == "step":
        case = Case(args.preset)
        line = step(case, device, args.compile, args.micro_batch or case.batch, args.repeats)
    elif args.what == "floor":
        line = floor(Case(args.preset), device)
    elif args.what == "dense":
        line = dense(args.rows, args.width, device, args.repeats)
    else:
        line = topk(args.elements, device, args.repeats)
    print(json.dumps({"what": args.what, **line, "device": args.device, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
