"""A mix on disk: a frozen table of (record id, repeat, mode), and the ledger of its making."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.store import arrow, layout

MixMode = Literal["as_is", "think", "nothink"]

_MIX = pa.schema([("id", pa.string()), ("repeat", pa.int32()), ("mode", pa.string())])
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
    pairs = [(row.id, row.mode) for row in rows]
    assert len(set(pairs)) == len(pairs), "a mix names a record twice in one mode"
    with boundary("writing the mix"):
        arrow.write_table(folder / layout.LEDGER, _table(ledger, _LEDGER))
        arrow.write_table(folder / layout.MIX, _table(rows, _MIX))


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


def _table(rows: Sequence[MixRow] | Sequence[LedgerRow], schema: pa.Schema) -> pa.Table:
    columns = {name: [getattr(row, name) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)
