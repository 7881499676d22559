"""Counts of a store against counts by hand, and against Python over every record."""

import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from tests.unit.data.stores import import_rows, llava, record, write_rows, write_store

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data.looking import query
from pellucid.data.looking.page import html
from pellucid.data.looking.query import ask
from pellucid.data.looking.stats import stats
from pellucid.schema.record import Answer, LineageStep, Part, Turn, user
from pellucid.store import Dropped


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Records of all shapes, three to a shard, and two input rows that became none."""
    thinking = Turn("assistant", (Part("text", "42"),), "think", "six times seven")
    several = (user("a?"), Turn("assistant", (Part("text", "é😀"),), None), user("b?"), thinking)
    records = [
        record(0, "yes"),
        record(1, "no", split="test", answer=None, licence="CC0-1.0"),
        record(2, messages=several, answer=Answer("number", "42"), task="sum"),
        record(3, "", lineage=(LineageStep("op", 1, "x"), LineageStep("op", 1, "y"))),
    ]
    gone = [
        Dropped(4, "four", "'a.png' does not exist in the image folder"),
        Dropped(5, "five", "'it\\'s b.png' does not exist in the image folder"),
        Dropped(6, "six", "None turn 1 is assistant, expected user"),
        Dropped(7, "seven", "has 100 x 200 pixels, more than 50"),
    ]
    return write_store(tmp_path / "mixed", records, gone)


def test_counts_by_hand(mixed: Path) -> None:
    found = stats([mixed])
    assert (found.records, found.images, found.pictures, found.image_bytes) == (4, 0, 0, 0)
    assert found.tables == {
        "source": {"set": 4},
        "task": {"ask": 3, "sum": 1},
        "domain": {"tests": 4},
        "licence": {"MIT": 3, "CC0-1.0": 1},
        "split": {"train": 3, "test": 1},
        "mode": {"nothink": 3, "think": 1},
        "answer": {"text": 2, "none": 1, "number": 1},
        "turns": {"2": 3, "4": 1},
        "images": {"0": 4},
    }
    assert found.licences == [("set", "CC0-1.0", 1), ("set", "MIT", 3)]
    assert found.steps == {"op@1": 1}, "a record counts once for an operation, however often"


def test_lengths_are_characters(mixed: Path) -> None:
    """Code points, of all turns of one side: é and an emoji are one each."""
    lengths = stats([mixed]).lengths
    reply = lengths["reply"]
    assert (reply.records, reply.least, reply.median, reply.p95, reply.most) == (3, 2, 3, 4, 4)
    assert reply.total == 3 + 2 + 4
    assert reply.bins == {"2-3": 2, "4-7": 1}
    assert (lengths["thinking"].records, lengths["thinking"].most) == (1, len("six times seven"))
    assert lengths["question"].total == 3 * len("Is it 0?") + 4


def test_reasons_count_together(mixed: Path) -> None:
    assert stats([mixed]).ledger == {
        "kept": 4,
        "does not exist in the image folder": 2,
        "has N x N pixels, more than N": 1,
        "turn N is assistant, expected user": 1,
    }


def test_images_count_once_and_pictures_by_their_pixels(tmp_path: Path) -> None:
    from io import BytesIO

    from PIL import Image

    rows = [llava(1), llava(2), llava(3, image=["1.png", "again.png"])]
    file = write_rows(tmp_path / "rows", rows)
    out = BytesIO()
    Image.open(tmp_path / "rows/1.png").save(out, "PNG", compress_level=0)
    (tmp_path / "rows/again.png").write_bytes(out.getvalue())
    found = stats([import_rows(file, tmp_path / "store")])
    assert (found.images, found.pictures) == (3, 2)
    assert found.tables["images"] == {"1": 2, "2": 1}
    assert found.sizes.sizes == {"9 x 8": 2, "10 x 8": 1}
    assert found.sizes.grid == [(8, 8, 3)]
    assert sum(found.sizes.megapixels.values()) == 3 and found.sizes.different == 2


def test_two_stores_count_as_one(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "rows", [llava(number) for number in range(6)])
    a = import_rows(file, tmp_path / "a", dataset="a")
    b = import_rows(file, tmp_path / "b", dataset="b")
    found = stats([a, b])
    assert found.records == 12 and found.tables["source"] == {"a": 6, "b": 6}
    assert found.images == 6, "the same files in both"


def test_against_every_record(tmp_path: Path) -> None:
    """Over a drawn source: what columns say is what records say."""
    from pellucid.data import build_source
    from pellucid.recipe.data import ChartsScene, ScenesSource

    build_source("c", ScenesSource(scene=ChartsScene(), scenes=5), 0, tmp_path / "c")
    found, opened = stats([tmp_path / "c"]), store.open(tmp_path / "c")
    records = opened.records()
    for name, told in (
        ("task", [one.task for one in records]),
        ("split", [one.source.split for one in records]),
        ("mode", [one.messages[-1].mode for one in records]),
        ("answer", [one.answer.kind if one.answer else "none" for one in records]),
        ("turns", [str(len(one.messages)) for one in records]),
    ):
        assert found.tables[name] == Counter(told), name
    said = [
        sum(len(turn.text) for turn in one.messages if turn.role == "assistant") for one in records
    ]
    assert found.lengths["reply"].total == sum(said)
    assert found.lengths["reply"].median == sorted(said)[(len(said) + 1) // 2 - 1]
    thought = sorted(
        length
        for one in records
        if (length := sum(len(turn.reasoning or "") for turn in one.messages))
    )
    assert found.lengths["thinking"].records == len(thought)
    assert found.lengths["thinking"].p95 == thought[-(-95 * len(thought) // 100) - 1]
    sizes = {ref.sha256: (ref.width, ref.height) for one in records for ref in one.images}
    assert sum(count for _, _, count in found.sizes.grid) == len(sizes) == found.images


def test_labels_are_broken_down(mixed: Path) -> None:
    ids = sorted(store.open(mixed).facts()["id"].to_pylist())
    told = pa.table({"id": ids, "flag": [True, False, True, None], "score": [0.1, 0.2, 0.3, 0.4]})
    store.write_label(mixed, "triage", 3, told)
    (label,) = stats([mixed]).labels
    assert (label.name, label.records) == ("triage@3", 4)
    assert label.columns == {"flag": {"True": 2, "False": 1, "None": 1}}


def test_a_damaged_store_is_told_in_a_line(mixed: Path) -> None:
    (mixed / "records/shard-000.parquet").write_bytes(b"PAR1 not at all")
    with pytest.raises(UserError, match="cannot be read"):
        stats([mixed])


def test_odd_paths_are_no_patterns(tmp_path: Path) -> None:
    folder = tmp_path / "it's [a] *?"
    write_store(folder, [record(0)])
    assert stats([folder]).records == 1


def test_the_page_is_whole_and_says_what_its_pictures_show(mixed: Path) -> None:
    page = html("<b>mixed</b> & more", stats([mixed])).decode("utf-8")
    assert "<b>mixed" not in page and "&lt;b&gt;mixed" in page
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", page)
    alts = re.findall(r'<img src="data:image/svg\+xml;base64,[^"]+" alt="([^"]+)">', page)
    assert len(alts) == page.count("<img")
    assert "By licence, records: MIT 3, CC0-1.0 1." in alts
    assert page == html("<b>mixed</b> & more", stats([mixed])).decode("utf-8"), "equal bytes"


def test_a_name_with_a_dollar_and_a_tag_is_drawn_as_it_stands(tmp_path: Path) -> None:
    folder = write_store(tmp_path / "s", [record(0, task="$x_1$ <i>|</i>" + "y" * 60)])
    page = html("s", stats([folder])).decode("utf-8")
    assert "<i>" not in page


def test_no_reply_no_picture(tmp_path: Path) -> None:
    found = stats([write_store(tmp_path / "s", [record(0, "")])])
    assert found.lengths["reply"].records == 0
    assert b"Length of the replies" not in html("s", found)


def test_the_database_fetches_nothing_and_prints_nothing(mixed: Path) -> None:
    """A bar after two seconds would stand in the middle of `--json`."""
    names = ("enable_progress_bar", "autoinstall_known_extensions", "autoload_known_extensions")
    with ask(store=[mixed]) as asker:
        told = [asker.row(f"SELECT current_setting('{name}') AS told")["told"] for name in names]
    assert told == [False, False, False]


def test_parts_add_up(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of many files is counted some files at a time."""
    whole = stats([mixed])
    monkeypatch.setattr(query, "_PART_BYTES", 1)
    assert stats([mixed]) == whole


def test_texts_in_labels_are_no_categories(tmp_path: Path) -> None:
    """JSON, and what nearly every record has of its own, is told by its number alone."""
    ids = [record(row).id for row in range(20)]
    folder = write_store(tmp_path / "s", [record(row) for row in range(20)])
    told = {
        "id": ids,
        "verdict": ["full", None] * 10,
        "evidence": ['{"page": 1}', '{"page": 2}'] * 10,
        "eval_id": [f"e{row}" if row < 6 else None for row in range(20)],
        "cluster": [f"c{row // 2}" for row in range(20)],
        "reasons": [[f"row {row} is odd"] if row < 7 else None for row in range(20)],
        "ops": [["choices"]] * 20,
    }
    store.write_label(folder, "contamination", 1, pa.table(told))
    (label,) = stats([folder]).labels
    assert label.columns == {
        "verdict": {"None": 10, "full": 10},
        "cluster": {f"c{n}": 2 for n in range(10)},
        "ops": {"['choices']": 20},
    }
    assert label.texts == {"evidence": 2, "eval_id": 6, "reasons": 7}
