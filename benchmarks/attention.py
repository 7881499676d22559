"""Attention in blocks beside PyTorch's fused kernel, bfloat16 on a CPU, forward and backward.

    .venv/bin/python benchmarks/attention.py
    .venv/bin/python benchmarks/attention.py --threads 1 --repeats 9

Both get the same tensors, in turns; printed are medians of processor milliseconds (all threads) and
of wall milliseconds, and how many times as long the fused kernel takes. The last column is the
largest relative distance of an output or gradient from attention by its definition in double
precision, ours and the kernel's.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.model.blocked import blocked_attention

SHAPES = (
    ("patches, 588 x 588 px", 2, 4, 4, 1764, 32, False, 1),
    ("patches, 448 x 448 px", 4, 4, 4, 1024, 32, False, 1),
    ("  large scores", 4, 4, 4, 1024, 32, False, 20),
    ("windows of 16 patches", 300, 4, 4, 16, 32, False, 1),
    ("windows of 64 patches", 64, 16, 16, 64, 80, False, 1),
    ("text, 1,056 tokens", 1, 4, 2, 1056, 64, True, 1),
    ("text, 608 tokens", 2, 4, 2, 608, 64, True, 1),
    ("text, 256 tokens", 8, 4, 2, 256, 64, True, 1),
    ("  large scores", 8, 4, 2, 256, 64, True, 20),
)
"""What they are; sequences, heads, heads of keys, length, width of a head, causal; how much longer
queries are than random ones, which decides whether a row's greatest score has to be found."""

Call = Callable[[Tensor, Tensor, Tensor, bool], Tensor]


def ours(query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
    """In blocks."""
    tall = query.unflatten(1, (key.shape[1], -1)).flatten(0, 1)
    scale = query.shape[-1] ** -0.5
    return blocked_attention(tall, key.flatten(0, 1), value.flatten(0, 1), causal, scale).view(
        query.shape
    )


def fused(query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
    """PyTorch's own."""
    shared = query.shape[1] != key.shape[1]
    return F.scaled_dot_product_attention(query, key, value, is_causal=causal, enable_gqa=shared)


def exact(query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
    """By definition."""
    groups = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(groups, 1) for part in (key, value))
    scores = query @ key.mT * query.shape[-1] ** -0.5
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores[0, 0]).triu(1).bool(), -torch.inf)
    return scores.softmax(-1) @ value


def passed(call: Call, parts: list[Tensor], told: Tensor, causal: bool) -> list[Tensor]:
    """Output and gradients."""
    own = [part.detach().requires_grad_() for part in parts]
    out = call(own[0], own[1], own[2], causal)
    return [out.detach(), *torch.autograd.grad(out, own, told)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"{'':24}{'processor ms':>16}{'wall ms':>16}{'times':>14}{'distance':>18}")
    for name, count, heads, shared, length, wide, causal, longer in SHAPES:
        generator = torch.Generator().manual_seed(length)
        parts = [
            torch.randn(count, many, length, wide, generator=generator).bfloat16()
            for many in (heads, shared, shared)
        ]
        parts[0] *= longer
        told = torch.randn(count, heads, length, wide, generator=generator).bfloat16()
        right = passed(exact, [part.double() for part in parts], told.double(), causal)
        took: dict[Call, list[tuple[float, float]]] = {ours: [], fused: []}
        far = {}
        for repeat in range(asked.repeats + 1):
            for call, times in took.items():
                start = time.process_time(), time.perf_counter()
                found = passed(call, parts, told, causal)
                end = time.process_time(), time.perf_counter()
                if repeat:  # the first compiles kernels
                    times.append((1e3 * (end[0] - start[0]), 1e3 * (end[1] - start[1])))
                pairs = zip(found, right, strict=True)
                far[call] = max(float((a - b).norm() / b.norm()) for a, b in pairs)
        sides = [
            [statistics.median(one[side] for one in took[call]) for call in took] for side in (0, 1)
        ]
        shown = "".join(f"{mine:8.1f}{theirs:8.1f}" for mine, theirs in sides)
        times = "".join(f"{theirs / mine:7.2f}" for mine, theirs in sides)
        print(f"{name:24}{shown}{times}{far[ours]:10.4f}{far[fused]:8.4f}")


if __name__ == "__main__":
    main()
