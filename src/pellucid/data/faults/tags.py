"""Faults of image tags and of the `image` field.

Leaves out on purpose: tags written as entities (`encoding.py`) and questions about a picture that
is not there (`options.py`).
"""

import itertools
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

MISSPELT = (
    "<img>", "<Image>", "<IMAGE>", "<imgae>", "<iamge>", "<imag>", "<images>", "<image >",
    "< image>", "<image/>", "<image", "[image]", "<|image|>", "<image></image>", "<image>>",
    "<<image>>", "<picture>", "<image_placeholder>", "<image{}>", "<image {}>", "<image_{}>",
)  # fmt: skip
"""Braces take the picture's number, from 1."""
_LIKE_A_TAG = re.compile(r"<\s*/?\s*[|a-z]|\[\s*image", re.IGNORECASE)


def misspelt(row: Row, rng: Random) -> Row | None:
    """Every tag in one wrong spelling, at times with the picture's number."""
    plain = [turn["value"].replace(TAG, "") for turn in turns(row, USERS)]
    if not tags(row) or any(_LIKE_A_TAG.search(text) for text in plain):
        return None
    wrong, numbers, faulty = rng.choice(MISSPELT), itertools.count(1), duplicate(row)
    for turn in turns(faulty, USERS):
        pieces = turn["value"].split(TAG)
        spelt = [wrong.format(next(numbers)) + piece for piece in pieces[1:]]
        turn["value"] = "".join((pieces[0], *spelt))
    return faulty


def doubled(row: Row, rng: Random) -> Row | None:
    """One picture's tag twice, the second beside the first."""
    if tags(row) != 1 or len(images(row)) != 1:
        return None
    faulty = duplicate(row)
    turn = next(turn for turn in turns(faulty, USERS) if TAG in turn["value"])
    text = turn["value"]
    if text.startswith(f"{TAG}\n"):
        turn["value"] = f"{TAG}\n{text}"
    elif text.endswith(f"\n{TAG}"):
        turn["value"] = f"{text}\n{TAG}"
    else:
        turn["value"] = text.replace(TAG, TAG * 2)
    return faulty


def every_turn(row: Row, rng: Random) -> Row | None:
    """One picture, and its tag opens every question; it is shown from the first on."""
    asked = turns(row, USERS)
    if len(images(row)) != 1 or len(asked) < 2 or not asked[0]["value"].startswith(f"{TAG}\n"):
        return None
    faulty = duplicate(row)
    for turn in turns(faulty, USERS)[1:]:
        turn["value"] = f"{TAG}\n{turn['value']}"
    return faulty


def missing(row: Row, rng: Random) -> Row | None:
    """One tag of several is gone: where its picture stood is not known."""
    if tags(row) < 2:
        return None
    faulty = duplicate(row)
    places = [turn for turn in turns(faulty, USERS) if TAG in turn["value"]]
    turn = rng.choice(places)
    bare = turn["value"].replace(f"{TAG}\n", "", 1)
    bare = bare if bare != turn["value"] else turn["value"].replace(TAG, "", 1)
    if not bare.strip():
        return None
    turn["value"] = bare
    return faulty


def all_missing(row: Row, rng: Random) -> Row | None:
    """No tag is left of those that opened the first question, where they stand mostly."""
    named, asked = images(row), turns(row, USERS)[0]["value"]
    lead = f"{TAG}\n" * len(named)
    if not named or tags(row) != len(named) or not asked.startswith(lead):
        return None
    faulty = duplicate(row)
    turns(faulty, USERS)[0]["value"] = asked.removeprefix(lead)
    return faulty


def in_reply(row: Row, rng: Random) -> Row | None:
    """The tag opens the reply in place of the question."""
    asked, said = turns(row, USERS), turns(row, REPLIES)
    if tags(row) != 1 or len(images(row)) != 1 or not asked[0]["value"].startswith(f"{TAG}\n"):
        return None
    if any(TAG in turn["value"] or "<think>" in turn["value"] for turn in said):
        return None
    faulty = duplicate(row)
    first, answer = turns(faulty, USERS)[0], turns(faulty, REPLIES)[0]
    first["value"] = first["value"].removeprefix(f"{TAG}\n")
    answer["value"] = f"{TAG}\n{answer['value']}"
    return faulty


def without_image(row: Row, rng: Random) -> Row | None:
    """Tags stay, the row names no picture any more."""
    if not tags(row):
        return None
    faulty = duplicate(row)
    faulty["image"] = rng.choice((None, []))
    faulty.pop("image_size", None)
    if rng.random() < 0.3:
        del faulty["image"]
    return faulty


def too_few_images(row: Row, rng: Random) -> Row | None:
    """One picture of several is not named any more; all tags stay."""
    named = images(row)
    if tags(row) < 2 or len(named) < 2:
        return None
    faulty, gone = duplicate(row), rng.randrange(len(named))
    faulty["image"] = [name for at, name in enumerate(named) if at != gone]
    if len(faulty.get("image_size") or ()) > gone:
        del faulty["image_size"][gone]
    return faulty


def null_in_list(row: Row, rng: Random) -> Row | None:
    """A picture of the list is null or an empty name."""
    named = images(row)
    if not named:
        return None
    faulty = duplicate(row)
    at = rng.randrange(len(named))
    faulty["image"] = [*named[:at], rng.choice((None, "")), *named[at + 1 :]]
    return faulty


def empty_text(row: Row, rng: Random) -> Row | None:
    """A row without picture says so with an empty name instead of null."""
    if row.get("image", "") is not None or tags(row):
        return None
    return duplicate(row) | {"image": rng.choice(("", " ", "null", "None"))}
