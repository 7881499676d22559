"""MinHash of word runs, and its bands (Broder, 1997; Leskovec et al., chapter 3).

The share of equal minima of two texts estimates the Jaccard similarity of their runs; texts that
share a whole band are candidates. Seeded and vectorised: one multiplication per run and minimum.
"""

from functools import lru_cache

import numpy as np

from pellucid.base.seeds import derive
from pellucid.data.duplicates.mixing import mixed

_PIECE = 1 << 14
"""Runs that are multiplied at a time, so that they stay in the cache of a core."""


def band_keys(runs: np.ndarray, starts: np.ndarray, bands: int, rows: int, seed: int) -> np.ndarray:
    """The band keys of many texts.

    Args:
        runs: 64-bit hashes of the runs of all texts.
        starts: where each text's start: texts + 1 entries.
        bands: how many keys.
        rows: minima behind a key.
        seed: of the hash functions.

    Returns:
        uint64 of shape (bands, texts); a text without runs has key 0 in all.
    """
    texts = len(starts) - 1
    keys = np.zeros((bands, texts), np.uint64)
    held = np.flatnonzero(np.diff(starts))
    if not len(held):
        return keys
    factors, added = _functions(bands * rows, seed)
    for first, last in _pieces(starts, held):
        some = held[first:last]
        begin, end = starts[some[0]], starts[some[-1] + 1]
        piece, at = runs[begin:end], starts[some] - begin
        for band in range(bands):
            key = np.full(len(some), np.uint64(band + 1))
            for row in range(band * rows, band * rows + rows):
                values = piece * factors[row]
                values += added[row]
                values >>= np.uint64(32)
                key = mixed(key ^ np.minimum.reduceat(values, at))
            keys[band, some] = key | np.uint64(1)
    return keys


def _pieces(starts: np.ndarray, held: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of texts of about `_PIECE` runs."""
    marks = starts[held] // _PIECE
    cuts = (np.flatnonzero(np.diff(marks)) + 1).tolist()
    ends = [0, *cuts, len(held)]
    return list(zip(ends, ends[1:], strict=False))


@lru_cache(maxsize=4)
def _functions(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Odd factors and addends of the hash functions."""
    draw = np.random.Generator(np.random.PCG64(derive(seed, "minhash")))
    factors = draw.integers(0, 2**64, count, np.uint64, endpoint=False) | np.uint64(1)
    return factors, draw.integers(0, 2**64, count, np.uint64, endpoint=False)
