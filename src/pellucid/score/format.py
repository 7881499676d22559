"""The form of a rollout: it ended, it answered something, and it opened in the mode asked for.

Needs no gold. Left out on purpose: whether the answer is right, and how long it is.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import final

from pellucid.base.hashing import hash_json
from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Rollout
from pellucid.schema.score import Score
from pellucid.score.base import failure


@final
@dataclass(frozen=True)
class FormatScorer:
    """1 for a rollout in the form of its mode, 0 for any other, unscored when it failed."""

    name: str = "format"
    version: int = 1

    @cached_property
    def hash(self) -> str:
        """Hash of name and version, 64 hex digits."""
        return hash_json({"name": self.name, "version": self.version})

    def __call__(self, rollout: Rollout, evidence: Evidence) -> Score:
        """Score the form of one rollout; the evidence is not looked at."""
        if rollout.outcome == "failed":
            return Score("unscored", None, self.name, self.hash, None, failure(rollout))
        fault = _fault(rollout)
        why = fault or f"answered in mode {rollout.chosen}"
        return Score("scored", 0.0 if fault else 1.0, self.name, self.hash, None, why)


def _fault(rollout: Rollout) -> str:
    """What is wrong with the form; empty when nothing is."""
    if rollout.outcome != "answered":
        return f"the rollout is {rollout.outcome}"
    if not (rollout.answer or "").strip():
        return "the answer is empty"
    if rollout.chosen is None:
        return "opened in no mode"
    if rollout.mode not in ("auto", rollout.chosen):
        return f"asked to {rollout.mode}, opened in {rollout.chosen}"
    return ""


SCORER = FormatScorer()
