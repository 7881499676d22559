"""Faults of the conversation's shape: nesting, doubled and lost turns, keys, types of values.

Leaves out on purpose: who speaks (`roles.py`).
"""

import json
import re
from random import Random

from pellucid.data.faults.base import (
    REPLIES,
    TAG,
    USERS,
    Row,
    duplicate,
    images,
    tags,
    turns,
)

_KEYS = (("role", "content"), ("role", "value"), ("From", "Value"), ("from", "content"))
_WHOLE = re.compile(r"0|[1-9]\d{0,14}")


def nested(row: Row, rng: Random) -> Row | None:
    """Lists around the turns: around all, around all twice, around each, around each exchange."""
    said = duplicate(row)["conversations"]
    shapes = [[said], [[said]], [[turn] for turn in said]]
    if len(said) % 2 == 0 and said[0]["from"] in USERS:
        shapes.append([said[at : at + 2] for at in range(0, len(said), 2)])
    return duplicate(row) | {"conversations": rng.choice(shapes)}


def as_json_text(row: Row, rng: Random) -> Row | None:
    """The list of turns as one JSON text."""
    told = json.dumps(row["conversations"], ensure_ascii=rng.random() < 0.5)
    return duplicate(row) | {"conversations": told}


def turn_doubled(row: Row, rng: Random) -> Row | None:
    """One turn twice in a row, word for word; none with a tag, which would count two pictures."""
    said = row["conversations"]
    places = [at for at, turn in enumerate(said) if TAG not in turn["value"]]
    if not places:
        return None
    faulty, at = duplicate(row), rng.choice(places)
    faulty["conversations"].insert(at, dict(said[at]))
    return faulty


def exchange_doubled(row: Row, rng: Random) -> Row | None:
    """An exchange twice in a row, word for word, where the pictures show that it is one too many.

    With a tag for each of its pictures the copy counts more tags than pictures; without any tag it
    is one exchange of a row that has no like ones.
    """
    said = row["conversations"]
    starts = [at for at, turn in enumerate(said) if turn["from"] in USERS]
    at = rng.choice(starts)
    if said[at + 1 : at + 2] == [] or tags(row) != len(images(row)):
        return None
    faulty, pair = duplicate(row), duplicate({"turns": said[at : at + 2]})["turns"]
    faulty["conversations"][at:at] = pair
    return faulty


def question_split(row: Row, rng: Random) -> Row | None:
    """The tags in a turn of their own, the question in the next."""
    places = [
        at
        for at, turn in enumerate(row["conversations"])
        if turn["from"] in USERS and turn["value"].startswith(f"{TAG}\n")
    ]
    if not places:
        return None
    faulty, at = duplicate(row), rng.choice(places)
    turn = faulty["conversations"][at]
    cut = turn["value"].rindex(f"{TAG}\n") + len(TAG)
    head, tail = turn["value"][:cut], turn["value"][cut + 1 :]
    if head.replace(TAG, "").strip() or not tail.strip():
        return None
    faulty["conversations"][at : at + 1] = [
        {"from": turn["from"], "value": head}, {"from": turn["from"], "value": tail},
    ]  # fmt: skip
    return faulty


def keys(row: Row, rng: Random) -> Row | None:
    """Turns under the names of another format."""
    who, what = rng.choice(_KEYS)
    said = [{who: turn["from"], what: turn["value"]} for turn in row["conversations"]]
    return duplicate(row) | {"conversations": said}


def value_not_text(row: Row, rng: Random) -> Row | None:
    """A text as a number, or as a list of one."""
    faulty = duplicate(row)
    turn = rng.choice(turns(faulty, REPLIES))
    text = turn["value"]
    shapes: list[object] = [[text]]
    if _WHOLE.fullmatch(text):
        shapes += [int(text)] * 4
    turn["value"] = rng.choice(shapes)
    return faulty


def reply_missing(row: Row, rng: Random) -> Row | None:
    """The last reply is gone."""
    faulty = duplicate(row)
    faulty["conversations"].pop()
    return faulty


def question_missing(row: Row, rng: Random) -> Row | None:
    """The first question is gone; its reply opens the row."""
    faulty = duplicate(row)
    first = turns(faulty, USERS)[0]
    if tags(row) != first["value"].count(TAG):
        return None
    faulty["conversations"].remove(first)
    return faulty


def empty(row: Row, rng: Random) -> Row | None:
    """No turns at all."""
    return duplicate(row) | {"conversations": rng.choice(([], None, [[]], ""))}
