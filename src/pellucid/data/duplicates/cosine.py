"""Candidates by vectors: pictures to which a function of the user's gives nearly one direction.

Every picture is compared with every other, block by block, so time grows with the square of their
number; of each the `NEAREST` are proposed. Vectors lie on the disk; held in memory are two blocks
of them, one of cosines, and 64 bytes a picture. Cosines are exact sums (`ops/image_embedding.py`),
so neither blocks nor order change a pair. Leaves out on purpose: any decision. Two pages of one
template have nearly one vector; `look.look_at` tells them apart.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pellucid.data.duplicates.hexes import from_hex
from pellucid.data.ops.image_embedding import ImageEmbedding
from pellucid.store import layout
from pellucid.store.spill import Log

VERSION = 1
"""Raised when the same vectors would propose other pairs, or a pair be looked at otherwise."""
NEAREST = 8
"""Candidates of each picture."""
_BLOCK = 1024
_GRADES = 10**6
"""Cosines are compared when rounded to 1 / `_GRADES`."""
_WIDTH = 1 << 32
"""More than there are pictures."""

Vectors = Callable[[int, int], np.ndarray]
"""First and end -> (vectors, numbers) of length one, float64 multiples of 2^-24."""


class Cosine(NamedTuple):
    """What proposes pairs."""

    embedding: ImageEmbedding
    alike: float
    """Least cosine, in [0, 1]."""

    @property
    def params(self) -> dict[str, Any]:
        """What decides the pairs and how they are looked at, as JSON values."""
        own = {"alike": self.alike, "nearest": NEAREST, "version": VERSION}
        return {**self.embedding.params, **own}


def cosine_pairs(
    folders: Sequence[Path], sha256: np.ndarray, by: Cosine
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of pictures, as first * pictures + second, and 1000 times their cosines as scores.

    Args:
        folders: stores that have the vectors as labels.
        sha256: first 16 bytes of each picture's.
        by: the embedding and the least cosine.

    Raises:
        UserError: vectors have different lengths.
    """
    log, found, length = Log(), [np.zeros(0, np.int64)], 0
    for numbers, vectors in _vectors(folders, sha256, by.embedding):
        if length not in (0, vectors.shape[1]):
            raise by.embedding.problem(
                f"gave vectors of {length} and of {vectors.shape[1]} numbers"
            )
        length = vectors.shape[1]
        log.append(np.ascontiguousarray(vectors).tobytes())
        found.append(numbers)
    log.flush()
    names = np.concatenate(found)

    def read(first: int, end: int) -> np.ndarray:
        data = log.read(4 * length * first, 4 * length * (end - first))
        return np.frombuffer(data, np.float32).reshape(-1, max(1, length)).astype(np.float64)

    one, other, grades = nearest(read, names, by.alike)
    pairs = np.minimum(one, other) * len(sha256) + np.maximum(one, other)
    pairs, at = np.unique(pairs, return_index=True)
    return pairs, grades[at] // (_GRADES // 1000)


def nearest(
    vectors: Vectors, names: np.ndarray, alike: float, most: int = NEAREST, block: int = _BLOCK
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest of each whose cosine is at least `alike`; of equally near ones the least names.

    Args:
        vectors: reads some of them.
        names: a number of each, none twice, below 2^32.
        alike: least cosine, in [0, 1].
        most: how many of each.
        block: vectors that are held at once, twice.

    Returns:
        Names of both of each pair, and cosines in millionths. A pair may come from either side.

    >>> rows = np.array([[1.0, 0.0], [0.75, 0.5], [0.0, 1.0]])
    >>> [one.tolist() for one in nearest(lambda a, b: rows[a:b], np.arange(3), 0.75)]
    [[0, 1], [1, 0], [750000, 750000]]
    """
    count, least = len(names), round(_GRADES * alike)
    best = np.full((count, most), -1, np.int64)
    for first in range(0, count, block):
        end = min(first + block, count)
        here = vectors(first, end)
        for start in range(first, count, block):
            stop = min(start + block, count)
            there = here if start == first else vectors(start, stop)
            grades = np.rint(_GRADES * (here @ there.T)).astype(np.int64)
            if start == first:
                np.fill_diagonal(grades, -1)
            grades[grades < least] = -1
            if grades.max() < 0:
                continue
            best[first:end] = _better(best[first:end], grades, names[start:stop])
            if start != first:
                best[start:stop] = _better(best[start:stop], grades.T, names[first:end])
    row, column = np.nonzero(best >= 0)
    keys = best[row, column]
    return names[row], _WIDTH - 1 - keys % _WIDTH, keys // _WIDTH


def _better(best: np.ndarray, grades: np.ndarray, names: np.ndarray) -> np.ndarray:
    """The greatest of both; a key is a grade and a name, so no two of a row are equal."""
    keys = np.where(grades >= 0, grades * _WIDTH + (_WIDTH - 1 - names)[None, :], -1)
    most = best.shape[1]
    kept: np.ndarray = np.partition(np.concatenate([best, keys], axis=1), -most, axis=1)[:, -most:]
    return kept


def _vectors(
    folders: Sequence[Path], sha256: np.ndarray, embedding: ImageEmbedding
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of pictures and their vectors, each picture once, by vectors of one length."""
    sorted_at = np.argsort(sha256)
    ranked = sha256[sorted_at]
    seen = np.zeros(len(sha256), bool)
    for folder in folders:
        home = layout.labels(folder, embedding.name, embedding.version)
        for path in sorted(home.glob("*.parquet")):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_BLOCK):
                    ids = from_hex(batch["id"])
                    at = np.minimum(np.searchsorted(ranked, ids), len(ranked) - 1)
                    number = sorted_at[at]
                    wanted = (ranked[at] == ids) & ~seen[number]
                    if wanted.any():
                        seen[number[wanted]] = True
                        yield number[wanted], _matrix(batch["vector"].filter(pa.array(wanted)))


def _matrix(lists: pa.ListArray) -> np.ndarray:
    """(vectors, numbers) float32; those of a shard have one length."""
    numbers = np.asarray(pc.list_flatten(lists), np.float32)
    return numbers.reshape(len(lists), -1)
