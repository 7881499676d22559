"""One finished store, shard by shard: for what copies records from store to store.

`Store` knows where every record lies; here no more than one shard is held. Leaves out on purpose:
several stores as one.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.errors import boundary
from pellucid.store import arrow, layout
from pellucid.store.images import Location, member_name
from pellucid.store.keys import fingerprint, fingerprints
from pellucid.store.pixels import Examined
from pellucid.store.spill import Log, Sorter

_BATCH_ROWS = 16384
_INDEX_ROWS = 4096
"""Rows of an index that are Python objects at a time."""


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
    """Facts and places of some images, those that the store has; the index is read in pieces.

    Who asks once for each shard opens `ImageIndex`, as this reads the whole index.
    """
    found: dict[str, Stored] = {}
    if not sha256s:
        return found
    wanted = pa.array(sorted(sha256s), pa.string())
    with boundary("reading the store"), arrow.opened(folder / layout.INDEX) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            for row in batch.filter(pc.is_in(batch["sha256"], wanted)).to_pylist():
                found[row["sha256"]] = _stored(folder, row)
    return found


@final
class ImageIndex:
    """The image indices of some stores, read once and looked up without holding a row."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Read the indices; their rows lie in a file without a name (`spill.py`)."""
        self._folders, self._log = tuple(folders), Log()
        sorter = Sorter(4)
        with boundary("reading the store"):
            for number, folder in enumerate(self._folders):
                for batch in arrow.batches(folder / layout.INDEX, _INDEX_ROWS):
                    sorter.add(self._kept(batch, number))
        self._log.flush()
        self._found = sorter.sorted()

    def get(self, sha256: str) -> Stored | None:
        """An image's facts and place in the first folder that has it; None where none has."""
        for _, number, offset, length in self._found.find(fingerprint(sha256)).tolist():
            row = json.loads(self._log.read(offset, length))
            if row["sha256"] == sha256:
                return _stored(self._folders[number], row)
        return None

    def _kept(self, batch: pa.RecordBatch, number: int) -> np.ndarray:
        """(rows, 4): fingerprint, folder, and where in the log the row begins and how long it is.

        Its rows go to the log.
        """
        found = np.empty((batch.num_rows, 4), np.uint64)
        found[:, 0], found[:, 1] = fingerprints(batch["sha256"]), number
        for at, row in enumerate(batch.to_pylist()):
            data = json.dumps(row).encode()
            found[at, 2:] = self._log.size, len(data)
            self._log.append(data)
        return found


def _stored(folder: Path, row: Mapping[str, Any]) -> Stored:
    """What a row of a store's image index says."""
    place = Location(folder / "images" / row["pack"], row["offset"], row["length"])
    extension = member_name(place).rpartition(".")[2]
    names = ("sha256", "width", "height", "pixel_sha256", "phash256")
    return Stored(Examined(extension=extension, **{name: row[name] for name in names}), place)
