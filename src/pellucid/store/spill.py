"""Rows of whole numbers sorted and searched, few of them in memory.

A row is some unsigned 64-bit words, the first of which is spread evenly over its range (part of a
hash). What does not fit into one buffer is dealt by its first bits into a file without a name,
sorted a part at a time, and read back where it is asked for. Nothing of the file is mapped, as a
mapped page counts as resident. Leaves out on purpose: changing what is sorted.
"""

import os
import tempfile
import weakref
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import IO, final

import numpy as np

_BUFFER_ROWS = 1 << 15
"""Rows that are held before they go to the disk."""
_HELD_BYTES = 1 << 20
"""Bytes of a log that are held."""
_PART_BITS = 8
_STEP = 64
"""Rows that one look-up reads; the first word of every such block is kept in memory."""
_BLOCK_ROWS = _STEP << 7
"""Rows that are read at once where all are."""


@final
class Log:
    """Bytes that are appended and read anywhere: in memory while they are few, then in a file
    without a name. What is written may be read by threads and forked processes at once.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self.size = 0

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Take some bytes in."""
        self._held += data
        self.size += len(data)
        if len(self._held) > _HELD_BYTES:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)
                weakref.finalize(self, self._file.close)
            self.flush()

    def flush(self) -> None:
        """What is held goes to the file, if there is one; `read` sees what was flushed."""
        if self._file is not None and self._held:
            rest = memoryview(self._held)
            while rest:
                rest = rest[self._file.write(rest) :]
            rest.release()
            self._held = bytearray()

    def read(self, offset: int, length: int) -> bytes:
        """Bytes that lie there; fewer behind the end."""
        if self._file is None:
            return bytes(self._held[offset : offset + length])
        assert not self._held, "a log is flushed before it is read"
        return os.pread(self._file.fileno(), length, offset)


@final
class Sorter:
    """Takes rows in any order."""

    def __init__(self, words: int) -> None:
        """Rows of so many words."""
        self._words = words
        self._held: list[np.ndarray] = []
        self._rows = 0
        self._log = Log()
        self._counts: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """Take (n, words) uint64 in."""
        for start in range(0, len(rows), _BUFFER_ROWS):
            piece = rows[start : start + _BUFFER_ROWS]
            self._held.append(piece)
            self._rows += len(piece)
            if self._rows >= _BUFFER_ROWS:
                self._deal()

    def sorted(self) -> "Sorted":
        """All rows in order; nothing can be added any more."""
        if self._counts:
            self._deal()
            return Sorted(self._parts(), self._words)
        return Sorted([_in_order(self._buffer())], self._words)

    def _buffer(self) -> np.ndarray:
        rows = np.concatenate([np.zeros((0, self._words), np.uint64), *self._held])
        self._held, self._rows = [], 0
        return rows

    def _deal(self) -> None:
        """What is held goes to the log, by its first bits."""
        rows = self._buffer()
        part = _part(rows)
        self._log.append(rows[np.argsort(part, kind="stable")].tobytes())
        self._counts.append(np.bincount(part, minlength=1 << _PART_BITS))

    def _parts(self) -> Iterator[np.ndarray]:
        """The rows of each part, in order."""
        self._log.flush()
        counts = np.stack(self._counts)
        starts = (np.cumsum(counts.ravel()) - counts.ravel()).reshape(counts.shape)
        width = 8 * self._words
        for part in range(counts.shape[1]):
            pieces = [
                self._log.read(int(start) * width, int(count) * width)
                for start, count in zip(starts[:, part], counts[:, part], strict=True)
            ]
            yield _in_order(np.frombuffer(b"".join(pieces), np.uint64).reshape(-1, self._words))


@final
class Sorted:
    """Rows in order. Threads and forked processes may share it."""

    def __init__(self, parts: Iterable[np.ndarray], words: int) -> None:
        """Rows that come in order, (n, words) at a time."""
        self._words, self._count, self._log = words, 0, Log()
        self._fences = array("Q")
        for rows in parts:
            self._log.append(rows.tobytes())
            self._fences.frombytes(rows[-self._count % _STEP :: _STEP, 0].tobytes())
            self._count += len(rows)
        self._log.flush()

    def __len__(self) -> int:
        return self._count

    def find(self, first: int) -> np.ndarray:
        """(n, words): the rows with this first word, in order."""
        low, high = bisect_left(self._fences, first), bisect_right(self._fences, first)
        at = max(0, low - 1)  # the block before the first that begins with it may end with it
        rows = self._read(at * _STEP, (high - at) * _STEP)
        found: np.ndarray = rows[rows[:, 0] == np.uint64(first)]
        return found

    def blocks(self) -> Iterator[np.ndarray]:
        """All rows in order, some at a time."""
        for _, rows in self.numbered():
            yield rows

    def numbered(self) -> Iterator[tuple[int, np.ndarray]]:
        """Where each of the `blocks` begins, and its rows."""
        for at in range(0, self._count, _BLOCK_ROWS):
            yield at, self._read(at, _BLOCK_ROWS)

    def beside(self, other: "Sorted") -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All rows of both in order, some at a time; those of one first word come together."""
        bits = (max(self._count, other._count) // _BLOCK_ROWS).bit_length()
        for part in range(1 << bits):
            low, high = part << (64 - bits), ((part + 1) << (64 - bits)) - 1
            yield self._between(low, high), other._between(low, high)

    def _between(self, low: int, high: int) -> np.ndarray:
        """Rows whose first word is `low` to `high`, both included."""
        start = max(0, bisect_left(self._fences, low) - 1)
        stop = bisect_right(self._fences, high)
        rows = self._read(start * _STEP, max(0, stop - start) * _STEP)
        first = rows[:, 0]
        here = slice(
            int(first.searchsorted(np.uint64(low))),
            int(first.searchsorted(np.uint64(high), "right")),
        )
        return rows[here]

    def repeated(self) -> np.ndarray:
        """(n, words): rows whose first word another row has too, in order; equal rows once."""
        found, last = [self._none()], self._none()
        for block in self.blocks():
            rows = np.concatenate([last, block])
            same = rows[1:, 0] == rows[:-1, 0]
            held = np.zeros(len(rows), bool)
            held[1:] |= same
            held[:-1] |= same
            found.append(rows[held])
            last = rows[-1:]
        return _once(np.concatenate(found))

    def twice(self) -> bool:
        """Whether two rows are equal."""
        last = self._none()
        for block in self.blocks():
            rows = np.concatenate([last, block])
            if (rows[1:] == rows[:-1]).all(axis=1).any():
                return True
            last = rows[-1:]
        return False

    def _read(self, at: int, count: int) -> np.ndarray:
        width = 8 * self._words
        data = self._log.read(at * width, count * width)
        return np.frombuffer(data, np.uint64).reshape(-1, self._words)

    def _none(self) -> np.ndarray:
        return np.zeros((0, self._words), np.uint64)


def _part(rows: np.ndarray) -> np.ndarray:
    part: np.ndarray = (rows[:, 0] >> np.uint64(64 - _PART_BITS)).astype(np.int64)
    return part


def _in_order(rows: np.ndarray) -> np.ndarray:
    ordered: np.ndarray = rows[np.lexsort(rows.T[::-1])]
    return ordered


def _once(rows: np.ndarray) -> np.ndarray:
    """Rows in order, equal ones once."""
    new = np.ones(len(rows), bool)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return rows[new]
