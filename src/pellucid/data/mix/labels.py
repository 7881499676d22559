"""Columns of a label beside the records of a pool, some rows at a time.

Of each row of a label its place among the records is held, four bytes; values are read when they
are asked for. Leaves out on purpose: what values mean to a mix (`where.py`, `choose.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa

from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import did_you_mean
from pellucid.data.mix.pool import PIECE, Pool
from pellucid.recipe.mix import Order, Where
from pellucid.store import arrow, layout
from pellucid.store.labels import label_parts


@final
class Labelled:
    """Label files joined to the records of a pool by id."""

    def __init__(self, pool: Pool, files: Sequence[Path]) -> None:
        """Read the ids; of rows that speak of one record the last counts."""
        self._files = tuple(files)
        places = pool.ids.places(ids for batch in self._batches(["id"]) for ids in batch)
        last = np.full(len(pool), -1, np.int32)
        here = np.flatnonzero(places >= 0).astype(np.int32)
        last[places[here]] = here
        places[here[last[places[here]] != here]] = -1
        self._places = places

    def columns(self, names: Sequence[str]) -> Iterator[tuple[np.ndarray, list[pa.Array]]]:
        """Positions of records that the label speaks of, each once, and their values by column."""
        start = 0
        for batch in self._batches(names):
            places = self._places[start : start + len(batch[0])]
            here = np.flatnonzero(places >= 0)
            yield places[here], [column.take(pa.array(here)) for column in batch]
            start += len(places)

    def _batches(self, names: Sequence[str]) -> Iterator[list[pa.Array]]:
        for path in self._files:
            for batch in arrow.batches(path, PIECE, names):
                yield [batch[name] for name in names]


def labelled(pool: Pool, where: Where | Order, names: Sequence[str]) -> Labelled:
    """The label that a condition names, whose columns are there.

    Args:
        pool: the records.
        where: names the label. Where it keeps what is unlabelled, a source need not have it.
        names: of the columns.

    Raises:
        UserError: the store has no such label, or the label no such column.
    """
    assert where.label is not None, "a label is named"
    op, _, version = where.label.rpartition("@")
    found: list[Path] = []
    for folder in pool.store.folders:
        there = layout.labels(folder, op, int(version)).is_dir()
        if not there and isinstance(where, Where) and where.unlabelled == "keep":
            continue
        files = _parts(pool, folder, op, int(version))
        for path in files:
            _refuse_missing(path, where.label, names)
        found += files
    return Labelled(pool, found)


def _refuse_missing(path: Path, label: str, names: Sequence[str]) -> None:
    with arrow.opened(path) as file:
        there = file.schema_arrow.names
    for name in names:
        if name not in there:
            fix = did_you_mean(name, there)
            raise UserError(Problem(f"label {label}", name, "is no column of it", fix))


def _parts(pool: Pool, folder: Path, op: str, version: int) -> list[Path]:
    try:
        return label_parts(folder, op, version)
    except UserError as error:
        told = [replace(one, rule=f"{one.rule} ({pool.name})") for one in error.problems]
        raise UserError(told) from None
