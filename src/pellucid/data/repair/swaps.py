"""Replies that changed places: flagged only where the kinds of two questions and replies say so.

A question for a number with a yes or no, beside a question for yes or no with a number. Which reply
belongs where is then plain to a reader, and still nobody knows that nothing else is amiss.
"""

import re

from pellucid.data.repair.base import Doubt, Facts, Operator, Result, Row
from pellucid.data.repair.places import at, bare, reply, role, turns

_ASKS = {
    "a number": re.compile(r"(?:how many|what number of|count the)\b", re.IGNORECASE),
    "yes or no": re.compile(
        r"(?:is|are|was|were|does|do|did|has|have|can)\b(?!.*\bor\b)", re.IGNORECASE | re.DOTALL
    ),
}
_SAYS = {
    "a number": re.compile(r"\d+\.?"),
    "yes or no": re.compile(r"(?:yes|no)\.?", re.IGNORECASE),
}


def swapped(row: Row, facts: Facts) -> Result:
    """Flag two replies of a conversation that answer one another's question."""
    found = list(_kinds(row))
    doubts = []
    for (_, asked, said), (later, asked_later, said_later) in zip(found, found[1:], strict=False):
        if asked != asked_later and (said, said_later) == (asked_later, asked):
            told = f"asks for {asked_later} and is answered by {said_later}, the turn before by"
            doubts.append(Doubt(f"{told} {said}: their replies may be swapped", at(later)))
    return Result(row, (), tuple(doubts))


def _kinds(row: Row) -> list[tuple[int, str, str]]:
    """Number of each reply, what kind was asked for and what kind was said; "" where none."""
    spoken = turns(row)
    return [
        (index, _kind(_ASKS, asked["value"], False), _kind(_SAYS, answered["value"], True))
        for index, (asked, answered) in enumerate(zip(spoken, spoken[1:], strict=False), start=1)
        if role(asked) == "user" and role(answered) == "assistant"
    ]


def _kind(table: dict[str, re.Pattern[str]], text: str, whole: bool) -> str:
    said = bare(reply(text).answer)
    kinds = [
        kind
        for kind, pattern in table.items()
        if (pattern.fullmatch(said) if whole else pattern.match(said))
    ]
    return kinds[0] if kinds else ""


SWAPPED_REPLIES = Operator(
    "swapped_replies", 1, "check", "replies that answer one another's question", swapped
)
