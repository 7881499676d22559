"""What answers are worth: rules and symbolic mathematics first, then a judge, then a vote.

The scorers of `score` decide where there is a gold answer of a kind that they know. Two answers are
equal when a scorer takes one as right for the other, else when their final words are. Unscored is a
value; what was truncated never comes here.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from pellucid.data.teacher.base import Asking, Parsed, ask, parse, rollout_of
from pellucid.endpoint import Call, Reply
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer, AnswerKind, Part, Record, Turn
from pellucid.schema.score import Score
from pellucid.score import KINDS, scorer_for
from pellucid.score.extract import final_answer, tidy

_PLAIN_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_VOTE = re.compile(r"verdict\W{0,6}(right|wrong|unclear)\b", re.IGNORECASE)
_JUDGE = (
    "You check an answer to a question{pictures}. Wording and form do not matter, only whether it "
    "says the same as the reference.\n\nQuestion:\n{question}\n\nReference answer:\n{gold}\n\n"
    "Answer to check:\n{answer}\n\nThink briefly. End with one line: VERDICT: right, "
    "VERDICT: wrong or VERDICT: unclear."
)
_JUDGE_ALONE = (
    "You check an answer to a question{pictures}. Solve it yourself first.\n\n"
    "Question:\n{question}\n\nAnswer to check:\n{answer}\n\n"
    "End with one line: VERDICT: right, VERDICT: wrong or VERDICT: unclear."
)


class Group(NamedTuple):
    """Answers that say the same."""

    answer: str
    """What they say, as the first of them puts it."""
    members: tuple[int, ...]
    """Places in the list of answers."""


def score(parsed: Parsed, record: Record, gold: Answer | None) -> Score | None:
    """What the scorer of the gold's kind says; None when no scorer knows it."""
    if gold is None or gold.kind not in KINDS:
        return None
    return scorer_for(gold)[1](rollout_of(parsed), Evidence(gold, record.evidence))


def score_columns(found: Score | None) -> dict[str, Any] | None:
    """A score as JSON."""
    return asdict(found) if found else None


def groups(answers: Sequence[str], kind: AnswerKind | None) -> list[Group]:
    """Answers by what they say, the largest group first; of equal ones that which came first."""
    found: list[tuple[str, list[int]]] = []
    for place, text in enumerate(answers):
        said = final_answer(text).text
        for first, members in found:
            if _equal(first, said, kind):
                members.append(place)
                break
        else:
            found.append((said, [place]))
    found.sort(key=lambda one: -len(one[1]))
    return [Group(first, tuple(members)) for first, members in found]


def _equal(first: str, second: str, kind: AnswerKind | None) -> bool:
    if tidy(first) == tidy(second):
        return True
    if kind is None:
        # Of the plainest kind: numbers are compared as numbers, everything else as texts.
        numbers = _PLAIN_NUMBER.fullmatch(first) and _PLAIN_NUMBER.fullmatch(second)
        return bool(numbers) and float(first) == float(second)
    if kind not in KINDS or kind == "text" or not first.strip():
        return False
    parsed = Parsed("answered", None, second, second)
    gold = Answer("box" if kind == "point" else kind, first)
    found = scorer_for(gold)[1](rollout_of(parsed), Evidence(gold))
    return found.value == 1.0


def judge_calls(
    record: Record, turns: tuple[Turn, ...], answer: str, gold: Answer | None, asking: Asking
) -> tuple[Call, ...]:
    """The questions to a judge about one answer, with the record's pictures."""
    asked = "\n".join(turn.text for turn in turns if turn.role == "user")
    form = _JUDGE if gold else _JUDGE_ALONE
    text = form.format(
        pictures=" about the pictures above" if record.images else "",
        question=asked,
        gold=" or ".join((gold.gold, *gold.aliases)) if gold else "",
        answer=answer,
    )
    pictures = tuple(Part("image", image=place) for place in range(len(record.images)))
    images = tuple(image.sha256 for image in record.images)
    voters = Asking(k=asking.judges, seed=asking.seed)
    return ask((Turn("user", (*pictures, Part("text", text))),), images, voters)


def vote_of(reply: Reply) -> str:
    """A judge's vote: right, wrong, unclear; `silent` when it gave none, else its outcome."""
    parsed = parse(reply)
    if parsed.outcome != "answered":
        return parsed.outcome
    found = _VOTE.findall(parsed.answer)
    return found[-1].lower() if found else "silent"


def decided(votes: Sequence[str]) -> float | None:
    """1 or 0 when more than half of all votes say so, else None.

    >>> decided(["right", "right", "wrong"]), decided(["right", "unclear"])
    (1.0, None)
    """
    counts = Counter(votes)
    for name, value in (("right", 1.0), ("wrong", 0.0)):
        if counts[name] * 2 > len(votes):
            return value
    return None


def read_votes(votes: Mapping[int, Sequence[Reply]], call: int) -> tuple[str, ...]:
    """The votes on one call."""
    return tuple(vote_of(reply) for reply in votes.get(call, ()))
