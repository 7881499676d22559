r"""The LLaVA row format: `image`, `conversations`, and a few fields of our own.

    {"image": "a.png" | ["a.png", "b.png"] | null,
     "conversations": [{"from": "human", "value": "<image>\nHow many?"},
                       {"from": "gpt", "value": "<think>1 + 1 = 2.</think>2"}],
     "id", "split", "task", "domain", "group", "licence", "mode",
     "answer": {"kind", "gold", "aliases", "tolerance"}}

Everything but `conversations` may be missing. Images stand where the user's `<image>` tags stand,
first when there is no tag; an assistant's `<image>` is plain text. Other fields are kept in the
record's `raw` only. Leaves out on purpose: opening images, and repairs of bad rows.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pellucid.base.lookup import did_you_mean
from pellucid.schema.record import (
    COORDINATE_DECIMALS,
    SPLITS,
    Answer,
    AnswerKind,
    ImageRef,
    Mode,
    Part,
    Role,
    Split,
    Turn,
    faults,
)

_TAG = "<image>"
_ROLES: dict[str, Role] = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "system": "system",
}  # fmt: skip
_KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_THINKING = re.compile(r"\s*<think>(.*?)</think>", re.DOTALL)


class RowFault(ValueError):
    """A row that cannot become a record."""

    def __init__(self, value: object, rule: str, fix: str) -> None:
        self.value, self.rule, self.fix = value, rule, fix
        shown = repr(value)
        super().__init__(f"{shown if len(shown) <= 80 else shown[:77] + '...'} {rule}")


@dataclass(frozen=True, slots=True)
class Row:
    """One sound row."""

    messages: tuple[Turn, ...]
    images: tuple[str, ...]
    """Paths as the row names them."""
    answer: Answer | None
    raw: bytes
    split: Split | None
    task: str
    domain: str
    group: str
    licence: str
    """Empty texts where the row says nothing."""


def parse_row(value: object) -> Row:
    """A row of the file as a `Row`.

    Raises:
        RowFault: what is wrong with it, and what to change.
    """
    if not isinstance(value, dict):
        raise RowFault(value, "is not an object", "write {...} with `conversations`")
    raw = _raw(value)
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
        **{name: _text(value, name) for name in ("task", "domain", "group", "licence")},
    )


def parse_answer(value: object) -> Answer:
    """A gold answer from its JSON form.

    Raises:
        RowFault: the kind is unknown or the gold is not of that kind.
    """
    known = ("kind", "gold", "aliases", "tolerance")
    if not isinstance(value, dict) or not {"kind", "gold"} <= set(value) <= set(known):
        fix = f"write an object with kind and gold, and only {', '.join(known)}"
        raise RowFault(value, "is not an answer", fix)
    kind, aliases, tolerance = value["kind"], value.get("aliases", []), value.get("tolerance")
    if kind not in _KINDS:
        raise RowFault(kind, "is not a kind of answer", did_you_mean(str(kind), _KINDS))
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise RowFault(aliases, "is not a list of texts", "write aliases as [...]")
    if tolerance is not None and (not _is_number(tolerance) or tolerance < 0):
        raise RowFault(tolerance, "is not a tolerance", "write a number of 0 or more")
    gold = _gold(kind, value["gold"])
    return Answer(kind, gold, tuple(aliases), None if tolerance is None else float(tolerance))


def _raw(value: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
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


def _image_names(value: object) -> tuple[str, ...]:
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise RowFault(value, "is no image path", "write `image` as a path, a list or null")
    return tuple(names)


def _turns(value: object, images: int) -> tuple[Turn, ...]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list) or not value:
        raise RowFault(value, "is no conversation", "write `conversations` as a list of turns")
    spoken = [_spoken(turn) for turn in value]
    tags = sum(text.count(_TAG) for role, text in spoken if role == "user")
    if images and not tags:
        first = next((index for index, (role, _) in enumerate(spoken) if role == "user"), None)
        if first is not None:
            spoken[first] = ("user", _TAG * images + spoken[first][1])
    elif tags != images:
        given = f"{tags} <image> tags, {images} images"
        raise RowFault(given, "do not match", "write one tag per image, or none")
    turns, shown = [], 0
    for role, text in spoken:
        if role == "user":
            content = _parts(text, shown)
            shown += text.count(_TAG)
            turns.append(Turn("user", content))
        elif role == "system":
            turns.append(Turn("system", (Part("text", text.strip()),)))
        else:
            turns.append(_reply(text))
    return tuple(turns)


def _spoken(turn: object) -> tuple[Role, str]:
    if not isinstance(turn, dict):
        raise RowFault(turn, "is not a turn", 'write {"from": "human", "value": "..."}')
    role, text = turn.get("from"), turn.get("value")
    if not isinstance(role, str) or role not in _ROLES:
        raise RowFault(role, "is not a speaker", did_you_mean(str(role), _ROLES))
    if not isinstance(text, str) or not text.strip():
        raise RowFault(text, "is an empty or missing text", "write `value` as a text")
    return _ROLES[role], text


def _parts(text: str, shown: int) -> tuple[Part, ...]:
    """A user's text cut at its tags; line breaks beside a tag belong to the tag."""
    pieces = text.strip().split(_TAG)
    parts = []
    for number, piece in enumerate(pieces):
        piece = piece.lstrip("\r\n") if number else piece
        piece = piece.rstrip("\r\n") if number < len(pieces) - 1 else piece
        if number:
            parts.append(Part("image", image=shown + number - 1))
        if piece:
            parts.append(Part("text", piece))
    return tuple(parts)


def _reply(text: str) -> Turn:
    """An assistant's turn; thinking at its start becomes `reasoning`."""
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
    return (*messages[:-1], Turn(last.role, last.content, mode, last.reasoning))


def _gold(kind: AnswerKind, gold: object) -> str:
    if kind in ("box", "boxes", "point"):
        return _coordinates(kind, gold)
    if kind in ("json", "action"):
        return gold if isinstance(gold, str) and _json(gold) is not None else _dump(kind, gold)
    text = str(gold) if _is_number(gold) else gold
    if not isinstance(text, str) or not text.strip():
        raise RowFault(gold, f"is no gold {kind}", "write it as a text")
    if kind == "number" and not _NUMBER.fullmatch(text):
        raise RowFault(gold, "is not a number", 'write it in digits, e.g. "12.5"')
    if kind == "choice" and not re.fullmatch("[A-Z]", text):
        raise RowFault(gold, "is not an option's letter", 'write one letter, e.g. "B"')
    return text


def _dump(kind: AnswerKind, gold: object) -> str:
    if isinstance(gold, str):
        raise RowFault(gold, f"is no gold {kind}", "write it as JSON")
    return json.dumps(gold, ensure_ascii=False)


def _coordinates(kind: AnswerKind, gold: object) -> str:
    """Boxes as JSON lists with four decimals; the gold of a point is the box that it must hit."""
    value = _json(gold) if isinstance(gold, str) else gold
    rows = value if kind == "boxes" else [value]
    if not isinstance(rows, list) or not rows or not all(_is_row(row, 4) for row in rows):
        fix = "write 4 numbers in [0, 1], each the pixel divided by the picture's size"
        raise RowFault(gold, f"is no gold {kind} (a box)", fix)
    least = 10**-COORDINATE_DECIMALS
    if any(row[2] - row[0] < least or row[3] - row[1] < least for row in rows):
        rule = "is a box without area, or with swapped corners"
        raise RowFault(gold, rule, "write [x1, y1, x2, y2], the second corner right and below")
    texts = [
        "[" + ", ".join(f"{value:.{COORDINATE_DECIMALS}f}" for value in row) + "]" for row in rows
    ]
    return "[" + ", ".join(texts) + "]" if kind == "boxes" else texts[0]


def _is_row(row: object, size: int) -> bool:
    if not isinstance(row, Sequence) or isinstance(row, str) or len(row) != size:
        return False
    return all(_is_number(value) and 0 <= value <= 1 for value in row)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
