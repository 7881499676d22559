"""The error rate of a set from a stratified sample of it, with a 95 % interval.

The rate is the mean of the strata's rates, weighted by their sizes. Its interval is Wilson's, with
an effective number of records in the place of n:

    n_eff = 1 / sum(w^2 (1 - f) / n_h) / kept

w is a stratum's share of the set, n_h the records seen in it, f the share of it that was seen (the
finite-population correction: who has seen all knows all). `kept` is the part of the variance that
lies within strata, which is all that stratified sampling leaves. It is estimated without bias
(n_h / (n_h - 1)) and drawn towards 1, as if `CALM` errors had been seen that the strata do not
explain: few errors say little about where errors are. The bounds are then widened to whole
records, as a rate is a number of records over N, and kept where the records that were seen leave
them.

Sources: Wilson 1927; an effective n in Wilson's interval: Kott and Carr 1997, Journal of Official
Statistics 13; compared with others in Dean and Pagano 2015, doi:10.1093/jssam/smv024. Where we
differ: `CALM`, and whole records. `benchmarks/triage.py` measures coverage and width.

Leaves out on purpose: the binomial deviation of very small counts, which no interval of fixed form
evens out (coverage moves between 0.91 and 1 at rates of 1 %), and clusters.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pellucid.base.interval import wilson

CALM = 4.0
"""Errors that count as evenly spread before any is seen."""


class Stratum(NamedTuple):
    """What was seen of one stratum, in records."""

    size: int
    """N_h."""
    seen: int
    wrong: int
    """Of those seen."""


class Estimate(NamedTuple):
    """A rate with its 95 % interval; all in [0, 1]."""

    rate: float
    low: float
    high: float
    seen: int
    """Records looked at."""
    size: int
    """Records of the set."""
    effective: float
    """Independent draws that would tell as much; infinite when everything was seen."""

    @property
    def width(self) -> float:
        """Width of the interval."""
        return self.high - self.low


def estimate(strata: Iterable[Stratum]) -> Estimate:
    """Rate and interval of a set.

    A stratum of which fewer than two records were seen (someone stopped early) says nothing about
    its own spread; it is counted with the smallest stratum that does.

    Raises:
        ValueError: no record was seen.
    """
    parts = _together([part for part in strata if part.size])
    for part in parts:
        assert 0 <= part.wrong <= part.seen <= part.size, f"{part} does not add up"
    size, seen = sum(part.size for part in parts), sum(part.seen for part in parts)
    wrong = sum(part.wrong for part in parts)
    if not seen:
        raise ValueError("no record was seen")
    rate = min(1.0, sum(part.size / size * part.wrong / part.seen for part in parts))
    if seen == size:
        return Estimate(rate, rate, rate, seen, size, math.inf)
    effective = _design_n(parts, size) / _kept(parts, rate, wrong, seen, size)
    low, high = wilson(rate, effective)
    # Rounding errors must not add a record.
    low = max(math.floor(low * size + 1e-9), wrong) / size
    high = min(math.ceil(high * size - 1e-9), size - (seen - wrong)) / size
    return Estimate(rate, min(low, rate), max(high, rate), seen, size, effective)


def _together(parts: Sequence[Stratum]) -> list[Stratum]:
    """The strata, those with under two records seen joined to the smallest other."""
    thin = [part for part in parts if part.seen < 2]
    firm = sorted((part for part in parts if part.seen >= 2), key=lambda part: part.size)
    if not thin:
        return list(parts)
    joined = [*thin, *firm[:1]]
    sums = (sum(part[at] for part in joined) for at in range(3))
    return [Stratum(*sums), *firm[1:]]


def _design_n(parts: Sequence[Stratum], size: int) -> float:
    """Independent draws that would tell as much, were all strata alike."""
    spread = sum(
        (part.size / size) ** 2 * (1 - part.seen / part.size) / part.seen for part in parts
    )
    return 1 / spread


def _kept(parts: Sequence[Stratum], rate: float, wrong: int, seen: int, size: int) -> float:
    """The part of the variance that lies within strata, in (0, 1]."""
    few = min(wrong, seen - wrong)
    if len(parts) == 1 or not 0 < rate < 1 or few == 0:
        return 1.0
    total = rate * (1 - rate) * seen / (seen - 1)
    within = sum(
        part.size / size * share * (1 - share) * part.seen / max(part.seen - 1, 1)
        for part in parts
        for share in [part.wrong / part.seen]
    )
    return (few * min(1.0, within / total) + CALM) / (few + CALM)
