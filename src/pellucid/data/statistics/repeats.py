"""What is said again in a text: pieces, and runs of words or characters.

A piece is known by a 64-bit hash in which its text's number stands above, so that all texts of a
batch are sorted at once and nothing repeats across texts. Of the runs of `n + 1` words only those
are looked at whose first `n` repeat; in a text that says nothing twice there are soon none.
"""

from typing import NamedTuple

import numpy as np

from pellucid.data.duplicates.mixing import mixed
from pellucid.data.duplicates.words import powers
from pellucid.data.statistics.points import Points, Spans

_STEPS = mixed(np.arange(1, 17, dtype=np.uint64)) | np.uint64(1)


class Groups(NamedTuple):
    """Pieces that stand more than once in their text."""

    at: np.ndarray
    """Numbers of the pieces, ascending."""
    group: np.ndarray
    """Equal for equal pieces of one text."""
    text: np.ndarray
    """Of each group."""
    counts: np.ndarray
    """Pieces of each group."""
    first: np.ndarray
    """Least number of each group."""


class Hashed:
    """Hashes of any piece of a batch of texts."""

    def __init__(self, codes: np.ndarray) -> None:
        """Sums of powers over the code points."""
        power, self._inverse = powers(max(1, len(codes)).bit_length())
        self._sums = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum((codes + np.uint32(1)) * power[: len(codes)], out=self._sums[1:])

    def of(self, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """(pieces,) uint64, well spread."""
        return mixed((self._sums[ends] - self._sums[begins]) * self._inverse[begins])

    def windows(self, length: int) -> np.ndarray:
        """Of every run of so many characters; only the upper half is well spread."""
        found = self._sums[length:] - self._sums[:-length]
        found *= self._inverse[: len(found)]
        return found


def groups(hashes: np.ndarray, at: np.ndarray, text: np.ndarray) -> Groups:
    """Pieces that stand more than once.

    Args:
        hashes: of the pieces, the upper half well spread.
        at: their numbers, ascending.
        text: the text of each.
    """
    keys = _keys(hashes, text, int(text[-1]) + 1 if len(text) else 1)
    order = np.argsort(keys)
    keys = keys[order]
    again = np.zeros(len(keys) + 1, bool)
    again[1:-1] = keys[1:] == keys[:-1]
    member = np.flatnonzero(again[1:] | again[:-1])
    new = ~again[member]
    group = np.cumsum(new) - 1
    mine = order[member]
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(member)))
    first = np.minimum.reduceat(at[mine], starts) if len(starts) else at[:0]
    back = np.argsort(mine)
    return Groups(at[mine][back], group[back], text[mine[starts]], counts, first)


def repeated_share(spans: Spans, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each text, how many pieces stood there before, and their characters."""
    counts = spans.counts
    found = groups(hashes, np.arange(len(hashes)), np.repeat(np.arange(len(counts)), counts))
    beyond = found.counts - 1
    size = spans.lengths[found.first]
    return _sum(found.text, beyond, len(counts)), _sum(found.text, beyond * size, len(counts))


def character_repetition(found: Points, hashed: Hashed, length: int) -> np.ndarray:
    """Share of a text's runs of so many characters that are among its most frequent ones.

    The most frequent are as many as the square root of the number of different runs, and only those
    that stand more than once.
    """
    sizes = found.ends - found.starts
    total = np.maximum(sizes - length + 1, 0)
    skip = np.concatenate([[0], np.cumsum(total)])
    at = np.arange(skip[-1]) + np.repeat(found.starts - skip[:-1], total)
    text = np.repeat(np.arange(len(total)), total)
    keys = _keys(hashed.windows(length)[at], text, len(total))
    keys.sort()
    again = np.flatnonzero(keys[1:] == keys[:-1])
    new = np.ones(len(again), bool)
    new[1:] = keys[again[1:]] != keys[again[:-1]]
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(again))) + 1
    text = _text_of(keys[again[starts]], len(total))
    different = total - _sum(text, counts - 1, len(total))
    most = np.sqrt(different).astype(np.int64)
    order = np.lexsort((-counts, text))
    text, counts = text[order], counts[order]
    rank = np.arange(len(text)) - np.searchsorted(text, text)
    keep = rank < most[text]
    share: np.ndarray = _sum(text[keep], counts[keep], len(total)) / np.maximum(total, 1)
    return share


def word_repetition(spans: Spans, hashes: np.ndarray, length: int) -> np.ndarray:
    """Share of a text's runs of so many words that stand there more than once."""
    counts = spans.counts
    text = np.repeat(np.arange(len(counts)), counts)
    left = np.repeat(spans.first[1:], counts) - np.arange(len(text))
    at = np.flatnonzero(left >= length)
    for step in (2, length):
        at = groups(_run_hashes(hashes, at, step), at, text[at]).at
    total = np.maximum(counts - length + 1, 0)
    share: np.ndarray = np.bincount(text[at], minlength=len(counts)) / np.maximum(total, 1)
    return share


def word_runs(
    spans: Spans, hashes: np.ndarray, top: tuple[int, ...], again: tuple[int, ...]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Characters of each text that its runs of words take when they are said again.

    Args:
        spans: the words.
        hashes: of each word.
        top: lengths whose most frequent run is taken, all the times that it stands there (the first
            of several; 0 when none stands there twice), with a space between words.
        again: lengths of which every run is taken that stood there before, without spaces; runs do
            not overlap.

    Returns:
        For each of `top` and of `again` an array of (texts,) int64.
    """
    counts = spans.counts
    text = np.repeat(np.arange(len(counts)), counts)
    left = np.repeat(spans.first[1:], counts) - np.arange(len(text))
    size = np.concatenate([[0], np.cumsum(spans.lengths)])
    at = np.arange(len(text))
    most, taken = [], []
    for length in range(2, max(*top, *again) + 1):
        at = at[left[at] >= length]
        found = groups(_run_hashes(hashes, at, length), at, text[at])
        at = found.at
        if length in top:
            most.append(_most(found, size, length, len(counts)))
        if length in again:
            begun = _before(found, length)
            chars = size[begun + length] - size[begun]
            taken.append(_sum(text[begun], chars, len(counts)))
    return most, taken


def _most(found: Groups, size: np.ndarray, length: int, texts: int) -> np.ndarray:
    """Characters of the most frequent run of each text, all times together."""
    order = np.lexsort((found.first, -found.counts, found.text))
    text, at = np.unique(found.text[order], return_index=True)
    best = order[at]
    first = found.first[best]
    out = np.zeros(texts, np.int64)
    out[text] = found.counts[best] * (size[first + length] - size[first] + length - 1)
    return out


def _before(found: Groups, length: int) -> np.ndarray:
    """Runs that stood there before, where none begins inside another."""
    seen, free, taken = set[int](), 0, list[int]()
    for at, group in zip(found.at.tolist(), found.group.tolist(), strict=True):
        if at < free:
            continue
        if group in seen:
            taken.append(at)
            free = at + length
        else:
            seen.add(group)
    return np.array(taken, np.int64)


def _run_hashes(hashes: np.ndarray, at: np.ndarray, length: int) -> np.ndarray:
    """Of the runs of so many words that begin at these."""
    found = np.zeros(len(at), np.uint64)
    for step in range(length):
        found += hashes[at + step] * _STEPS[step]
    return found


def _bits(texts: int) -> int:
    return max(1, texts.bit_length())


def _keys(hashes: np.ndarray, text: np.ndarray, texts: int) -> np.ndarray:
    """Hashes whose upper bits are the text's number."""
    bits = _bits(texts)
    upper = text.astype(np.uint64) << np.uint64(64 - bits)
    keys: np.ndarray = upper | (hashes * _STEPS[-1]) >> np.uint64(bits)
    return keys


def _text_of(keys: np.ndarray, texts: int) -> np.ndarray:
    text: np.ndarray = (keys >> np.uint64(64 - _bits(texts))).astype(np.int64)
    return text


def _sum(text: np.ndarray, values: np.ndarray, texts: int) -> np.ndarray:
    sums: np.ndarray = np.bincount(text, weights=values, minlength=texts).astype(np.int64)
    return sums
