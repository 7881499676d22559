"""The length index: how long records are to a model, a label that whoever needs it first makes.

    labels/lengths-<hash of the processor>@1/<shard>.parquet

A row per record: the mode that it has by itself, and for each mode its examples with tokens,
patches and learnt tokens. Mixes ask it for caps and orders, training for packs. A shard is measured
whole and once; a killed count goes on. A part counts while it has a row for every record of its
shard (a published set that was made whole again has parts with fewer). Leaves out on purpose:
measuring (`prompt/lengths`), which is handed in.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.errors import DiskError, UserError
from pellucid.schema.record import Record
from pellucid.store import arrow, layout
from pellucid.store.labels import part_key, read_label, write_part
from pellucid.store.reader import Store

VERSION = 1
_EXAMPLES = pa.list_(
    pa.struct(
        [
            ("mode", pa.string()),
            ("tokens", pa.int64()),
            ("patches", pa.int64()),
            ("supervised", pa.int64()),
        ]
    )
)
_SCHEMA = pa.schema(
    [("id", pa.string()), ("own", pa.string()), ("nothink", _EXAMPLES), ("think", _EXAMPLES)]
)
_TASKS = pa.schema([("id", pa.string()), ("task", pa.string())])

Measure = Callable[[Record], Mapping[str, Any]]
"""One record to its row."""


def label_of(processor: str) -> str:
    """Name of the label operation, by the hash of all that decides lengths."""
    return f"lengths-{processor[:12]}"


def all_lengths(opened: Store, processor: str, measure: Measure) -> Iterator[pa.Table]:
    """Rows of every record, shard by shard, measured now where no label says them yet.

    Args:
        opened: the records.
        processor: hash of all that decides lengths.
        measure: makes a row.

    Raises:
        UserError: a record cannot be measured.
        DiskError: a store's folder cannot be written.
    """
    for folder in opened.folders:
        for shard, records in opened.shards(folder):
            found = _known(folder, shard, processor, _read_ids(folder, shard))
            if found is None:
                found = _table(records, measure)
                _write(folder, shard, processor, found)
            yield found


def lengths_of(
    opened: Store, ids: Sequence[str], processor: str, measure: Measure, keep: bool = True
) -> pa.Table:
    """Rows of some records, in the order of their ids, with their tasks.

    Shards that none of them is in are not looked at.

    Args:
        opened: has the records.
        ids: which; one may stand there twice.
        processor: hash of all that decides lengths.
        measure: makes a row.
        keep: whether shards without a label get one, where the disk lets us; else only the records
            that are asked for are measured.

    Raises:
        KeyError: a record is not there.
        UserError: one of them cannot be measured.
    """
    wanted, rows, found = set(ids), [_SCHEMA.empty_table()], [_TASKS.empty_table()]
    for folder in opened.folders:
        for shard, records in opened.shards(folder):
            tasks = arrow.read_table(folder / layout.records(shard), ["id", "task"])
            here = pa.array([id in wanted for id in tasks["id"].to_pylist()], pa.bool_())
            if not pc.any(here, min_count=0).as_py():
                continue
            table = _known(folder, shard, processor, tasks["id"])
            if table is None:
                table = _measured(folder, shard, list(records), wanted, processor, measure, keep)
            rows.append(table.filter(pc.is_in(table["id"], tasks["id"].filter(here))))
            found.append(tasks.filter(here))
    told, tasks = (pa.concat_tables(tables).combine_chunks() for tables in (rows, found))
    asked = pa.array(ids, pa.string())
    places = pc.index_in(asked, told["id"])
    if places.null_count:
        raise KeyError(asked.filter(places.is_null())[0].as_py())
    of = tasks["task"].take(pc.index_in(asked, tasks["id"]))
    return told.take(places).append_column("task", of)


def _known(
    folder: Path, shard: str, processor: str, ids: pa.ChunkedArray | pa.Array
) -> pa.Table | None:
    """A part that has a row for every record of its shard, of this very processor."""
    if part_key(folder, label_of(processor), VERSION, shard) != processor:
        return None
    found = read_label(folder, label_of(processor), VERSION, shard)
    if found["id"].to_pylist() != sorted(ids.to_pylist()):
        return None
    return found.replace_schema_metadata(None)


def _measured(
    folder: Path,
    shard: str,
    records: Sequence[Record],
    wanted: Collection[str],
    processor: str,
    measure: Measure,
    keep: bool,
) -> pa.Table:
    """A shard that nobody has measured: whole, with a label, or only what is wanted of it."""
    if keep:
        # One may train on what cannot be written to, and beside a record that cannot be measured.
        with suppress(UserError):
            whole = _table(records, measure)
            with suppress(DiskError):
                _write(folder, shard, processor, whole)
            return whole
    return _table((one for one in records if one.id in wanted), measure)


def _write(folder: Path, shard: str, processor: str, table: pa.Table) -> None:
    write_part(folder, label_of(processor), VERSION, shard, processor, table)


def _table(records: Iterable[Record], measure: Measure) -> pa.Table:
    rows = [measure(record) for record in records]
    return pa.Table.from_pylist(rows, schema=_SCHEMA).sort_by([("id", "ascending")])


def _read_ids(folder: Path, shard: str) -> pa.ChunkedArray:
    return arrow.read_table(folder / layout.records(shard), ["id"])["id"]
