"""Wilson's interval of a share, for whole and for effective numbers of items.

Leaves out on purpose: what makes a number effective (clusters: `eval/stats.py`; strata:
`data/triage/interval.py`).
"""

import math
from typing import NamedTuple

Z95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


class Interval(NamedTuple):
    """Bounds of a 95 % interval."""

    low: float
    high: float


def wilson(share: float, n: float) -> Interval:
    """Wilson's score interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Args:
        share: in [0, 1].
        n: number of items, or their effective number; above 0.
    """
    assert 0 <= share <= 1 and n > 0, f"share {share} of {n}"
    square = Z95 * Z95
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = Z95 / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    # The bounds reach 0 and 1 exactly for those shares; rounding must not lose them.
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))
