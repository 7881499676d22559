"""What a published folder tells of the rows that stayed behind, and where they lie at hand.

Both are read a shard at a time, and looked up on the disk (`store/spill.py`). Leaves out on
purpose: judging whether they are as they were (`rebuild.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa

from pellucid.base.hashing import hash_json
from pellucid.data.publishing.layout import LEDGER, RECORD, WITHHELD
from pellucid.store import arrow
from pellucid.store.keys import fingerprint, fingerprints, hex_of, word_of, words_of
from pellucid.store.places import Records
from pellucid.store.shards import record_file, shard_names
from pellucid.store.spill import Sorted, Sorter

_BATCH_ROWS = 2048
_KEY = ("dataset", "config", "split", "row", "task")


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Source key of a withheld row: dataset, config, split, row, task."""
    return tuple(row[name] for name in _KEY)


def withheld(folder: Path, shards: Sequence[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every shard with its withheld records, in order: rows of `withheld.parquet`."""
    groups = groupby(_rows(folder, RECORD), itemgetter("shard"))
    name, rows = next(groups, ("", iter(())))
    for shard in shards:
        if name != shard:
            yield shard, []
            continue
        yield shard, list(rows)
        name, rows = next(groups, ("", iter(())))


def withheld_ledger(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of `withheld.parquet` for input rows that became no record."""
    return _rows(folder, LEDGER)


def _rows(folder: Path, kind: str) -> Iterator[dict[str, Any]]:
    for batch in arrow.batches(folder / WITHHELD, _BATCH_ROWS):
        yield from (row for row in batch.to_pylist() if row["kind"] == kind)


@final
class Hashes:
    """A set of SHA-256 in hex, on the disk."""

    def __init__(self, hashes: Iterable[str]) -> None:
        sorter, given = Sorter(4), iter(hashes)
        while some := list(islice(given, _BATCH_ROWS)):
            sorter.add(words_of(pa.array(some)))
        self._found = sorter.sorted()

    def __contains__(self, sha256: str) -> bool:
        words = word_of(sha256)
        if not words:
            return False
        return bool((self._found.find(words[0]) == np.array(words, np.uint64)).all(axis=1).any())


@final
class Local:
    """The records of the stores that somebody has at hand."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Files go by name: of a record that lies in several, the first is read."""
        files = [record_file(folder, shard) for folder in folders for shard in shard_names(folder)]
        self._files = sorted(files, key=str)
        self._places = Records(self._files)
        self._others: tuple[Sorted, Sorted] | None = None

    def read(self, ids: Sequence[str]) -> pa.Table:
        """Those of some records that are here, whole, in the order of their ids given."""
        by_file: dict[int, list[int]] = {}
        for id in ids:
            for place in self._places.candidates(id):
                by_file.setdefault(place.file, []).append(place.row)
        tables = [
            arrow.read_table(self._files[number]).take(pa.array(rows, pa.int64()))
            for number, rows in sorted(by_file.items())
        ]
        table = pa.concat_tables([arrow.RECORDS.empty_table(), *tables])
        first: dict[str, int] = {}
        for at, id in enumerate(table["id"].to_pylist()):
            first.setdefault(id, at)
        return table.take(pa.array([first[id] for id in ids if id in first], pa.int64()))

    def other(self, row: Mapping[str, Any], folder: Path) -> str:
        """Content hash of a record that has a withheld row's source key, and is no record of the
        published store; the least of several, empty where there is none.
        """
        if not self._files:
            return ""
        self._others = self._others or self._by_key(folder)
        by_key, whole = self._others
        for found in by_key.find(_hash(key_of(row))):
            if not len(whole.find(int(found[5]))):
                return hex_of(found[1:5])
        return ""

    def _by_key(self, folder: Path) -> tuple[Sorted, Sorted]:
        """Of every record here, sorted: hash of its source key, content hash in four words,
        fingerprint of its id. And fingerprints of all ids of the store that was published.

        Only messages are made of them, so hashes of 64 bits are believed.
        """
        keys, whole = Sorter(6), Sorter(1)
        names = [f"source.{name}" for name in _KEY[:-1]]
        for path in self._files:
            table = arrow.read_table(path, ["id", "content_hash", *names, "task"])
            rows = np.empty((table.num_rows, 6), np.uint64)
            told = table.select(["source", "task"]).to_pylist()
            rows[:, 0] = [_hash(key_of({**one["source"], "task": one["task"]})) for one in told]
            rows[:, 1:5], rows[:, 5] = words_of(table["content_hash"]), fingerprints(table["id"])
            keys.add(rows)
        for shard in shard_names(folder):
            ids = arrow.read_table(record_file(folder, shard), ["id"])["id"]
            whole.add(fingerprints(ids).reshape(-1, 1))
        for row in _rows(folder, RECORD):
            whole.add(np.array([[fingerprint(row["id"])]], np.uint64))
        return keys.sorted(), whole.sorted()


def _hash(key: tuple[Any, ...]) -> int:
    """64 bits of a source key."""
    return int(hash_json(list(key))[:16], 16)
