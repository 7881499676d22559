"""Finished shards put together: packs and records to their places, one index, one ledger.

An image that several shards use is kept by the first of them in name order. Nothing is held of all
records at once but eight bytes of each image that a shard before has too, so a store of a million
rows is finished in little more memory than one of a thousand. Every step may have been done before
by a run that was killed.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.paths import sync_folder
from pellucid.store import arrow, layout
from pellucid.store.images import copy_members, offsets
from pellucid.store.keys import words_of
from pellucid.store.spill import Sorter

RECORDS, LEDGER, INDEX, PACK = "records.parquet", "ledger.arrow", "index.arrow", "pack.tar"
"""Files of a shard that waits to be merged; one without images has neither index nor pack."""
_OWNED = "owned.arrow"
_ROW_BITS, _ROW = np.uint64(32), np.uint64(2**32 - 1)
_SORTED = 50_000
"""Rows of the index that are sorted at once, about."""


class Merged(NamedTuple):
    """What a store holds."""

    kept: int
    dropped: int
    images: int


def merge(folder: Path, names: Sequence[str]) -> Merged:
    """Put the shards of a store folder together.

    Args:
        folder: the store.
        names: its shards, in name order.

    Raises:
        OSError: the disk refused.
    """
    parts = folder / layout.PARTS
    images = _place(folder, parts, names)
    index = _index(parts, names, images // _SORTED + 1)
    arrow.write_tables(folder / layout.INDEX, index, arrow.INDEX, arrow.LONG_GROUP_ROWS)
    kept, dropped = _check_ledger(parts, names)
    ledger = _ledger(parts, names)
    arrow.write_tables(folder / layout.LEDGER, ledger, arrow.LEDGER, arrow.LONG_GROUP_ROWS)
    return Merged(kept, dropped, images)


def _place(folder: Path, parts: Path, names: Sequence[str]) -> int:
    """Packs and records to their places; each shard's own images into a file beside it."""
    again, images = _again(parts, names), 0
    for number, name in enumerate(names):
        _move(parts / name / RECORDS, folder / layout.records(name))
        if not (parts / name / INDEX).exists():
            continue
        rows = _waiting(parts / name / INDEX).to_pylist()
        low, high = again.searchsorted(np.array([number, number + 1], np.uint64) << _ROW_BITS)
        known = set((again[low:high] & _ROW).tolist())
        owned = [row for at, row in enumerate(rows) if at not in known]
        placed = _place_pack(folder, parts / name, rows, owned)
        table = pa.Table.from_pylist(placed, schema=arrow.INDEX)
        # Not atomic, for each merge writes it before it reads it.
        (parts / name / _OWNED).write_bytes(arrow.loose(table))
        images += len(owned)
    # Once, and not for each move: what a power cut undoes waits among the parts again.
    for made in (folder / "images", (folder / layout.records("")).parent):
        if made.is_dir():
            sync_folder(made)
    return images


def _again(parts: Path, names: Sequence[str]) -> np.ndarray:
    """Images that stand in the index of a shard before, or before them in their own, in order.

    Each is its shard's number in the upper half of 64 bits, its row in the lower.
    """
    sorter = Sorter(5)
    for number, name in enumerate(names):
        if (parts / name / INDEX).exists():
            hashes = _waiting(parts / name / INDEX)["sha256"]
            rows = np.empty((len(hashes), 5), np.uint64)
            rows[:, :4] = words_of(hashes)
            rows[:, 4] = np.arange(len(hashes), dtype=np.uint64)
            rows[:, 4] += np.uint64(number) << _ROW_BITS
            sorter.add(rows)
    found, last = [np.empty(0, np.uint64)], np.empty((0, 5), np.uint64)
    for block in sorter.sorted().blocks():
        rows = np.concatenate([last, block])
        same = (rows[1:, :4] == rows[:-1, :4]).all(axis=1)
        found.append(rows[1:][same, 4])
        last = rows[-1:]
    return np.sort(np.concatenate(found))


def _place_pack(
    folder: Path, part: Path, rows: list[dict[str, Any]], owned: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Put a shard's own images into their final pack; return their index rows."""
    target = folder / "images" / layout.pack(part.name)
    pack = part / PACK
    if len(owned) == len(rows):
        _move(pack, target)
        return owned
    if owned:
        copy_members(pack, target, {row["sha256"] for row in owned})
    starts = offsets([row["length"] for row in owned])
    return [{**row, "offset": start} for row, start in zip(owned, starts, strict=True)]


def _index(parts: Path, names: Sequence[str], buckets: int) -> Iterator[pa.Table]:
    """All owned rows by hash, a part of the hashes at a time."""
    names = [name for name in names if (parts / name / _OWNED).exists()]
    for bucket in range(buckets):
        low, high = (f"{65536 * at // buckets:04x}" for at in (bucket, bucket + 1))
        found = [arrow.INDEX.empty_table()]
        for name in names:
            table = _waiting(parts / name / _OWNED)
            within = pc.greater_equal(table["sha256"], low)
            if bucket + 1 < buckets:
                within = pc.and_(within, pc.less(table["sha256"], high))
            found.append(table.filter(within))
        yield pa.concat_tables(found).sort_by("sha256")


def _check_ledger(parts: Path, names: Sequence[str]) -> tuple[int, int]:
    """Rows kept and dropped; no record stands in two of them."""
    sorter, count, dropped = Sorter(1), 0, 0
    for name in names:
        table = _waiting(parts / name / LEDGER)
        kept = table.filter(pc.equal(table["decision"], "kept"))["key"]
        dropped += table.num_rows - len(kept)
        digits = "".join(pc.utf8_slice_codeunits(kept, 0, 16).to_pylist())
        sorter.add(np.frombuffer(bytes.fromhex(digits), np.uint64).reshape(-1, 1))
        count += len(kept)
    assert not sorter.sorted().twice(), "two records of the store have the same id"
    return count, dropped


def _ledger(parts: Path, names: Sequence[str]) -> Iterator[pa.Table]:
    """Rows of all shards by number: shard by shard where they follow each other, as they mostly do.

    Where they do not, all are sorted at once.
    """
    order = [("row", "ascending"), ("key", "ascending")]
    spans = []
    for name in names:
        rows = _waiting(parts / name / LEDGER)["row"]
        if len(rows):
            found = pc.min_max(rows)
            spans.append((found["min"].as_py(), found["max"].as_py(), name))
    spans.sort()
    if all(one[1] < two[0] for one, two in zip(spans, spans[1:], strict=False)):
        for *_, name in spans:
            yield _waiting(parts / name / LEDGER).sort_by(order)
    else:
        tables = [_waiting(parts / name / LEDGER) for *_, name in spans]
        yield pa.concat_tables(tables).sort_by(order)


def _waiting(path: Path) -> pa.Table:
    """The table of a file of a shard."""
    return arrow.from_loose(path.read_bytes())


def _move(source: Path, target: Path) -> None:
    """Move a file of a finished shard; a run that was killed may have done so already."""
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
