"""One finished store, shard by shard: for what copies records from store to store.

`Store` knows where every record lies; here no more than one shard is held. Leaves out on purpose:
several stores as one.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.errors import boundary
from pellucid.store import arrow, layout
from pellucid.store.images import Location, member_name
from pellucid.store.pixels import Examined

_BATCH_ROWS = 16384


@dataclass(frozen=True, slots=True)
class Stored:
    """An image of a store: its facts, and where it lies."""

    facts: Examined
    place: Location


def shard_names(folder: Path) -> list[str]:
    """Names of a finished store's shards, in order."""
    with boundary("reading the store"):
        names: list[str] = json.loads((folder / layout.STORE).read_text("utf-8"))["shards"]
    return names


def record_file(folder: Path, shard: str) -> Path:
    """Where a shard's records lie."""
    return folder / layout.records(shard)


def read_shard(folder: Path, shard: str) -> pa.Table:
    """A shard's records, as a table of schema `arrow.RECORDS`."""
    with boundary("reading the store"):
        return arrow.read_table(record_file(folder, shard))


def find_images(folder: Path, sha256s: Collection[str]) -> dict[str, Stored]:
    """Facts and places of some images, those that the store has; the index is read in pieces."""
    found: dict[str, Stored] = {}
    if not sha256s:
        return found
    wanted = pa.array(sorted(sha256s), pa.string())
    with boundary("reading the store"), arrow.opened(folder / layout.INDEX) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            for row in batch.filter(pc.is_in(batch["sha256"], wanted)).to_pylist():
                place = Location(folder / "images" / row["pack"], row["offset"], row["length"])
                extension = member_name(place).rpartition(".")[2]
                names = ("sha256", "width", "height", "pixel_sha256", "phash256")
                facts = Examined(extension=extension, **{name: row[name] for name in names})
                found[row["sha256"]] = Stored(facts, place)
    return found
