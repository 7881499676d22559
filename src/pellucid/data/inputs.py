"""The picture files of an import as they were, so that the same command notices a changed one.

Size and time of change stand beside the hash: a file is read again only where one of them differs,
and is another picture only where its hash differs too. Leaves out on purpose: pictures that lie in
the file of rows itself, whose hash the import compares anyway.
"""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_bytes
from pellucid.data.files import EMBEDDED
from pellucid.data.found import Found
from pellucid.data.llava import RowFault
from pellucid.data.pictures import GONE, Pictures
from pellucid.store import arrow

IMPORT = "import.json"
"""What a store of its own was made from; a run has an artifact's manifest instead."""
PICTURES = "import.parquet"
"""Beside it: the picture files that were read."""
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("sha256", pa.string()),
        ("size", pa.int64()),
        ("changed_ns", pa.int64()),
    ]
)
_BATCH = 10_000
_EARLIER_NS = 2_000_000_000
"""Clocks of file systems tick in steps of up to two seconds."""


def read_import(folder: Path) -> dict[str, Any]:
    """What a store of its own was made from: `source`, `seed`, `inputs`.

    Raises:
        UserError: its `import.json` is damaged.
    """
    path = folder / IMPORT
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
        if {"source", "seed", "inputs", "key"} <= set(told):
            return told
    except (ValueError, TypeError):
        pass
    raise UserError(Problem("store", str(path), "cannot be read", "import it again"))


def remember(found: Found, images: Path, folder: Path) -> None:
    """Write down the picture files of an import that is about to be finished.

    Does nothing for a store that is a run's: its inputs are hashed whole before each run.

    Args:
        found: what the first pass found.
        images: the folder that names start at.
        folder: the store; its `import.json` was written when the import began.

    Raises:
        UserError: a file was changed since the import began.
    """
    if not (folder / IMPORT).is_file():
        return
    began = (folder / IMPORT).stat().st_mtime_ns - _EARLIER_NS
    with boundary("writing the store"):
        arrow.write_tables(folder / PICTURES, _tables(found, images, began), _SCHEMA)


def _tables(found: Found, images: Path, began: int) -> Iterator[pa.Table]:
    pictures = Pictures(images)
    files = (one for one in found.files() if not one[0].startswith(EMBEDDED))
    while part := list(islice(files, _BATCH)):
        rows = []
        for name, sha256 in part:
            size, changed = pictures.state(name)
            # Only a file that is younger than the import can be another than the one it read.
            if sha256 and changed >= began and _hash(pictures, name) != sha256:
                rule, fix = "changed while it was imported", "leave it alone and import again"
                raise UserError(Problem("image", name, rule, fix))
            rows.append({"name": name, "sha256": sha256, "size": size, "changed_ns": changed})
        yield pa.Table.from_pylist(rows, schema=_SCHEMA)


def refuse_changed(images: Path, folder: Path) -> None:
    """Compare the picture files with what a finished import found.

    Args:
        images: the folder that names start at, as it is told now.
        folder: the finished store.

    Raises:
        UserError: one of them is another picture, is gone, or was broken and has changed.
    """
    path = folder / PICTURES
    if not path.is_file():
        return
    count, first, pictures = 0, ("", ""), Pictures(images)
    with boundary("reading the inputs"), arrow.opened(path) as file:
        for batch in file.iter_batches(_BATCH):
            for row in batch.to_pylist():
                why = _change(
                    pictures, row["name"], row["sha256"], (row["size"], row["changed_ns"])
                )
                if why:
                    count += 1
                    first = first if first[0] else (row["name"], why)
    if count:
        others = f" (and {count - 1} more)" if count > 1 else ""
        rule = f"{first[1]} since it was imported{others}"
        fix = f"name a new folder, or remove {folder}"
        raise UserError(Problem("image", first[0], rule, fix))


def _change(pictures: Pictures, name: str, sha256: str | None, before: tuple[int, int]) -> str:
    """What became of a file; empty where it is the same."""
    now = pictures.state(name)
    if now == before:
        return ""
    if now == GONE:
        return "is gone"
    return "" if sha256 and _hash(pictures, name) == sha256 else "has changed"


def _hash(pictures: Pictures, name: str) -> str:
    try:
        return hash_bytes(pictures.read(name))
    except RowFault:
        return ""
