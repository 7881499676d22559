"""A mix on disk: a frozen table of (record id, repeat, mode), and the ledger of its making.

A mix with a curriculum has a fourth column, `rank`: the window in which a row is learnt.
"""

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, SupportsIndex, final, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import sync_folder
from pellucid.store import arrow, layout
from pellucid.store.keys import fingerprints
from pellucid.store.spill import Log, Sorter

MixMode = Literal["as_is", "think", "nothink"]

_MODES: tuple[MixMode, ...] = ("as_is", "think", "nothink")
_BATCH_ROWS = 4096
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


@final
class MixRows(Sequence[MixRow]):
    """The rows of a mix, in order; of each, nine bytes are held, and its id lies on the disk."""

    def __init__(self, path: Path) -> None:
        """Read `mix.parquet`."""
        self._ids, self._width = Log(), 0
        self._repeat, self._rank, self._mode = array("i"), array("i"), bytearray()
        for batch in arrow.batches(path, _BATCH_ROWS, ["id"]):
            longest = pc.max(pc.binary_length(batch["id"])).as_py()
            self._width = max(self._width, longest or 0)
        for batch in arrow.batches(path, _BATCH_ROWS):
            texts = [one.encode() for one in batch["id"].to_pylist()]
            self._ids.append(np.array(texts, f"S{self._width}").tobytes())
            self._repeat.frombytes(np.asarray(batch["repeat"]).tobytes())
            self._mode += bytes(map(_MODES.index, batch["mode"].to_pylist()))
            if "rank" in batch.schema.names:
                self._rank.frombytes(np.asarray(batch["rank"]).tobytes())
        self._ids.flush()

    def __len__(self) -> int:
        return len(self._repeat)

    @overload
    def __getitem__(self, at: SupportsIndex) -> MixRow: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[MixRow, ...]: ...
    def __getitem__(self, at: SupportsIndex | slice) -> MixRow | tuple[MixRow, ...]:
        if isinstance(at, slice):
            return tuple(self[one] for one in range(*at.indices(len(self))))
        row = range(len(self))[at]  # from the end where it is negative; IndexError beyond
        return self._row(row, self._ids.read(row * self._width, self._width))

    def __iter__(self) -> Iterator[MixRow]:
        for start in range(0, len(self), _BATCH_ROWS):
            data = self._ids.read(start * self._width, _BATCH_ROWS * self._width)
            for at in range(start, min(start + _BATCH_ROWS, len(self))):
                first = (at - start) * self._width
                yield self._row(at, data[first : first + self._width])

    def _row(self, at: int, id: bytes) -> MixRow:
        rank = self._rank[at] if self._rank else 0
        return MixRow(id.rstrip(b"\0").decode(), self._repeat[at], _MODES[self._mode[at]], rank)


@dataclass(frozen=True, slots=True)
class Mix:
    """A frozen mix."""

    folder: Path
    rows: Sequence[MixRow]

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
        return Mix(folder, MixRows(folder / layout.MIX))


def read_ledger_of(folder: Path, id: str) -> list[LedgerRow]:
    """What each ingredient of a mix did with one record; nothing else of the ledger is kept."""
    with boundary("reading the ledger of the mix"):
        table = pq.read_table(folder / layout.LEDGER, filters=[("id", "=", id)])
    return [LedgerRow(**row) for row in table.to_pylist()]


def _table(rows: Sequence[MixRow] | Sequence[LedgerRow], schema: pa.Schema) -> pa.Table:
    columns = {name: [getattr(row, name) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)
