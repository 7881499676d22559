"""Clusters of records: what is one, what is not, and that order says nothing."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.planted import COPIES, Row, almost, build, drawn, png
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data.duplicates import images
from pellucid.data.duplicates.build import find_duplicates
from pellucid.data.duplicates.images import rules
from pellucid.data.duplicates.journal import Journal
from pellucid.store.pixels import examine

STORY = (
    "A baker sells {} loaves in the morning and {} in the afternoon. On the next day the shop "
    "stays closed, and on the third day a few loaves are left over from the evening before, "
    "which the neighbour takes home. How many loaves were sold on the first day?"
)
NOTICE = drawn("notices", 1)
JPEG = COPIES["JPEG 40-95"][1](NOTICE, random.Random(0))
ROWS = {
    "first": Row((png(NOTICE),), "Which room is closed?", "345"),
    "asked otherwise": Row((JPEG,), "Tell me which room is closed, please.", "345"),
    "other question": Row((JPEG,), "Which room is open?", "345"),
    "other gold": Row((png(NOTICE),), "Which room is closed?", "346"),
    "other notice": Row((png(almost("notices", 1)),), "Which room is closed?", "345"),
    "two pictures": Row((png(NOTICE), JPEG), "Which room is closed?", "345"),
    "words": Row((), "What is the capital of Peru, said in one word?", "Lima"),
    "words again": Row((), "what is the capital of peru -- said in one word", "LIMA"),
    "story": Row((), STORY.format(12, 30), "42"),
    "story, one word more": Row((), STORY.format(12, 30) + " Explain.", "42"),
    "story, other numbers": Row((), STORY.format(13, 29), "42"),
}


def clusters(*folders: Path) -> dict[str, dict[str, str | None]]:
    """The labels by the name of the row, which its question and gold give."""
    find_duplicates(folders)
    found = {}
    for folder in folders:
        labels = {row["id"]: row for row in store.read_label(folder, "duplicates", 2).to_pylist()}
        for record in store.open(folder).records():
            shown = tuple(store.open(folder).image(ref.sha256) for ref in record.images)
            row = Row(shown, record.messages[0].text, record.answer.gold if record.answer else "")
            name = next(key for key, one in ROWS.items() if one == row)
            found[name] = labels[record.id]
    return found


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str | None]]:
    folder = tmp_path_factory.mktemp("dups") / "one"
    build(folder, list(ROWS.values()), shard_rows=4)
    return clusters(folder)


def groups(found: dict[str, dict[str, str | None]], column: str) -> set[frozenset[str]]:
    by: dict[str | None, set[str]] = {}
    for name, row in found.items():
        by.setdefault(row[column], set()).add(name)
    return {frozenset(names) for value, names in by.items() if value and len(names) > 1}


def test_a_question_is_one_by_pictures_words_and_gold(once: dict) -> None:
    assert groups(once, "vqa_cluster") == {
        frozenset(("first", "asked otherwise")),
        frozenset(("words", "words again")),
        frozenset(("story", "story, one word more")),
    }


def test_pictures_are_one_across_files_and_not_across_numbers(once: dict) -> None:
    same = frozenset(("first", "asked otherwise", "other question", "other gold"))
    assert groups(once, "image_cluster") == {same}
    assert once["two pictures"]["image_cluster"] not in (None, once["first"]["image_cluster"])
    least = min(store_hash(data) for data in (png(NOTICE), JPEG))
    assert once["first"]["image_cluster"] == least[:32], "the least pixel hash names the cluster"


def store_hash(data: bytes) -> str:
    return examine(data).pixel_sha256


def test_a_short_question_beside_a_picture_is_no_text_of_its_own(once: dict) -> None:
    assert {name for name, row in once.items() if row["text_cluster"]} == {
        name for name in ROWS if name.startswith(("words", "story"))
    }
    assert once["story"]["text_cluster"] != once["story, other numbers"]["text_cluster"]


@settings(max_examples=5, deadline=None)
@given(st.permutations(list(ROWS.values())), st.integers(1, 11), st.integers(1, 10))
def test_order_shards_and_stores_do_not_matter(
    once: dict, tmp_path_factory: pytest.TempPathFactory, rows: list[Row], size: int, cut: int
) -> None:
    home = tmp_path_factory.mktemp("order")
    build(home / "b", rows[:cut], size)
    build(home / "a", rows[cut:], size)
    plain = {
        name: {key: value for key, value in row.items() if key != "id"}
        for name, row in clusters(home / "b", home / "a").items()
    }
    assert plain == {
        name: {key: value for key, value in row.items() if key != "id"}
        for name, row in once.items()
    }


def test_the_same_call_gives_the_same_bytes(tmp_path: Path) -> None:
    build(tmp_path / "a", list(ROWS.values())[:4])
    find_duplicates([tmp_path / "a"])
    home = tmp_path / "a/labels/duplicates@2"
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    find_duplicates([tmp_path / "a"], workers=2)
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before
    assert store.read_label(tmp_path / "a", "duplicates", 2).schema.field("id").type == pa.string()


def test_a_finished_call_finds_nothing_to_do(tmp_path: Path) -> None:
    build(tmp_path / "a", list(ROWS.values())[:4])
    first = find_duplicates([tmp_path / "a"])
    home = tmp_path / "a/labels/duplicates@2"
    stamps = {path: path.stat().st_mtime_ns for path in home.iterdir()}
    assert find_duplicates([tmp_path / "a"]) == first
    assert {path: path.stat().st_mtime_ns for path in home.iterdir()} == stamps
    part = next(home.glob("*.parquet"))
    whole = part.read_bytes()
    part.write_bytes(whole[:-1])
    assert find_duplicates([tmp_path / "a"]) == first and part.read_bytes() == whole
    build(tmp_path / "b", list(ROWS.values())[4:6])
    both = find_duplicates([tmp_path / "a", tmp_path / "b"])
    assert both.records == 6 and find_duplicates([tmp_path / "a"]) == first


def test_without_crops_whole_copies_are_found_and_crops_are_not(tmp_path: Path) -> None:
    """The labels say in their key which of both was done; neither is taken for the other."""
    photo = drawn("photos", 2)
    cut = png(photo.crop((38, 29, 442, 331)))  # 8 % a side
    bigger = png(photo.resize((620, 465)))
    jpeg = COPIES["JPEG 40-95"][1](photo, random.Random(1))
    shown = [png(photo), jpeg, bigger, cut, png(NOTICE), png(almost("notices", 1))]
    build(tmp_path / "a", [Row((one,), "What is shown?", "-") for one in shown], shard_rows=4)

    def joined(crops: bool) -> list[int]:
        find_duplicates([tmp_path / "a"], crops=crops)
        own = {row["id"]: row["image_cluster"] for row in labels(tmp_path / "a")}
        rows = sorted(store.open(tmp_path / "a").records(), key=lambda one: one.source.row)
        names = [own[one.id] for one in rows]
        return [names.index(name) for name in names]

    assert joined(crops=False) == [0, 0, 0, 3, 4, 5]
    assert not (tmp_path / "a/labels/image_signature@2").exists(), "no picture needs a label"
    first = manifest(tmp_path / "a")
    assert joined(crops=True) == [0, 0, 0, 0, 4, 5]
    second = manifest(tmp_path / "a")
    assert (
        first["params"]["crops"] is False
        and second["params"]["crops"]
        and (first["key"] != second["key"])
    )
    assert joined(crops=False) == [0, 0, 0, 3, 4, 5] and manifest(tmp_path / "a") == first


def labels(folder: Path) -> list[dict[str, str]]:
    return store.read_label(folder, "duplicates", 2).to_pylist()


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "labels/duplicates@2/manifest.json").read_text("utf-8"))


def test_what_was_compared_before_a_kill_is_not_compared_again(tmp_path: Path) -> None:
    """Comparisons are kept as they are made; a wrong one that is planted there is believed."""
    build(tmp_path / "a", [ROWS["first"], ROWS["other notice"]])
    alone = find_duplicates([tmp_path / "a"])
    assert alone.image_clusters == 2 and not list((tmp_path / "a/labels").glob(".*"))
    hashes = sorted(read_pictures([tmp_path / "a"]), key=lambda one: one[1])
    pair = np.array([b"".join(sha256 for sha256, _ in hashes)], "S32")
    Journal(tmp_path / "a", rules()).add(pair, np.array([False]), np.array([0.0]))
    for path in (tmp_path / "a/labels/duplicates@2").iterdir():
        path.unlink()
    assert find_duplicates([tmp_path / "a"]).image_clusters == 1
    assert not list((tmp_path / "a/labels").glob(".*"))


def read_pictures(folders: list[Path]) -> list[tuple[bytes, bytes]]:
    found = images.read_pictures(folders)
    return list(zip(found.sha256.tolist(), found.pixels.tolist(), strict=True))


def test_a_store_named_twice_is_a_user_error(tmp_path: Path) -> None:
    build(tmp_path / "a", list(ROWS.values())[:1])
    with pytest.raises(UserError, match="named twice"):
        find_duplicates([tmp_path / "a", tmp_path / "a" / ".." / "a"])
    with pytest.raises(UserError, match="is not a record store"):
        find_duplicates([tmp_path])
