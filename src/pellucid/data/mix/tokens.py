"""How long records are to a model: a label column, counted by the renderer that will train on them.

    labels/tokens-<hash of the renderer>@1/<shard>.parquet

Counted once for a store and a renderer (its tokenizer, format and image strategy), shard by shard:
a killed count goes on, and every mix after it reads what is there. Nothing is estimated from
characters.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.errors import Problem, UserError
from pellucid.data.mix.labels import Labelled
from pellucid.data.mix.pool import Pool
from pellucid.prompt.render import Renderer
from pellucid.schema.record import Record
from pellucid.store import layout, write_label
from pellucid.store.labels import label_parts
from pellucid.store.mixes import MixMode

VERSION = 1
_MODES: tuple[MixMode, MixMode] = ("nothink", "think")
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("nothink_tokens", pa.int64()),
        ("nothink_supervised", pa.int64()),
        ("think_tokens", pa.int64()),
        ("think_supervised", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Lengths of the records of a pool; 0 in a mode that a record cannot be seen in."""

    longest: np.ndarray
    """(2, records) int32: tokens of the longest example without thinking, and with it."""
    supervised: np.ndarray
    """(2, records) int32: tokens that are learnt, over all examples."""


def label_of(renderer: Renderer) -> str:
    """Name of the label operation: lengths depend on all that the renderer's hash holds."""
    return f"tokens-{renderer.hash[:12]}"


def count_tokens(pool: Pool, renderer: Renderer) -> Tokens:
    """Lengths of all records of a source, counted now where no label says them yet.

    Raises:
        UserError: a record cannot be rendered.
        DiskError: the store's folder cannot be written.
    """
    op = label_of(renderer)
    files = []
    for folder in pool.store.folders:
        for shard, records in pool.store.shards(folder):
            if not (layout.labels(folder, op, VERSION) / f"{shard}.parquet").is_file():
                rows = [_lengths(record, renderer) for record in records]
                told = pa.Table.from_pylist(rows, schema=_SCHEMA)
                write_label(folder, op, VERSION, told, shard)
        files += label_parts(folder, op, VERSION)
    names = [f"{mode}_{what}" for what in ("tokens", "supervised") for mode in _MODES]
    found = np.zeros((len(names), len(pool)), np.int32)
    for at, columns in Labelled(pool, files).columns(names):
        for row, values in zip(found, columns, strict=True):
            row[at] = pc.fill_null(values, 0).cast(pa.int32())
    return Tokens(found[:2], found[2:])


def _lengths(record: Record, renderer: Renderer) -> dict[str, object]:
    """One record in both modes; nothing of thinking where it has no reasoning."""
    told: dict[str, object] = {"id": record.id}
    for mode in _MODES[: 2 if record.messages[-1].reasoning else 1]:
        try:
            examples = renderer.examples(record, mode)
        except ValueError as error:
            fix = "leave it out of the mix, or take it out of the source"
            raise UserError(
                Problem("mix", record.id, f"cannot be rendered: {error}", fix)
            ) from None
        told[f"{mode}_tokens"] = max((len(one.ids) for one in examples), default=0)
        told[f"{mode}_supervised"] = sum(sum(one.supervised) for one in examples)
    return told
