"""Words and runs of words of many texts at once, as 64-bit hashes in NumPy arrays.

A text is normalised (Unicode NFKC, lower case); a word is a run of letters and digits, or one
character of Chinese or Japanese; signs and spaces part words. A word's hash is that of its bytes,
by sums of powers over the whole batch, so no Python runs per word. Leaves out on purpose: stems
beyond a plural s, and the words themselves; `data/contamination/questions.py` looks at those.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.data.duplicates.mixing import mixed

BATCH_BYTES = 1 << 20
"""Bytes of text that are hashed at a time; a longer text is taken whole."""
_BASE = 0x9E3779B97F4A7C15 | 1
_STEPS = tuple((0xD6E8FEB86659FD93 + 2 * 0xA24BAED4963EE407 * k) % 2**64 for k in range(32))
_NONE = np.uint64(0)
_LETTERS = np.zeros(256, np.uint8)
for _byte in (*b"abcdefghijklmnopqrstuvwxyz0123456789", *range(128, 256)):
    _LETTERS[_byte] = _byte
_DIGITS = np.zeros(256, bool)
_DIGITS[list(b"0123456789")] = True


class Words(NamedTuple):
    """The words of a batch of texts, one after the other."""

    hashes: np.ndarray
    """Of each word."""
    stems: np.ndarray
    """Of each word without a plural s."""
    numeric: np.ndarray
    """Whether a digit is in it."""
    starts: np.ndarray
    """Where each text's words start, and where the last one's end: texts + 1 entries."""

    @property
    def counts(self) -> np.ndarray:
        """Words of each text."""
        return np.diff(self.starts)


def batches(texts: pa.Array, size: int = BATCH_BYTES) -> list[pa.Array]:
    """A column cut so that a batch holds about so many bytes."""
    lengths = np.asarray(pc.fill_null(pc.binary_length(texts), 0), np.int64)
    marks = np.cumsum(lengths) // size
    cuts = np.flatnonzero(np.diff(marks)) + 1
    ends = [0, *cuts.tolist(), len(texts)]
    return [texts.slice(a, b - a) for a, b in zip(ends, ends[1:], strict=False) if b > a]


def words(texts: pa.Array) -> Words:
    """The words of a batch of texts (a string column without chunks; null is an empty text)."""
    data, offsets = _bytes(texts)
    letters = _LETTERS[data]
    inside = letters > 0
    start = inside.copy()
    start[1:] &= ~inside[:-1]
    start |= inside & (data >= 0xE3) & (data <= 0xE9)  # first byte of one such character
    first = offsets[:-1]
    first = first[first < len(data)]
    start[first] = inside[first]
    begins = np.flatnonzero(start)
    stops = np.ones(len(data) + 1, bool)
    stops[:-1] = ~inside | start
    ends = _next(stops, begins + 1)
    power, inverse = powers(max(1, len(data)).bit_length())
    total = np.zeros(len(data) + 1, np.uint64)
    np.cumsum(letters * power[: len(data)], out=total[1:])
    hashes = mixed((total[ends] - total[begins]) * inverse[begins])
    plural = (ends - begins > 3) & (data[ends - 1] == ord("s")) if len(ends) else ends > 0
    stems = mixed((total[ends - plural] - total[begins]) * inverse[begins])
    digits = np.zeros(len(data) + 1, np.int64)
    np.cumsum(_DIGITS[data], out=digits[1:])
    starts = np.searchsorted(begins, offsets)
    return Words(hashes, stems, digits[ends] > digits[begins], starts)


def ordered(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """One hash per text of its values in their order; 0 for a text without any."""
    place = np.arange(len(values)) - np.repeat(starts[:-1], np.diff(starts))
    most = int(place.max()) + 1 if len(place) else 1
    power, _ = powers(most.bit_length())
    return _sums(values * power[place], starts)


def bag(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """One hash per text of its values in any order; 0 for a text without any."""
    return _sums(mixed(values), starts)


def kept(values: np.ndarray, starts: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and starts with only some of the values."""
    total = np.concatenate([[0], np.cumsum(keep)])
    return values[keep], total[starts]


def runs(found: Words, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of all runs of `length` words, and where each text's start.

    A text of fewer words has one run, the whole; one without words has none.
    """
    counts, values = found.counts, found.hashes
    out = values * np.uint64(_STEPS[0])
    text = np.repeat(np.arange(len(counts)), counts)
    for step in range(1, min(length, len(values))):
        same = text[step:] == text[: len(text) - step]
        out[: len(text) - step] += np.where(
            same, values[step:] * np.uint64(_STEPS[step]), np.uint64(0)
        )
    place = np.arange(len(values)) - np.repeat(found.starts[:-1], counts)
    keep = place < np.repeat(np.maximum(counts - length + 1, np.minimum(counts, 1)), counts)
    out, starts = kept(out, found.starts, keep)
    return mixed(out), starts


def known_words(plain: Sequence[str]) -> np.ndarray:
    """Sorted stem hashes of single words, to look others up in."""
    return np.unique(words(pa.array(list(plain), pa.large_string())).stems)


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    total = np.zeros(len(values) + 1, np.uint64)
    np.cumsum(values, out=total[1:])
    sums: np.ndarray = total[starts[1:]] - total[starts[:-1]]
    return sums


def _bytes(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The normalised bytes of a column, and where each text starts."""
    plain = pc.utf8_lower(
        pc.utf8_normalize(pc.fill_null(texts.cast(pa.large_string()), ""), "NFKC")
    )
    _, offsets, data = plain.buffers()
    at = np.frombuffer(offsets, np.int64)[plain.offset : plain.offset + len(plain) + 1]
    every = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return every[at[0] : at[-1]], at - at[0]


def _next(marks: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The first marked place at or after each place."""
    marked = np.flatnonzero(marks)
    return marked[np.searchsorted(marked, at)]


@lru_cache(maxsize=4)
def powers(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Powers of the base and of its inverse modulo 2^64, at least 2^bits of each."""
    inverse = pow(_BASE, -1, 1 << 64)
    found = []
    for base in (_BASE, inverse):
        line = np.full((1 << bits) + 1, base, np.uint64)
        line[0] = 1
        found.append(np.cumprod(line, dtype=np.uint64))
    return found[0], found[1]
