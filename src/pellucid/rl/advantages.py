"""From the rewards of a group to advantages: (R - mean) / (std + eps).

The details that implementations differ in, fixed here: the standard deviation is the population's
(division by n), eps is 1e-6, and both run over the counted rollouts of the group only.

A group has no signal, and all its advantages are 0, when what it was *paid* (accuracy, format,
length: the weighted terms, before the over-long penalty) spreads by no more than 1e-6. Deciding
before shaping matters: the penalty makes a group of right answers look varied, and dividing by its
small spread would turn a hint about length into a full-size advantage.
"""

from collections.abc import Sequence
from math import fsum, sqrt
from typing import NamedTuple

from pellucid.rl.rewards import Reward

EPS = 1e-6
"""Added to the standard deviation."""
SPREAD = 1e-6
"""A group whose paid rewards lie this close together has no signal."""


class Group(NamedTuple):
    """Advantages of one group."""

    advantages: tuple[float | None, ...]
    """One per rollout; None for a rollout that does not count (unscored or failed)."""
    signal: bool
    """Whether the paid rewards differed."""


def group_advantages(rewards: Sequence[Reward]) -> Group:
    """Normalise the rewards of one prompt's rollouts.

    >>> def paid(value): return Reward({}, value, 0.0)
    >>> group_advantages([paid(1.0), paid(0.0), paid(None)]).advantages
    (0.999998000004, -0.999998000004, None)
    """
    counted = [(r.paid, r.total) for r in rewards if r.paid is not None and r.total is not None]
    paid = [value for value, _ in counted]
    signal = len(paid) > 1 and max(paid) - min(paid) > SPREAD
    if not signal:
        return Group(tuple(None if r.total is None else 0.0 for r in rewards), False)
    totals = [value for _, value in counted]
    mean = fsum(totals) / len(totals)
    std = sqrt(fsum((value - mean) ** 2 for value in totals) / len(totals))
    return Group(
        tuple(None if r.total is None else (r.total - mean) / (std + EPS) for r in rewards), True
    )
