"""Two versions: every record is told once, whatever changed."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.data.stores import import_rows, llava, record, write_rows, write_store

from pellucid import store
from pellucid.data.looking.diff import diff
from pellucid.schema.record import Record


def test_nothing_changed(tmp_path: Path) -> None:
    records = [record(row) for row in range(5)]
    a = write_store(tmp_path / "a", records)
    b = write_store(tmp_path / "b", records[::-1], shard_rows=2)
    found = diff([a], [b])
    assert found.same and found.kept == 5 and not found.examples


def test_each_kind_of_change(tmp_path: Path) -> None:
    records = [record(row) for row in range(6)]
    a = write_store(tmp_path / "a", records[:5])
    told = replace(records[1], source=replace(records[1].source, licence="CC0-1.0"))
    newer = [records[0], told, record(2, "no"), record(3, split="test"), records[5]]
    b = write_store(tmp_path / "b", newer)
    found = diff([a], [b])
    assert (found.a, found.b, found.kept, found.changed) == (5, 5, 2, 1)
    assert (found.removed, found.added, found.moved) == (2, 2, 1)
    assert found.facts == {"licence": 1}
    assert found.content == {"messages": 1, "answer": 1}
    assert found.licences == [("MIT", "CC0-1.0", 1)]
    changed = next(one for one in found.examples if one.what == "changed")
    assert (changed.before, changed.after) == (records[2].id, record(2, "no").id)
    assert "-assistant (nothink): yes" in changed.text
    assert "+assistant (nothink): no" in changed.text
    assert "Is it 2?" not in changed.text, "what is the same is not told"
    assert not found.same


def test_records_of_one_row_are_paired_by_task(tmp_path: Path) -> None:
    """Both questions of a row changed: each is told beside its own task's."""
    old = [record(0, "a", task="count"), record(0, "b", task="name")]
    new = [record(0, "c", task="count"), record(0, "d", task="name"), record(0, "e", task="sum")]
    found = diff([write_store(tmp_path / "a", old)], [write_store(tmp_path / "b", new)], 9)
    assert (found.changed, found.removed, found.added) == (2, 0, 1)
    pairs = {(one.before, one.after) for one in found.examples if one.what == "changed"}
    assert pairs == {(old[0].id, new[0].id), (old[1].id, new[1].id)}
    assert "task" not in found.content


def test_images(tmp_path: Path) -> None:
    a = import_rows(write_rows(tmp_path / "x", [llava(1), llava(2)]), tmp_path / "a")
    rows = [llava(1), llava(2, image="3.png"), llava(4)]
    b = import_rows(write_rows(tmp_path / "y", rows), tmp_path / "b")
    found = diff([a], [b])
    assert (found.images_kept, found.images_removed, found.images_added) == (1, 1, 2)
    assert (found.kept, found.changed, found.added) == (1, 1, 1)
    assert found.content == {"images": 1}


def test_labels(tmp_path: Path) -> None:
    records = [record(row) for row in range(4)]
    ids = [one.id for one in records]
    a, b = write_store(tmp_path / "a", records), write_store(tmp_path / "b", records)
    store.write_label(a, "flag", 1, pa.table({"id": ids, "bad": [True, False, None, False]}))
    store.write_label(b, "flag", 1, pa.table({"id": ids[:3], "bad": [True, True, None]}))
    store.write_label(b, "flag", 2, pa.table({"id": ids, "bad": [True] * 4}))
    found = diff([a], [b])
    told = [(one.name, one.a, one.b, one.changed) for one in found.labels]
    assert told == [("flag@1", 4, 3, 1), ("flag@2", 0, 4, 0)]
    assert not found.same and found.kept == 4


def test_a_label_column_that_came_later_is_a_change(tmp_path: Path) -> None:
    records = [record(row) for row in range(2)]
    ids = [one.id for one in records]
    a, b = write_store(tmp_path / "a", records), write_store(tmp_path / "b", records)
    store.write_label(a, "flag", 1, pa.table({"id": ids, "bad": [True, True]}))
    told = pa.table({"id": ids, "bad": [True, True], "why": ["dark", None]})
    store.write_label(b, "flag", 1, told)
    (label,) = diff([a], [b]).labels
    assert label.changed == 1


def changed_pairs(a: Path, b: Path) -> set[tuple[str, str]]:
    """Own ids of the rows of each pair that is told as changed."""
    own = {
        one.id: json.loads(one.raw).get("id")
        for folder in (a, b)
        for one in store.open(folder).records()
    }
    told = diff([a], [b], 99).examples
    return {(own[one.before], own[one.after]) for one in told if one.what == "changed"}


def test_a_reordered_file_has_not_all_changed(tmp_path: Path) -> None:
    """Rows with an `id` are told by it: one edited, one put in first, one gone, others moved."""
    rows = [llava(n) for n in range(6)]
    edited = llava(3, conversations=[{"from": "human", "value": "<image>Why?"},
                                     {"from": "gpt", "value": "3"}])  # fmt: skip
    newer = [llava(9), rows[5], rows[4], rows[1], rows[0], edited]
    a = import_rows(write_rows(tmp_path / "x", rows), tmp_path / "a")
    b = import_rows(write_rows(tmp_path / "y", newer), tmp_path / "b", licence="CC0-1.0")
    found = diff([a], [b])
    assert (found.kept, found.renumbered, found.changed) == (0, 4, 1)
    assert (found.removed, found.added) == (1, 1)
    assert changed_pairs(a, b) == {("3", "3")}
    assert found.facts["licence"] == found.kept + found.renumbered
    assert found.licences == [("MIT", "CC0-1.0", 5)] and not found.same
    assert found.content == {"messages": 1}


def test_an_id_says_more_than_the_place_or_the_content(tmp_path: Path) -> None:
    """Two rows that swapped what they say have both changed; two rows in one place are two."""
    zero, one = llava(0), llava(1)
    swapped = [{**zero, "id": "1"}, {**one, "id": "0"}]
    a = import_rows(write_rows(tmp_path / "x", [zero, one]), tmp_path / "a")
    b = import_rows(write_rows(tmp_path / "y", [{**one, "id": "0"}, {**zero, "id": "1"}]),
                    tmp_path / "b")  # fmt: skip
    assert changed_pairs(a, b) == {("0", "0"), ("1", "1")}
    c = import_rows(write_rows(tmp_path / "z", swapped), tmp_path / "c")
    # In one place with one content, a record is the same, whatever its row calls itself.
    assert (diff([a], [c]).kept, diff([a], [c]).facts) == (2, {"lineage": 2, "raw": 2})
    d = import_rows(write_rows(tmp_path / "w", [llava(7), llava(8)]), tmp_path / "d")
    found = diff([a], [d])
    assert (found.changed, found.removed, found.added) == (0, 2, 2)


def test_rows_without_ids_are_told_by_content_then_number(tmp_path: Path) -> None:
    rows = [{key: value for key, value in llava(n).items() if key != "id"} for n in range(4)]
    other = {**rows[0], "answer": {"kind": "number", "gold": "7"}}
    a = import_rows(write_rows(tmp_path / "x", rows), tmp_path / "a")
    b = import_rows(write_rows(tmp_path / "y", [other, rows[2], rows[1], rows[3]]), tmp_path / "b")
    found = diff([a], [b])
    assert (found.kept, found.renumbered, found.changed) == (1, 2, 1)
    assert found.content == {"answer": 1} and found.removed == found.added == 0


KEYS = st.tuples(st.integers(0, 3), st.sampled_from(["x", "y"]), st.sampled_from(["a", "b", "c"]))
SIDE = st.sets(KEYS, min_size=1, max_size=10)


def make(told: set[tuple[int, str, str]]) -> list[Record]:
    return [record(row, said, task=task) for row, task, said in sorted(told)]


@given(a=SIDE, b=SIDE)
@settings(max_examples=20, deadline=None)
def test_the_counts_add_up(a: set[tuple[int, str, str]], b: set[tuple[int, str, str]]) -> None:
    """Against the definition: kept by id; per source key as many pairs as both sides have left."""
    with TemporaryDirectory() as name:
        older = write_store(Path(name) / "a", make(a))
        newer = write_store(Path(name) / "b", make(b))
        found, back = diff([older], [newer], 0), diff([newer], [older], 0)
    assert found.a == len(a) == found.kept + found.renumbered + found.changed + found.removed
    assert found.b == len(b) == found.kept + found.renumbered + found.changed + found.added
    assert found.kept == len(a & b)
    left, right = Counter(key[0] for key in a - b), Counter(key[0] for key in b - a)
    assert found.changed == sum((left & right).values())
    same = Counter(key[:2] for key in a - b) & Counter(key[:2] for key in b - a)
    assert found.content.get("task", 0) == found.changed - sum(same.values())
    assert (back.kept, back.changed) == (found.kept, found.changed)
    assert (back.added, back.removed) == (found.removed, found.added)


def test_a_damaged_side_is_named(tmp_path: Path) -> None:
    from pellucid.base.errors import UserError

    a = write_store(tmp_path / "a", [record(0)])
    b = write_store(tmp_path / "b", [record(0)])
    (b / "ledger.parquet").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read"):
        diff([a], [b])
