"""Turns that stand twice in one conversation.

A turn right after the same turn by the same speaker goes. A question with its reply that stood
before with the same words goes too, unless its image tags are needed: two pictures may well be
asked the same. A text that says the same thing twice is flagged only.
"""

from typing import Any

from pellucid.data.repair.base import Doubt, Edit, Facts, Operator, Result, Row
from pellucid.data.repair.places import KEY, TAG, at, bare, pictures, role, turns

_LONG = 12
"""Letters from which on a text said twice is no word like "bye-bye"."""


def duplicated(row: Row, facts: Facts) -> Result:
    """Drop turns that repeat others."""
    found = turns(row)
    new = _without_pairs(_without_echoes(found), len(pictures(row)))
    doubts = [
        Doubt("says the same text twice", at(index))
        for index, turn in enumerate(new)
        if _twice(bare(turn["value"]))
    ]
    if len(new) == len(found):
        return Result(row, (), tuple(doubts))
    return Result({**row, KEY: new}, (Edit(found, new, KEY),), tuple(doubts))


def _without_echoes(found: list[Any]) -> list[Any]:
    new: list[Any] = []
    for turn in found:
        same = new and role(new[-1]) == role(turn) and role(turn) is not None
        if not same or new[-1]["value"].strip() != turn["value"].strip():
            new.append(turn)
    return new


def _without_pairs(found: list[Any], images: int) -> list[Any]:
    """The turns without pairs of question and reply that came before.

    A question that is put to several pictures may well be answered alike: such pairs stay.
    """
    first = 1 if found and role(found[0]) == "system" else 0
    kept, seen = found[:first], set[tuple[str, str]]()
    tags = sum(turn["value"].count(TAG) for turn in found if role(turn) == "user")
    index = first
    while index < len(found):
        pair = found[index : index + 2]
        if [role(turn) for turn in pair] != ["user", "assistant"]:
            return found
        asked, replied = pair[0]["value"], pair[1]["value"]
        key = (" ".join(asked.replace(TAG, " ").split()), " ".join(replied.split()))
        # Where a tag is missing, the pair may be the one that lost it.
        spare = tags - asked.count(TAG) >= images
        if key in seen and spare:
            tags -= asked.count(TAG)
        else:
            kept = [*kept, *pair]
            seen.add(key)
        index += 2
    asked = [turn["value"] for turn in kept if TAG in turn["value"] and role(turn) == "user"]
    return kept if len(set(asked)) == len(asked) else found


def _twice(text: str) -> bool:
    said = text.strip()
    half = len(said) // 2
    one, two = said[:half].strip(), said[-half:].strip() if half else ""
    return len(one) >= _LONG and " " in one and one == two


DUPLICATE_TURNS = Operator("duplicate_turns", 1, "mend", "turns that stand twice", duplicated)
