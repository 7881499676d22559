"""Check a finished store byte by byte.

Reads everything and holds a few rows (`spill.py`); it is what `Store.verify` runs, and no read path
calls it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.errors import UserError
from pellucid.schema.record import ImageRef, Record, make_record
from pellucid.store import arrow, layout
from pellucid.store.images import Location, read_at
from pellucid.store.pixels import examine
from pellucid.store.spill import Sorted, Sorter

_BATCH_ROWS = 2048


def faults_of_store(folder: Path) -> list[str]:
    """What is wrong with a store folder, one sentence each; empty when it is sound."""
    sizes, found, number = Sorter(7), list[str](), 0
    for rows in _batches(folder / layout.INDEX):
        told = [(number + at, row["width"], row["height"]) for at, row in enumerate(rows)]
        keys = _hashed(row["sha256"] for row in rows)
        sizes.add(np.concatenate([keys, np.array(told, np.int64).astype(np.uint64)], axis=1))
        found += [fault for row in rows for fault in _image_faults(folder, row)]
        number += len(rows)
    known, ids, kept = sizes.sorted(), Sorter(4), Sorter(4)
    for path in sorted((folder / "records").glob("*.parquet")):
        records = arrow.from_table(arrow.read_table(path))
        found += [fault for record in records for fault in _record_faults(record, known)]
        ids.add(_hashed(record.id for record in records))
    for rows in _batches(folder / layout.LEDGER):
        kept.add(_hashed(row["key"] for row in rows if row["decision"] == "kept"))
    (there, held), (listed, told_) = _set(ids.sorted()), _set(kept.sorted())
    if told_ != held:
        found.append(f"the ledger keeps {listed} records, the store holds {there}")
    return found


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    for batch in arrow.batches(path, _BATCH_ROWS):
        yield batch.to_pylist()


def _hashed(texts: Iterable[str]) -> np.ndarray:
    """(texts, 4): hashes of texts, whatever they are: a damaged store may hold anything."""
    data = b"".join(hashlib.sha256(one.encode("utf-8", "surrogatepass")).digest() for one in texts)
    return np.frombuffer(data, np.uint64).reshape(-1, 4)


def _set(hashes: Sorted) -> tuple[int, str]:
    """How many different ones there are, and the hash of all of them."""
    whole, count, last = hashlib.sha256(), 0, np.zeros((0, 4), np.uint64)
    for block in hashes.blocks():
        rows = np.concatenate([last, block])
        new = np.ones(len(rows), bool)
        new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
        block = rows[len(last) :][new[len(last) :]]
        whole.update(block.tobytes())
        count, last = count + len(block), rows[-1:]
    return count, whole.hexdigest()


def _image_faults(folder: Path, row: dict) -> list[str]:
    place = Location(folder / "images" / row["pack"], row["offset"], row["length"])
    try:
        facts = examine(read_at(place), max_pixels=row["width"] * row["height"])
    except (ValueError, OSError, UserError) as error:
        return [f"image {row['sha256']} cannot be read: {error}"]
    same = {name: getattr(facts, name) for name in row if name not in ("pack", "offset", "length")}
    return [
        f"image {row['sha256']}: {name} is {value}, the index says {row[name]}"
        for name, value in same.items()
        if value != row[name]
    ]


def _record_faults(record: Record, sizes: Sorted) -> list[str]:
    found = [
        f"record {record.id} shows image {ref.sha256}, which the index lacks at that size"
        for ref in record.images
        if not _indexed(ref, sizes)
    ]
    given = {field.name: getattr(record, field.name) for field in fields(record)}
    id, content_hash = given.pop("id"), given.pop("content_hash")
    try:
        again = make_record(**given)
    except ValueError as error:
        return [*found, f"record {id} is unsound: {error}"]
    if (again.id, again.content_hash) != (id, content_hash):
        found.append(f"record {id} does not hash to its id")
    return found


def _indexed(ref: ImageRef, sizes: Sorted) -> bool:
    """Whether the index has an image at its size; of rows that repeat one the last counts."""
    (key,) = _hashed([ref.sha256])
    rows = sizes.find(int(key[0]))
    rows = rows[(rows[:, :4] == key).all(axis=1)]
    size = np.array([ref.width, ref.height], np.int64).astype(np.uint64)
    return bool(len(rows)) and bool((rows[-1, 5:] == size).all())
