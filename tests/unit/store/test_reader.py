"""Reading a store: order, filters, single records, images, checks."""

from pathlib import Path

import pytest

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.schema.record import Record, Source, assistant, user
from pellucid.store import Store, Writer, arrow


def source(row: int, split: str = "train", dataset: str = "set") -> Source:
    return Source(dataset, split, row, "CC0-1.0")  # type: ignore[arg-type]


def build(folder: Path, records: list[Record]) -> Store:
    writer = Writer(folder)
    writer.shard("s", records)
    writer.finish()
    return store.open(folder)


def test_records_come_in_stable_order_with_filters(tmp_path: Path, record) -> None:
    rows = [
        record(9, task="sum"),
        record(10, task="read", source=source(10, "test")),
        record(2, task="sum", source=source(2)),
        record(2, task="read", source=source(2)),
        record(1, source=source(1, dataset="aaa")),
    ]
    opened = build(tmp_path, rows)
    seen = [(r.source.dataset, r.source.row, r.task) for r in opened.records()]
    assert seen == [
        ("aaa", 1, "read"), ("set", 2, "read"), ("set", 2, "sum"), ("set", 9, "sum"),
        ("set", 10, "read"),
    ]  # fmt: skip
    assert [r.source.row for r in opened.records(split="test")] == [10]
    assert [r.source.row for r in opened.records(tasks=["sum"])] == [2, 9]
    assert [r.source.row for r in opened.records(source="aaa")] == [1]
    assert opened.records(split="train", tasks=("sum", "read"), source="set") == [
        rows[3], rows[2], rows[0],
    ]  # fmt: skip
    assert len(opened) == 5


def test_what_is_kept_for_get_has_a_bound_in_bytes(tmp_path: Path, record, monkeypatch) -> None:
    rows = [record(n) for n in range(6 * arrow.GROUP_ROWS)]
    size = build(tmp_path, rows)._groups.table(0, 0).nbytes
    monkeypatch.setattr("pellucid.store.reader._KEPT_BYTES", int(2.5 * size))
    opened = store.open(tmp_path)
    for group in (0, 1, 0, 2, 3, 0):
        assert opened.get(rows[group * arrow.GROUP_ROWS].id) == rows[group * arrow.GROUP_ROWS]
        kept = sum(table.nbytes for table in opened._groups.held.values())
        assert kept == opened._groups.bytes <= 2.5 * size
    assert [group for _, group in opened._groups.held] == [3, 0], "those last asked for"


def test_get_finds_every_record_across_row_groups(tmp_path: Path, record) -> None:
    rows = [record(n) for n in range(2 * arrow.GROUP_ROWS + 3)]
    opened = build(tmp_path, rows)
    assert all(opened.get(row.id) == row for row in rows)
    with pytest.raises(KeyError):
        opened.get("no such id")


def test_facts_are_light_and_true(tmp_path: Path, png, record) -> None:
    writer = Writer(tmp_path)
    ref = writer.image(png(1))
    thinks = record(
        1, (ref,), messages=(user(0, "a"), assistant("1"), user("b"), assistant("2", "1 + 1 = 2."))
    )
    caption = record(2, answer=None, difficulty=0.5)
    writer.shard("s", [thinks, caption])
    writer.finish()
    first, second = store.open(tmp_path).facts().to_pylist()
    assert (first["mode"], first["can_think"], first["turns"]) == ("think", True, 4)
    assert (first["images"], first["kind"], first["id"]) == (1, "number", thinks.id)
    assert (second["mode"], second["can_think"], second["turns"]) == ("nothink", False, 2)
    assert (second["images"], second["kind"], second["difficulty"]) == (0, None, 0.5)
    assert "messages" not in first and "raw" not in first


def test_two_stores_read_as_one(tmp_path: Path, png, record) -> None:
    for number in (1, 2):
        writer = Writer(tmp_path / str(number))
        refs = (writer.image(png(number)), writer.image(png(7)))
        writer.shard("s", [record(number, refs, source=source(number, dataset=f"d{number}"))])
        writer.finish()
    both = store.open(tmp_path / "2", tmp_path / "1")
    assert [item.source.dataset for item in both.records()] == ["d1", "d2"]
    for number, item in enumerate(both.records(), start=1):
        assert [both.image(ref.sha256) for ref in item.images] == [png(number), png(7)]
    hashes = {both.pixel_hash(ref.sha256) for item in both.records() for ref in item.images}
    assert len(hashes) == 3
    assert both.ledger().num_rows == 2
    assert both.verify() == []


def test_one_record_in_two_stores_is_refused(tmp_path: Path, record) -> None:
    build(tmp_path / "1", [record(1)])
    build(tmp_path / "2", [record(1)])
    with pytest.raises(UserError, match="hold a record twice"):
        store.open(tmp_path / "1", tmp_path / "2")


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_that_is_no_store_is_a_user_error(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "photos"
    if made:
        folder.mkdir()
    with pytest.raises(UserError, match="photos.* is not a record store"):
        store.open(folder)


def test_verify_finds_one_flipped_bit(tmp_path: Path, png, record) -> None:
    writer = Writer(tmp_path)
    ref = writer.image(png(1))
    writer.shard("s", [record(1, (ref,))])
    writer.finish()
    assert store.open(tmp_path).verify() == []
    pack = tmp_path / "images/pack-s.tar"
    data = bytearray(pack.read_bytes())
    data[512 + 60] ^= 1
    pack.write_bytes(bytes(data))
    (fault,) = store.open(tmp_path).verify()
    assert ref.sha256 in fault


def test_verify_finds_a_changed_record(tmp_path: Path, record) -> None:
    opened = build(tmp_path, [record(1), record(2)])
    path = tmp_path / "records/s.parquet"
    rows = arrow.read_table(path).to_pylist()
    rows[0]["answer"]["gold"] = "7"
    arrow.write_table(path, arrow.to_table([]).from_pylist(rows, schema=arrow.RECORDS))
    (fault,) = opened.verify()
    assert "does not hash to its id" in fault
