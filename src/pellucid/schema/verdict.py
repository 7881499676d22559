"""A verdict: what a gate decided, with the evidence of each check."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of a gate."""

    name: str
    kind: str
    outcome: Outcome
    why: str
    """One sentence with the numbers."""
    evidence: tuple[str, ...]
    """Ids of the metrics it read."""
    needed_n: int | None = None
    """For INCONCLUSIVE: how many items would probably decide it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's result: PASS only when every check passes."""

    outcome: Outcome
    checks: tuple[CheckResult, ...]
    policy_hash: str
    """Hash of the release slice of the recipe."""
