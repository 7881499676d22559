"""Faults that no generator of ours plants: mended where certain, else flagged; their like is left.

Each has a neighbour beside it that looks the same and is sound.
"""

import json
from pathlib import Path

import pytest
from PIL import Image
from tests.unit.data.repair.rows import COUNT, TWO, Row, but, row

from pellucid.data.repair import repair
from pellucid.data.repair.file import repair_file


def flags(given: Row) -> list[str]:
    found = repair(given)
    assert found.row == given and not found.changes
    return [flag.op for flag in found.flags]


def test_a_markdown_picture_is_a_tag_where_it_names_the_rows_own() -> None:
    found = repair(but(COUNT, "![](a.png)\nHow many bars are there?"))
    assert found.row == COUNT and not found.flags
    assert [change.op for change in found.changes] == ["tag_spelling"]
    two = repair(but(TWO, "![one](x/a)![two](b)\nWhat changed?"))
    assert two.row["conversations"][0]["value"] == "<image><image>\nWhat changed?"
    # Another picture's name, another order, or a row without pictures: nobody knows, or it is text.
    for given in (
        but(COUNT, "![](other.png)\nHow many bars are there?"),
        but(TWO, "![](b)![](a)\nWhat changed?"),
    ):
        assert "tag_spelling" not in [change.op for change in repair(given).changes]
    text = row("What does ![](a.png) mean in Markdown?", "A picture.", image=None)
    assert repair(text).row == text and not repair(text).changes


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("How many ba<image>rs are there?", ["tag_number"]),
        ("How many bars are in <image>?", []),
        ("Is <image> older?", []),
        ("图<image>中有几根柱子?", []),
        ("<image>how many bars are there?", []),
    ],
)
def test_a_tag_inside_a_word_is_flagged(asked: str, wanted: list[str]) -> None:
    assert flags(but(COUNT, asked)) == wanted


@pytest.mark.parametrize(
    ("replies", "wanted"),
    [
        (("yes", "3"), ["swapped_replies"]),
        (("3", "yes"), []),
        (("yes", "yes"), []),
        (("There are three.", "no"), []),
    ],
)
def test_swapped_replies_are_flagged(replies: tuple[str, str], wanted: list[str]) -> None:
    first, second = replies
    given = row("<image>\nHow many cups are there?", first, "Is the first cup red?", second)
    assert flags(given) == wanted
    either = row("<image>\nHow many are there?", first, "Is it one or two cups?", second)
    assert "swapped_replies" not in flags(either), "a question for either is none for yes or no"


@pytest.mark.parametrize(
    ("said", "cut"),
    [
        ("The chart shows four bars. The tallest of them is blue and stands next to the", True),
        ("Use this:\n```python\nprint(1)\n", True),
        ("The area is $\\frac{1}{2", True),
        ("The chart shows four bars. The tallest of them is blue.", False),
        ("four bars", False),
    ],
)
def test_a_reply_cut_off_is_flagged_on_evidence(said: str, cut: bool) -> None:
    given = row("<image>\nWrite about the chart.", said)
    assert ("cut_off_replies" in flags(given)) is cut


def test_a_picture_that_is_not_in_the_folder_is_flagged(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "pictures" / "a.png")
    rows = [COUNT, {**COUNT, "image": "b.png"}]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    found = repair_file(path, images=tmp_path / "pictures")
    (flag,) = found.operators["absent_picture"].flags
    assert flag[0] == 1 and "'b.png' is not there" in flag[1].reason and found.flagged == 1
    assert repair_file(path).flagged == 0, "where nobody said where pictures lie, nobody looks"
