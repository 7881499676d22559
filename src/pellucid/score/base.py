"""What every scorer shares: which rollouts are judged at all, and the identity of a scorer.

An implementation is a rule `judge(text, gold) -> Judgement`; `AnswerScorer` makes a scorer of it.
Left out on purpose: where the answer stands in the text (`extract`) and what makes it right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol, final

from pellucid.base.hashing import hash_json
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.schema.rollout import Rollout
from pellucid.schema.score import Score
from pellucid.score import extract


class UnreadableGold(ValueError):
    """The gold answer breaks the form of its kind, so nothing can be compared with it."""


class Judgement(NamedTuple):
    """What a rule decided about one text."""

    right: float | None
    """Whether it is right, or how much of it in [0, 1]; None is undecided."""
    extracted: str | None
    why: str


class Checked(Protocol):
    """A scorer (`schema.ports.Scorer`) with an identity."""

    @property
    def name(self) -> str:
        """Its name in `SCORERS`."""
        ...

    @property
    def hash(self) -> str:
        """Hash of name, version and options, 64 hex digits."""
        ...

    def __call__(self, rollout: Rollout, evidence: Evidence) -> Score:
        """The score; never raises on model output."""
        ...


@final
@dataclass(frozen=True)
class AnswerScorer:
    """A rule over (answer text, gold), with the rules that all kinds of answers share.

    Unscored: no gold, a failed rollout, a gold that cannot be read. Zero: truncated, malformed, or
    an empty answer. Everything else is the rule's.
    """

    name: str
    version: int
    """Goes up when the rule changes what it accepts."""
    options: Callable[[], Mapping[str, Any]]
    """Whatever else decides a score, as JSON; asked once, and only for the hash."""
    judge: Callable[[str, Answer], Judgement]
    """Raises `UnreadableGold`, and nothing on account of the text."""

    @cached_property
    def hash(self) -> str:
        """Hash of name, version, options and the version of the extraction, 64 hex digits."""
        return hash_json(
            {
                "name": self.name,
                "version": self.version,
                "extract": extract.VERSION,
                "options": dict(self.options()),
            }
        )

    def __call__(self, rollout: Rollout, evidence: Evidence) -> Score:
        """Score one rollout against its gold."""
        if evidence.answer is None:
            return self._unscored("there is no gold answer")
        if rollout.outcome == "failed":
            return self._unscored(failure(rollout))
        if rollout.outcome != "answered" or rollout.answer is None:
            return self._scored(False, None, f"the rollout is {rollout.outcome}")
        if not rollout.answer.strip():
            return self._scored(False, "", "the answer is empty")
        try:
            found = self.judge(rollout.answer, evidence.answer)
        except UnreadableGold as error:
            return self._unscored(str(error))
        if found.right is None:
            return Score("undecided", None, self.name, self.hash, found.extracted, found.why)
        return self._scored(found.right, found.extracted, found.why)

    def _unscored(self, why: str) -> Score:
        return Score("unscored", None, self.name, self.hash, None, why)

    def _scored(self, right: float, extracted: str | None, why: str) -> Score:
        return Score("scored", float(right), self.name, self.hash, extracted, why)


def failure(rollout: Rollout) -> str:
    """Why a failed rollout is unscored, with its error where there is one."""
    return f"failed: {rollout.error}" if rollout.error else "failed"
