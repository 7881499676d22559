"""Columns of a source that are too long to hold: written once, read back piece by piece.

They lie in logs (`store/spill.py`) that go with the process. Leaves out on purpose: what is short
(codes and flags of each record), which `pool.py` holds.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import final

import numpy as np
import pyarrow as pa

from pellucid.store.keys import digests
from pellucid.store.spill import Log, Sorted, Sorter

_SCHEMA = pa.schema([("id", pa.string())])
_PIECE = 1 << 16


@final
class Ids:
    """The ids of a source's records, in stable order."""

    def __init__(self) -> None:
        self._log = Log()
        self._spans: list[tuple[int, int, int]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ids: pa.Array) -> None:
        """Take the ids that come next."""
        data = pa.record_batch([ids], schema=_SCHEMA).serialize()
        self._spans.append((self._count, self._log.size, data.size))
        self._log.append(memoryview(data))
        self._count += len(ids)

    def pieces(self) -> Iterator[tuple[int, pa.Array]]:
        """Where each piece begins, and its ids."""
        self._log.flush()
        for first, offset, size in self._spans:
            data = pa.py_buffer(self._log.read(offset, size))
            yield first, pa.ipc.read_record_batch(data, _SCHEMA)["id"]

    def take(self, at: np.ndarray) -> Iterator[pa.Array]:
        """The ids at some positions, which ascend, piece by piece."""
        for first, ids in self.pieces():
            low, high = at.searchsorted([first, first + len(ids)])
            yield ids.take(pa.array(at[low:high] - first))

    def places(self, given: Iterable[pa.Array]) -> np.ndarray:
        """(ids given,) int32: position of each; -1 for one that is not here.

        Args:
            given: texts, some at a time, none of them null.
        """
        sorter, count = Sorter(5), 0
        for ids in given:
            sorter.add(_numbered(ids, count))
            count += len(ids)
        found = np.full(count, -1, np.int32)
        for own, asked in self._sorted.beside(sorter.sorted()):
            low, high = (own[:, 0].searchsorted(asked[:, 0], side) for side in ("left", "right"))
            counts = high - low
            at = np.repeat(np.arange(len(asked)), counts)
            inside = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
            row = np.repeat(low, counts) + inside
            same = (own[row, :4] == asked[at, :4]).all(axis=1)
            found[asked[at[same], 4].astype(np.int64)] = own[row[same], 4]
        return found

    def ranks(self) -> np.ndarray:
        """(records,) int32: the place of each id among all, in order."""
        found = np.empty(len(self), np.int32)
        for start, rows in self._sorted.numbered():
            found[rows[:, 4].astype(np.int64)] = np.arange(start, start + len(rows))
        return found

    @cached_property
    def _sorted(self) -> Sorted:
        """Every id in four words, and its position."""
        sorter = Sorter(5)
        for first, ids in self.pieces():
            sorter.add(_numbered(ids, first))
        return sorter.sorted()


def _numbered(ids: pa.Array, first: int) -> np.ndarray:
    """(ids, 5) uint64: each id in four words, and its number."""
    rows = np.empty((len(ids), 5), np.uint64)
    rows[:, :4] = digests(ids)
    rows[:, 4] = np.arange(first, first + len(ids))
    return rows


@final
class Numbers:
    """A long column of numbers or fixed bytes."""

    def __init__(self, dtype: str) -> None:
        self._dtype = np.dtype(dtype)
        self._log = Log()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, values: bytes | bytearray) -> None:
        """Take the values that come next, as bytes."""
        self._log.append(values)
        self._count += len(values) // self._dtype.itemsize

    def pieces(self) -> Iterator[tuple[int, np.ndarray]]:
        """Where each piece begins, and its values."""
        size = self._dtype.itemsize
        self._log.flush()
        for first in range(0, self._count, _PIECE):
            data = self._log.read(first * size, _PIECE * size)
            yield first, np.frombuffer(data, self._dtype)

    def take(self, at: np.ndarray) -> Iterator[np.ndarray]:
        """The values at some positions, which ascend, piece by piece."""
        for first, values in self.pieces():
            low, high = at.searchsorted([first, first + len(values)])
            yield values[at[low:high] - first]
