"""The gold answer of a row: kinds, and the form in which each is kept."""

import json
import re
from collections.abc import Sequence
from typing import Any, get_args

from pellucid.base.lookup import did_you_mean
from pellucid.data.llava.fault import RowFault
from pellucid.schema.record import COORDINATE_DECIMALS, Answer, AnswerKind

_KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def parse_answer(value: object) -> Answer:
    """A gold answer from its JSON form.

    Raises:
        RowFault: the kind is unknown or the gold is not of that kind.
    """
    known = ("kind", "gold", "aliases", "tolerance")
    if not isinstance(value, dict) or not {"kind", "gold"} <= set(value) <= set(known):
        fix = 'write {"kind": "text", "gold": "..."}, with aliases and tolerance or without'
        raise RowFault(value, "is not an answer", fix)
    kind, aliases, tolerance = value["kind"], value.get("aliases", []), value.get("tolerance")
    if kind not in _KINDS:
        raise RowFault(kind, "is not a kind of answer", did_you_mean(str(kind), _KINDS))
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise RowFault(aliases, "is not a list of texts", "write aliases as [...]")
    if tolerance is not None and (not is_number(tolerance) or tolerance < 0):
        raise RowFault(tolerance, "is not a tolerance", "write a number of 0 or more")
    gold = _gold(kind, value["gold"])
    return Answer(kind, gold, tuple(aliases), None if tolerance is None else float(tolerance))


def _gold(kind: AnswerKind, gold: object) -> str:
    if kind in ("box", "boxes", "point"):
        return _coordinates(kind, gold)
    if kind in ("json", "action"):
        return gold if isinstance(gold, str) and _json(gold) is not None else _dump(kind, gold)
    text = str(gold) if is_number(gold) else gold
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
    return all(is_number(value) and 0 <= value <= 1 for value in row)


def is_number(value: object) -> bool:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
