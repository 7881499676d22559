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
from tempfile import TemporaryDirectory
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


class Index:
    """The rows of some records, asked for piece by piece; a shard is measured once for all pieces.

    A store that cannot be written to is trained on all the same: rows of its shards are kept in a
    folder of the system's until the end of the block.
    """

    def __init__(self, opened: Store, processor: str, measure: Measure, keep: bool = True) -> None:
        """
        Args:
            opened: has the records.
            processor: hash of all that decides lengths.
            measure: makes a row.
            keep: whether shards without a label get one, where the disk lets us; else only the
                records that are asked for are measured.
        """
        self._opened, self._processor, self._measure, self._keep = opened, processor, measure, keep
        self._aside = TemporaryDirectory(prefix="pellucid-lengths-")
        self._faulty = set[tuple[Path, str]]()

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, *raised: object) -> None:
        self._aside.cleanup()

    def rows(self, ids: Sequence[str]) -> pa.Table:
        """Rows of some records, in the order of their ids, with their tasks.

        Shards that none of them is in are not looked at.

        Args:
            ids: which; one may stand there twice.

        Raises:
            KeyError: a record is not there.
            UserError: one of them cannot be measured.
        """
        wanted, rows, found = set(ids), [_SCHEMA.empty_table()], [_TASKS.empty_table()]
        for folder in self._opened.folders:
            for shard, records in self._opened.shards(folder):
                tasks = arrow.read_table(folder / layout.records(shard), ["id", "task"])
                here = pa.array([id in wanted for id in tasks["id"].to_pylist()], pa.bool_())
                if not pc.any(here, min_count=0).as_py():
                    continue
                table = self._known(folder, shard, tasks["id"])
                if table is None:
                    table = self._measured(folder, shard, list(records), wanted)
                rows.append(table.filter(pc.is_in(table["id"], tasks["id"].filter(here))))
                found.append(tasks.filter(here))
        told, tasks = (pa.concat_tables(tables).combine_chunks() for tables in (rows, found))
        asked = pa.array(ids, pa.string())
        places = pc.index_in(asked, told["id"])
        if places.null_count:
            raise KeyError(asked.filter(places.is_null())[0].as_py())
        of = tasks["task"].take(pc.index_in(asked, tasks["id"]))
        return told.take(places).append_column("task", of)

    def _known(self, folder: Path, shard: str, ids: pa.ChunkedArray) -> pa.Table | None:
        """A whole part, of the store's label or kept aside."""
        both = (_known(home, shard, self._processor, ids) for home in (folder, self._home(folder)))
        return next((one for one in both if one is not None), None)

    def _home(self, folder: Path) -> Path:
        return Path(self._aside.name) / str(self._opened.folders.index(folder))

    def _measured(
        self, folder: Path, shard: str, records: Sequence[Record], wanted: Collection[str]
    ) -> pa.Table:
        """A shard that nobody has measured: whole, and kept, or only what is wanted of it."""
        if self._keep and (folder, shard) not in self._faulty:
            try:
                whole = _table(records, self._measure)
            except UserError:  # one may train beside a record that cannot be measured
                self._faulty.add((folder, shard))
            else:
                self._write(folder, shard, whole)
                return whole
        return _table((one for one in records if one.id in wanted), self._measure)

    def _write(self, folder: Path, shard: str, whole: pa.Table) -> None:
        """Into the store, or aside; where neither can be written, it is measured again."""
        for home in (folder, self._home(folder)):
            with suppress(DiskError):
                _write(home, shard, self._processor, whole)
                return


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


def _write(folder: Path, shard: str, processor: str, table: pa.Table) -> None:
    write_part(folder, label_of(processor), VERSION, shard, processor, table)


def _table(records: Iterable[Record], measure: Measure) -> pa.Table:
    rows = [measure(record) for record in records]
    return pa.Table.from_pylist(rows, schema=_SCHEMA).sort_by([("id", "ascending")])


def _read_ids(folder: Path, shard: str) -> pa.ChunkedArray:
    return arrow.read_table(folder / layout.records(shard), ["id"])["id"]
