"""The light table of a store: what queries filter on, without conversations or originals.

Only the Parquet columns it needs are read.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.store import arrow

FACTS = [
    "id", "content_hash", "task", "domain", "difficulty",
    "dataset", "config", "split", "row", "group", "licence",
    "kind", "gold", "turns", "images", "mode", "can_think",
]  # fmt: skip
"""Columns of `Store.facts`: `kind` and `gold` are the answer's (null without one), `turns` and
`images` are counts, `mode` is the last turn's, `can_think` says whether it has reasoning."""

STABLE_ORDER = ["dataset", "config", "row", "task", "id"]
"""What records are sorted by; it does not depend on shards or folders."""

SORTED = [(name, "ascending") for name in STABLE_ORDER]
"""The same, as Arrow sorts."""

_READ = {
    **{name: name for name in ("id", "content_hash", "task", "domain", "difficulty")},
    **{
        name: f"source.{name}" for name in ("dataset", "config", "split", "row", "group", "licence")
    },
    "kind": "answer.kind",
    "gold": "answer.gold",
    "images": "images.list.element.width",
    "turns": "messages.list.element.mode",
    "mode": "messages.list.element.mode",
    "can_think": "messages.list.element.reasoning",
}
"""The Parquet column behind each."""


def read_facts(path: Path, number: int, names: Sequence[str] = FACTS) -> pa.Table:
    """Some facts of one records file; `file` is its number, `at` the row in it."""
    wanted = list(dict.fromkeys(["id", *(_READ[name] for name in names)]))
    table = arrow.read_table(path, wanted).combine_chunks()
    columns = {name: _fact(table, name) for name in names}
    columns["file"] = pa.array(np.full(table.num_rows, number, np.int32))
    columns["at"] = pa.array(np.arange(table.num_rows, dtype=np.int32))
    return pa.table(columns)


def _fact(table: pa.Table, name: str) -> pa.Array | pa.ChunkedArray:
    parent, _, child = _READ[name].partition(".")
    if parent in ("source", "answer"):
        return pc.struct_field(table[parent], child)
    if name in ("images", "turns"):
        return pc.list_value_length(table[parent])
    if name == "mode":
        return pc.struct_field(_last_turns(table["messages"]), "mode")
    if name == "can_think":
        thought = pc.struct_field(_last_turns(table["messages"]), "reasoning")
        return pc.greater(pc.utf8_length(pc.fill_null(thought, "")), 0)
    return table[name]


def _last_turns(messages: pa.ChunkedArray) -> pa.Array:
    """The last struct of each list; a record has at least one turn."""
    lists = messages.combine_chunks()
    lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
    ends = pc.cumulative_sum(pc.list_value_length(lists))
    return lists.flatten().take(pc.subtract(ends, 1))
