"""A record as a row that reads as the record again.

The form that every program knows is tried first, and read back; only where that would lose
something (a literal `<image>`, spaces at an edge, a weight) is a turn written in full.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pellucid.data.llava.fault import RowFault
from pellucid.data.llava.read import TAG, parse_row
from pellucid.schema.record import Answer, Part, Record, Turn

_FROM = {"user": "human", "assistant": "gpt", "system": "system"}


def write_row(record: Record, names: Sequence[str]) -> dict[str, Any]:
    """A record as a LLaVA row.

    Args:
        record: any record.
        names: what its images are called, in the record's order.

    Returns:
        a row of which `parse_row` makes the same messages, answer and labels.
    """
    assert len(names) == len(record.images), "one name for each image"
    row = {
        "id": record.id,
        "image": names[0] if len(names) == 1 else list(names),
        "conversations": write_turns(record.messages, len(names)),
        **labels(record),
    }
    if not names:
        del row["image"]
    return row


def write_turns(messages: Sequence[Turn], images: int) -> list[dict[str, Any]]:
    """The `conversations` of a row.

    Args:
        messages: of a sound record.
        images: how many images the row has.
    """
    messages = [_with_mode(turn) for turn in messages]
    turns = [_plain(turn) for turn in messages]
    if not _reads_as(turns, images, messages):
        turns = [
            _kept(turn, plain) or _full(turn) for turn, plain in zip(messages, turns, strict=True)
        ]
    if not _reads_as(turns, images, messages):
        turns = [_full(turn) for turn in messages]
    assert _reads_as(turns, images, messages), "a conversation without a form as a row"
    return turns


def _with_mode(turn: Turn) -> Turn:
    """A reply says its mode, as one that is read does."""
    if turn.role != "assistant" or turn.mode:
        return turn
    return replace(turn, mode="think" if turn.reasoning else "nothink")


def labels(record: Record) -> dict[str, Any]:
    """What a row says besides its conversation and pictures, as fields that every format takes."""
    given = {
        "answer": _answer(record.answer) if record.answer else None,
        "task": record.task,
        "domain": record.domain,
        "split": record.source.split,
        "group": record.source.group,
        "licence": record.source.licence,
        "difficulty": record.difficulty,
        "evidence": dict(record.evidence),
    }
    return {name: value for name, value in given.items() if value not in (None, "", {})}


def _answer(answer: Answer) -> dict[str, Any]:
    exact = answer.kind in ("json", "action", "box", "boxes", "point")
    told = {
        "kind": answer.kind,
        "gold": _loaded(answer.gold) if exact else answer.gold,
        "aliases": list(answer.aliases),
        "tolerance": answer.tolerance,
    }
    return {name: value for name, value in told.items() if value not in (None, [])}


def _loaded(gold: str) -> Any:
    """A gold that is JSON as a value, where writing it again gives the same text."""
    try:
        value = json.loads(gold)
    except ValueError:
        return gold
    return value if json.dumps(value, ensure_ascii=False) == gold else gold


def _reads_as(turns: Sequence[dict[str, Any]], images: int, messages: Sequence[Turn]) -> bool:
    row = {"image": ["x"] * images, "conversations": list(turns)}
    try:
        return parse_row(row).messages == tuple(messages)
    except RowFault:
        return False


def _plain(turn: Turn) -> dict[str, Any]:
    """A turn in the form that every program knows."""
    text = "".join(TAG if part.type == "image" else part.text or "" for part in turn.content)
    if turn.role == "user":
        first, _, rest = text.partition(TAG)
        text = f"{TAG}\n{rest}" if not first and rest and not rest.startswith(TAG) else text
    if turn.reasoning:
        text = f"<think>{turn.reasoning}</think>{text}"
    return {"from": _FROM[turn.role], "value": text}


def _kept(turn: Turn, plain: dict[str, Any]) -> dict[str, Any] | None:
    """The plain form, where a conversation of this turn alone reads as it."""
    shown = [part for part in turn.content if part.type == "image"]
    row = {"image": ["x"] * len(shown)}
    reply, question = {"from": "gpt", "value": "x"}, {"from": "human", "value": "x"}
    around = {"user": [plain, reply], "assistant": [question, plain]}
    row["conversations"] = around.get(turn.role, [plain, question, reply])  # type: ignore[assignment]
    numbers = iter(range(len(shown)))
    content = tuple(
        Part("image", image=next(numbers)) if part.type == "image" else part
        for part in turn.content
    )
    alone = Turn(turn.role, content, turn.mode, turn.reasoning, turn.weight)
    try:
        read = parse_row(row).messages
    except RowFault:
        return None
    return plain if alone in read else None


def _full(turn: Turn) -> dict[str, Any]:
    """A turn with nothing left to be read out of its text."""
    parts = [
        {"type": "text", "text": part.text}
        if part.type == "text"
        else {"type": "image", "image": part.image}
        for part in turn.content
    ]
    told = {"reasoning": turn.reasoning, "mode": turn.mode, "weight": turn.weight}
    said = {name: value for name, value in told.items() if value is not None}
    return {"from": _FROM[turn.role], "value": parts, **said}
