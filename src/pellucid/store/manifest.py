"""The manifest hash of a store: one number for all that its records, images and ledger hold.

Two stores have the same hash exactly when they hold the same records (every field of them, the
original included), the same image bytes and the same ledger. It does not depend on what is only
layout: the names, number and order of shards, the order of rows, which pack holds an image, how
Parquet and tar encode it. Several folders hash as the one store that they would be together.

    record   SHA-256 of the row's canonical JSON, `raw` by its own SHA-256
    image    SHA-256 of its row in the index, without its place, and of the bytes that lie there
    ledger   SHA-256 of the row's canonical JSON
    part     SHA-256 of the sorted digests of its rows; images of several folders count once
    manifest SHA-256 of the canonical JSON of the three counts and parts

Memory does not grow with the rows (`spill.py`). Leaves out on purpose: labels, which are later
facts and name the store, not the other way round; and `store.json`, which says nothing but layout.
The hash is not kept in `store.json` either: it reads every byte, and stores that exist stay as they
are.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.errors import boundary
from pellucid.base.hashing import hash_bytes, hash_json
from pellucid.store import arrow, layout
from pellucid.store.images import Location, read_there
from pellucid.store.shards import record_file, shard_names
from pellucid.store.spill import Sorter

_BATCH_ROWS = 2048
_PLACE = ("pack", "offset", "length")
"""Columns of the index that say where an image lies."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one kind: how many, and the hash of all of them."""

    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoreManifest:
    """What a store holds, as hashes."""

    records: Part
    images: Part
    ledger: Part

    @property
    def hash(self) -> str:
        """The manifest hash."""
        return hash_json(self.parts())

    def parts(self) -> dict[str, list[Any]]:
        """Count and hash of each part, as plain values for JSON."""
        named = {"records": self.records, "images": self.images, "ledger": self.ledger}
        return {name: [part.count, part.sha256] for name, part in named.items()}


def manifest(*folders: Path) -> StoreManifest:
    """The manifest of finished stores as one; every record and image byte is read.

    Raises:
        DiskError: a file is missing or cannot be read.
    """
    with boundary("reading the store"):
        return StoreManifest(
            records=_part(hash for folder in folders for hash in _records(folder)),
            images=_part((hash for folder in folders for hash in _images(folder)), once=True),
            ledger=_part(hash for folder in folders for hash in _ledger(folder)),
        )


def record_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of a whole record.

    Args:
        row: a row of `records/*.parquet` (`arrow.RECORDS`) as plain values.
    """
    difficulty = row["difficulty"]  # the one free number; as text, as JSON knows no NaN
    told = None if difficulty is None else repr(float(difficulty))
    return hash_json({**row, "raw": hash_bytes(row["raw"]), "difficulty": told})


def ledger_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of a row of a store's ledger (`arrow.LEDGER`), as plain values."""
    return hash_json(dict(row))


def _records(folder: Path) -> Iterator[str]:
    for shard in shard_names(folder):
        yield from map(record_hash, _rows(record_file(folder, shard)))


def _ledger(folder: Path) -> Iterator[str]:
    yield from map(ledger_hash, _rows(folder / layout.LEDGER))


def _images(folder: Path) -> Iterator[str]:
    for row in _rows(folder / layout.INDEX):
        place = Location(folder / "images" / row["pack"], row["offset"], row["length"])
        facts = {name: value for name, value in row.items() if name not in _PLACE}
        yield hash_json({**facts, "bytes": hash_bytes(read_there(place))})


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for batch in arrow.batches(path, _BATCH_ROWS):
        yield from batch.to_pylist()


def _part(hashes: Iterator[str], once: bool = False) -> Part:
    """The part that rows with these hashes make, in whatever order they come.

    Args:
        hashes: SHA-256 of each row, in hex.
        once: count equal rows once.
    """
    sorter = Sorter(4)
    while some := b"".join(map(bytes.fromhex, islice(hashes, _BATCH_ROWS))):
        # Four big-endian numbers a digest: they sort as the bytes do.
        sorter.add(np.frombuffer(some, ">u8").reshape(-1, 4).astype(np.uint64))
    whole, count = hashlib.sha256(), 0
    last = np.zeros((0, 4), np.uint64)
    for digests in sorter.sorted().blocks():
        if once:
            rows = np.concatenate([last, digests])
            new = np.ones(len(rows), bool)
            new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
            last, digests = rows[-1:], rows[len(last) :][new[len(last) :]]
        whole.update(digests.astype(">u8").tobytes())
        count += len(digests)
    return Part(count, whole.hexdigest())
