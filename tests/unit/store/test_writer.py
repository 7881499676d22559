"""A store's folder: deterministic bytes, images once, ledgers that add up."""

import hashlib
import json
import resource
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.store.conftest import _png, _record

from pellucid import store
from pellucid.base.errors import DiskError, UserError
from pellucid.store import Dropped, Writer, arrow, layout, merge, spill


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def fill(folder: Path, png, record, order: str = "abc") -> None:
    """Three shards; picture 1 is in a and b, picture 2 in b and c."""
    held = {"a": (0, 1), "b": (1, 2), "c": (2, 3)}
    writer = Writer(folder)
    for name in order:
        rows = []
        for picture in held[name]:
            ref = writer.image(png(picture))
            rows.append(record(ord(name) * 10 + picture, (ref,)))
        writer.shard(name, rows, [Dropped(ord(name) * 10 + 9, "bad-" + name, "no picture")])
    writer.finish()


def test_the_same_calls_give_the_same_bytes(tmp_path: Path, png, record) -> None:
    fill(tmp_path / "one", png, record)
    fill(tmp_path / "two", png, record)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_shards_may_come_in_any_order(tmp_path: Path, png, record) -> None:
    fill(tmp_path / "one", png, record)
    fill(tmp_path / "two", png, record, "cab")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_each_image_is_stored_once_by_the_first_shard(tmp_path: Path, png, record) -> None:
    fill(tmp_path, png, record)
    names = {}
    for path in (tmp_path / "images").glob("*.tar"):
        with tarfile.open(path) as pack:
            names[path.name] = pack.getnames()
    sha = [hashlib.sha256(png(n)).hexdigest() + ".png" for n in range(4)]
    assert names == {"pack-a.tar": sha[:2], "pack-b.tar": [sha[2]], "pack-c.tar": [sha[3]]}


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 7), unique=True, max_size=5), min_size=1, max_size=12),
    st.integers(1, 40),
)
def test_whoever_shares_what_the_first_shard_keeps_it(shown: list[list[int]], held: int) -> None:
    """Against a dictionary; however few rows the sorter holds, and reads at a time."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "_BUFFER_ROWS", held)
        patch.setattr(spill, "_BLOCK_ROWS", held)
        writer = Writer(Path(name))
        for shard, pictures in enumerate(shown):
            rows = [_record(10 * shard + n, (writer.image(_png(n)),)) for n in pictures]
            writer.shard(f"s{shard:02}", [*rows, _record(10 * shard + 9)])
        writer.finish()
        index = arrow.read_table(Path(name) / layout.INDEX).to_pylist()
        assert store.open(Path(name)).verify() == []
    first = {}
    for shard, pictures in enumerate(shown):
        for n in pictures:
            first.setdefault(hashlib.sha256(_png(n)).hexdigest(), layout.pack(f"s{shard:02}"))
    assert {row["sha256"]: row["pack"] for row in index} == first and len(index) == len(first)


def test_packs_are_plain_tar_files_that_tell_nothing_of_the_machine(
    tmp_path: Path, png, record
) -> None:
    fill(tmp_path, png, record)
    with tarfile.open(tmp_path / "images/pack-b.tar", "r:") as pack:
        (member,) = pack.getmembers()
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (
            0, 0, 0, "", "",
        )  # fmt: skip
        assert pack.extractfile(member).read() == png(2)
    found = arrow.read_table(tmp_path / "images/index.parquet").to_pylist()
    row = next(row for row in found if row["pack"] == "pack-b.tar")
    data = (tmp_path / "images/pack-b.tar").read_bytes()
    assert data[row["offset"] :][: row["length"]] == png(2)


def test_the_ledger_adds_up_to_the_input(tmp_path: Path, png, record) -> None:
    fill(tmp_path, png, record)
    rows = store.open(tmp_path).ledger().to_pylist()
    assert len(rows) == 9
    kept = {row["key"] for row in rows if row["decision"] == "kept"}
    assert kept == {item.id for item in store.open(tmp_path).records()}
    dropped = [row for row in rows if row["decision"] == "dropped"]
    assert [row["key"] for row in dropped] == ["bad-a", "bad-b", "bad-c"]
    assert {row["reason"] for row in dropped} == {"no picture"}
    assert json.loads((tmp_path / "store.json").read_text())["records"] == 6


def test_nothing_but_the_layout_is_left(tmp_path: Path, png, record) -> None:
    (tmp_path / ".records.parquet.1.tmp").write_bytes(b"left by a killed run")
    fill(tmp_path, png, record)
    assert sorted(tree(tmp_path)) == [
        "images/index.parquet", "images/pack-a.tar", "images/pack-b.tar", "images/pack-c.tar",
        "ledger.parquet", "records/a.parquet", "records/b.parquet", "records/c.parquet",
        "store.json",
    ]  # fmt: skip
    assert not (tmp_path / "parts").exists()


def test_done_says_what_is_on_disk_whole(tmp_path: Path, record) -> None:
    writer = Writer(tmp_path)
    assert not writer.done("a")
    writer.shard("a", [record(1)])
    assert writer.done("a") and Writer(tmp_path).done("a") and not writer.done("b")
    writer.finish()
    assert Writer(tmp_path).done("a")


def test_a_finished_shard_is_left_as_it_is(tmp_path: Path, record) -> None:
    writer = Writer(tmp_path)
    writer.shard("a", [record(1)])
    writer.shard("a", [record(2)])
    writer.finish()
    writer.finish()
    assert [item.source.row for item in store.open(tmp_path).records()] == [1]


def test_corrupt_bytes_are_refused_with_a_reason(tmp_path: Path, png) -> None:
    with pytest.raises(ValueError, match="broken or cut-off"):
        Writer(tmp_path).image(png(1)[:-30])


def test_an_image_that_no_record_uses_is_not_stored(tmp_path: Path, png, record) -> None:
    writer = Writer(tmp_path)
    writer.image(png(1))
    writer.shard("a", [record(1)])
    writer.finish()
    assert not list((tmp_path / "images").glob("*.tar"))


def test_an_image_that_was_not_given_stops_the_shard(tmp_path: Path, png, record) -> None:
    writer = Writer(tmp_path)
    ref = writer.image(png(1))
    writer.shard("a", [record(1, (ref,))])
    with pytest.raises(AssertionError, match="not given"):
        writer.shard("b", [record(2, (ref,))])


def test_two_records_with_one_id_are_refused(tmp_path: Path, record) -> None:
    writer = Writer(tmp_path)
    writer.shard("a", [record(1)])
    writer.shard("b", [record(1)])
    with pytest.raises(AssertionError, match="same id"):
        writer.finish()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path, record) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskError, match="writing shard a .* not a folder"):
        Writer(tmp_path / "file").shard("a", [record(1)])


def test_an_unfinished_store_is_not_opened(tmp_path: Path, record) -> None:
    Writer(tmp_path).shard("a", [record(1)])
    with pytest.raises(UserError, match="never finished"):
        store.open(tmp_path)


def test_a_file_size_limit_is_one_clear_error_and_the_store_goes_on(
    tmp_path: Path, png, record
) -> None:
    writer = Writer(tmp_path)
    rows = [record(n, (writer.image(png(n, 120, 100)),)) for n in range(30)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, hard))
    try:
        with pytest.raises(DiskError, match="writing shard a of the store: a file-size limit"):
            writer.shard("a", rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not writer.done("a")
    again = Writer(tmp_path)
    for n in range(30):
        again.image(png(n, 120, 100))
    again.shard("a", rows)
    again.finish()
    assert store.open(tmp_path).verify() == []
    assert not list(tmp_path.rglob(".*"))


def test_how_much_is_merged_at_once_makes_no_difference(
    tmp_path: Path, png, record, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = []
    for most in (50_000, 1):
        monkeypatch.setattr(merge, "_SORTED", most)
        writer = Writer(tmp_path / str(most))
        for shard in range(6):
            # One picture of its own and one that all have, so that packs are cut.
            images = tuple(writer.image(png(shade)) for shade in (shard, 99))
            writer.shard(f"s{shard}", [record(shard, images)])
        writer.finish()
        trees.append(tree(tmp_path / str(most)))
    assert trees[0] == trees[1]
    opened = store.open(tmp_path / "1")
    assert opened.verify() == [] and len(opened) == 6


def test_a_shard_without_images_waits_with_records_and_ledger_alone(tmp_path: Path, record) -> None:
    writer = Writer(tmp_path)
    writer.shard("b", [record(3, ()), record(2, ())])  # not in the order of their numbers
    writer.shard("a", [record(1, ())], [Dropped(0, "bad", "no text")])
    waiting = tmp_path / layout.PARTS
    names = {one.name for shard in ("a", "b") for one in (waiting / shard).iterdir()}
    assert names == {merge.RECORDS, merge.LEDGER}
    writer.finish()
    ledger = arrow.read_table(tmp_path / "ledger.parquet")
    assert ledger["row"].to_pylist() == [0, 1, 2, 3]
    index = arrow.read_table(tmp_path / "images/index.parquet")
    assert index.num_rows == 0 and index.schema.equals(arrow.INDEX)
