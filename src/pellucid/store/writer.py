"""Write a record store, shard by shard.

A shard (its records, its part of the ledger, its images) is written into a hidden folder and
renamed, so it is there whole or not at all. `finish` moves the shards to their final places and
writes the indices; `store.json` comes last. Nothing depends on when a run was killed: **an image
that several shards use is kept by the first of them in name order**, decided in `finish` from the
finished shards alone, so shards may also be written in any order.

Leaves out on purpose: changing a finished store. New facts are labels (`labels.py`).
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pyarrow as pa

from pellucid.base.errors import boundary
from pellucid.base.hashing import hash_bytes
from pellucid.base.paths import (
    publish,
    remove_tree,
    sweep_temporaries,
    sync_folder,
    write_text,
)
from pellucid.schema.record import ImageRef, Record
from pellucid.store import arrow, layout
from pellucid.store.images import copy_members, offsets, write_pack
from pellucid.store.pixels import MAX_PIXELS, Examined, examine

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_PART_RECORDS, _PART_LEDGER = "records.parquet", "ledger.parquet"
_PART_INDEX, _PART_PACK = "index.parquet", "pack.tar"


@dataclass(frozen=True, slots=True)
class Dropped:
    """An input row that became no record."""

    row: int
    key: str
    """What the input calls it."""
    reason: str


@final
class Writer:
    """Fills one store folder; the same calls on a killed run's folder complete it."""

    def __init__(self, folder: Path, max_image_pixels: int = MAX_PIXELS) -> None:
        self._folder = folder
        self._max_pixels = max_image_pixels
        self._examined: dict[str, Examined] = {}
        self._pending: dict[str, bytes] = {}

    def examine(self, data: bytes) -> Examined:
        """Decode an image fully and describe it, without keeping it.

        Raises:
            ValueError: it cannot be used; the text says why.
        """
        facts = examine(data, self._max_pixels)
        self._examined[facts.sha256] = facts
        return facts

    def image(self, data: bytes) -> ImageRef:
        """Take an image into the next shard; its bytes are stored once and never re-encoded.

        Bytes that this writer has examined before are not decoded again.

        Raises:
            ValueError: it cannot be used; the text says why.
        """
        facts = self._examined.get(hash_bytes(data)) or self.examine(data)
        self._pending[facts.sha256] = data
        return ImageRef(facts.sha256, facts.width, facts.height)

    def done(self, name: str) -> bool:
        """Whether a shard is on disk whole."""
        return (self._folder / layout.PARTS / name).is_dir() or name in self._finished_shards()

    def shard(self, name: str, records: Sequence[Record], dropped: Sequence[Dropped] = ()) -> None:
        """Write one shard; a shard that is on disk whole is left as it is.

        Args:
            name: lower-case letters, digits, `-` and `_`; shards are ordered by it.
            records: in the order in which they are stored.
            dropped: input rows that became no record. Together with the records they must add up
                to the rows that the shard stands for.
        """
        assert _NAME.fullmatch(name), f"shard name {name!r} is not made of a-z, 0-9, - and _"
        with boundary(f"writing shard {name} of the store"):
            if not self.done(name):
                self._write(name, records, dropped)
        self._pending.clear()

    def finish(self) -> None:
        """Move all shards to their places, write the indices, then `store.json`."""
        with boundary("finishing the store"):
            parts = self._folder / layout.PARTS
            if not (self._folder / layout.STORE).exists():
                self._merge(parts)
            remove_tree(parts)
            sweep_temporaries(self._folder)

    def _finished_shards(self) -> list[str]:
        path = self._folder / layout.STORE
        return list(json.loads(path.read_text())["shards"]) if path.exists() else []

    def _write(self, name: str, records: Sequence[Record], dropped: Sequence[Dropped]) -> None:
        used = list(dict.fromkeys(ref.sha256 for record in records for ref in record.images))
        missing = [sha256 for sha256 in used if sha256 not in self._pending]
        assert not missing, f"images {missing} of shard {name} were not given to Writer.image"
        parts = self._folder / layout.PARTS
        staging = parts / f".{name}.{os.getpid()}.tmp"
        remove_tree(staging)
        staging.mkdir(parents=True)
        arrow.write_table(staging / _PART_RECORDS, arrow.to_table(records))
        arrow.write_table(staging / _PART_LEDGER, _ledger(records, dropped))
        arrow.write_table(staging / _PART_INDEX, self._index(name, used))
        if used:
            members = [(self._member(sha256), self._pending[sha256]) for sha256 in used]
            write_pack(staging / _PART_PACK, members)
        publish(staging, parts / name)

    def _member(self, sha256: str) -> str:
        return f"{sha256}.{self._examined[sha256].extension}"

    def _index(self, name: str, used: Sequence[str]) -> pa.Table:
        lengths = [len(self._pending[sha256]) for sha256 in used]
        rows = []
        for sha256, offset, length in zip(used, offsets(lengths), lengths, strict=True):
            facts = self._examined[sha256]
            rows.append(
                {
                    "sha256": sha256,
                    "pack": layout.pack(name),
                    "offset": offset,
                    "length": length,
                    "width": facts.width,
                    "height": facts.height,
                    "pixel_sha256": facts.pixel_sha256,
                    "phash256": facts.phash256,
                }
            )
        return pa.Table.from_pylist(rows, schema=arrow.INDEX)

    def _merge(self, parts: Path) -> None:
        assert parts.is_dir(), "a store needs at least one shard"
        names = sorted(path.name for path in parts.iterdir() if not path.name.startswith("."))
        index, seen = [], set[str]()
        for name in names:
            rows = arrow.read_table(parts / name / _PART_INDEX).to_pylist()
            owned = [row for row in rows if row["sha256"] not in seen]
            seen.update(row["sha256"] for row in owned)
            index += self._place_pack(parts / name, rows, owned)
            _move(parts / name / _PART_RECORDS, self._folder / layout.records(name))
        index.sort(key=lambda row: row["sha256"])
        ledgers = [arrow.read_table(parts / name / _PART_LEDGER) for name in names]
        ledger = pa.concat_tables(ledgers).sort_by([("row", "ascending"), ("key", "ascending")])
        arrow.write_table(
            self._folder / layout.INDEX, pa.Table.from_pylist(index, schema=arrow.INDEX)
        )
        arrow.write_table(self._folder / layout.LEDGER, ledger)
        kept = [row["key"] for row in ledger.to_pylist() if row["decision"] == "kept"]
        assert len(set(kept)) == len(kept), "two records of the store have the same id"
        facts = {
            "format": layout.FORMAT,
            "records": len(kept),
            "dropped": ledger.num_rows - len(kept),
            "images": len(index),
            "shards": names,
        }
        write_text(self._folder / layout.STORE, json.dumps(facts, indent=1) + "\n")

    def _place_pack(
        self, part: Path, rows: list[dict[str, Any]], owned: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Put a shard's own images into their final pack; return their index rows."""
        target = self._folder / "images" / layout.pack(part.name)
        pack = part / _PART_PACK
        if len(owned) == len(rows):
            _move(pack, target)
            return owned
        if owned:
            copy_members(pack, target, {row["sha256"] for row in owned})
        starts = offsets([row["length"] for row in owned])
        return [{**row, "offset": start} for row, start in zip(owned, starts, strict=True)]


def _ledger(records: Sequence[Record], dropped: Sequence[Dropped]) -> pa.Table:
    rows = [(record.source.row, record.id, "kept", "") for record in records]
    rows += [(item.row, item.key, "dropped", item.reason) for item in dropped]
    names = arrow.LEDGER.names
    return pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in sorted(rows)], schema=arrow.LEDGER
    )


def _move(source: Path, target: Path) -> None:
    """Move a file of a finished shard; a run that was killed may have done so already."""
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
        sync_folder(target.parent)
