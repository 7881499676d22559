"""How full packs are: ours, next-fit, and what nanoVLM does, on the same lengths.

    .venv/bin/python benchmarks/packing.py
    .venv/bin/python benchmarks/packing.py --stage runs/artifacts/train-...   a stage's own lengths

Occupancy is real tokens over packs x budget, once an epoch. The frozen distribution has 20,000
records of the shape that the Phi-4-reasoning-vision report gives for its second stage: 3,002 tokens
in the mean, at most 8,192, pictures of 256 to 3,600 tokens, a tenth without one. Next-fit keeps one
pack open, as streaming packers do. nanoVLM's packer is written after its description: records wait
until there are enough for eight packs per batch of two, are sorted by length, and each goes to the
emptiest of so many bins as they need plus five.

Exit code 1 when ours is under 0.99 on the frozen lengths, packs of 8,192 tokens.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pellucid.prompt.plan import plan
from pellucid.recipe.model import DynamicImages
from pellucid.train.pack import pack

SEED, RECORDS = 20261122, 20_000
MEAN, LONGEST = 3002, 8192
WANTED = 0.99
WINDOWS = (512, 2048)
"""`pack.window_records`; the last is what a recipe has that says nothing else."""

Packer = Callable[[np.ndarray, np.ndarray, int, int], int]
"""Number of packs of (tokens, patches) under two budgets."""


def frozen() -> tuple[np.ndarray, np.ndarray]:
    """Tokens and patches of every record, the same each time."""
    draw = np.random.default_rng(SEED)
    images = DynamicImages(min_patches=256, max_patches=3600)
    sides = np.exp(draw.normal(np.log(900), 0.6, (RECORDS, 2))).clip(64, 4000).astype(int)
    patches = np.array([plan(images, 16, int(w), int(h)).tokens for w, h in sides])
    patches[draw.random(RECORDS) < 0.1] = 0
    words = np.exp(draw.normal(0.0, 0.9, RECORDS))
    low, high = 0.0, 10_000.0
    for _ in range(60):  # scaled until the mean is the report's, longest ones cut
        scale = (low + high) / 2
        tokens = np.minimum(patches + 20 + (scale * words).astype(int), LONGEST)
        low, high = (scale, high) if tokens.mean() < MEAN else (low, scale)
    return tokens, patches


def ours(window: int) -> Packer:
    """Best fit decreasing, window after window."""

    def count(tokens: np.ndarray, patches: np.ndarray, budget: int, most: int) -> int:
        return sum(
            len(pack(tokens[at : at + window], patches[at : at + window], budget, most))
            for at in range(0, len(tokens), window)
        )

    return count


def next_fit(tokens: np.ndarray, patches: np.ndarray, budget: int, most: int) -> int:
    """One open pack."""
    packs, used, seen = 0, budget, most
    for length, count in zip(tokens.tolist(), patches.tolist(), strict=True):
        if used + length > budget or seen + count > most:
            packs, used, seen = packs + 1, 0, 0
        used, seen = used + length, seen + count
    return packs


def nanovlm(tokens: np.ndarray, patches: np.ndarray, budget: int, most: int) -> int:
    """The emptiest of a fixed number of bins; one more where none has room."""
    packs, at, window = 0, 0, 2 * 8 * budget // 2
    while at < len(tokens):
        stop = at + max(int(np.searchsorted(np.cumsum(tokens[at:]), window)), 1)
        some = sorted(zip(tokens[at:stop].tolist(), patches[at:stop].tolist(), strict=True))
        bins = [[0, 0] for _ in range(-(-sum(length for length, _ in some) // budget) + 5)]
        for length, count in reversed(some):
            fitting = [b for b in bins if b[0] + length <= budget and b[1] + count <= most]
            if not fitting:
                bins.append([0, 0])
                fitting = bins[-1:]
            best = min(fitting)
            best[0], best[1] = best[0] + length, best[1] + count
        packs += sum(1 for load, _ in bins if load)
        at = stop
    return packs


PACKERS: dict[str, Packer] = {
    **{f"ours, window {window}": ours(window) for window in WINDOWS},
    "next-fit": next_fit,
    "nanoVLM's defaults": nanovlm,
}


def show(name: str, lengths: tuple[np.ndarray, np.ndarray], budgets: Sequence[int]) -> float:
    """Print a line for each packer; return our least occupancy under the first budget."""
    tokens, patches = lengths
    means = f"{tokens.mean():.0f} tokens, {patches.mean():.0f} patches"
    print(f"{name}: {len(tokens)} records of {means} in the mean")
    found = []
    for budget in budgets:
        for packer, count in PACKERS.items():
            start = time.perf_counter()
            packs = count(tokens, patches, budget, budget)
            seconds = time.perf_counter() - start
            share = tokens.sum() / (packs * budget)
            head = f"  {budget:>6} tokens  {packer:<22}"
            print(f"{head}{share:>7.3f}  {packs:>6} packs  {seconds:.2f} s")
            if packer.startswith("ours") and budget == budgets[0]:
                found.append(share)
    return min(found)


def main() -> int:
    """Print a table, or two."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", type=Path, help="folder of a trained stage")
    parser.add_argument("--tokens", type=int, default=2400, help="budget of that stage's packs")
    options = parser.parse_args()
    share = show("frozen", frozen(), [LONGEST, 2 * LONGEST, 4 * LONGEST])
    if options.stage:
        table = pq.read_table(options.stage / "lengths.parquet", columns=["tokens", "patches"])
        columns = np.array(table["tokens"]), np.array(table["patches"])
        order = np.random.default_rng(SEED).permutation(len(columns[0]))
        mixed = columns[0][order], columns[1][order]
        show(options.stage.name, mixed, [options.tokens, 2 * options.tokens])
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
