"""Conversations that lie too deep: lists in lists, turns in turns, JSON text in a turn's text.

Unwrapped where every piece that comes out is a turn; a JSON answer to a question for JSON stays.
"""

import json
from typing import Any

from pellucid.data.llava import RowFault, parse_row
from pellucid.data.repair.base import Edit, Facts, Operator, Result, Row
from pellucid.data.repair.places import KEY, ROLES, TAG


def nested(row: Row, facts: Facts) -> Result:
    """Flatten what is nested."""
    given = row.get(KEY)
    if isinstance(given, list) and all(_plain(turn) for turn in given):
        return Result(row)
    found = _flat(given)
    if not found:
        return Result(row)
    if found == given or _says_more(row, found):
        return Result(row)
    return Result({**row, KEY: found}, (Edit(given, found, KEY),))


def _says_more(row: Row, found: list[Any]) -> bool:
    """Whether turns in full (lists of parts) say what texts cannot: a tag that is only a text."""
    if not any(isinstance(turn, dict) and isinstance(turn.get("value"), list) for turn in row[KEY]):
        return False
    try:
        said = parse_row(row).messages
    except RowFault:
        return False
    try:
        return parse_row({**row, KEY: found}).messages != said
    except RowFault:
        return True


def _plain(turn: Any) -> bool:
    if not isinstance(turn, dict):
        return False
    value = turn.get("value")
    return isinstance(value, str) and value.lstrip()[:1] not in ("{", "[", '"')


def _flat(value: Any) -> list[Any] | None:
    """All turns in a value, in order; None where something in it is no turn."""
    if isinstance(value, str):
        return _flat(_parsed(value))
    if isinstance(value, dict):
        if "from" in value or "role" in value:
            return _turn(value)
        inner = [value[key] for key in (KEY, "conversation", "turns") if key in value]
        return _flat(inner[0]) if len(inner) == 1 and len(value) == 1 else None
    if not isinstance(value, list) or not value:
        return None
    flat = [_flat(one) for one in value]
    if any(one is None for one in flat):
        return None
    return [turn for one in flat for turn in one or ()]


def _turn(turn: Row) -> list[Any]:
    """A turn, its text unwrapped; several where its text was a whole conversation."""
    value = turn.get("value")
    if isinstance(value, dict) or (isinstance(value, str) and value.lstrip()[:1] == "{"):
        inner = _parsed(value) if isinstance(value, str) else value
        if _is_turn(inner) and _same(inner, turn):
            return _turn({**turn, "value": inner.get("value", inner.get("content"))})
    if isinstance(value, list) or (isinstance(value, str) and value.lstrip()[:1] == "["):
        inner = _parsed(value) if isinstance(value, str) else value
        if isinstance(inner, list) and inner:
            if all(_is_turn(one) for one in inner):
                whole = _flat(inner) or []
                return _turn({**turn, "value": _said(inner[0])}) if len(whole) == 1 else whole
            if not isinstance(value, str):
                text = _text(inner)
                return [turn] if text is None else [{**turn, "value": text}]
    if isinstance(value, str) and value.lstrip()[:1] == '"' and "\\" in value:
        inner = _parsed(value)
        if isinstance(inner, str) and inner.strip():
            return [{**turn, "value": inner}]
    return [turn]


def _is_turn(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    speaker = value.get("from", value.get("role"))
    return isinstance(speaker, str) and speaker in ROLES and isinstance(_said(value), str)


def _said(turn: Row) -> Any:
    return turn.get("value", turn.get("content"))


def _same(inner: Row, outer: Row) -> bool:
    """Whether the turn inside is by the one who speaks outside."""
    speaker, given = inner.get("from", inner.get("role")), outer.get("from")
    return ROLES.get(str(speaker)) == ROLES.get(str(given), ROLES.get(str(speaker)))


def _text(parts: list[Any]) -> str | None:
    """Parts of another format as one text: a picture is a tag."""
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    texts = []
    for part in parts:
        if not isinstance(part, dict):
            return None
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif part.get("type") in ("image", "image_url"):
            texts.append(TAG)
        else:
            return None
    return "\n".join(texts)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


NESTED_TURNS = Operator(
    "nested_turns", 2, "mend", "conversations nested in lists or in JSON text", nested
)
