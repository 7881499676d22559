"""Faults of options, and of questions that do not fit what the row shows.

Leaves out on purpose: the form of an answer (`answers.py`).
"""

import re
from random import Random

from pellucid.data.faults.base import (
    DIRECT_TEXT,
    TAG,
    USERS,
    Row,
    answer_with,
    answered,
    duplicate,
    gold_text,
    images,
    letter,
    option_labels,
    option_text,
    question,
    split_reply,
    turns,
)

_SHOT = re.compile(r"\b(?:picture|image|photo|chart|figure|screenshot|diagram)s?\b", re.IGNORECASE)


def gold_beyond(row: Row, rng: Random) -> Row | None:
    """A gold letter that no option has."""
    answer = row.get("answer") or {}
    if answer.get("kind") != "choice" or not row.get("options"):
        return None
    many = len(row["options"])
    return duplicate(row) | {"answer": answer | {"gold": letter(many + rng.randrange(3))}}


def gold_not_offered(row: Row, rng: Random) -> Row | None:
    """The reply and the gold's alias are a text that no option has."""
    if DIRECT_TEXT not in question(row)["value"] or not (row.get("options") and row.get("answer")):
        return None
    other = rng.choice(
        [word for word in ("maroon", "beige", "1.5 ells") if word not in row["options"]]
    )
    faulty = answer_with(row, other)
    faulty["answer"] = faulty["answer"] | {"aliases": [other]}
    return faulty


def doubled(row: Row, rng: Random) -> Row | None:
    """Two options say the same; one of them was another."""
    labels = option_labels(row)
    if labels is None or len(labels) < 2 or not row.get("answer"):
        return None
    faulty = duplicate(row)
    options = faulty["options"]
    kept, lost = rng.sample(range(len(labels)), 2)
    if option_text(row, row["answer"]["gold"]) == options[lost]:
        kept, lost = lost, kept
    wrong = labels[lost].removesuffix(options[lost]) + options[kept]
    _replace_line(question(faulty), labels[lost], wrong)
    options[lost] = options[kept]
    return faulty


def listed_otherwise(row: Row, rng: Random) -> Row | None:
    """The field `options` has another order than the question: whose letter is the gold?"""
    options = row.get("options") or ()
    if option_labels(row) is None or len(options) < 2:
        return None
    turned = rng.randrange(1, len(options))
    return duplicate(row) | {"options": options[turned:] + options[:turned]}


def not_listed(row: Row, rng: Random) -> Row | None:
    """The options asked about are nowhere in the row."""
    labels = option_labels(row)
    if labels is None or "option" not in question(row)["value"] or not row.get("answer"):
        return None
    faulty = duplicate(row)
    del faulty["options"]
    faulty["answer"].pop("aliases", None)
    turn = question(faulty)
    turn["value"] = "\n".join(line for line in turn["value"].split("\n") if line not in labels)
    return faulty


def image_not_there(row: Row, rng: Random) -> Row | None:
    """A question about a picture, and neither a picture nor a tag."""
    asked = [turn["value"].replace(TAG, "") for turn in turns(row, USERS)]
    if not images(row) or not all(text.strip() for text in asked) or not _SHOT.search(asked[0]):
        return None
    faulty = duplicate(row)
    faulty["image"] = rng.choice((None, []))
    faulty.pop("image_size", None)
    if rng.random() < 0.5:
        del faulty["image"]
    for turn in turns(faulty, USERS):
        turn["value"] = turn["value"].replace(f"{TAG}\n", "").replace(TAG, "").strip()
    return faulty


def contradicted(row: Row, rng: Random) -> Row | None:
    """A further row: the same pictures and question, another answer."""
    gold, said = gold_text(row), answered(row)
    if not images(row) or gold is None or gold != said or split_reply(said)[0]:
        return None
    kind = row["answer"]["kind"]
    if kind == "number":
        other = f"{float(said) + rng.choice((1, 3, 40)):g}"
    elif kind == "choice" and row.get("options"):
        others = [letter(at) for at in range(len(row["options"])) if letter(at) != said]
        if not others:
            return None
        other = rng.choice(others)
    elif kind == "text":
        other = rng.choice([word for word in ("crimson", "a violet one") if word != said])
    else:
        return None
    faulty = answer_with(row, other)
    faulty["answer"] = {"kind": kind, "gold": other}
    faulty["id"] = f"{row.get('id', 'row')}-again"
    return faulty


def _replace_line(turn: dict[str, str], line: str, other: str) -> None:
    lines = turn["value"].split("\n")
    lines[lines.index(line)] = other
    turn["value"] = "\n".join(lines)
