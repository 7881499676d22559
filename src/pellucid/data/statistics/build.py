"""Facts that an operator gives of every record, as label columns, and a short account of them.

    labels/text_stats@1/<shard>.parquet    id, and a column for each fact

Nothing is left out of anything: a mix asks for bounds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid import store
from pellucid.data.duplicates.build import known_once
from pellucid.data.ops.base import Operator
from pellucid.data.ops.run import run_operator, shards_of
from pellucid.store.spill import Log

QUANTILES = (0.0, 0.01, 0.5, 0.99, 1.0)
"""Least, 1 %, middle, 99 %, most: where a bound would cut."""
MOST_VALUES = 8
"""Values of a column without numbers that are told, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was written, and how its columns are spread."""

    label: str
    """Name and version, as a mix's `where` takes it."""
    records: int
    columns: dict[str, tuple[float, ...]]
    """Columns of numbers: values at `QUANTILES`; each is the value of a record."""
    counts: dict[str, dict[str, int]]
    """Other columns: how many records have a value, for `MOST_VALUES` of them."""


def measure_store(
    folders: Sequence[Path], operator: Operator, runner: str = "local", workers: int = 1
) -> Measured:
    """Write an operator's labels of records into every store.

    Args:
        folders: finished stores.
        operator: what measures.
        runner: a name in `data.runners.RUNNERS`.
        workers: shards at a time.

    Raises:
        UserError: a folder is no store, or is named twice.
    """
    folders = known_once(folders)
    for folder in folders:
        run_operator(folder, operator, runner, workers)
    listed = {one.name for one in operator.gives if pa.types.is_string(one.type)}
    listed |= {one.name for one in operator.gives if pa.types.is_boolean(one.type)}
    held = {name: Log() for name in operator.gives.names[1:] if name not in listed}
    counted = {name: Counter[str]() for name in operator.gives.names[1:] if name in listed}
    records = 0
    for folder in folders:
        for part in shards_of(folder):
            table = store.read_label(folder, operator.name, operator.version, part)
            records += len(table)
            for name, log in held.items():
                said = table[name].drop_null().combine_chunks()
                log.append(np.asarray(said).tobytes())
            for name, counter in counted.items():
                counter.update(_counts(table[name]))
    columns = {name: _spread(log, operator.gives.field(name).type) for name, log in held.items()}
    counts = {name: _most(counter) for name, counter in counted.items()}
    return Measured(f"{operator.name}@{operator.version}", records, columns, counts)


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """How many records have each value; "none" where nothing is said."""
    counted = pc.value_counts(column.cast(pa.string())).to_pylist()
    return {("none" if one["values"] is None else one["values"]): one["counts"] for one in counted}


def _most(counter: Counter[str]) -> dict[str, int]:
    """The most frequent values, the most frequent first."""
    most = sorted(counter, key=lambda value: (-counter[value], value))[:MOST_VALUES]
    return {value: counter[value] for value in most}


def _spread(log: Log, type_: pa.DataType) -> tuple[float, ...]:
    """Quantiles of a column that lies on the disk; no more than one is in memory."""
    log.flush()
    values = np.frombuffer(log.read(0, log.size), type_.to_pandas_dtype())
    if not len(values):
        return ()
    found = pc.quantile(pa.array(values), list(QUANTILES), interpolation="nearest")
    return tuple(found.to_pylist())
