"""The light table of a store: what queries filter on, without conversations or originals.

Only the Parquet columns it needs are read.
"""

from pathlib import Path

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

_COLUMNS = [
    "id", "content_hash", "task", "domain", "difficulty", "source",
    "answer.kind", "answer.gold",
    "images.list.element.width", "messages.list.element.mode", "messages.list.element.reasoning",
]  # fmt: skip


def read_facts(path: Path, number: int) -> pa.Table:
    """Facts of one records file; `file` is its number, `at` the row in it."""
    table = arrow.read_table(path, _COLUMNS).combine_chunks()
    columns = {name: table[name] for name in ("id", "content_hash", "task", "domain", "difficulty")}
    for name in ("dataset", "config", "split", "row", "group", "licence"):
        columns[name] = pc.struct_field(table["source"], name)
    columns["kind"] = pc.struct_field(table["answer"], "kind")
    columns["gold"] = pc.struct_field(table["answer"], "gold")
    columns["images"] = pc.list_value_length(table["images"])
    columns["turns"] = pc.list_value_length(table["messages"])
    last = _last_turns(table["messages"])
    columns["mode"] = pc.struct_field(last, "mode")
    length = pc.utf8_length(pc.fill_null(pc.struct_field(last, "reasoning"), ""))
    columns["can_think"] = pc.greater(length, 0)
    columns["file"] = pa.array([number] * table.num_rows, pa.int32())
    columns["at"] = pa.array(range(table.num_rows), pa.int32())
    return pa.table(columns)


def _last_turns(messages: pa.ChunkedArray) -> pa.Array:
    """The last struct of each list; a record has at least one turn."""
    lists = messages.combine_chunks()
    lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
    ends = pc.cumulative_sum(pc.list_value_length(lists))
    return lists.flatten().take(pc.subtract(ends, 1))
