"""Scorers: one check of one rollout, from (rollout, evidence) to a `Score`.

`SCORERS` has them by name, `scorer_for` finds the one for a gold answer, `judged` asks it about a
text, `own_scorer` makes one of a user's function. A scorer never raises on model output and does
bounded work on it. Left out on purpose: answers of the kinds boxes, action
and json have no scorer; groups of rollouts, reward weights and shaping belong to `rl`.
"""

from collections.abc import Mapping

from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import pick
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer, AnswerKind
from pellucid.schema.rollout import Rollout
from pellucid.score import box, choice, expression, format, number, text
from pellucid.score.base import Checked
from pellucid.score.own import own_scorer

__all__ = ["KINDS", "SCORERS", "Checked", "judged", "own_scorer", "scorer_for", "scorer_hash"]

SCORERS: Mapping[str, Checked] = {
    "box": box.SCORER,
    "choice": choice.SCORER,
    "expression": expression.SCORER,
    "format": format.SCORER,
    "number": number.SCORER,
    "text": text.SCORER,
}

KINDS: Mapping[AnswerKind, str] = {
    "box": "box",
    "choice": "choice",
    "expression": "expression",
    "number": "number",
    "point": "box",
    "text": "text",
}
"""Kind of a gold answer -> name of the scorer that checks it."""


def scorer_for(answer: Answer) -> tuple[str, Checked]:
    """Name and scorer for a gold answer.

    Raises:
        UserError: no scorer checks answers of this kind.
    """
    if answer.kind not in KINDS:
        kinds = ", ".join(sorted(KINDS))
        raise UserError(
            Problem("answer.kind", answer.kind, "has no scorer", f"use one of: {kinds}")
        )
    name = KINDS[answer.kind]
    return name, SCORERS[name]


def judged(text: str, answer: Answer) -> float | None:
    """What the scorer of a gold answer says of a text that is given as the answer.

    None where it cannot say, or where no scorer checks answers of this kind.

    >>> judged("4 bars", Answer("number", "4")), judged("a red bar", Answer("text", "red"))
    (1.0, 0.0)
    """
    if answer.kind not in KINDS:
        return None
    rollout = Rollout(
        "given", "nothink", "nothink", "", 0, (), (), text, None, text, "answered", "stop", 0
    )
    return scorer_for(answer)[1](rollout, Evidence(answer, {}, 0)).value


def scorer_hash(name: str) -> str:
    """Hash of a scorer's name, version and options, 64 hex digits.

    Raises:
        UserError: there is no such scorer.
    """
    return pick(SCORERS, name, "scorer").hash
