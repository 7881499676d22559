"""Where records and images lie: any ids, absent ones, ids in two stores, many rows on the disk."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.schema.record import Source
from pellucid.store import Writer, arrow, keys, layout, spill
from pellucid.store.spill import Log, Sorter

# The fixtures hold nothing that an example changes.
LOOSE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FEW = settings(LOOSE, max_examples=25)
WORDS = st.integers(0, 2**64 - 1)
ROWS = st.lists(st.tuples(WORDS | st.integers(0, 3), st.integers(0, 3)), max_size=300)


@pytest.fixture(params=["held", "on disk"])
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds so small that a few rows pass through the disk."""
    if request.param == "on disk":
        monkeypatch.setattr(spill, "_BUFFER_ROWS", 7)
        monkeypatch.setattr(spill, "_HELD_BYTES", 40)
    monkeypatch.setattr(spill, "_STEP", 4)
    monkeypatch.setattr(spill, "_BLOCK_ROWS", 8)


def sorter(rows: list[tuple[int, int]], pieces: int) -> Sorter:
    made = Sorter(2)
    for piece in np.array_split(np.array(rows, np.uint64).reshape(-1, 2), pieces):
        made.add(piece)
    return made


@LOOSE
@given(rows=ROWS, pieces=st.integers(1, 5), absent=WORDS)
def test_rows_come_sorted_and_are_found(
    small: None, rows: list[tuple[int, int]], pieces: int, absent: int
) -> None:
    made = sorter(rows, pieces).sorted()
    expected = sorted(rows)
    assert [tuple(row) for block in made.blocks() for row in block.tolist()] == expected
    assert len(made) == len(rows)
    for word in {first for first, _ in rows} | {absent, 0, 2**64 - 1}:
        found = [tuple(row) for row in made.find(word).tolist()]
        assert found == [row for row in expected if row[0] == word]
    firsts = [first for first, _ in rows]
    again = sorted({row for row in rows if firsts.count(row[0]) > 1})
    assert [tuple(row) for row in made.repeated().tolist()] == again
    assert made.twice() == (len(set(rows)) < len(rows))


@LOOSE
@given(one=ROWS, two=ROWS, bits=st.integers(0, 60))
def test_two_are_gone_through_side_by_side(
    small: None, one: list[tuple[int, int]], two: list[tuple[int, int]], bits: int
) -> None:
    """Every row once, in order, and equal first words in one piece, also where they are crowded."""
    one, two = ([(first >> bits, second) for first, second in rows] for rows in (one, two))
    pieces = list(sorter(one, 1).sorted().beside(sorter(two, 2).sorted()))
    for at, rows in enumerate((one, two)):
        assert [tuple(row) for piece in pieces for row in piece[at].tolist()] == sorted(rows)
    ends = [{int(word) for word in np.concatenate([a[:, 0], b[:, 0]])} for a, b in pieces]
    assert sum(map(len, ends)) == len(set().union(*ends))


@given(
    texts=st.lists(st.text(max_size=70) | st.text("0123456789abcdef", max_size=70), max_size=9),
    numbers=st.lists(st.integers(0, 2**128 - 1), max_size=9),
)
def test_digests_tell_texts_apart(texts: list[str], numbers: list[int]) -> None:
    alone = [tuple(keys.digests(pa.array([one]))[0].tolist()) for one in texts]
    whole = keys.digests(pa.array(texts, pa.string())).tolist()
    assert [tuple(row) for row in whole] == alone, "whatever stands beside it"
    assert len(set(alone)) == len(set(texts))
    ids = sorted(f"{number:032x}" for number in numbers)
    rows = keys.digests(pa.array(ids, pa.string())).tolist()
    assert rows == sorted(rows), "ids sort as their texts"


@LOOSE
@given(pieces=st.lists(st.binary(max_size=60), max_size=8), at=st.integers(0, 99))
def test_a_log_gives_back_what_it_took(small: None, pieces: list[bytes], at: int) -> None:
    log, whole = Log(), b"".join(pieces)
    for piece in pieces:
        log.append(piece)
    log.flush()
    assert log.size == len(whole)
    assert log.read(at, 30) == whole[at : at + 30]


@given(ids=st.lists(st.text(max_size=80), min_size=1, max_size=20), pad=st.text("0", max_size=3))
def test_a_fingerprint_does_not_depend_on_the_column(ids: list[str], pad: str) -> None:
    column = pa.array([pad, *ids])
    told = keys.fingerprints(column).tolist()
    assert told == [keys.fingerprint(one) for one in [pad, *ids]]
    assert keys.fingerprints(column.slice(1)).tolist() == told[1:]
    same = pa.chunked_array([pa.array([one.zfill(70)[:70]]) for one in ids])
    assert keys.fingerprints(same).tolist() == [keys.fingerprint(x.zfill(70)[:70]) for x in ids]


@given(hashes=st.lists(st.binary(min_size=32, max_size=32), max_size=8))
def test_words_of_hashes_keep_their_order(hashes: list[bytes]) -> None:
    texts = [one.hex() for one in hashes]
    words = keys.words_of(pa.array(texts, pa.string()))
    assert [keys.hex_of(row) for row in words] == texts
    assert [keys.word_of(text) for text in texts] == [tuple(row) for row in words.tolist()]
    ordered = words[np.lexsort(words.T[::-1])]
    assert [keys.hex_of(row) for row in ordered] == sorted(texts)


@pytest.mark.parametrize("text", ["", "ab", "AB" * 32, "é" * 32, "g" * 64])
def test_what_is_no_hash_has_no_words(text: str) -> None:
    assert keys.word_of(text) == ()
    with pytest.raises(ValueError):
        keys.words_of(pa.array([text]))


def renamed(folder: Path, shards: list[list[str]], record, dataset: str) -> Path:  # type: ignore[no-untyped-def]
    """A store whose records have these ids, whatever their content."""
    writer = Writer(folder)
    number = 0
    for name, ids in zip("abc", shards, strict=False):
        rows = []
        for _ in ids:
            rows.append(record(number, source=Source(dataset, "train", number, "MIT")))
            number += 1
        writer.shard(name, rows)
    writer.finish()
    for name, ids in zip("abc", shards, strict=False):
        path = folder / layout.records(name)
        table = arrow.read_table(path)
        arrow.write_table(path, table.set_column(0, "id", pa.array(ids, pa.string())))
    return folder


IDS = st.lists(st.text(max_size=12), min_size=1, max_size=12, unique=True)


@FEW
@given(ids=IDS, cut=st.integers(0, 12), absent=st.text(max_size=12))
def test_any_ids_are_found_and_absent_ones_are_not(
    tmp_path_factory: pytest.TempPathFactory, record, ids: list[str], cut: int, absent: str
) -> None:
    folder = tmp_path_factory.mktemp("store")
    shards = [part for part in (ids[:cut], ids[cut:]) if part]
    opened = store.open(renamed(folder, shards, record, "set"))
    assert len(opened) == len(ids)
    assert [opened.get(id).source.row for id in ids] == list(range(len(ids)))
    assert opened.facts(["id"])["id"].to_pylist() == ids, "rows are numbered as the ids come"
    if absent not in ids:
        with pytest.raises(KeyError):
            opened.get(absent)


@FEW
@given(ids=IDS, other=IDS)
def test_an_id_in_two_stores_is_refused_and_only_that(
    tmp_path_factory: pytest.TempPathFactory, record, ids: list[str], other: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    one = renamed(folder / "1", [ids], record, "one")
    two = renamed(folder / "2", [other], record, "two")
    if set(ids) & set(other):
        with pytest.raises(UserError, match="hold a record twice"):
            store.open(one, two)
    else:
        both = store.open(two, one)
        assert [both.get(id).source.dataset for id in ids] == ["one"] * len(ids)


def test_equal_fingerprints_are_told_apart(
    tmp_path: Path, record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.store.places.fingerprint", lambda id: 7)
    monkeypatch.setattr(
        "pellucid.store.places.fingerprints", lambda ids: np.full(len(ids), 7, np.uint64)
    )
    opened = store.open(renamed(tmp_path, [["x", "y"], ["z"]], record, "set"))
    assert [opened.get(id).source.row for id in "xyz"] == [0, 1, 2]
    with pytest.raises(KeyError):
        opened.get("w")


def test_blocks_of_files_that_reach_into_one_another_keep_the_stable_order(
    tmp_path: Path, record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.store.places._BLOCK_ROWS", 1)
    writer = Writer(tmp_path)
    for name, numbers in (("a", (5, 1)), ("b", (3, 0)), ("c", (9, 8)), ("d", (7, 6))):
        writer.shard(name, [record(number) for number in numbers])
    writer.finish()
    opened = store.open(tmp_path)
    blocks = [block["row"].to_pylist() for block in opened.fact_blocks(["row"])]
    assert blocks == [[0, 1, 3, 5], [6, 7], [8, 9]]
    assert [one.source.row for one in opened.records()] == [0, 1, 3, 5, 6, 7, 8, 9]
    told = [one.question.split()[-1] for one in opened.asked(stable=True)]
    assert told == ["0?", "1?", "3?", "5?", "6?", "7?", "8?", "9?"]


def test_an_image_of_two_stores_is_read_from_the_first(tmp_path: Path, png, record) -> None:
    for name in ("1", "2"):
        writer = Writer(tmp_path / name)
        ref = writer.image(png(7))
        writer.shard("s", [record(int(name), (ref,))])
        writer.finish()
    (tmp_path / "1/images/pack-s.tar").unlink()
    both = store.open(tmp_path / "2", tmp_path / "1")
    assert both.image(ref.sha256) == png(7)
    assert both.has_image(ref.sha256) and not both.has_image("0" * 64)
    for lookup in (both.image, both.pixel_hash):
        with pytest.raises(KeyError):
            lookup("no hash")


def test_packs_beyond_those_kept_open_are_read_too(
    tmp_path: Path, png, record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.store.places._OPEN_PACKS", 1)
    writer, refs = Writer(tmp_path), []
    for number in range(3):
        refs.append(writer.image(png(number)))
        writer.shard(f"s{number}", [record(number, (refs[-1],))])
    writer.finish()
    opened = store.open(tmp_path)
    for _ in range(2):
        assert [opened.image(ref.sha256) for ref in refs] == [png(n) for n in range(3)]
