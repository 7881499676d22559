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
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.errors import boundary
from pellucid.base.hashing import hash_bytes
from pellucid.base.paths import (
    publish,
    remove_tree,
    sweep_temporaries,
    write_text,
)
from pellucid.schema.record import ImageRef, Record
from pellucid.store import arrow, layout, merge
from pellucid.store.images import fill_pack, member, offsets
from pellucid.store.labels import write_label
from pellucid.store.pixels import MAX_PIXELS, Examined, examine

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


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

        Bytes that were examined for this shard are not decoded again.

        Raises:
            ValueError: it cannot be used; the text says why.
        """
        facts = self._examined.get(hash_bytes(data)) or self.examine(data)
        self._examined[facts.sha256] = facts
        self._pending[facts.sha256] = data
        return ImageRef(facts.sha256, facts.width, facts.height)

    @property
    def finished(self) -> bool:
        """Whether the store is whole."""
        return (self._folder / layout.STORE).exists()

    def beside(self, name: str) -> Path:
        """A path for what a build has to remember; it is gone from a finished store."""
        parts = self._folder / layout.PARTS
        with boundary("writing the store"):
            parts.mkdir(parents=True, exist_ok=True)
        return parts / f".{name}"

    def keep(self, data: bytes, facts: Examined) -> ImageRef:
        """Take an image whose facts are known into the next shard, without decoding it.

        Raises:
            ValueError: the bytes are not those that the facts speak of.
        """
        if hash_bytes(data) != facts.sha256:
            raise ValueError(f"is not the image {facts.sha256}: its bytes hash otherwise")
        self._examined[facts.sha256] = facts
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
        used = list(dict.fromkeys(ref.sha256 for record in records for ref in record.images))
        missing = [sha256 for sha256 in used if sha256 not in self._pending]
        assert not missing, f"images {missing} of shard {name} were not given to Writer.image"
        images = [(self._examined[sha256], self._pending[sha256]) for sha256 in used]
        self.table(name, arrow.to_table(records), images, dropped)
        self._pending.clear()
        self._examined.clear()

    def table(
        self,
        name: str,
        records: pa.Table,
        images: Sequence[tuple[Examined, bytes]],
        dropped: Sequence[Dropped] = (),
    ) -> None:
        """Write one shard, as `shard` does, of records that are a table already.

        Args:
            name: as `shard` says.
            records: of schema `arrow.RECORDS`.
            images: facts and bytes of their images, in the order of their first use. What a shard
                before it in name order has may be left out.
            dropped: as `shard` says.
        """
        assert _NAME.fullmatch(name), f"shard name {name!r} is not made of a-z, 0-9, - and _"
        with boundary(f"writing shard {name} of the store"):
            if not self.done(name):
                self._write(name, records, images, dropped)

    def label(self, op: str, version: int, shard: str, table: pa.Table) -> None:
        """Write what is known of a shard's records beside them, as `write_label` does."""
        write_label(self._folder, op, version, table, shard)

    def finish(self) -> None:
        """Move all shards to their places, write the indices, then `store.json`."""
        with boundary("finishing the store"):
            parts = self._folder / layout.PARTS
            if not self.finished:
                self._merge(parts)
            remove_tree(parts)
            sweep_temporaries(self._folder)

    def _finished_shards(self) -> list[str]:
        path = self._folder / layout.STORE
        return list(json.loads(path.read_text())["shards"]) if path.exists() else []

    def _write(
        self,
        name: str,
        records: pa.Table,
        images: Sequence[tuple[Examined, bytes]],
        dropped: Sequence[Dropped],
    ) -> None:
        parts = self._folder / layout.PARTS
        staging = parts / f".{name}.{os.getpid()}.tmp"
        remove_tree(staging)
        staging.mkdir(parents=True)
        # Not atomic one by one: `publish` flushes them all, then the folder gets its name.
        (staging / merge.RECORDS).write_bytes(arrow.encoded(records))
        # Ledger and index are read a few times and thrown away; to pack them would not pay.
        (staging / merge.LEDGER).write_bytes(arrow.loose(_ledger(records, dropped)))
        if images:
            (staging / merge.INDEX).write_bytes(arrow.loose(_index(name, images)))
            fill_pack(staging / merge.PACK, [(member(facts), data) for facts, data in images])
        publish(staging, parts / name)

    def _merge(self, parts: Path) -> None:
        assert parts.is_dir(), "a store needs at least one shard"
        names = sorted(path.name for path in parts.iterdir() if not path.name.startswith("."))
        merged = merge.merge(self._folder, names)
        facts = {
            "format": layout.FORMAT,
            "records": merged.kept,
            "dropped": merged.dropped,
            "images": merged.images,
            "shards": names,
        }
        write_text(self._folder / layout.STORE, json.dumps(facts, indent=1) + "\n")


def _index(name: str, images: Sequence[tuple[Examined, bytes]]) -> pa.Table:
    lengths = [len(data) for _, data in images]
    rows = [
        {
            "sha256": facts.sha256,
            "pack": layout.pack(name),
            "offset": offset,
            "length": length,
            "width": facts.width,
            "height": facts.height,
            "pixel_sha256": facts.pixel_sha256,
            "phash256": facts.phash256,
        }
        for (facts, _), offset, length in zip(images, offsets(lengths), lengths, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=arrow.INDEX)


def _ledger(records: pa.Table, dropped: Sequence[Dropped]) -> pa.Table:
    count = records.num_rows
    numbers = pc.struct_field(records["source"], "row")
    same = [pa.repeat(pa.scalar(one), count) for one in ("kept", "")]
    kept = pa.table([numbers, records["id"], *same], schema=arrow.LEDGER)
    if not dropped and bool((np.diff(numbers.to_numpy()) > 0).all()):
        return kept
    rows = [(item.row, item.key, "dropped", item.reason) for item in dropped]
    columns = zip(*rows, strict=True) if rows else [()] * len(arrow.LEDGER)
    others = pa.table(list(map(list, columns)), schema=arrow.LEDGER)
    return pa.concat_tables([kept, others]).sort_by([("row", "ascending"), ("key", "ascending")])
