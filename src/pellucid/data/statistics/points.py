"""Texts as code points, and the words and lines in them, as places in one array.

A word is a run of characters that are no spaces; a line ends at a line feed. Leaves out on purpose:
what is counted of them (`measure.py`, `repeats.py`).
"""

import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SPACE, LETTER, DIGIT = np.uint8(1), np.uint8(2), np.uint8(4)
FEED = 10
_POINTS = 0x110000


class Points(NamedTuple):
    """A batch of texts, each followed by one line feed that is not counted."""

    codes: np.ndarray
    """(points,) uint32."""
    kinds: np.ndarray
    """(points,) uint8: `SPACE`, `LETTER` (marks are part of letters), `DIGIT` (other numbers too)
    or 0."""
    starts: np.ndarray
    """(texts,) int64."""
    ends: np.ndarray
    """(texts,) int64: where the line feed after the text is."""


class Spans(NamedTuple):
    """Words, lines or paragraphs: pieces of the texts, in order."""

    begins: np.ndarray
    ends: np.ndarray
    first: np.ndarray
    """Where each text's pieces start, and where the last one's end: texts + 1 entries."""

    @property
    def lengths(self) -> np.ndarray:
        """Characters of each piece."""
        size: np.ndarray = self.ends - self.begins
        return size

    @property
    def counts(self) -> np.ndarray:
        """Pieces of each text."""
        count: np.ndarray = np.diff(self.first)
        return count


def points(texts: pa.Array) -> Points:
    """The code points of texts (a string column without chunks; null is an empty text)."""
    plain = pc.fill_null(texts, "")
    lengths = np.asarray(pc.utf8_length(plain), np.int64)
    whole = "".join(f"{text}\n" for text in plain.to_pylist())
    codes = np.frombuffer(whole.encode("utf-32-le"), np.uint32)
    ends = np.cumsum(lengths + 1) - 1
    return Points(codes, kinds()[codes], ends - lengths, ends)


def words(found: Points) -> Spans:
    """Runs of characters that are no spaces."""
    return _runs(found, found.kinds != SPACE)


def filled_lines(found: Points) -> Spans:
    """Lines that hold a character."""
    return _runs(found, found.codes != FEED)


def lines(found: Points) -> Spans:
    """All lines, empty ones too; what follows a text's last line feed is a line if it is filled."""
    ends = np.flatnonzero(found.codes == FEED)
    begins = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    last = np.zeros(len(found.codes), bool)
    last[found.ends] = True
    keep = ~(last[ends] & (begins == ends))
    return _spans(found, begins[keep], ends[keep])


def paragraphs(found: Points, of: Spans) -> Spans:
    """Filled lines with no empty line between them.

    Args:
        found: the texts.
        of: their filled lines.
    """
    new = np.ones(len(of.begins), bool)
    new[1:] = of.begins[1:] - of.ends[:-1] > 1
    new[of.first[:-1][of.counts > 0]] = True
    at = np.flatnonzero(new)
    last = np.concatenate([at[1:], [len(new)]]) - 1 if len(at) else at
    return _spans(found, of.begins[at], of.ends[last])


def _runs(found: Points, inside: np.ndarray) -> Spans:
    edge = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    if len(inside) and inside[0]:
        edge = np.concatenate([[0], edge])
    return _spans(found, edge[0::2], edge[1::2])


def _spans(found: Points, begins: np.ndarray, ends: np.ndarray) -> Spans:
    first = np.searchsorted(begins, np.concatenate([found.starts, [len(found.codes)]]))
    return Spans(begins, ends, first)


@lru_cache(maxsize=1)
def kinds() -> np.ndarray:
    """The kind of every code point."""
    found = np.zeros(_POINTS, np.uint8)
    for at in range(_POINTS):
        char = chr(at)
        if char.isalpha():
            found[at] = LETTER
        elif char.isalnum():
            found[at] = DIGIT
        elif char.isspace():
            found[at] = SPACE
        elif at > 127 and unicodedata.category(char)[0] == "M":
            found[at] = LETTER
    return found


@lru_cache(maxsize=1)
def lower() -> np.ndarray:
    """The lower-case code point of every code point (of `İ`, the first one)."""
    found = np.arange(_POINTS, dtype=np.uint32)
    for at in range(0x20000):
        found[at] = ord(chr(at).lower()[0])
    return found
