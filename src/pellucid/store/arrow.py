"""Records as Arrow rows and back, without loss, and Parquet files that depend on their rows alone.

The schema is written out, so that a file's columns never depend on what its rows happen to hold.
`evidence` is free JSON and is kept as canonical text. Leaves out on purpose: image bytes, which
live in packs (`images.py`).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import canonical_json
from pellucid.base.paths import atomic, write_bytes
from pellucid.schema.record import Answer, ImageRef, LineageStep, Part, Record, Source, Turn

GROUP_ROWS = 128
"""Rows of a Parquet row group: what one random read of a record has to fetch."""

LONG_GROUP_ROWS = 1 << 16
"""Rows of a row group of a store's index and ledger, which are read from end to end: what describes
small groups would take more memory than a reader does."""

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
    texts = ("id", "content_hash", "task", "domain", "difficulty", "raw")
    columns: dict[str, pa.Array] = {
        name: pa.array([getattr(one, name) for one in records], RECORDS.field(name).type)
        for name in texts
    }
    columns["messages"] = _lists([one.messages for one in records], _turns, _TURN)
    columns["images"] = _lists([one.images for one in records], _structs(_IMAGE), _IMAGE)
    columns["lineage"] = _lists([one.lineage for one in records], _structs(_STEP), _STEP)
    columns["source"] = _structs(_SOURCE)([one.source for one in records])
    columns["answer"] = _structs(_ANSWER)([one.answer for one in records])
    told = [canonical_json(dict(one.evidence)).decode() for one in records]
    columns["evidence"] = pa.array(told, pa.string())
    return pa.table([columns[name] for name in RECORDS.names], schema=RECORDS)


def lists(values: pa.Array, lengths: Sequence[int]) -> pa.ListArray:
    """A column of lists from the values of all of them."""
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int32)]).astype(np.int32)
    type_ = pa.list_(values.type)
    return pa.ListArray.from_arrays(pa.array(ends), values, type=type_)


def turns_in_pairs(
    parts: tuple[Sequence[str], Sequence[str | None], Sequence[int | None]], counts: Sequence[int]
) -> pa.Array:
    """Turns of a user and an assistant who answers directly, one after the other.

    Args:
        parts: types, texts and image indices of the parts of all turns.
        counts: parts of each turn.
    """
    columns = [pa.array(one, field.type) for one, field in zip(parts, _PART, strict=True)]
    content = lists(pa.StructArray.from_arrays(columns, fields=list(_PART)), counts)
    count = len(counts)
    pairs = pa.array(np.arange(count) % 2)
    made = {
        "role": pa.array(["user", "assistant"]).take(pairs),
        "mode": pa.array([None, "nothink"], pa.string()).take(pairs),
        "content": content,
        "reasoning": pa.nulls(count, pa.string()),
        "weight": pa.nulls(count, pa.float64()),
    }
    return pa.StructArray.from_arrays([made[one.name] for one in _TURN], fields=list(_TURN))


def images(values: Sequence[Sequence[ImageRef]]) -> pa.Array:
    """A column of the images of records."""
    return _lists(values, _structs(_IMAGE), _IMAGE)


def with_field(column: pa.Array | pa.ChunkedArray, name: str, values: Sequence[Any]) -> pa.Array:
    """A column of structs, none of them null, with other values in one field."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    fields = [
        pa.array(values, one.type) if one.name == name else column.field(at)
        for at, one in enumerate(column.type)
    ]
    return pa.StructArray.from_arrays(fields, fields=list(column.type))


def from_table(table: pa.Table) -> list[Record]:
    """The records of a table of schema `RECORDS`."""
    return [_record(row) for row in table.to_pylist()]


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file atomically; equal tables give equal bytes."""
    write_bytes(path, encoded(table))


def encoded(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file; equal tables give equal bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=GROUP_ROWS, version="2.6")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def loose(table: pa.Table) -> pa.Buffer:
    """A table as the bytes of a file that is soon read and thrown away: as it lies in memory."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table)
    return sink.getvalue()


def from_loose(data: bytes) -> pa.Table:
    """The table that `loose` gave these bytes for."""
    with pa.ipc.open_file(data) as file:
        return file.read_all()


def write_tables(
    path: Path, tables: Iterable[pa.Table], schema: pa.Schema, group_rows: int = GROUP_ROWS
) -> None:
    """Write a Parquet file atomically, piece by piece; the bytes do not depend on the pieces.

    Args:
        path: the file.
        tables: the pieces.
        schema: of the file.
        group_rows: rows of a row group, a divisor of 65,536; with the default the bytes are those
            of `write_table`.
    """
    unit = 512 * GROUP_ROWS
    held = schema.empty_table()
    with atomic(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd", version="2.6") as writer:
            for table in tables:
                held = pa.concat_tables([held, table.cast(schema)])
                if (whole := held.num_rows // unit * unit) > 0:
                    writer.write_table(held.slice(0, whole).combine_chunks(), group_rows)
                    held = held.slice(whole)
            writer.write_table(held.combine_chunks(), group_rows)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file's table, whole or some (nested) columns of it."""
    with opened(path) as file:
        return file.read(columns=list(columns) if columns else None)


def batches(
    path: Path, rows: int, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """A Parquet file some rows at a time; nothing is read ahead.

    Raises:
        UserError: it is damaged.
    """
    with opened(path) as file:
        told = list(columns) if columns else None
        yield from file.iter_batches(rows, columns=told, use_threads=False)


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file, to be read in pieces.

    Raises:
        UserError: it is damaged.
    """
    try:
        # Read ahead, a file read in pieces would be in memory whole.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield file
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        told = " ".join(str(error).split())[:120]
        fix = "make what it belongs to again"
        raise UserError(Problem("file", str(path), f"is damaged: {told}", fix)) from None


def _lists(
    values: Sequence[Sequence[Any]], flat: Callable[[list[Any]], pa.Array], type_: pa.DataType
) -> pa.Array:
    """A column of lists, whose values `flat` makes a column of."""
    ends = list(accumulate(map(len, values), initial=0))
    whole = flat([one for some in values for one in some])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), whole, type=pa.list_(type_))


def _structs(type_: pa.StructType) -> Callable[[Sequence[Any]], pa.Array]:
    """What makes a column of objects with fields of these names; None stays null."""

    def column(values: Sequence[Any]) -> pa.Array:
        null = [value is None for value in values]
        fields = [
            pa.array([None if one is None else getattr(one, field.name) for one in values],
                     field.type)
            for field in type_
        ]  # fmt: skip
        mask = pa.array(null, pa.bool_()) if any(null) else None
        return pa.StructArray.from_arrays(fields, fields=list(type_), mask=mask)

    return column


def _turns(turns: list[Turn]) -> pa.Array:
    plain = ("role", "mode", "reasoning", "weight")
    columns = {
        name: pa.array([getattr(turn, name) for turn in turns], _TURN.field(name).type)
        for name in plain
    }
    columns["content"] = _lists([turn.content for turn in turns], _structs(_PART), _PART)
    ordered = [columns[field.name] for field in _TURN]
    return pa.StructArray.from_arrays(ordered, fields=list(_TURN))


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
