"""Clean rows are clean: sound, true to their gold, without contradictions, and of many forms."""

from collections import Counter

import pytest

from pellucid.data.faults import FORMS, clean_rows
from pellucid.data.faults.base import images, option_labels, tags, texts
from pellucid.data.llava import parse_row
from pellucid.score import judged

ROWS = list(clean_rows(11, 6000))


def test_every_clean_row_is_sound_and_its_reply_is_its_gold() -> None:
    forms = Counter()
    for row in ROWS:
        found = parse_row(row)
        forms[row["task"]] += 1
        if found.answer is not None:
            said = found.messages[-1].text
            assert judged(said, found.answer) != 0, (said, found.answer)
    assert set(forms) == set(FORMS) and min(forms.values()) > 0.6 * len(ROWS) / len(FORMS)


def test_no_two_clean_rows_answer_one_question_differently() -> None:
    said: dict[object, str] = {}
    for row in ROWS:
        found = parse_row(row)
        asked = (found.images, found.messages[:-1])
        assert said.setdefault(asked, found.messages[-1].text) == found.messages[-1].text


def test_rows_are_a_function_of_seed_and_number() -> None:
    assert list(clean_rows(11, 300)) == ROWS[:300]
    assert list(clean_rows(12, 300)) != ROWS[:300]
    assert {row["task"] for row in clean_rows(11, 50, ("point", "read"))} == {"point", "read"}


def test_some_rows_share_a_picture_and_ask_another_question() -> None:
    shared = Counter(name for row in ROWS for name in images(row))
    assert 50 < sum(count > 1 for count in shared.values()) < 0.2 * len(ROWS)


def test_options_stand_in_the_question_in_three_styles() -> None:
    rows = [row for row in ROWS if row["task"] in ("choice", "choice_text")]
    starts = Counter(labels[0][:2] for row in rows if (labels := option_labels(row)))
    assert sum(starts.values()) == len(rows) and set(starts) == {"A.", "A)", "(A"}


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("an entity that is meant", lambda row: any("&lt;" in text for text in texts(row))),
        ("a backslash that is meant", lambda row: any("\\n" in text for text in texts(row))),
        ("mojibake that is meant", lambda row: any("Ã©" in text for text in texts(row))),
        ("a tag in a reply", lambda row: "<image>" in row["conversations"][-1]["value"]),
        ("thinking", lambda row: "</think>" in row["conversations"][-1]["value"]),
        ("a tag later than first", lambda row: tags(row) and row["task"] == "dialogue"
            and "<image>" not in "".join(t["value"] for t in row["conversations"][:2])),
        ("no picture", lambda row: not images(row)),
        ("four pictures", lambda row: len(images(row)) == 4),
        ("a system's turn", lambda row: row["conversations"][0]["from"] == "system"),
        ("other speakers", lambda row: row["conversations"][-1]["from"] == "assistant"),
        ("Chinese", lambda row: any("图" in text for text in texts(row))),
        ("a joiner inside a word", lambda row: any("\u200c" in text for text in texts(row))),
        ("four numbers that are no box", lambda row: row["task"] == "values"
            and row["conversations"][-1]["value"].startswith("[")),
        ("a box of the whole picture", lambda row: row.get("answer", {}).get("gold")
            in ([0.0, 0.0, 1.0, 1.0], "[0.0000, 0.0000, 1.0000, 1.0000]")),
        ("one question twice", lambda row: row["task"] == "series"
            and row["conversations"][-4:-2] == row["conversations"][-2:]),
        ("a mode", lambda row: row.get("mode") == "nothink"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_looks_like_a_fault_is_there(what: str, found: object) -> None:
    assert callable(found) and sum(bool(found(row)) for row in ROWS) >= 3, what
