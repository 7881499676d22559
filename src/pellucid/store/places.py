"""Where the records and images of some stores lie, looked up without holding them.

What would be a hundred bytes for each is kept in files without a name (`spill.py`), made when a
store is opened. What a look-up finds by a fingerprint is told as
candidates: the caller compares the id in the record itself.
"""

import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import pyarrow as pa

from pellucid.store import arrow, layout
from pellucid.store.facts import SORTED, STABLE_ORDER, read_facts
from pellucid.store.images import Location, cut_off
from pellucid.store.keys import fingerprint, fingerprints, hex_of, word_of, words_of
from pellucid.store.spill import Sorted, Sorter

_BLOCK_ROWS = 4096
"""Records of files that are sorted together, about."""
_OPEN_PACKS = 128
"""Packs that are kept open."""
_INDEX_COLUMNS = ("sha256", "pack", "offset", "length", "pixel_sha256")


class Place(NamedTuple):
    """A row of a records file."""

    file: int
    row: int


@final
class Records:
    """Every record of some files: its place, and the order of all."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)
        counts, spans, sorter = [0], list[tuple[Any, Any, int]](), Sorter(2)
        for number, path in enumerate(files):
            table = read_facts(path, number, STABLE_ORDER)
            rows = np.empty((table.num_rows, 2), np.uint64)
            rows[:, 0] = fingerprints(table["id"])
            rows[:, 1] = np.arange(counts[-1], counts[-1] + table.num_rows)
            sorter.add(rows)
            counts.append(counts[-1] + table.num_rows)
            if table.num_rows:
                spans.append((*_ends(table), number))
        self._first = np.array(counts)
        self._found: Sorted = sorter.sorted()
        self.blocks = _blocks(spans, self._first)

    def __len__(self) -> int:
        return int(self._first[-1])

    def candidates(self, id: str) -> list[Place]:
        """Rows that may hold a record; none for nearly every id that is not here."""
        return [self._place(int(at)) for at in self._found.find(fingerprint(id))[:, 1]]

    def repeated(self) -> str | None:
        """An id that two rows have; None where there is none."""
        seen: set[str] = set()
        for at in self._found.repeated()[:, 1]:
            file, row = self._place(int(at))
            id = arrow.read_table(self.files[file], ["id"])["id"][row].as_py()
            if id in seen:
                return str(id)
            seen.add(id)
        return None

    def _place(self, at: int) -> Place:
        file = int(self._first.searchsorted(at, "right")) - 1
        return Place(file, at - int(self._first[file]))


def _ends(table: pa.Table) -> tuple[Any, Any]:
    """The first and the last of a table's rows in stable order."""
    ordered = table.sort_by(SORTED).select(STABLE_ORDER)
    first, last = (tuple(row.values()) for row in ordered.take([0, len(ordered) - 1]).to_pylist())
    return first, last


def _blocks(spans: list[tuple[Any, Any, int]], first: np.ndarray) -> list[list[int]]:
    """Files in groups that follow one another in stable order: none reaches into the next."""
    blocks: list[list[int]] = []
    rows, reach = 0, None
    for low, high, number in sorted(spans):
        if reach is None or (rows >= _BLOCK_ROWS and low > reach):
            blocks.append([])
            rows = 0
        blocks[-1].append(number)
        rows += int(first[number + 1] - first[number])
        reach = high if reach is None else max(reach, high)
    return blocks


@final
class Images:
    """Every image of some folders; of one that several have, the first folder's is read."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._packs: list[Path] = []
        self._handles: dict[int, int] = {}
        weakref.finalize(self, _close, self._handles)
        sorter = Sorter(11)
        for folder in folders:
            known: dict[str, int] = {}
            for batch in arrow.batches(folder / layout.INDEX, _BLOCK_ROWS, _INDEX_COLUMNS):
                sorter.add(self._rows(folder, batch, known))
        self._found = sorter.sorted()

    def place(self, sha256: str) -> Location | None:
        """Where its bytes lie; None where there is no such image."""
        row = self._row(sha256)
        return None if row is None else Location(self._packs[int(row[4])], int(row[5]), int(row[6]))

    def read(self, sha256: str) -> bytes | None:
        """Its bytes; None where there is no such image.

        Raises:
            UserError: the pack is cut off.
        """
        row = self._row(sha256)
        if row is None:
            return None
        pack, offset, length = (int(one) for one in row[4:7])
        data = self._read(pack, length, offset)
        if len(data) < length:
            raise cut_off(self._packs[pack])
        return data

    def pixels(self, sha256: str) -> str | None:
        """Hash of its pixels; None where there is no such image."""
        row = self._row(sha256)
        return None if row is None else hex_of(row[7:])

    def _row(self, sha256: str) -> np.ndarray | None:
        words = word_of(sha256)
        if not words:
            return None
        for row in self._found.find(words[0]):
            if tuple(row[:4].tolist()) == words:
                return np.asarray(row)
        return None

    def _rows(self, folder: Path, batch: pa.RecordBatch, known: dict[str, int]) -> np.ndarray:
        rows = np.empty((batch.num_rows, 11), np.uint64)
        rows[:, :4] = words_of(batch["sha256"])
        codes = batch["pack"].dictionary_encode()
        for name in codes.dictionary.to_pylist():
            if name not in known:
                known[name] = len(self._packs)
                self._packs.append(folder / "images" / name)
        own = np.array([known[name] for name in codes.dictionary.to_pylist()], np.uint64)
        rows[:, 4] = own[np.asarray(codes.indices)]
        rows[:, 5] = np.asarray(batch["offset"])
        rows[:, 6] = np.asarray(batch["length"])
        rows[:, 7:] = words_of(batch["pixel_sha256"])
        return rows

    def _read(self, pack: int, length: int, offset: int) -> bytes:
        """Nothing is shared but numbers of open files, which are never closed while this is used:
        threads and forked workers read at offsets of their own.
        """
        handle = self._handles.get(pack)
        if handle is not None:
            return os.pread(handle, length, offset)
        handle = os.open(self._packs[pack], os.O_RDONLY)
        if len(self._handles) < _OPEN_PACKS and self._handles.setdefault(pack, handle) == handle:
            return os.pread(handle, length, offset)
        try:
            return os.pread(handle, length, offset)
        finally:
            os.close(handle)


def _close(handles: dict[int, int]) -> None:
    while handles:
        os.close(handles.popitem()[1])
