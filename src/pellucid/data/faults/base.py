"""What a kind of fault is, and how the kinds get at the parts of a row.

A plant takes a sound row and gives a copy with exactly one fault, or None where the kind does not
apply. Leaves out on purpose: whether anything mends it (`repair/`, which this room never imports).
"""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

Row = dict[str, Any]
"""A LLaVA row, sound or not."""
Plant = Callable[[Row, Random], Row | None]
"""A copy of the row with the fault, or None where the kind does not apply."""

TAG = "<image>"
USERS = ("human", "user")
REPLIES = ("gpt", "assistant")
DIRECT_LETTER = "Answer with the option's letter from the given choices directly."
DIRECT_TEXT = "Answer with the text of the option, without its letter."
SHORT = "Answer the question using a single word or phrase."
_TAIL = re.compile(r"\s*(?:<think>.*?</think>|<nothink>)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault."""

    plant: Plant
    family: str
    repairable: bool
    """Whether the clean row can be known for certain from the faulty row alone."""
    on: tuple[str, ...]
    """Forms of clean rows (`clean.FORMS`) among which it is found; the plant itself has the last
    word on each row."""
    breaks: bool = False
    """After it, turns can no longer be read as turns; of two faults it is planted last."""
    adds_row: bool = False
    """What it gives is a further row, at fault only beside the one it was made from."""


def turns(row: Row, who: tuple[str, ...]) -> list[dict[str, Any]]:
    """The row's own turns by these speakers, in order."""
    return [turn for turn in row["conversations"] if turn.get("from") in who]


def duplicate(row: Row) -> Row:
    """A copy that shares nothing with the row."""
    return copy.deepcopy(row)


def images(row: Row) -> list[str]:
    """Names of the row's images."""
    named = row.get("image")
    return [] if named is None else [named] if isinstance(named, str) else list(named)


def tags(row: Row) -> int:
    """How many tags the users' turns have."""
    return sum(turn["value"].count(TAG) for turn in turns(row, USERS))


def question(row: Row) -> dict[str, Any]:
    """The last user's turn."""
    return turns(row, USERS)[-1]


def reply(row: Row) -> dict[str, Any]:
    """The last reply."""
    return turns(row, REPLIES)[-1]


def split_reply(text: str) -> tuple[str, str]:
    """Thinking with its tags (or the tag of none) and the space after it, and what is answered.

    >>> split_reply("<think>1 + 1.</think> 2")
    ('<think>1 + 1.</think> ', '2')
    """
    found = _TAIL.match(text)
    return (text[: found.end()], text[found.end() :]) if found else ("", text)


def answered(row: Row) -> str:
    """What the last reply answers, without its thinking."""
    return split_reply(reply(row)["value"])[1]


def answer_with(row: Row, text: str) -> Row:
    """A copy whose last reply answers `text` after the same thinking."""
    faulty = duplicate(row)
    turn = reply(faulty)
    turn["value"] = split_reply(turn["value"])[0] + text
    return faulty


def gold_text(row: Row) -> str | None:
    """The gold as a reply would say it, where it is a text, a number or a letter."""
    answer = row.get("answer")
    if not answer or answer["kind"] not in ("text", "number", "choice", "expression"):
        return None
    return str(answer["gold"])


def letter(index: int) -> str:
    """The letter of an option, from 0."""
    return chr(ord("A") + index)


def option_text(row: Row, said: object) -> str | None:
    """The text of the option that a letter names; None where it names none."""
    letters = [letter(at) for at in range(len(row.get("options") or ()))]
    return row["options"][letters.index(said)] if said in letters else None


def option_labels(row: Row) -> list[str] | None:
    """Each option as the question writes it ("B. red"), or None where it writes them otherwise."""
    options, asked = row.get("options"), turns(row, USERS)[-1]["value"]
    for style in ("{}. {}", "({}) {}", "{}) {}"):
        labels = [style.format(letter(at), text) for at, text in enumerate(options or ())]
        lines = asked.split("\n")
        if labels and all(lines.count(label) == 1 for label in labels):
            return labels
    return None


def texts(row: Row) -> Iterator[str]:
    """Every text that people or models read: turns, options, gold and aliases."""
    yield from (turn["value"] for turn in row["conversations"])
    yield from row.get("options") or ()
    answer = row.get("answer") or {}
    yield from (gold for gold in (answer.get("gold"), *answer.get("aliases", ())) if _is_text(gold))


def with_texts(row: Row, change: Callable[[str], str]) -> Row:
    """A copy with every text of `texts` changed."""
    faulty = duplicate(row)
    for turn in faulty["conversations"]:
        turn["value"] = change(turn["value"])
    if faulty.get("options"):
        faulty["options"] = [change(text) for text in faulty["options"]]
    answer = faulty.get("answer")
    if answer:
        if _is_text(answer["gold"]):
            answer["gold"] = change(answer["gold"])
        if "aliases" in answer:
            answer["aliases"] = [change(text) for text in answer["aliases"]]
    return faulty


def _is_text(value: object) -> bool:
    return isinstance(value, str)
