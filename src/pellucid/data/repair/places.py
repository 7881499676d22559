"""Where things stand in a row: turns, texts, pictures, the thinking and the answer of a reply.

Everything here reads, or gives a new row; nothing judges. A row whose conversation has no sound
shape has no turns, so operators on texts wait until the shape is mended.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pellucid.data.repair.base import Edit, Result, Row

TAG = "<image>"
KEY = "conversations"
ROLES: Mapping[str, str] = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "system": "system",
}  # fmt: skip
_HEAD = re.compile(r"\s*(?:<nothink>|<think>(.*?)</think>)?\s*", re.DOTALL)
_TAGS = re.compile(r"<image>|</?think>|<nothink>")


class Reply(NamedTuple):
    """A reply cut in two: `head + answer` is the whole text."""

    head: str
    """The mode tag or the whole thinking with its tags, and the space after it."""
    thinking: str | None
    answer: str


def turns(row: Row) -> list[dict[str, Any]]:
    """The turns of a conversation of sound shape; none when it has another shape."""
    found = row.get(KEY)
    if not isinstance(found, list):
        return []
    sound = all(
        isinstance(turn, dict)
        and isinstance(turn.get("from"), str)
        and isinstance(turn.get("value"), str)
        for turn in found
    )
    return found if sound else []


def role(turn: Mapping[str, Any]) -> str | None:
    """`user`, `assistant`, `system`, or None for a name that is not known."""
    return ROLES.get(turn["from"])


def spoken(row: Row, by: str) -> Iterator[tuple[int, str]]:
    """Number and text of each turn by one role."""
    for index, turn in enumerate(turns(row)):
        if role(turn) == by:
            yield index, turn["value"]


def pictures(row: Row) -> list[str]:
    """The names of the row's pictures; none where the field holds something else."""
    value = row.get("image")
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        return []
    return names if all(isinstance(name, str) and name for name in names) else []


def count_tags(row: Row, by: str = "user") -> int:
    """Image tags in the turns of one role."""
    return sum(text.count(TAG) for _, text in spoken(row, by))


def at(index: int) -> str:
    """The path of a turn's text."""
    return f"{KEY}[{index}].value"


def with_text(row: Row, index: int, text: str) -> Row:
    """The row with another text in one turn."""
    found = list(row[KEY])
    found[index] = {**found[index], "value": text}
    return {**row, KEY: found}


def with_texts(row: Row, new: Mapping[int, str]) -> Result:
    """The row with other texts in some turns, and an edit for each that differs."""
    edits = []
    for index, text in new.items():
        before = row[KEY][index]["value"]
        if before != text:
            row = with_text(row, index, text)
            edits.append(Edit(before, text, at(index)))
    return Result(row, tuple(edits))


def answer(row: Row) -> Mapping[str, Any]:
    """The row's gold answer, or nothing."""
    found = row.get("answer")
    return found if isinstance(found, dict) else {}


def map_texts(row: Row, change: Callable[[str], str]) -> Result:
    """The row with every text changed: turns, gold, aliases, options."""
    result = with_texts(row, {i: change(turn["value"]) for i, turn in enumerate(turns(row))})
    row, edits = result.row, list(result.edits)
    given = answer(row)
    if isinstance(given.get("gold"), str):
        text = change(given["gold"])
        if text != given["gold"]:
            edits.append(Edit(given["gold"], text, "answer.gold"))
            row = {**row, "answer": {**given, "gold": text}}
    for owner, name in (("answer", "aliases"), ("", "options")):
        holder = answer(row) if owner else row
        listed = holder.get(name)
        if not isinstance(listed, list):
            continue
        new = [change(text) if isinstance(text, str) else text for text in listed]
        if new != listed:
            edits.append(Edit(listed, new, f"{owner}.{name}" if owner else name))
            row = {**row, "answer": {**holder, name: new}} if owner else {**row, name: new}
    return Result(row, tuple(edits))


def texts(row: Row) -> Iterator[tuple[str, str]]:
    """Place and text of every text that `map_texts` may change."""
    for index, turn in enumerate(turns(row)):
        yield at(index), turn["value"]
    given = answer(row)
    if isinstance(given.get("gold"), str):
        yield "answer.gold", given["gold"]
    for owner, listed in (
        ("answer.aliases", given.get("aliases")),
        ("options", row.get("options")),
    ):
        if isinstance(listed, list):
            yield from ((owner, text) for text in listed if isinstance(text, str))


def reply(text: str) -> Reply:
    """A reply cut into what stands before its answer, and the answer.

    >>> reply("<think>1 + 1 = 2.</think> 2")
    Reply(head='<think>1 + 1 = 2.</think> ', thinking='1 + 1 = 2.', answer='2')
    """
    match = _HEAD.match(text)
    end = match.end() if match else 0
    return Reply(text[:end], match[1] if match else None, text[end:])


def last_reply(row: Row) -> tuple[int, Reply] | None:
    """Number and parts of the last turn, where an assistant speaks it."""
    found = turns(row)
    if not found or role(found[-1]) != "assistant":
        return None
    return len(found) - 1, reply(found[-1]["value"])


def last_question(row: Row) -> str:
    """The last text of a user, without image tags; empty when there is none."""
    asked = [text for _, text in spoken(row, "user")]
    return asked[-1].replace(TAG, " ").strip() if asked else ""


def bare(text: str) -> str:
    """A text without our tags and outer space."""
    return _TAGS.sub("", text).strip()
