"""What a conversation says, as columns of text: question, gold, and all of it.

Works on whole Arrow columns of records, without a Python object per turn. Leaves out on purpose:
who said what in which order; `Record` has that.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Spoken(NamedTuple):
    """Columns without chunks, a row for each record."""

    ids: pa.Array
    question: pa.Array
    """All that the user says, turns parted by a line break."""
    gold: pa.Array
    """The gold answer; the last reply where there is none."""
    reply: pa.Array
    """All that the assistant says, thinking first, turns parted by a line break."""
    all: pa.Array
    """Every turn, thinking included."""


def spoken(table: pa.Table) -> Spoken:
    """The texts of records.

    Args:
        table: `id`, `answer.gold`, and of `messages` the role and the content, perhaps the
            reasoning; as `arrow.read_table` gives them.
    """
    messages = _flat(table["messages"])
    turns, first = messages.flatten(), _starts(messages)
    texts = _turn_texts(turns)
    roles = turns.field("role")
    is_user = np.asarray(pc.fill_null(pc.equal(roles, "user"), False))
    last = pc.take(texts, pa.array(np.maximum(first[1:] - 1, 0)))
    answer = _flat(table["answer"])
    gold = pc.coalesce(pc.struct_field(answer, "gold"), last).cast(pa.large_string())
    whole = texts
    if "reasoning" in {one.name for one in turns.type}:
        thought = turns.field("reasoning").cast(pa.large_string())
        none = pc.fill_null(pc.equal(thought, ""), True)
        both = pc.binary_join_element_wise(thought, texts, pa.scalar("\n", pa.large_string()))
        whole = pc.if_else(none, texts, both)
    return Spoken(
        _flat(table["id"]),
        _joined(texts, first, is_user),
        gold,
        _joined(whole, first, np.asarray(pc.fill_null(pc.equal(roles, "assistant"), False))),
        _joined(whole, first, np.ones(len(turns), bool)),
    )


def _turn_texts(turns: pa.StructArray) -> pa.Array:
    """The text parts of each turn, joined."""
    content = turns.field("content")
    parts, first = content.flatten(), _starts(content)
    texts = pc.fill_null(parts.field("text"), "").cast(pa.large_string())
    return _joined(texts, first, np.ones(len(parts), bool), "")


def _joined(texts: pa.Array, first: np.ndarray, keep: np.ndarray, by: str = "\n") -> pa.Array:
    """Texts of each list that are kept, joined."""
    total = np.concatenate([[0], np.cumsum(keep)])
    lists = pa.ListArray.from_arrays(
        pa.array(total[first], pa.int32()), texts.filter(pa.array(keep))
    )
    return pc.binary_join(lists, pa.scalar(by, pa.large_string()))


def _starts(lists: pa.ListArray) -> np.ndarray:
    """Where each list starts in the flattened values: lists + 1 entries."""
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0), np.int64)
    return np.concatenate([[0], np.cumsum(lengths)])


def _flat(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
