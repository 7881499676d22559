"""One hash for what a store holds: blind to layout, not blind to anything else."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.data.stores import png, record, write_store

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.schema.record import Answer, LineageStep, Record, Source, assistant, user
from pellucid.store import Dropped, Writer, layout

TEXT = st.text(max_size=6)


def test_a_store_by_hand(tmp_path: Path) -> None:
    """The definition, spelt out with nothing but the standard library."""
    one = record(1)
    folder = write_store(tmp_path / "s", [one], [Dropped(2, "k", "why")])

    def sha(value: object) -> bytes:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).digest()

    row = pq.read_table(folder / "records/shard-000.parquet").to_pylist()[0]
    row["raw"] = hashlib.sha256(row["raw"]).hexdigest()
    ledger = [
        {"row": 1, "key": one.id, "decision": "kept", "reason": ""},
        {"row": 2, "key": "k", "decision": "dropped", "reason": "why"},
    ]
    parts = {
        "records": [1, hashlib.sha256(sha(row)).hexdigest()],
        "images": [0, hashlib.sha256(b"").hexdigest()],
        "ledger": [2, hashlib.sha256(b"".join(sorted(map(sha, ledger)))).hexdigest()],
    }
    found = store.manifest(folder)
    assert found.parts() == parts
    assert found.hash == sha(parts).hex()


@given(
    order=st.permutations(range(7)),
    shard_rows=st.integers(1, 8),
    cut=st.integers(0, 7),
)
@settings(max_examples=25, deadline=None)
def test_layout_does_not_matter(order: list[int], shard_rows: int, cut: int) -> None:
    """Order of rows, size of shards, and one folder or two."""
    records = [record(row, "a\u0000b\U0001f600" * row) for row in range(7)]
    mixed = [records[at] for at in order]
    gone = [Dropped(7, "x", "r"), Dropped(8, "y", "r")]
    with TemporaryDirectory() as name:
        root = Path(name)
        whole = store.manifest(write_store(root / "whole", records, gone))
        other = store.manifest(write_store(root / "other", mixed, gone, shard_rows))
        halves = [
            write_store(root / "a", mixed[:cut], gone[:1], shard_rows),
            write_store(root / "b", mixed[cut:], gone[1:], shard_rows),
        ]
        assert other == whole
        assert store.manifest(*halves) == whole


def changed(one: Record) -> list[tuple[str, Record]]:
    step = LineageStep("op", 2, "p", ("parent",), ("call",))
    source = one.source
    return [
        ("said", record(1, "no")),
        ("licence", replace(one, source=replace(source, licence="X"))),
        ("revision", replace(one, source=replace(source, revision="2"))),
        ("group", replace(one, source=replace(source, group="g"))),
        ("domain", replace(one, domain="other")),
        ("difficulty", replace(one, difficulty=0.5)),
        ("difficulty that is none", replace(one, difficulty=float("nan"))),
        ("evidence", replace(one, evidence={"a": 1})),
        ("lineage", replace(one, lineage=(step,))),
        ("calls", replace(one, lineage=(replace(step, calls=()),))),
        ("raw", replace(one, raw=b"original")),
        ("tolerance", replace(one, answer=Answer("text", "yes", (), 0.0))),
        ("mode", replace(one, messages=(user("Is it 1?"), replace(assistant("yes"), mode=None)))),
    ]


def test_every_field_of_a_record_counts(tmp_path: Path) -> None:
    one = record(1)
    plain = store.manifest(write_store(tmp_path / "plain", [one]))
    found = {plain.records.sha256: "plain"}
    for name, other in changed(one):
        told = store.manifest(write_store(tmp_path / name, [other]))
        assert told.records.sha256 not in found, (name, found[told.records.sha256])
        found[told.records.sha256] = name


@given(
    a=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4),
    b=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_equal_hashes_mean_equal_ledgers(
    a: list[tuple[str, str]], b: list[tuple[str, str]]
) -> None:
    """The ledger is a multiset: a row that stands twice is not one that stands once."""
    with TemporaryDirectory() as name:
        hashes = [
            store.manifest(
                write_store(
                    Path(name) / side, [record(0)], [Dropped(1, key, why) for key, why in rows]
                )
            ).hash
            for side, rows in (("a", a), ("b", b))
        ]
    assert (hashes[0] == hashes[1]) == (sorted(a) == sorted(b))


def with_images(folder: Path, shards: int) -> Path:
    """Four records of two pictures each, one of them shown by all."""
    writer = Writer(folder)
    records = []
    for row in range(4):
        refs = (writer.image(png(0)), writer.image(png(row + 1, 20)))
        shown = (user(0, 1, f"Which, {row}?"), assistant("left"))
        records.append(record(row, images=refs, messages=shown))
    for number in range(shards):
        for ref in (png(0), *(png(row + 1, 20) for row in range(4))):
            writer.image(ref)
        writer.shard(f"s{number}", records[number::shards])
    writer.finish()
    return folder


def test_images_count_once_wherever_they_lie(tmp_path: Path) -> None:
    one, two = with_images(tmp_path / "one", 1), with_images(tmp_path / "two", 2)
    assert store.manifest(one) == store.manifest(two)
    assert store.manifest(one).images.count == 5


@pytest.mark.parametrize("at", [0, -1])
def test_a_flipped_bit_of_an_image_is_seen(tmp_path: Path, at: int) -> None:
    folder = with_images(tmp_path / "s", 2)
    before = store.manifest(folder)
    rows = pq.read_table(folder / layout.INDEX).to_pylist()
    place = rows[0]
    pack = folder / "images" / place["pack"]
    data = bytearray(pack.read_bytes())
    data[place["offset"] + at % place["length"]] ^= 1
    pack.write_bytes(bytes(data))
    after = store.manifest(folder)
    assert after.images != before.images and after.records == before.records


def test_a_pack_that_ends_early_is_seen(tmp_path: Path) -> None:
    folder = with_images(tmp_path / "s", 1)
    before = store.manifest(folder)
    pack = next((folder / "images").glob("*.tar"))
    pack.write_bytes(pack.read_bytes()[:900])
    assert store.manifest(folder).images != before.images


def test_labels_and_store_json_are_outside(tmp_path: Path, record_table: Any) -> None:
    folder = write_store(tmp_path / "s", [record(1)])
    before = store.manifest(folder)
    store.write_label(folder, "flag", 1, record_table(folder))
    assert store.manifest(folder) == before


@pytest.fixture
def record_table() -> Callable[[Path], Any]:
    import pyarrow as pa

    def table(folder: Path) -> Any:
        ids = store.open(folder).facts()["id"].to_pylist()
        return pa.table({"id": ids, "bad": [True] * len(ids)})

    return table


def test_a_damaged_file_is_the_users_to_mend(tmp_path: Path) -> None:
    folder = write_store(tmp_path / "s", [record(1)])
    path = folder / "records/shard-000.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="is damaged"):
        store.manifest(folder)


def test_sources_differ(tmp_path: Path) -> None:
    """Equal conversations of two sources are two records."""
    other = record(1, source=Source("other", "train", 1, "MIT"))
    a = store.manifest(write_store(tmp_path / "a", [record(1)]))
    b = store.manifest(write_store(tmp_path / "b", [other]))
    assert a.records != b.records
