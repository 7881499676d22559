"""A mix on disk: a frozen table of (record id, repeat, mode), and the ledger of its making.

A mix with a curriculum has a fourth column, `rank`: the window in which a row is learnt.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import sync_folder
from pellucid.store import arrow, layout
from pellucid.store.keys import fingerprints
from pellucid.store.spill import Sorter

MixMode = Literal["as_is", "think", "nothink"]

_UNCHECKED = ".mix.unchecked"
_MIX = pa.schema([("id", pa.string()), ("repeat", pa.int32()), ("mode", pa.string())])
_RANK = pa.field("rank", pa.int32())
_LEDGER = pa.schema(
    [
        ("take", pa.int32()),
        ("source", pa.string()),
        ("id", pa.string()),
        ("decision", pa.string()),
        ("reason", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class MixRow:
    """One record of a mix."""

    id: str
    repeat: int
    """How often it is seen per epoch."""
    mode: MixMode
    """Mode of its final answer; `as_is` is the record's own."""
    rank: int = 0
    """Window of the curriculum in which it is learnt; 0 for all without one."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What one ingredient of a mix did with one record of its source."""

    take: int
    """Index of the ingredient."""
    source: str
    id: str
    decision: Literal["kept", "dropped"]
    reason: str


@dataclass(frozen=True, slots=True)
class Mix:
    """A frozen mix."""

    folder: Path
    rows: tuple[MixRow, ...]

    @property
    def ledger(self) -> tuple[LedgerRow, ...]:
        """One row per ingredient and record of its source; read when asked for, as it is long."""
        with boundary("reading the ledger of the mix"):
            table = arrow.read_table(self.folder / layout.LEDGER)
        return tuple(LedgerRow(**row) for row in table.to_pylist())


def write_mix(folder: Path, rows: Sequence[MixRow], ledger: Sequence[LedgerRow]) -> None:
    """Write `mix.parquet` and `ledger.parquet`, in the given order."""
    ranked = any(row.rank for row in rows)
    schema = _MIX.append(_RANK) if ranked else _MIX
    write_tables(folder, [_table(rows, schema)], [_table(ledger, _LEDGER)], ranked)


def write_tables(
    folder: Path, rows: Iterable[pa.Table], ledger: Iterable[pa.Table], ranked: bool
) -> None:
    """Write `mix.parquet` and `ledger.parquet` from columns; the bytes do not depend on the pieces.

    Args:
        folder: gets them.
        rows: id, repeat, mode, and rank where the mix has a curriculum; piece by piece.
        ledger: columns of the ledger, piece by piece.
        ranked: whether the mix has a curriculum.

    Raises:
        UserError: two sources hold one record, which a mix would name twice in one mode.
    """
    whole = _MIX.append(_RANK) if ranked else _MIX
    with boundary("writing the mix"):
        # The table comes last: a folder that has it is a mix.
        _refuse_twice(folder, rows, whole)
        arrow.write_tables(folder / layout.LEDGER, ledger, _LEDGER, arrow.LONG_GROUP_ROWS)
        os.replace(folder / _UNCHECKED, folder / layout.MIX)
        sync_folder(folder)


def _refuse_twice(folder: Path, rows: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write the table under another name, unless it names a record twice in one mode."""
    sorter, path = Sorter(2), folder / _UNCHECKED

    def seen() -> Iterator[pa.Table]:
        for table in rows:
            told = np.stack([fingerprints(table["id"]), fingerprints(table["mode"])], axis=1)
            sorter.add(told)
            yield table.select(schema.names)

    arrow.write_tables(path, seen(), schema, arrow.LONG_GROUP_ROWS)
    if not sorter.sorted().twice():
        return
    table = arrow.read_table(path, ["id", "mode"])
    pairs = table.group_by(["id", "mode"]).aggregate([([], "count_all")])
    if pairs.num_rows < table.num_rows:
        path.unlink()
        twice = pairs.filter(pc.greater(pairs["count_all"], 1))["id"][0].as_py()
        fix = "two sources of one file need different dataset names"
        raise UserError(Problem("mix", twice, "is taken twice in one mode", fix))


def read_mix(folder: Path) -> Mix:
    """Read what `write_mix` wrote.

    Raises:
        UserError: the folder holds no mix.
    """
    if not (folder / layout.MIX).is_file():
        fix = f"give a folder that holds {layout.MIX}"
        raise UserError(Problem("mix", str(folder), "is not a mix", fix))
    with boundary("reading the mix"):
        rows = arrow.read_table(folder / layout.MIX).to_pylist()
    return Mix(folder, tuple(MixRow(**row) for row in rows))


def read_ledger_of(folder: Path, id: str) -> list[LedgerRow]:
    """What each ingredient of a mix did with one record; nothing else of the ledger is kept."""
    with boundary("reading the ledger of the mix"):
        table = pq.read_table(folder / layout.LEDGER, filters=[("id", "=", id)])
    return [LedgerRow(**row) for row in table.to_pylist()]


def _table(rows: Sequence[MixRow] | Sequence[LedgerRow], schema: pa.Schema) -> pa.Table:
    columns = {name: [getattr(row, name) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)
