"""What a reward is made of: named terms, each a `Score` with a weight.

A reward is None ("does not count") when a term that is paid for could not be scored, and when the
generator failed; it is never 0 for want of a score.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pellucid.recipe.rl import Rewards
from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Rollout
from pellucid.schema.score import Score


@runtime_checkable
class Term(Protocol):
    """One term of the reward."""

    def __call__(self, rollout: Rollout, evidence: Evidence, options: Rewards) -> Score:
        """The term's score, before its weight."""
        ...


@dataclass(frozen=True, slots=True)
class Reward:
    """The reward of one rollout."""

    scores: Mapping[str, Score]
    """Each term's score, those of weight 0 included where they are worth knowing."""
    paid: float | None
    """Weighted sum of the paid terms; None when the rollout does not count."""
    shaping: float
    """Weighted penalty near the length limit; 0 or less."""

    @property
    def total(self) -> float | None:
        """What the advantages are made from; None when the rollout does not count."""
        return None if self.paid is None else self.paid + self.shaping
