"""Finished shards put together: packs and records to their places, one index, one ledger.

An image that several shards use is kept by the first of them in name order. Nothing is held of all
records at once but eight bytes of each id and the hash of each image, so a store of a million rows
is finished in little more memory than one of a thousand. Every step may have been done before by a
run that was killed.
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

RECORDS, LEDGER, INDEX, PACK = "records.parquet", "ledger.arrow", "index.arrow", "pack.tar"
"""Files of a shard that waits to be merged; one without images has neither index nor pack."""
_OWNED = "owned.arrow"
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
    seen, images = _Seen(), 0
    for name in names:
        _move(parts / name / RECORDS, folder / layout.records(name))
        if not (parts / name / INDEX).exists():
            continue
        rows = _waiting(parts / name / INDEX).to_pylist()
        new = seen.add([row["sha256"] for row in rows])
        owned = [row for row, is_new in zip(rows, new, strict=True) if is_new]
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


class _Seen:
    """A set of SHA-256, 32 bytes each."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, "S32")
        self._recent: set[bytes] = set()

    def add(self, hashes: Sequence[str]) -> list[bool]:
        """Whether each one is new; then it is not."""
        given = [bytes.fromhex(one) for one in hashes]
        old = np.isin(np.array(given, "S32"), self._sorted, kind="sort")
        found = []
        for one, known in zip(given, old.tolist(), strict=True):
            found.append(not known and one not in self._recent)
            self._recent.add(one)
        if len(self._recent) > _SORTED:
            self._sorted = np.union1d(self._sorted, np.array(list(self._recent), "S32"))
            self._recent.clear()
        return found


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
    prefixes, dropped = [np.empty(0, np.uint64)], 0
    for name in names:
        table = _waiting(parts / name / LEDGER)
        kept = table.filter(pc.equal(table["decision"], "kept"))["key"]
        dropped += table.num_rows - len(kept)
        digits = "".join(pc.utf8_slice_codeunits(kept, 0, 16).to_pylist())
        prefixes.append(np.frombuffer(bytes.fromhex(digits), np.uint64))
    ids = np.concatenate(prefixes)
    assert len(np.unique(ids)) == len(ids), "two records of the store have the same id"
    return len(ids), dropped


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
