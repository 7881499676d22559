"""What licences allow goes, nothing else does, and who has the sources gets the whole back."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.data.stores import import_rows, llava, record, write_rows, write_store

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data.publishing.publish import publish
from pellucid.data.publishing.rebuild import needs_sources, rebuild
from pellucid.store import Dropped

SECRET = "nobody may read this"


def said() -> list[dict[str, str]]:
    return [{"from": "human", "value": f"<image>{SECRET}?"}, {"from": "gpt", "value": SECRET}]


def rows() -> list[dict[str, object]]:
    """Nine rows: five free, three not, one broken; the last free one shows a withheld picture."""
    closed = [llava(at, licence="Closed", conversations=said()) for at in (1, 4, 5)]
    broken = llava(6, image="gone.png", id=SECRET)
    return [
        llava(0), closed[0], llava(2), llava(3, licence="CC0-1.0"), closed[1], closed[2], broken,
        llava(7), llava(8, image="4.png"),
    ]  # fmt: skip


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return import_rows(write_rows(tmp_path / "rows", rows()), tmp_path / "whole")


def tree(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def everything(folder: Path) -> bytes:
    """All that a reader of the folder can find: files, and Parquet cells and tar bytes in them."""
    told = [data for name, data in tree(folder).items() if not name.endswith(".parquet")]
    tables = [pq.read_table(path).to_pylist() for path in folder.rglob("*.parquet")]
    return b"".join([*told, repr(tables).encode()])


def test_only_what_is_allowed_goes(whole: Path, tmp_path: Path) -> None:
    done = publish("own", whole, tmp_path / "public", ["mit", "CC0-1.0", "Apache-2.0"])
    public = store.open(done.folder)
    assert public.verify() == []
    kept = [one for one in store.open(whole).records() if one.source.licence != "Closed"]
    assert public.records() == kept, "whole records, their ids unchanged"
    assert (done.records, done.withheld, done.untold) == (5, 3, 1)
    assert done.licences == {"MIT": 4, "CC0-1.0": 1} and done.withheld_licences == {"Closed": 3}
    assert done.unmatched == ("Apache-2.0",)
    assert SECRET.encode() not in everything(done.folder)
    closed = [(tmp_path / "rows" / f"{at}.png").read_bytes() for at in (1, 5)]
    assert not any(image in everything(done.folder) for image in closed)
    assert (done.images, done.shared_images) == (5, 1)


def test_the_ledger_still_adds_up(whole: Path, tmp_path: Path) -> None:
    publish("own", whole, tmp_path / "public", ["MIT"])
    ledger = store.open(tmp_path / "public").ledger().to_pylist()
    assert [row["row"] for row in ledger] == list(range(9))
    assert [row["decision"] for row in ledger].count("kept") == 4
    assert ledger[1]["reason"] == "withheld: licence Closed"
    assert SECRET not in repr(ledger) and "may quote" in ledger[6]["reason"]


def test_what_is_withheld_is_named_by_hashes(whole: Path, tmp_path: Path) -> None:
    publish("own", whole, tmp_path / "public", ["MIT", "CC0-1.0"])
    told = pq.read_table(tmp_path / "public/withheld.parquet").to_pylist()
    records = [row for row in told if row["kind"] == "record"]
    expected = [one for one in store.open(whole).records() if one.source.licence == "Closed"]
    for row, one in zip(records, expected, strict=True):
        assert (row["id"], row["content_hash"]) == (one.id, one.content_hash)
        assert (row["dataset"], row["row"]) == ("own", one.source.row)
        assert row["images"] == [ref.sha256 for ref in one.images]
    assert [(row["kind"], row["row"]) for row in told[3:]] == [("ledger", 6)]


def test_all_allowed_tells_all(whole: Path, tmp_path: Path) -> None:
    """Nothing is withheld: reasons go too, and the published part is the whole."""
    done = publish("own", whole, tmp_path / "public", ["MIT", "CC0-1.0", "Closed"])
    assert (done.withheld, done.untold) == (0, 0) and done.original == done.published
    assert not needs_sources(done.folder)
    assert rebuild(done.folder, [], tmp_path / "again").differences == ()
    assert tree(tmp_path / "again") == tree(whole)


def test_the_whole_comes_back_byte_by_byte(whole: Path, tmp_path: Path) -> None:
    done = publish("own", whole, tmp_path / "public", ["MIT"])
    local = import_rows(tmp_path / "rows/rows.json", tmp_path / "local")
    found = rebuild(done.folder, [local], tmp_path / "again")
    assert found.differences == () and found.got == found.expected == done.original
    assert tree(tmp_path / "again") == tree(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "again", "local", "public", "rows", "whole",
    ]  # fmt: skip


def test_a_store_with_only_the_withheld_rows_is_enough(whole: Path, tmp_path: Path) -> None:
    """Two local stores, neither of which is the whole, in other shards."""
    done = publish("own", whole, tmp_path / "public", ["MIT"])
    records = store.open(whole).records()
    parts = [publish("x", whole, tmp_path / name, [name]).folder for name in ("Closed", "CC0-1.0")]
    gone = next(row for row in store.open(whole).ledger().to_pylist() if row["reason"])
    ledger = write_store(
        tmp_path / "ledger", [record(0)], [Dropped(gone["row"], gone["key"], gone["reason"])]
    )
    found = rebuild(done.folder, [ledger, *parts], tmp_path / "again")
    assert found.differences == () and found.records == len(records)
    assert tree(tmp_path / "again") == tree(whole)


def test_rows_that_differ_are_named(whole: Path, tmp_path: Path) -> None:
    done = publish("own", whole, tmp_path / "public", ["MIT", "CC0-1.0"])
    changed = rows()
    changed[1]["conversations"][1]["value"] = "something else"  # type: ignore[index]
    changed[4]["note"] = "read by nothing, kept in the original"
    del changed[5]
    changed.insert(5, llava(50))
    changed[6]["id"] = "another"
    file = write_rows(tmp_path / "changed", changed)
    local = import_rows(file, tmp_path / "local")
    found = rebuild(done.folder, [local], tmp_path / "again")
    named = {(one.what, one.key, one.hash): one for one in found.differences}
    keys = [f"own, train, row {at}, vqa" for at in (1, 4, 5)]
    assert set(named) == {
        ("record", keys[0], "content_hash"),
        ("record", keys[1], "raw_hash"),
        ("record", keys[2], "content_hash"),
        ("ledger", "row 6", "hash"),
    }
    there = {one.source.row: one.content_hash for one in store.open(local).records()}
    before = {one.source.row: one.content_hash for one in store.open(whole).records()}
    first = named["record", keys[0], "content_hash"]
    assert (first.expected, first.got) == (before[1], there[1])
    assert all(one.got and one.got != one.expected for one in found.differences)
    assert found.got == "" and not (tmp_path / "again").exists()


def test_another_revision_is_another_row(whole: Path, tmp_path: Path) -> None:
    """Ids do not know a revision; the hash of the whole row does."""
    done = publish("own", whole, tmp_path / "public", ["MIT", "CC0-1.0"])
    local = import_rows(tmp_path / "rows/rows.json", tmp_path / "local", revision="2")
    found = rebuild(done.folder, [local], tmp_path / "again")
    assert {(one.what, one.hash) for one in found.differences} == {("record", "hash")}
    assert len(found.differences) == 3


def test_nothing_at_hand_names_every_row(whole: Path, tmp_path: Path) -> None:
    done = publish("own", whole, tmp_path / "public", ["MIT", "CC0-1.0"])
    found = rebuild(done.folder, [], tmp_path / "again")
    assert [one.what for one in found.differences] == ["record"] * 3 + ["ledger"]
    assert all(one.got == "" for one in found.differences)


def test_a_damaged_local_image_is_named(whole: Path, tmp_path: Path) -> None:
    done = publish("own", whole, tmp_path / "public", ["MIT", "CC0-1.0"])
    local = import_rows(tmp_path / "rows/rows.json", tmp_path / "local")
    row = next(one for one in store.open(local).records() if one.source.row == 5)
    place = store.shards.find_images(local, {row.images[0].sha256})[row.images[0].sha256].place
    data = bytearray(place.path.read_bytes())
    data[place.offset + 20] ^= 255
    place.path.write_bytes(bytes(data))
    (one,) = rebuild(done.folder, [local], tmp_path / "again").differences
    assert (one.what, one.hash, one.expected) == ("image", "sha256", row.images[0].sha256)
    assert one.got and "row 5" in one.key


@pytest.mark.parametrize("name", ["ledger.parquet", "images/pack-shard-000000.tar"])
def test_a_damaged_published_folder_is_not_built_on(whole: Path, tmp_path: Path, name: str) -> None:
    done = publish("own", whole, tmp_path / "public", ["MIT"])
    path = done.folder / name
    if name.endswith("parquet"):
        table = pq.read_table(path)
        pq.write_table(table.slice(1), path)
    else:
        data = bytearray(path.read_bytes())
        data[530] ^= 1
        path.write_bytes(bytes(data))
    with pytest.raises(UserError, match="is not as it was published"):
        rebuild(done.folder, [whole], tmp_path / "again")


def test_labels_of_published_rows_go_along(whole: Path, tmp_path: Path) -> None:
    ids = {one.source.row: one.id for one in store.open(whole).records()}
    table = pa.table({"id": [ids[0], ids[1]], "note": ["fine", SECRET]})
    store.write_label(whole, "review", 1, table)
    done = publish("own", whole, tmp_path / "public", ["MIT"])
    assert store.read_label(done.folder, "review", 1).to_pylist() == [
        {"id": ids[0], "note": "fine"}
    ]
    assert SECRET.encode() not in everything(done.folder)
    rebuild(done.folder, [whole], tmp_path / "again")
    assert store.read_label(tmp_path / "again", "review", 1).num_rows == 1


def test_again_is_nothing_and_something_else_is_refused(whole: Path, tmp_path: Path) -> None:
    once = publish("own", whole, tmp_path / "public", ["MIT"])
    before = {path: path.stat().st_mtime_ns for path in once.folder.rglob("*")}
    assert publish("own", whole, tmp_path / "public", ["MIT"]) == once
    assert before == {path: path.stat().st_mtime_ns for path in once.folder.rglob("*")}
    with pytest.raises(UserError, match="exists"):
        publish("own", whole, tmp_path / "public", ["CC0-1.0"])
    with pytest.raises(UserError, match="exists"):
        rebuild(once.folder, [whole], tmp_path / "rows")
    assert rebuild(once.folder, [], whole).got == once.original, "made before, by whatever call"


def test_a_licence_that_no_record_has(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is the licence of no record.*MIT"):
        publish("own", whole, tmp_path / "public", ["GPL-3.0"])
    assert not (tmp_path / "public").exists()


def test_a_damaged_image_is_not_published(whole: Path, tmp_path: Path) -> None:
    pack = next((whole / "images").glob("*.tar"))
    data = bytearray(pack.read_bytes())
    data[530] ^= 255
    pack.write_bytes(bytes(data))
    with pytest.raises(UserError, match="is damaged or missing; record"):
        publish("own", whole, tmp_path / "public", ["MIT", "Closed", "CC0-1.0"])
    assert not (tmp_path / "public").exists()


def test_equal_stores_are_published_in_equal_bytes(whole: Path, tmp_path: Path) -> None:
    local = import_rows(tmp_path / "rows/rows.json", tmp_path / "local")
    one = publish("own", whole, tmp_path / "one", ["MIT"], "seed: 0\n")
    two = publish("own", local, tmp_path / "two", ["MIT"], "seed: 0\n")
    assert tree(one.folder) == tree(two.folder)
    facts = json.loads((one.folder / "publish.json").read_text())
    assert facts["published"]["hash"] == store.manifest(one.folder).hash == one.published


@given(
    licences=st.lists(st.sampled_from(["A", "B", "C"]), min_size=1, max_size=8),
    allow=st.sets(st.sampled_from(["A", "B", "C"]), min_size=1),
    shard_rows=st.integers(1, 4),
    gone=st.integers(0, 2),
)
@settings(max_examples=25, deadline=None)
def test_any_split_of_licences_comes_back(
    licences: Sequence[str], allow: set[str], shard_rows: int, gone: int
) -> None:
    records = [
        replace(one, raw=f"row {row}".encode())
        for row, licence in enumerate(licences)
        for one in [record(row, licence=licence)]
    ]
    dropped = [Dropped(100 + number, f"k{number}", "why") for number in range(gone)]
    with TemporaryDirectory() as name:
        root = Path(name)
        original = write_store(root / "whole", records, dropped, shard_rows)
        if not allow & set(licences):
            with pytest.raises(UserError):
                publish("s", original, root / "public", sorted(allow))
            return
        done = publish("s", original, root / "public", sorted(allow))
        assert store.open(done.folder).verify() == []
        assert done.records == sum(one in allow for one in licences)
        assert done.records + done.withheld == len(records)
        found = rebuild(done.folder, [original], root / "again")
        assert found.got == done.original == store.manifest(original).hash
        assert tree(root / "again") == tree(original)


def test_who_has_another_copy_first_is_asked_by_file_name(whole: Path, tmp_path: Path) -> None:
    """Of two copies of a row the one in the file that sorts first counts, in any order given."""
    done = publish("own", whole, tmp_path / "public", ["MIT", "CC0-1.0"])
    fair = import_rows(tmp_path / "rows/rows.json", tmp_path / "a")
    told = [{**row, "note": "kept in the original"} for row in rows()]
    other = import_rows(write_rows(tmp_path / "noted", told), tmp_path / "b")
    for given_ in ([fair, other], [other, fair]):
        assert rebuild(done.folder, given_, tmp_path / f"again-{given_[0].name}").differences == ()
    fair.rename(tmp_path / "c")
    found = rebuild(done.folder, [tmp_path / "c", other], tmp_path / "never").differences
    assert {(one.what, one.hash) for one in found} == {("record", "raw_hash")}
