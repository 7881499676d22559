"""A score: one check of one rollout. Unscored is a value, never 0; undecided is not wrong."""

from dataclasses import dataclass
from typing import Literal

ScoreStatus = Literal["scored", "unscored", "undecided"]


@dataclass(frozen=True, slots=True)
class Score:
    """The result of one scorer on one rollout."""

    status: ScoreStatus
    value: float | None
    """In [0, 1] (penalties: [-1, 0]) when scored, else None."""
    scorer: str
    """Name of the scorer in its table."""
    scorer_hash: str
    """Hash of the scorer's name, version and options."""
    extracted: str | None = None
    """What was taken as the answer."""
    why: str = ""
    """The rule that decided, in words."""

    def __post_init__(self) -> None:
        if (self.status == "scored") != (self.value is not None):
            raise ValueError(f"a {self.status} score has value {self.value}")
