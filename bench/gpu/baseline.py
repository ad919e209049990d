#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The step that Filigree's is compared with: the same sparse transformer in plain PyTorch, eager or torch.compile.

    baseline.py --layers 8 --width 2048 --length 256 --batch 64 --one-in 256 [--compile] [--device cuda] [--repeats 5]

bf16 matrix products under autocast, torch.topk for AbsTopK and projection, gradients normalised, Adam, decay. It shares
no code with Filigree. Prints one JSON line. A batch that does not fit is halved until it does.
"""
import argparse
import json
import math
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in [("layers", 8), ("width", 2048), ("length", 256), ("batch", 64), ("vocabulary", 2048),
                          ("one-in", 256), ("repeats", 5)]:
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    torch.manual_seed(1)
    device = torch.device(args.device)
    model = Model(args.layers, args.width, args.vocabulary).to(device)
    parameters = list(model.parameters())
    total = sum(p.numel() for p in parameters)
    sparse = [p for p in parameters if p.dim() > 1 and p is not model.bigram]
    adam = torch.optim.Adam(parameters, lr=0.01, betas=(0.9, 0.95), eps=0.1, fused=device.type == "cuda")
    loss_of = torch.compile(model) if args.compile else model

    def project():
        with torch.no_grad():
            for p in sparse:
                flat = p.view(-1)
                index = flat.abs().topk(max(1, flat.numel() // args.one_in), sorted=False).indices
                flat.copy_(torch.zeros_like(flat).scatter_(0, index, flat[index]))
                p.mul_(1 - 0.1 * 0.01)

    if args.compile:
        project = torch.compile(project)

    def step(batch):
        tokens = torch.randint(args.vocabulary, (batch, args.length), device=device)
        adam.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16):
            loss = loss_of(tokens)
        loss.backward()
        norm = torch.sqrt(sum(p.grad.float().pow(2).sum() for p in parameters))
        torch._foreach_mul_([p.grad for p in parameters], 1 / (norm / math.sqrt(total) + 1e-5))
        adam.step()
        project()
        return loss

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize()

    batch = args.batch
    while True:
        try:
            for _ in range(3):
                step(batch)
            break
        except torch.OutOfMemoryError:
            batch //= 2
            torch.cuda.empty_cache()
            if batch == 0:
                raise
    wait()
    times = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        loss = step(batch)
        wait()
        times.append(time.perf_counter() - start)
    seconds = sorted(times)[len(times) // 2]
    print(json.dumps({"what": "baseline", "plan": "torch.compile" if args.compile else "eager", "layers": args.layers,
                      "width": args.width, "length": args.length, "batch": batch, "one_in": args.one_in,
                      "device": args.device, "torch": torch.__version__, "seconds": seconds,
                      "tokens_per_second": batch * args.length / seconds, "loss": float(loss)}))


if __name__ == "__main__":
    main()
