"""How often triage's intervals hold the true error rate, how wide they are, and whom it excludes.

    .venv/bin/python benchmarks/triage.py
    .venv/bin/python benchmarks/triage.py --trials 200   quicker, and less sure

A trial draws a set: its size (400 to 1,000,000 records), 1 to 24 strata of equal or of very unequal
size, errors spread evenly, unevenly, or packed into as few strata as hold them, and a sample of 60
to 400 records. Strata and allocation are triage's own (`data/triage/sample.py`); the errors that a
sample meets are hypergeometric, as in drawing without replacement. The peer is Wilson's interval of
the same counts as if they were one binomial sample: what one would write down without the strata.

Exclusion: charts with 5, 20 and 50 % wrong answers, judged by the default policy on a
sample of its size.

Exit code 1 when coverage over all trials, or at any rate, is outside 93-98 %, when the mean width
is more than 1.1 times the peer's, or when a set is excluded that should not be (or the other way
round) in more than 1 % of the trials.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pellucid.base.interval import wilson
from pellucid.data.triage.decide import decide
from pellucid.data.triage.interval import Estimate, Stratum, estimate
from pellucid.data.triage.sample import allocate
from pellucid.recipe.triage import CLASSES, TriageOptions

SEED, TRIALS = 20261122, 2000
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
SIZES, SAMPLES, STRATA = (400, 2000, 20_000, 1_000_000), (60, 100, 200, 400), (1, 3, 8, 24)
SPREADS = ("even", "uneven", "packed")
LOWEST, HIGHEST, WIDEST = 0.93, 0.98, 1.1
EXCLUDED = ((0.05, False), (0.2, False), (0.5, True))


class Trial(NamedTuple):
    """One set, its sample, and what was said of it."""

    rate: float
    size: int
    n: int
    strata: int
    skew: str
    spread: str
    held: bool
    width: float
    peer_held: bool
    peer_width: float


def sizes_of(size: int, count: int, skew: str) -> list[int]:
    """Sizes of the strata that triage makes of `count` labels, small ones put together."""
    weights = np.ones(count) if skew == "equal" else 1 / np.arange(1, count + 1) ** 1.2
    whole = np.maximum(size * weights / weights.sum(), 1).astype(int)
    small = whole < TriageOptions().sample.least_share * whole.sum()
    if small.sum() == 1:
        small[:] = False
    rest = int(whole[small].sum())
    return [*(int(one) for one in whole[~small]), *([rest] if rest else [])]


def wrong_of(
    draw: np.random.Generator, sizes: Sequence[int], rate: float, spread: str
) -> list[int]:
    """Wrong records in each stratum, together `rate` of all of them."""
    total, count = sum(sizes), len(sizes)
    left = round(rate * total)
    if spread == "packed":
        packed = [0] * count
        for at in draw.permutation(count):
            packed[at] = min(left, round(0.95 * sizes[at]))
            left -= packed[at]
        return packed
    weights = np.ones(count) if spread == "even" else draw.gamma(0.7, 1.0, count) + 0.02
    shares = weights * np.array(sizes)
    found = np.minimum(left * shares / shares.sum(), sizes).astype(int)
    while found.sum() < left:  # what did not fit or was rounded away
        room = [at for at in range(count) if found[at] < sizes[at]]
        each = max(1, (left - found.sum()) // len(room))
        for at in room:
            found[at] += min(each, sizes[at] - found[at], left - found.sum())
    return [int(value) for value in found]


def trial(draw: np.random.Generator, rate: float) -> Trial:
    """One set drawn at random, with a given true rate."""
    count = int(draw.choice(STRATA))
    size = int(draw.choice(SIZES))
    n = int(draw.choice([n for n in SAMPLES if 2 * n <= size]))
    skew = str(draw.choice(["equal", "unequal"]))
    spread = str(draw.choice(SPREADS)) if count > 1 else "even"
    sizes = sizes_of(size, count, skew)
    wrong = wrong_of(draw, sizes, rate, spread)
    seen = allocate(sizes, n)
    met = [
        int(draw.hypergeometric(bad, whole - bad, many)) if many else 0
        for bad, whole, many in zip(wrong, sizes, seen, strict=True)
    ]
    found = estimate(map(Stratum, sizes, seen, met))
    true = sum(wrong) / sum(sizes)
    peer = wilson(sum(met) / sum(seen), sum(seen))
    held = found.low - 1e-12 <= true <= found.high + 1e-12
    return Trial(
        rate, size, n, count, skew, spread, held, found.width,
        peer.low <= true <= peer.high, peer.high - peer.low,
    )  # fmt: skip


def line(name: str, trials: Sequence[Trial]) -> tuple[float, float]:
    """Print coverage and width of some trials; return coverage and the ratio of mean widths."""
    held = sum(one.held for one in trials) / len(trials)
    peer = sum(one.peer_held for one in trials) / len(trials)
    ratio = sum(one.width for one in trials) / sum(one.peer_width for one in trials)
    print(f"  {name:<22}{len(trials):>7}{held:>10.3f}{ratio:>8.3f}{peer:>12.3f}")
    return held, ratio


def coverage(trials_each: int) -> bool:
    """Print the tables of intervals; whether the figures are met."""
    draw = np.random.default_rng(SEED)
    print(f"  {'':<22}{'trials':>7}{'coverage':>10}{'width':>8}{'binomial':>12}")
    found, good = list[Trial](), True
    for rate in RATES:
        trials = [trial(draw, rate) for _ in range(trials_each)]
        held, _ = line(f"rate {rate:.0%}", trials)
        good &= LOWEST <= held <= HIGHEST
        found += trials
    held, ratio = line("all", found)
    good &= LOWEST <= held <= HIGHEST and ratio <= WIDEST
    for field in ("n", "size", "strata", "skew", "spread"):
        for value in sorted({getattr(one, field) for one in found}, key=str):
            line(f"{field} {value}", [one for one in found if getattr(one, field) == value])
    print(f"intervals hold 93-98 % and are <= {WIDEST} x binomial: {'met' if good else 'missed'}")
    return good


def exclusion(trials: int) -> bool:
    """Print how often sets of known quality are excluded; whether that is as it should be."""
    draw, options, good = np.random.default_rng(SEED + 1), TriageOptions(), True
    n = options.sample.records
    none = estimate([Stratum(5000, n, 0)])
    for rate, wanted in EXCLUDED:
        count = 0
        for _ in range(trials):
            met = int(draw.hypergeometric(round(5000 * rate), round(5000 * (1 - rate)), n))
            rates: dict[str, Estimate] = dict.fromkeys(CLASSES, none)
            rates["wrong_answers"] = estimate([Stratum(5000, n, met)])
            count += decide(rates, "charts", options).consequence == "exclude"
        share = count / trials
        good &= abs(share - wanted) <= 0.01
        print(f"  {rate:.0%} wrong answers: excluded in {share:.1%} of {trials} trials")
    print(f"exclusion fires on the right sets: {'met' if good else 'missed'}")
    return good


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=TRIALS, help="sets drawn for each rate")
    options = parser.parse_args()
    results = [coverage(options.trials), exclusion(options.trials)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
