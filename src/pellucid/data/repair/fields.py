"""Fields by another name, and values of another JSON type than the field has.

A name is mended where only one field can be meant. A value is mended where it says the same thing:
`"None"` for null, `[ "a.png", null ]` for one picture, a gold number for its text.
"""

import json
from difflib import get_close_matches
from typing import Any

from pellucid.data.repair.base import Doubt, Edit, Facts, Operator, Result, Row
from pellucid.data.repair.places import KEY, ROLES, turns

_CONVERSATION = ("conversation", "conversations", "conversion", "conversions", "dialog",
                 "dialogue", "dialogues", "turns", "chat")  # fmt: skip
_IMAGE = ("image", "images", "img", "imgs", "image_path", "image_paths", "image_file")
_FROM = ("from", "role", "speaker", "form", "frm", "sender", "author", "who")
_VALUE = ("value", "content", "text", "values", "val", "vlaue", "message", "utterance")
_NOTHING = ("", "none", "null", "nan", "n/a", "na", "undefined", "nil", "[]", "{}")
_LLAVA = {"user": "human", "assistant": "gpt"}
_TEXT_KINDS = ("choice", "number", "expression", "text")


def names(row: Row, facts: Facts) -> Result:
    """Give fields of the row and of its turns the names that they have in LLaVA rows."""
    edits: list[Edit] = []
    row = _rename(row, KEY, _conversation_key(row), edits, "")
    row = _rename(row, "image", _image_key(row), edits, "")
    found = row.get(KEY)
    if not isinstance(found, list):
        return Result(row, tuple(edits))
    new = [
        _turn(turn, f"{KEY}[{index}]", edits) if isinstance(turn, dict) else turn
        for index, turn in enumerate(found)
    ]
    return Result({**row, KEY: new} if new != found else row, tuple(edits))


def _conversation_key(row: Row) -> str | None:
    if KEY in row:
        return None
    known = [key for key in row if key.strip().casefold() in _CONVERSATION]
    known = known or [key for key in row if get_close_matches(key.casefold(), [KEY], 1, 0.85)]
    known = known or [key for key in row if key == "messages" and _is_llava(row[key])]
    return known[0] if len(known) == 1 else None


def _is_llava(value: Any) -> bool:
    """Whether `messages` holds turns of ours and not those of another format."""
    return isinstance(value, list) and all(
        isinstance(turn, dict) and {"from", "value"} <= set(turn) for turn in value
    )


def _image_key(row: Row) -> str | None:
    """The field that holds the pictures, where the tags say that there are that many."""
    if "image" in row:
        return None
    known = [key for key in row if key.strip().casefold() in _IMAGE]
    if len(known) != 1:
        return None
    value = row[known[0]]
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(name, str) and name for name in listed):
        return None
    counted = sum(str(turn.get("value", "")).count("<image>") for turn in turns(row))
    return known[0] if counted == len(listed) else None


def _rename(row: Row, name: str, given: str | None, edits: list[Edit], where: str) -> Row:
    if given is None:
        return row
    edits.append(Edit(given, name, f"{where}.{name}" if where else name))
    return {name if key == given else key: value for key, value in row.items()}


def _turn(turn: Row, where: str, edits: list[Edit]) -> Row:
    """One turn with its two fields named, and its two values in the right one of them."""
    before = turn
    said = _key(turn, "from", _FROM)
    turn = _rename(turn, "from", said, edits, where)
    turn = _rename(turn, "value", _key(turn, "value", _VALUE), edits, where)
    if said == "role" and turn.get("from") in _LLAVA and "content" in before:
        # Turns of another format came over whole, with their names for who speaks.
        turn = {**turn, "from": _LLAVA[turn["from"]]}
    speaker, text = turn.get("from"), turn.get("value")
    if isinstance(text, str) and text in ROLES and isinstance(speaker, str):
        if speaker.casefold() not in ROLES and len(speaker) > len(text):
            edits.append(Edit(text, speaker, f"{where}.value"))
            turn = {**turn, "from": text, "value": speaker}
    return turn


def _key(turn: Row, name: str, others: tuple[str, ...]) -> str | None:
    if name in turn:
        return None
    known = [key for key in turn if isinstance(key, str) and key.strip().casefold() in others]
    return known[0] if len(known) == 1 else None


def types(row: Row, facts: Facts) -> Result:
    """Give values the JSON type that their field has."""
    edits: list[Edit] = []
    doubts: list[Doubt] = []
    if "image" in row:
        row = _put(row, "image", _shown(row), edits)
    if isinstance(row.get("answer"), str):
        row = _put(row, "answer", _object(row["answer"]), edits)
    if isinstance(row.get("answer"), dict):
        row = {**row, "answer": _answer(row["answer"], edits, doubts)} if row["answer"] else row
    if row.get("options") is not None:
        row = _put(row, "options", _options(row["options"]), edits)
    for name in ("width", "height"):
        if isinstance(row.get(name), str) and row[name].strip().isdigit():
            row = _put(row, name, int(row[name]), edits)
    if isinstance(row.get("mode"), str):
        row = _put(row, "mode", _mode(row["mode"]), edits)
    if isinstance(row.get(KEY), list):
        row = _values(row, edits)
    return Result(row, tuple(edits), tuple(doubts))


def _put(row: Row, name: str, value: Any, edits: list[Edit], where: str = "") -> Row:
    """The row with a value in a field, and an edit where it is another one."""
    if json.dumps(row[name]) == json.dumps(value):
        return row
    edits.append(Edit(row[name], value, where + name))
    return {**row, name: value}


def _image(value: Any) -> Any:
    if isinstance(value, str):
        if value.strip().casefold() in _NOTHING:
            return None
        listed = _list(value)
        return _image(listed) if listed is not None else value.strip()
    if isinstance(value, dict):
        inner = value.get("path", value.get("file_name"))
        return inner if isinstance(inner, str) and inner and not value.get("bytes") else value
    if not isinstance(value, list):
        return value
    if len(value) == 1 and isinstance(value[0], list):
        return _image(value[0])
    kept = [_image(name) for name in value]
    kept = [name for name in kept if name is not None]
    if len(kept) == len(value):
        return kept
    return None if not kept else kept[0] if len(kept) == 1 else kept


def _shown(row: Row) -> Any:
    """The field `image` without what names no picture, where the tags say that none is lost."""
    value = row["image"]
    named = _image(value)
    if isinstance(value, list) and not all(isinstance(name, str) and name for name in value):
        left = len(named) if isinstance(named, list) else int(named is not None)
        counted = sum(str(turn.get("value", "")).count("<image>") for turn in turns(row))
        return named if counted == left else value
    return named


def _list(text: str) -> list[Any] | None:
    """A list that was written into a text."""
    if not text.lstrip().startswith("["):
        return None
    try:
        found = json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _object(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, dict) and "gold" in found else text


def _answer(answer: Row, edits: list[Edit], doubts: list[Doubt]) -> Row:
    kind, gold = answer.get("kind"), answer.get("gold")
    if isinstance(kind, str) and kind != kind.strip().lower():
        answer = _put(answer, "kind", kind.strip().lower(), edits, "answer.")
        kind = answer["kind"]
    if kind in _TEXT_KINDS and "gold" in answer:
        if isinstance(gold, list) and len(gold) == 1 and isinstance(gold[0], str | int | float):
            gold = gold[0]
        answer = _put(answer, "gold", gold, edits, "answer.")
        number = kind == "number" and isinstance(gold, int | float) and not isinstance(gold, bool)
        if not number and (not isinstance(gold, str) or not gold.strip()):
            doubts.append(Doubt(f"the gold is {json.dumps(gold)[:40]}, no text", "answer.gold"))
    if "aliases" in answer and not isinstance(answer["aliases"], list):
        given = answer["aliases"]
        listed = [] if given is None else [given] if isinstance(given, str) else given
        answer = _put(answer, "aliases", listed, edits, "answer.")
    tolerance = answer.get("tolerance")
    if isinstance(tolerance, str):
        answer = _put(answer, "tolerance", _number(tolerance), edits, "answer.")
    return answer


def _number(text: str) -> Any:
    if text.strip().casefold() in _NOTHING:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _options(value: Any) -> Any:
    if isinstance(value, str):
        listed = _list(value)
        return _options(listed) if listed is not None else value
    if isinstance(value, dict):
        letters = [chr(ord("A") + index) for index in range(len(value))]
        inner = [value[letter] for letter in letters] if list(value) == letters else None
        return value if inner is None else _options(inner)
    if not isinstance(value, list):
        return value
    return [
        str(one) if isinstance(one, int | float) and not isinstance(one, bool) else one
        for one in value
    ]


def _mode(mode: str) -> str:
    """A mode by the name that it has here."""
    word = "".join(letter for letter in mode.casefold() if letter.isalpha())
    if word in ("nothink", "notthink", "nothinking", "nonthinking", "nonthink", "direct"):
        return "nothink"
    if word in ("think", "thinking", "reasoning", "cot"):
        return "think"
    near = get_close_matches(word, ("nothink", "think"), 1, 0.79)
    return near[0] if near else mode


def _values(row: Row, edits: list[Edit]) -> Row:
    """Numbers where a turn's text should be."""
    new = []
    for index, turn in enumerate(row[KEY]):
        value = turn.get("value") if isinstance(turn, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            whole = isinstance(value, float) and value.is_integer()
            turn = _put(
                turn, "value", str(int(value)) if whole else str(value), edits, f"{KEY}[{index}]."
            )
        new.append(turn)
    return {**row, KEY: new} if new != row[KEY] else row


FIELD_NAMES = Operator(
    "field_names", 1, "mend", "fields by another name (conversation, role/content, ...)", names
)
FIELD_TYPES = Operator(
    "field_types", 1, "mend", 'values of another type ("None", [x, null], gold as number)', types
)
