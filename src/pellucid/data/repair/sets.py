"""What only shows when rows are beside each other: one question, one picture, two answers.

Twenty-four bytes of a row are kept and nothing else: hashes of what is asked and of what is
answered, and the row's number. Rows that say the same twice are no business of this (`ops` finds
duplicates).
"""

from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np

from pellucid.data.mended import Flag
from pellucid.data.repair.choices import options
from pellucid.data.repair.places import TAG, answer, bare, last_reply, pictures, spoken, turns
from pellucid.score.extract import tidy

NAME = "contradictions"
VERSION = 1
_WORDS = 6
"""Words of a reply up to which it is an answer, and two of them can contradict each other."""


class Answers:
    """What rows ask and answer, as hashes; `found` says which contradict each other."""

    def __init__(self) -> None:
        self._asked, self._answered, self._numbers = array("Q"), array("Q"), array("Q")

    def add(self, number: int, row: Any) -> None:
        """Note a row, by its number from 0."""
        key = _key(row)
        if key is not None:
            self._asked.append(key[0])
            self._answered.append(key[1])
            self._numbers.append(number)

    def found(self) -> list[tuple[int, Flag]]:
        """Number and flag of each row that another one contradicts, in order."""
        found = _found(self._asked, self._answered, self._numbers)
        return sorted(found, key=lambda one: one[0])


def contradictions(rows: Iterable[Any]) -> list[tuple[int, Flag]]:
    """Rows that ask the same about the same pictures and answer otherwise.

    Only last turns after equal turns are compared. Without a gold, only short replies are: two
    captions of one picture are no contradiction.

    Returns:
        Number of the row (from 0) and its flag, in the order of the rows.
    """
    answers = Answers()
    for number, row in enumerate(rows):
        answers.add(number, row)
    return answers.found()


def _found(asked: array, answered: array, numbers: array) -> Iterator[tuple[int, Flag]]:
    if not numbers:
        return
    a, b, n = (np.frombuffer(one, np.uint64) for one in (asked, answered, numbers))
    order = np.lexsort((b, a))
    a, b, n = a[order], b[order], n[order]
    starts = np.flatnonzero(np.concatenate(([True], a[1:] != a[:-1])))
    for start, end in zip(starts, [*starts[1:], len(a)], strict=True):
        different = len(np.unique(b[start:end]))
        if different > 1:
            group = sorted(int(one) for one in n[start:end])
            for number in group:
                other = next(one for one in group if one != number)
                reason = f"{different} answers to one question on one picture (row {other} too)"
                yield number, Flag(NAME, VERSION, reason, "conversations")


def _key(row: Any) -> tuple[int, int] | None:
    """Hashes of what a row asks and of what it answers; None where it has no short answer."""
    if not isinstance(row, dict):
        return None
    replied = last_reply(row)
    if replied is None:
        return None
    said = _answer(row, bare(replied[1].answer))
    questions = [text for _, text in spoken(row, "user")]
    if not said or not any(text.replace(TAG, "").strip() for text in questions):
        return None
    before = [tidy(turn["value"].replace(TAG, " ")) for turn in turns(row)[:-1]]
    return _hash("\n".join([*pictures(row), "", *before, *sorted(options(row).values())])), _hash(
        said
    )


def _answer(row: Any, said: str) -> str:
    """What a row answers, so that equal answers are equal texts."""
    gold = answer(row).get("gold")
    if isinstance(gold, str) and gold.strip():
        return tidy(options(row).get(gold, gold) if answer(row).get("kind") == "choice" else gold)
    short = len(said.split()) <= _WORDS
    return tidy(options(row).get(said.strip("(). "), said)) if short else ""


def _hash(text: str) -> int:
    return int.from_bytes(
        blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little"
    )
