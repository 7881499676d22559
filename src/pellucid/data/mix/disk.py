"""Columns of a source that are too long to hold: written once, read back piece by piece.

They lie in logs (`store/spill.py`) that go with the process. Leaves out on purpose: what is short
(codes and flags of each record), which `pool.py` holds.
"""

from collections.abc import Iterator
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.store.keys import fingerprints
from pellucid.store.spill import Log

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

    def whole(self) -> pa.Array:
        """All of them at once."""
        return pa.concat_arrays([pa.array([], pa.string()), *(ids for _, ids in self.pieces())])

    def places(self, ids: pa.Array) -> np.ndarray:
        """(ids,) int64: position of each id; -1 for one that is not here."""
        given = fingerprints(ids)
        order = np.argsort(given, kind="stable")
        given = given[order]
        found = np.full(len(ids), -1, np.int64)
        for first, own in self.pieces():
            prints = fingerprints(own)
            low, high = given.searchsorted(prints), given.searchsorted(prints, "right")
            counts = high - low
            row = np.repeat(np.arange(len(own)), counts)
            inside = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
            at = order[np.repeat(low, counts) + inside]
            same = pc.equal(own.take(pa.array(row)), ids.take(pa.array(at)))
            same = np.asarray(same).astype(bool)
            found[at[same]] = first + row[same]
        return found


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

    def whole(self) -> np.ndarray:
        """All of them at once."""
        return np.concatenate([np.zeros(0, self._dtype), *(values for _, values in self.pieces())])
