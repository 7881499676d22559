"""A row as messages. Leaves out on purpose: opening images, and repairs of bad rows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pellucid.base.lookup import did_you_mean
from pellucid.data.llava.answer import is_number, parse_answer
from pellucid.data.llava.fault import RowFault
from pellucid.schema.record import (
    MODES,
    SPLITS,
    Answer,
    ImageRef,
    LineageStep,
    Mode,
    Part,
    Role,
    Split,
    Turn,
    faults,
)

TAG = "<image>"
_ROLES: dict[str, Role] = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "system": "system",
}  # fmt: skip
_RAW = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_THINKING = re.compile(r"\s*<think>(.*?)</think>", re.DOTALL)
_DIRECT = "<nothink>"
"""Opens a reply without thinking in the report's data."""
_IN_FULL = ("reasoning", "mode", "weight")
"""Fields of a turn that say in full what tags in its text say otherwise."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sound row."""

    messages: tuple[Turn, ...]
    images: tuple[str, ...]
    """Names as the row gives them."""
    answer: Answer | None
    raw: bytes
    split: Split | None
    task: str
    domain: str
    group: str
    licence: str
    """Empty texts where the row says nothing."""
    lineage: tuple[LineageStep, ...] = ()
    """What made the row, as it says itself: a teacher's answers name their calls."""
    steps: tuple[LineageStep, ...] = ()
    """The operators that mended it; `raw` is the row before them."""
    difficulty: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asked(self) -> str:
        """All that the first turn of a user says."""
        return next(turn.text for turn in self.messages if turn.role == "user")


def parse_row(value: object) -> Row:
    """A row of a file as a `Row`.

    Raises:
        RowFault: what is wrong with it, and what to change.
    """
    if not isinstance(value, dict):
        raise RowFault(value, "is not an object", "write {...} with `conversations`")
    raw = raw_json(value)
    names = _image_names(value.get("image"))
    messages = _mode(_turns(value.get("conversations"), len(names)), value.get("mode"))
    found = faults(messages, tuple(ImageRef(name, 0, 0) for name in names))
    if found:
        raise RowFault(value.get("id"), "; ".join(found), "mend the conversation")
    if messages[-1].role != "assistant":
        raise RowFault(value.get("id"), "ends without a reply", "add a turn from `gpt`")
    split = value.get("split")
    if split is not None and split not in SPLITS:
        raise RowFault(split, "is not a split", did_you_mean(str(split), SPLITS))
    return Row(
        messages=messages,
        images=names,
        answer=None if value.get("answer") is None else parse_answer(value["answer"]),
        raw=raw,
        split=split,
        lineage=_lineage(value.get("lineage")),
        difficulty=_difficulty(value.get("difficulty")),
        evidence=_evidence(value.get("evidence")),
        task=_text(value, "task"),
        domain=_text(value, "domain"),
        group=_text(value, "group"),
        licence=_text(value, "licence"),
    )


def raw_json(value: Mapping[str, Any]) -> bytes:
    """A row as it came, as JSON.

    Raises:
        RowFault: it is none.
    """
    try:
        return _RAW.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        fix = "write the character itself, or both halves (\\ud83d\\ude00)"
        raise RowFault(value.get("id"), "holds half of a surrogate pair", fix) from None
    except (TypeError, ValueError) as error:
        rule = f"holds a value that is not JSON ({error})"
        raise RowFault(value.get("id"), rule, "give texts, numbers, lists and objects") from None


def _text(value: Mapping[str, Any], name: str) -> str:
    given = value.get(name)
    if given is None:
        return ""
    if not isinstance(given, str) or not given:
        raise RowFault(given, f"is no text for `{name}`", "write a text or leave the field out")
    return given


def _difficulty(value: object) -> float | None:
    if value is not None and not is_number(value):
        raise RowFault(value, "is no difficulty", "write a number or leave the field out")
    return None if value is None else float(value)  # type: ignore[arg-type]


def _evidence(value: object) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise RowFault(value, "is no evidence", "write an object or leave the field out")
    return value or {}


def _lineage(value: object) -> tuple[LineageStep, ...]:
    """Steps that a row tells in our form; a field of this name that is another's is no matter."""
    steps = value if isinstance(value, list) else [value]
    return tuple(_step(step) for step in steps if isinstance(step, dict) and "op" in step)


def _step(value: object) -> LineageStep:
    told = value if isinstance(value, dict) else {}
    op, version, params = told.get("op"), told.get("version"), told.get("params_hash")
    parents, calls = told.get("parents", []), told.get("calls", [])
    texts = isinstance(parents, list) and isinstance(calls, list)
    if isinstance(op, str) and op and isinstance(version, int) and isinstance(params, str):
        if texts and all(isinstance(one, str) for one in (*parents, *calls)):
            return LineageStep(op, version, params, tuple(parents), tuple(calls))
    fix = 'write {"op", "version", "params_hash", "parents", "calls"}, or leave it out'
    raise RowFault(value, "is no step of lineage", fix)


def _image_names(value: object) -> tuple[str, ...]:
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise RowFault(value, "is no image path", "write `image` as a path, a list or null")
    return tuple(names)


class _Spoken(NamedTuple):
    """A turn as it is written."""

    role: Role
    value: str | tuple[Part, ...]
    """A text with tags, or its parts; an image part without index is the next image."""
    full: Mapping[str, Any]
    """What it says in full; empty when its text has to be read."""
    shown: int
    """How many images it shows."""


def _turns(value: object, images: int) -> tuple[Turn, ...]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list) or not value:
        raise RowFault(value, "is no conversation", "write `conversations` as a list of turns")
    spoken = [_spoken(turn) for turn in value]
    shown = sum([one.shown for one in spoken])
    if images and not shown:
        spoken = _first(spoken, images)
    elif shown != images and not any(_repeats(one) for one in spoken):
        given = f"{shown} <image> tags, {images} images"
        raise RowFault(given, "do not match", "write one tag per image, or none")
    turns, shown = [], 0
    for one in spoken:
        turns.append(_turn(one, shown))
        shown += one.shown
    return tuple(turns)


def _repeats(one: _Spoken) -> bool:
    """Whether it names images by index: then one may be shown twice."""
    return not isinstance(one.value, str) and any(part.image is not None for part in one.value)


def _first(spoken: list[_Spoken], images: int) -> list[_Spoken]:
    """The turns with all images before the first text of a user."""
    first = next((index for index, one in enumerate(spoken) if one.role == "user"), None)
    if first is None:
        return spoken
    one = spoken[first]
    if isinstance(one.value, str):
        spoken[first] = _Spoken("user", TAG * images + one.value, one.full, images)
    else:
        spoken[first] = _Spoken("user", (Part("image"),) * images + one.value, one.full, images)
    return spoken


def _spoken(turn: object) -> _Spoken:
    if not isinstance(turn, dict):
        raise RowFault(turn, "is not a turn", 'write {"from": "human", "value": "..."}')
    role, value = turn.get("from"), turn.get("value")
    if not isinstance(role, str) or role not in _ROLES:
        raise RowFault(role, "is not a speaker", did_you_mean(str(role), _ROLES))
    own = _ROLES[role]
    full = {}
    if len(turn) > 2:
        full = {name: turn[name] for name in _IN_FULL if turn.get(name) is not None}
    if isinstance(value, list):
        parts = tuple(_part(part) for part in value)
        return _Spoken(own, parts, full, sum(part.type == "image" for part in parts))
    if not isinstance(value, str) or not value.strip():
        raise RowFault(value, "is an empty or missing text", "write `value` as a text")
    return _Spoken(own, value, full, value.count(TAG) if own == "user" else 0)


def _part(value: object) -> Part:
    if isinstance(value, dict) and value.get("type") == "text":
        if isinstance(value.get("text"), str) and value["text"]:
            return Part("text", value["text"])
    elif isinstance(value, dict) and value.get("type") == "image":
        index = value.get("image")
        if index is None or (isinstance(index, int) and not isinstance(index, bool)):
            return Part("image", image=index)
    fix = 'write {"type": "text", "text": "..."} or {"type": "image"}'
    raise RowFault(value, "is no part of a turn", fix)


def _turn(one: _Spoken, shown: int) -> Turn:
    """A turn, when `shown` images stand before it."""
    if isinstance(one.value, str):
        if one.role == "assistant" and not one.full:
            return _reply(one.value)
        if one.role == "user":
            content = _parts(one.value, shown)
        else:
            content = (Part("text", one.value if one.full else one.value.strip()),)
    else:
        content = _numbered(one.value, shown)
    if one.role != "assistant":
        if one.full:
            rule = f"is a turn of {one.role} with {', '.join(one.full)}"
            raise RowFault(dict(one.full), rule, "give them to replies only")
        return Turn(one.role, content)
    return _in_full(content, one.full)


def _numbered(parts: tuple[Part, ...], shown: int) -> tuple[Part, ...]:
    """Image parts without an index get the next one."""
    found = []
    for part in parts:
        if part.type == "image":
            index = shown if part.image is None else part.image
            found.append(Part("image", image=index))
            shown += 1
        else:
            found.append(part)
    return tuple(found)


def _in_full(content: tuple[Part, ...], full: Mapping[str, Any]) -> Turn:
    """A reply whose reasoning, mode and weight are fields of their own."""
    reasoning, mode, weight = (full.get(name) for name in _IN_FULL)
    if reasoning is not None and (not isinstance(reasoning, str) or not reasoning):
        raise RowFault(reasoning, "is no reasoning", "write it as a text, or leave it out")
    if mode is not None and mode not in MODES:
        raise RowFault(mode, "is not a mode of a reply", did_you_mean(str(mode), MODES))
    if weight is not None and (not is_number(weight) or weight < 0):
        raise RowFault(weight, "is no weight", "write a number of 0 or more")
    if not content:
        raise RowFault([], "thinks but gives no answer", "write the answer as `value`")
    own: Mode = mode or ("think" if reasoning else "nothink")
    return Turn("assistant", content, own, reasoning, None if weight is None else float(weight))


def _parts(text: str, shown: int) -> tuple[Part, ...]:
    return tuple(
        Part("text", one) if isinstance(one, str) else Part("image", image=one)
        for one in pieces(text.strip(), shown)
    )


def pieces(text: str, shown: int) -> list[str | int]:
    """A user's text cut at its tags: texts, and indices of images.

    Line breaks beside a tag belong to the tag.

    Args:
        text: without spaces at either end.
        shown: images that stand before it.
    """
    cut, found = text.split(TAG), list[str | int]()
    for number, piece in enumerate(cut):
        piece = piece.lstrip("\r\n") if number else piece
        piece = piece.rstrip("\r\n") if number < len(cut) - 1 else piece
        if number:
            found.append(shown + number - 1)
        if piece:
            found.append(piece)
    return found


def _reply(text: str) -> Turn:
    """An assistant's turn; thinking at its start becomes `reasoning`, `<nothink>` its mode."""
    text = text.strip()
    if text.startswith(_DIRECT):
        text = text.removeprefix(_DIRECT)
        if "think>" in text:
            fix = "open a reply with <nothink> or with <think>...</think>, not with both"
            raise RowFault(text, "has a stray thinking tag", fix)
    thinking = _THINKING.match(text)
    answer = text[thinking.end() :].strip() if thinking else text.strip()
    if "<think>" in answer or "</think>" in answer:
        fix = "open a reply with one <think>...</think>, or use neither tag"
        raise RowFault(text, "has a stray thinking tag", fix)
    if not answer:
        raise RowFault(text, "thinks but gives no answer", "write the answer after </think>")
    reasoning = (thinking.group(1).strip() or None) if thinking else None
    mode: Mode = "think" if reasoning else "nothink"
    return Turn("assistant", (Part("text", answer),), mode, reasoning)


def _mode(messages: tuple[Turn, ...], mode: object) -> tuple[Turn, ...]:
    """The row's `mode` put on its last reply."""
    if mode is None:
        return messages
    last = messages[-1]
    if mode not in ("think", "nothink"):
        fix = did_you_mean(str(mode), ("think", "nothink"))
        raise RowFault(mode, "is not a mode of a reply", fix)
    if mode == "think" and not last.reasoning:
        fix = "open the last reply with <think>...</think>, or drop the mode"
        raise RowFault(mode, "has nothing to think with", fix)
    return (*messages[:-1], Turn(last.role, last.content, mode, last.reasoning, last.weight))
