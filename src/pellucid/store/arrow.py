"""Records as Arrow rows and back, without loss, and Parquet files that depend on their rows alone.

The schema is written out, so that a file's columns never depend on what its rows happen to hold.
`evidence` is free JSON and is kept as canonical text. Leaves out on purpose: image bytes, which
live in packs (`images.py`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pellucid.base.hashing import canonical_json
from pellucid.base.paths import write_bytes
from pellucid.schema.record import Answer, ImageRef, LineageStep, Part, Record, Source, Turn

GROUP_ROWS = 128
"""Rows of a Parquet row group: what one random read of a record has to fetch."""

_PART = pa.struct([("type", pa.string()), ("text", pa.string()), ("image", pa.int32())])
_TURN = pa.struct(
    [
        ("role", pa.string()),
        ("mode", pa.string()),
        ("content", pa.list_(_PART)),
        ("reasoning", pa.string()),
        ("weight", pa.float64()),
    ]
)
_IMAGE = pa.struct([("sha256", pa.string()), ("width", pa.int32()), ("height", pa.int32())])
_ANSWER = pa.struct(
    [
        ("kind", pa.string()),
        ("gold", pa.string()),
        ("aliases", pa.list_(pa.string())),
        ("tolerance", pa.float64()),
    ]
)
_SOURCE = pa.struct(
    [
        ("dataset", pa.string()),
        ("config", pa.string()),
        ("split", pa.string()),
        ("revision", pa.string()),
        ("row", pa.int64()),
        ("licence", pa.string()),
        ("group", pa.string()),
    ]
)
_STEP = pa.struct(
    [
        ("op", pa.string()),
        ("version", pa.int32()),
        ("params_hash", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("calls", pa.list_(pa.string())),
    ]
)

RECORDS = pa.schema(
    [
        ("id", pa.string()),
        ("content_hash", pa.string()),
        ("messages", pa.list_(_TURN)),
        ("images", pa.list_(_IMAGE)),
        ("answer", _ANSWER),
        ("evidence", pa.string()),
        ("task", pa.string()),
        ("domain", pa.string()),
        ("difficulty", pa.float64()),
        ("source", _SOURCE),
        ("lineage", pa.list_(_STEP)),
        ("raw", pa.binary()),
    ]
)
"""Columns of `records/*.parquet`."""

INDEX = pa.schema(
    [
        ("sha256", pa.string()),
        ("pack", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("pixel_sha256", pa.string()),
        ("phash256", pa.string()),
    ]
)
"""Columns of `images/index.parquet`; offset and length in bytes, hashes in hex."""

LEDGER = pa.schema(
    [
        ("row", pa.int64()),
        ("key", pa.string()),
        ("decision", pa.string()),
        ("reason", pa.string()),
    ]
)
"""Columns of a store's `ledger.parquet`; `key` is the record id when kept."""


def to_table(records: Sequence[Record]) -> pa.Table:
    """Records as a table of schema `RECORDS`, in the given order.

    Raises:
        ValueError: a record's evidence is not JSON (NaN, for one).
    """
    return pa.Table.from_pylist([_row(record) for record in records], schema=RECORDS)


def from_table(table: pa.Table) -> list[Record]:
    """The records of a table of schema `RECORDS`."""
    return [_record(row) for row in table.to_pylist()]


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file atomically; equal tables give equal bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=GROUP_ROWS, version="2.6")
    write_bytes(path, sink.getvalue().to_pybytes())


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file's table, whole or some (nested) columns of it."""
    with pq.ParquetFile(path) as file:
        return file.read(columns=list(columns) if columns else None)


def _row(record: Record) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in RECORDS.names}
    row["messages"] = [asdict(turn) for turn in record.messages]
    row["images"] = [asdict(image) for image in record.images]
    row["answer"] = asdict(record.answer) if record.answer else None
    row["source"] = asdict(record.source)
    row["lineage"] = [asdict(step) for step in record.lineage]
    row["evidence"] = canonical_json(dict(record.evidence)).decode()
    return row


def _record(row: Mapping[str, Any]) -> Record:
    answer = row["answer"]
    return Record(
        id=row["id"],
        content_hash=row["content_hash"],
        messages=tuple(_turn(turn) for turn in row["messages"]),
        images=tuple(ImageRef(**image) for image in row["images"]),
        answer=Answer(**{**answer, "aliases": tuple(answer["aliases"])}) if answer else None,
        task=row["task"],
        domain=row["domain"],
        source=Source(**row["source"]),
        evidence=json.loads(row["evidence"]),
        difficulty=row["difficulty"],
        lineage=tuple(_step(step) for step in row["lineage"]),
        raw=row["raw"],
    )


def _turn(turn: Mapping[str, Any]) -> Turn:
    return Turn(
        role=turn["role"],
        content=tuple(Part(**part) for part in turn["content"]),
        mode=turn["mode"],
        reasoning=turn["reasoning"],
        weight=turn["weight"],
    )


def _step(step: Mapping[str, Any]) -> LineageStep:
    return LineageStep(**{**step, "parents": tuple(step["parents"]), "calls": tuple(step["calls"])})
