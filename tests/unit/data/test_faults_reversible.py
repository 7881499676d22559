"""Repairable kinds lose nothing: no faulty row could have come from two clean ones.

Searched in small worlds, where every row that differs a little from another is there too, and in a
sample of the clean rows. Searches prove themselves on kinds that do lose something.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import product
from random import Random
from typing import Any

import pytest

from pellucid.data.faults import FAULTS, clean_rows
from pellucid.data.llava import RowFault, parse_row

Row = dict[str, Any]
SEEDS = 8
"""Draws of each kind on each row: their variants meet each other."""
LETTER = "Answer with the option's letter from the given choices directly."
TEXT = "Answer with the text of the option, without its letter."
WORD = "Answer the question using a single word or phrase."


def key(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def clashes(rows: list[Row], kinds: Iterable[str], seeds: int = SEEDS) -> dict[str, list[str]]:
    """Faulty rows by kind that come from two rows, or that are rows of the world themselves."""
    origins = {key(row): key(row) for row in rows}
    assert len(origins) == len(rows)
    found: dict[str, list[str]] = {}
    for kind in kinds:
        for row, seed in product(rows, range(seeds)):
            faulty = FAULTS[kind].plant(row, Random(seed))
            if faulty is not None and origins.setdefault(key(faulty), key(row)) != key(row):
                found.setdefault(kind, []).append(f"{key(faulty)} < {key(row)}")
    return found


def talks() -> Iterator[Row]:
    """Sound rows that differ in tags, speakers, thinking, mode, reply, gold and pictures."""
    tags = ("{}", "<image>\n{}", "<image>{}", "{}\n<image>", "<image>\n{}\n<image>")
    says = ("{}", "<think>It is {}.</think>{}", "<think>It is {}.</think>\n{}",
            "<think>It is {}.</think>\n\n{}", "<think>\nIt is {}.\n</think>{}")  # fmt: skip
    asks = (f"How many in the picture?\n{WORD}", "Où ?\nIci", "Oú ?\nIci", 'Is 2 < 3 & "so"?')
    golds = ({}, {"answer": {"kind": "number", "gold": "7"}})
    pictures = ({}, {"image": None}, {"image": "p"}, {"image": "q"}, {"image": ["p", "q"]})
    speakers = (("human", "gpt"), ("user", "assistant"))
    modes = ({}, {"mode": "think"}, {"mode": "nothink"})
    for tag, say, ask, gold, picture, (human, gpt), mode, reply in product(
        tags, says, asks, golds, pictures, speakers, modes, ("7", "8")
    ):
        # Fewer of those that differ in two things at once, which no single fault does.
        if (gold and reply != "7") or (human == "user" and (picture or gold)):
            continue
        said = say.format(reply, reply) if "think" in say else reply
        talk = [{"from": human, "value": tag.format(ask)}, {"from": gpt, "value": said}]
        yield {"conversations": talk, **picture, **gold, **mode}
    for tag, late, system, reply in product(tags, tags, (True, False), ("7", "8")):
        talk = [
            {"from": "human", "value": tag.format("One?")},
            {"from": "gpt", "value": "7"},
            {"from": "human", "value": late.format("Two?")},
            {"from": "gpt", "value": reply},
        ]
        first = [{"from": "system", "value": "Be brief."}] if system else []
        yield {"conversations": first + talk, "image": ["p"]}
        yield {"conversations": first + talk, "image": ["p", "q"]}


def choices() -> Iterator[Row]:
    """Rows with options that differ in what is asked for, in the options and in the gold."""
    texts = (["red", "blue"], ["blue", "red"], ["red", "A"])
    for form, options, style, at, alias in product(
        (LETTER, TEXT, ""), texts, ("{}. {}", "({}) {}"), (0, 1), (True, False)
    ):
        lines = [style.format("AB"[one], text) for one, text in enumerate(options)]
        asked = "\n".join(("Which?", *lines, *((form,) if form else ())))
        said = options[at] if form == TEXT else "AB"[at]
        answer = {"kind": "choice", "gold": "AB"[at]} | (
            {"aliases": [options[at]]} if alias else {}
        )
        talk = [{"from": "human", "value": asked}, {"from": "gpt", "value": said}]
        yield {"conversations": talk, "options": options, "answer": answer}


def sound(rows: Iterable[Row]) -> list[Row]:
    kept = {}
    for row in rows:
        try:
            parse_row(row)
        except RowFault:
            continue
        # The importer takes a picture without any tag; in no set is it how a picture is shown.
        if not row.get("image") or "<image>" in key(row["conversations"]):
            kept[key(row)] = row
    return list(kept.values())


TALKS, CHOICES = sound(talks()), sound(choices())
MENDS = [kind for kind, fault in FAULTS.items() if fault.repairable]
OTHER_BOXES = ("box_out_of_range", "box_no_area", "box_text_broken")
"""Faults of boxes that are no other reading of four numbers."""
NOT_BOXES = [kind for kind in MENDS if FAULTS[kind].family != "boxes"]


def box_rows(size: tuple[int, int]) -> dict[tuple[float, ...], Row]:
    """A row for each box on a grid of tenths."""
    tenths = [(low / 10, high / 10) for high in range(1, 11) for low in range(high)]
    rows = {}
    for (x1, x2), (y1, y2) in product(tenths, tenths):
        written = "[" + ", ".join(f"{value:.4f}" for value in (x1, y1, x2, y2)) + "]"
        asked = "<image>\nWhere is it? Answer with a box [x1, y1, x2, y2] in [0, 1]."
        talk = [{"from": "human", "value": asked}, {"from": "gpt", "value": written}]
        answer = {"kind": "box", "gold": [x1, y1, x2, y2]}
        rows[(x1, y1, x2, y2)] = {"image": "p", "image_size": [list(size)],
                                  "conversations": talk, "answer": answer}  # fmt: skip
    return rows


def readings(numbers: list[float], size: tuple[int, int]) -> list[tuple[float, ...]]:
    """All boxes that four numbers may mean, in each way that sets write boxes."""
    one, two, three, four = numbers
    if max(numbers) > 1:
        scales = (size * 2, (1000,) * 4)
        boxes = [tuple(round(at / by, 4) for at, by in zip(numbers, scale, strict=True))
                 for scale in scales]  # fmt: skip
    else:
        boxes = [(one, two, three, four), (three, four, one, two),
                 (one, two, round(one + three, 4), round(two + four, 4))]  # fmt: skip
    return [box for box in boxes if 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1]


def test_the_small_worlds_are_worlds() -> None:
    assert len(TALKS) > 400 and len(CHOICES) > 40


@pytest.mark.parametrize("kind", NOT_BOXES)
def test_a_repairable_fault_has_one_origin(kind: str) -> None:
    assert clashes(TALKS, [kind]) == {} and clashes(CHOICES, [kind]) == {}


def test_repairable_faults_of_different_kinds_have_one_origin() -> None:
    """One row may be faulty in two ways at once to two kinds, but was never two clean rows."""
    assert clashes(TALKS, NOT_BOXES, seeds=2) == {} and clashes(CHOICES, NOT_BOXES, seeds=2) == {}


@pytest.mark.parametrize(
    "kind",
    ["tag_missing", "tag_without_image", "image_null_in_list", "think_closer_missing",
     "letters_lost", "turns_empty", "reply_missing", "mode_contradicts", "reply_empty"],
)  # fmt: skip
def test_the_search_finds_two_origins_where_there_are_some(kind: str) -> None:
    assert not FAULTS[kind].repairable and clashes(TALKS, [kind]) != {}


def test_the_search_finds_two_origins_among_options() -> None:
    assert clashes(CHOICES, ["options_not_listed"]) != {}


@pytest.mark.parametrize("size", [(400, 300), (512, 512), (1600, 1200), (900, 2560)])
def test_a_repairable_box_has_one_reading_and_an_unclear_one_has_two(size: tuple[int, int]) -> None:
    seen = set()
    for kind, fault in FAULTS.items():
        if fault.family != "boxes" or kind in OTHER_BOXES:
            continue
        for box, row in box_rows(size).items():
            for seed in range(2):
                faulty = fault.plant(row, Random(seed))
                if faulty is None:
                    continue
                seen.add(kind)
                boxes = readings(faulty["answer"]["gold"], size)
                assert box in boxes and (len(boxes) == 1) == fault.repairable, (kind, box, boxes)
    assert {"box_width_height", "box_corners_swapped", "box_order_unclear"} <= seen


def test_no_repairable_fault_in_a_sample_has_two_origins() -> None:
    for kind in MENDS:
        rows = {}
        for row in clean_rows(5, 400, FAULTS[kind].on):
            # Without ids and file names, which would tell any two rows apart.
            bare = {name: value for name, value in row.items() if name not in ("id", "licence")}
            if bare.get("image"):
                bare["image"] = (
                    "p" if isinstance(bare["image"], str) else ["p"] * len(bare["image"])
                )
            rows[key(bare)] = bare
        assert clashes(list(rows.values()), [kind], seeds=2) == {}
