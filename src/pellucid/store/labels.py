"""Labels: new facts about records, as column files joined by `id`. Nothing is ever edited.

What an operator makes shard by shard also has a key, kept in the file itself: the hash of all that
decided it. A part with the key that is asked for is not made again; one with another key (other
options, another shard) is made anew, whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_file
from pellucid.base.paths import write_json
from pellucid.store import arrow, layout

_KEY = b"pellucid.key"
MANIFEST = "manifest.json"
"""Beside the parts: what made them, and the hash of each."""


def write_label(folder: Path, op: str, version: int, table: pa.Table, part: str = "all") -> None:
    """Write `labels/<op>@<version>/<part>.parquet`, sorted by `id`.

    Args:
        folder: the folder that gets the labels.
        op: the operation's name.
        version: its version; a changed operation writes beside its older labels.
        table: a column `id`, no id twice, and any others.
        part: name of the file, for labels that are made shard by shard.

    Raises:
        UserError: the file exists with other content; labels are never edited.
    """
    ids = table["id"].to_pylist()
    assert len(set(ids)) == len(ids), f"labels {op}@{version} name a record twice"
    table = table.sort_by([("id", "ascending")])
    path = layout.labels(folder, op, version) / f"{part}.parquet"
    with boundary("writing labels"):
        if not path.exists():
            arrow.write_table(path, table)
        elif not arrow.read_table(path).equals(table):
            rule = "exists with other values, and labels are never edited"
            raise UserError(Problem("labels", str(path), rule, "raise the operation's version"))


def label_files(folder: Path) -> dict[tuple[str, int], list[Path]]:
    """Every operation's label files by (operation, version), in order; empty without labels."""
    found: dict[tuple[str, int], list[Path]] = {}
    for path in sorted((folder / layout.LABELS).glob("*@*/*.parquet")):
        op, _, version = path.parent.name.rpartition("@")
        if version.isdigit() and not path.name.startswith("."):
            found.setdefault((op, int(version)), []).append(path)
    return found


def read_label(folder: Path, op: str, version: int, part: str = "*") -> pa.Table:
    """All parts of one operation's labels, or one of them, sorted by `id`.

    Args:
        folder: the folder that has the labels.
        op: the operation's name.
        version: its version.
        part: name of the file, where an operation's files do not belong together.

    Raises:
        UserError: there are none.
    """
    files = label_parts(folder, op, version, part)
    with boundary("reading labels"):
        table = pa.concat_tables([arrow.read_table(path) for path in files])
    return table.sort_by([("id", "ascending")])


def label_parts(folder: Path, op: str, version: int, part: str = "*") -> list[Path]:
    """The files that `read_label` reads, in order.

    Raises:
        UserError: there are none.
    """
    files = sorted(layout.labels(folder, op, version).glob(f"{part}.parquet"))
    if not files:
        fix = "run the operation that makes it"
        raise UserError(Problem("labels", f"{op}@{version}", "is not in this store", fix))
    return files


def write_part(folder: Path, op: str, version: int, part: str, key: str, table: pa.Table) -> None:
    """Write one part of an operator's labels with its key, sorted by `id`, whole or not at all.

    Args:
        folder: the store.
        op: the operator's name.
        version: its version.
        part: the shard.
        key: the hash of all that decided the table.
        table: a column `id`, no id twice, and any others.
    """
    ids = table["id"].to_numpy()
    assert len(set(ids)) == len(ids), f"labels {op}@{version} name a row of {part} twice"
    table = table.sort_by([("id", "ascending")]).replace_schema_metadata({_KEY: key.encode()})
    with boundary("writing labels"):
        arrow.write_table(layout.labels(folder, op, version) / f"{part}.parquet", table)


def part_key(folder: Path, op: str, version: int, part: str) -> str | None:
    """The key of a part on disk; None when it is not there, or has none, or cannot be read."""
    path = layout.labels(folder, op, version) / f"{part}.parquet"
    try:
        found = (pq.read_schema(path).metadata or {}).get(_KEY)
    except (OSError, pa.ArrowInvalid):
        return None
    return found.decode() if found else None


def write_manifest(folder: Path, op: str, version: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write `labels/<op>@<version>/manifest.json`: the facts, and the hash of every part.

    Returns:
        What was written.
    """
    home = layout.labels(folder, op, version)
    with boundary("writing the manifest of labels"):
        files = {path.name: hash_file(path) for path in sorted(home.glob("*.parquet"))}
        manifest = {"op": op, "version": version, **facts, "files": files}
        write_json(home / MANIFEST, manifest)
    return manifest
