"""Verdicts on planted records, by hand: each class, and what only looks like it."""

import json
from pathlib import Path
from random import Random

import pytest
from benchmarks.planted import COPIES, Row, almost, build, drawn, png

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data.contamination.build import find_contamination
from pellucid.data.contamination.page import write_page

LONG = (
    "A train leaves Rome with 37 people on board and 12 of them get off at Pisa in the rain. How "
    "many people stay on the train?"
)
PAGE = drawn("invoices", 1)
EVAL = [
    Row((png(PAGE),), "What was the rent of Arles in 1984?", "310"),
    Row((png(drawn("windows", 2)),), "What was the rent of Bergen in 1985?", "550"),
    Row((), LONG, "25"),
]
CROP = COPIES["cropped <= 10 % a side"][1](PAGE, Random(1))
TRAIN = {
    "full": Row((CROP,), "State how much rent Arles had in 1984.", "310"),
    "image+question": Row((CROP,), "What was the rent of Arles in 1984?", "999"),
    "image only": Row((CROP,), "Which invoice is it?", "310"),
    "text only": Row((png(drawn("charts", 3)),), "State how much rent Arles had in 1984.", "310"),
    "text only, inside": Row((), f"Riddles. One of them: {LONG} Think about it first.", "25"),
    "other town": Row((png(drawn("charts", 3)),), "What was the rent of Cadiz in 1984?", "310"),
    "other year": Row((png(drawn("charts", 3)),), "What was the rent of Arles in 1983?", "310"),
    "other digit": Row((png(almost("invoices", 1)),), "Which page?", "310"),
    "other numbers": Row((), LONG.replace("37", "38").replace("12", "13"), "25"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("contamination")
    build(home / "eval", EVAL, split="test")
    build(home / "train", list(TRAIN.values()), shard_rows=4)
    found = find_contamination([home / "train"], [home / "eval"])
    assert (found.records, found.eval_records, found.eval_found) == (9, 3, 2)
    assert found.verdicts == {"full": 1, "image+question": 1, "text only": 2, "image only": 1}
    return home


def labels(home: Path) -> dict[str, dict[str, str | None]]:
    names = list(TRAIN)
    rows = {record.id: names[record.source.row] for record in store.open(home / "train").records()}
    table = store.read_label(home / "train", "contamination", 2).to_pylist()
    return {rows[row["id"]]: row for row in table}


@pytest.mark.parametrize("name", TRAIN)
def test_the_verdict(home: Path, name: str) -> None:
    planted = name.partition(",")[0]
    expected = None if planted.startswith("other") else planted
    assert labels(home)[name]["verdict"] == expected


def test_the_evidence_names_both_sides(home: Path) -> None:
    row = labels(home)["full"]
    told = json.loads(row["evidence"] or "")
    assert row["eval_dataset"] == "eval" and told["eval_gold"] == told["gold"] == "310"
    shown = store.open(home / "train", home / "eval")
    train, held = told["images"][0]
    assert shown.image(train) == CROP and shown.image(held) == png(PAGE)


def test_the_page_shows_both_pictures_and_escapes_texts(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert write_page([home / "train"], [home / "eval"], page) == 5
    text = page.read_text("utf-8")
    assert text.count("<img alt=") == 6 and 'alt="picture ' in text
    assert "http" not in text and "<script" not in text and 'src="data:image/jpeg' in text
    assert write_page([home / "train"], [home / "eval"], page, most=0) == 0


def test_the_test_records_of_the_same_store_are_not_their_own_contamination(
    tmp_path: Path,
) -> None:
    build(tmp_path / "eval", EVAL, split="test")
    found = find_contamination([tmp_path / "eval"], [tmp_path / "eval"])
    assert found.records == 0 and not any(found.verdicts.values())


def test_a_question_with_many_golds_is_a_template(tmp_path: Path) -> None:
    rows = [
        Row((png(drawn("windows", at)),), "Which width does it show?", str(at)) for at in range(8)
    ]
    build(tmp_path / "eval", rows[:4], split="test")
    other = [Row((png(drawn("charts", 0)),), "Which width does it show?", "1"), *rows[4:]]
    build(tmp_path / "train", other)
    found = find_contamination([tmp_path / "train"], [tmp_path / "eval"])
    assert not any(found.verdicts.values())


def test_what_is_no_store_is_a_user_error(tmp_path: Path) -> None:
    build(tmp_path / "a", EVAL[2:])
    with pytest.raises(UserError, match="is not a record store"):
        find_contamination([tmp_path / "a"], [tmp_path / "none"])


def test_a_small_set_does_not_make_different_questions_one(tmp_path: Path) -> None:
    """An importer's own line and a template's words are most of what these two say."""
    ask = "Which planet is shown in the picture of chapter {}? Answer with the option's letter."
    other = "Which river is shown in the picture of chapter {}? Answer with the option's letter."
    build(tmp_path / "eval", [Row((), ask.format("two"), "B")], split="test")
    build(tmp_path / "train", [Row((), other.format("two"), "B"), Row((), ask.format("two"), "B")])
    found = find_contamination([tmp_path / "train"], [tmp_path / "eval"])
    assert found.verdicts["text only"] == 1
