"""Faults of who speaks, and in which order.

Leaves out on purpose: lost and doubled turns (`talk.py`).
"""

from random import Random

from pellucid.data.faults.base import REPLIES, TAG, USERS, Row, duplicate, images, tags, turns

MISSPELT = {
    "human": ("Human", "HUMAN", "humam", "hunam", "human ", "human:", "humans"),
    "gpt": ("GPT", "Gpt", "gtp", "gpt:", " gpt", "chatgpt", "gpt4", "bot", "model"),
    "user": ("User", "USER", "usr", "user:", "uesr"),
    "assistant": ("Assistant", "ASSISTANT", "asistant", "assistent", "assisstant", "assistant:"),
    "system": ("System", "SYSTEM", "sytem", "system:"),
}


def misspelt(row: Row, rng: Random) -> Row | None:
    """One speaker's name in one wrong spelling, wherever it stands."""
    faulty = duplicate(row)
    name = rng.choice(sorted({turn["from"] for turn in row["conversations"]}))
    wrong = rng.choice(MISSPELT[name])
    for turn in turns(faulty, (name,)):
        turn["from"] = wrong
    return faulty


def missing(row: Row, rng: Random) -> Row | None:
    """One turn does not say who speaks; the turns before and after it do."""
    faulty = duplicate(row)
    turn = rng.choice(turns(faulty, (*USERS, *REPLIES)))
    if rng.random() < 0.4:
        del turn["from"]
    else:
        turn["from"] = rng.choice(("", None))
    return faulty


def labels_swapped(row: Row, rng: Random) -> Row | None:
    """Each question labelled as a reply and the other way round; tags tell which is which."""
    if not _tags_tell(row):
        return None
    faulty = duplicate(row)
    other = dict(zip(USERS + REPLIES, REPLIES + USERS, strict=True))
    for turn in turns(faulty, (*USERS, *REPLIES)):
        turn["from"] = other[turn["from"]]
    return faulty


def order_swapped(row: Row, rng: Random) -> Row | None:
    """Each reply before its question; tags tell that the labels are right."""
    if not _tags_tell(row):
        return None
    faulty = duplicate(row)
    said = turns(faulty, (*USERS, *REPLIES))
    first = len(faulty["conversations"]) - len(said)
    swapped = [turn for at in range(0, len(said), 2) for turn in (said[at + 1], said[at])]
    faulty["conversations"][first:] = swapped
    return faulty


def system_misplaced(row: Row, rng: Random) -> Row | None:
    """The system's turn later than first."""
    faulty = duplicate(row)
    said = faulty["conversations"]
    if said[0]["from"] != "system":
        return None
    said.insert(rng.choice((2, len(said))), said.pop(0)) if len(said) > 2 else said.reverse()
    return faulty


def all_the_same(row: Row, rng: Random) -> Row | None:
    """Every turn by one speaker: lost labels, or lost replies; the row does not tell."""
    faulty = duplicate(row)
    one = rng.choice(turns(faulty, (*USERS, *REPLIES)))["from"]
    for turn in turns(faulty, (*USERS, *REPLIES)):
        turn["from"] = one
    return faulty


def _tags_tell(row: Row) -> bool:
    """Whether speakers alternate, the first question has a tag, and no reply has any."""
    said = turns(row, (*USERS, *REPLIES))
    asked = [turn["from"] in USERS for turn in said]
    if len(said) % 2 or asked != [at % 2 == 0 for at in range(len(said))]:
        return False
    if TAG not in said[0]["value"] or tags(row) != len(images(row)):
        return False
    return all(TAG not in turn["value"] for turn in turns(row, REPLIES))
