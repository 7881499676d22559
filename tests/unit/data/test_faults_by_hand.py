"""What single kinds make of a small row, written out; and that no sound row makes any of them fall.

All variants of a kind are listed, so that a lost or a new one is seen.
"""

import copy
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.data.faults import FAULTS
from pellucid.data.faults.corpus import plant_in
from pellucid.data.faults.tags import MISSPELT
from pellucid.data.llava import RowFault, parse_row

Row = dict[str, Any]
THOUGHT = "<think>1 + 1 = 2.</think>"
LETTER = "Which?\nA. red\nB. blue\nAnswer with the option's letter from the given choices directly."
WORD = "How many?\nAnswer the question using a single word or phrase."
TEXT = "Which?\nA. red\nB. blue\nAnswer with the text of the option, without its letter."
BOX = "<image>\nWhere? Answer with a box [x1, y1, x2, y2] in [0, 1]."


def row(*said: str, **fields: Any) -> Row:
    talk = [{"from": "gpt" if at % 2 else "human", "value": text} for at, text in enumerate(said)]
    return {"conversations": talk, **fields}


def number(gold: str) -> Row:
    return {"kind": "number", "gold": gold}


def box(*values: float) -> Row:
    written = "[" + ", ".join(f"{value:.4f}" for value in values) + "]"
    return row(BOX, written, image="p", answer={"kind": "box", "gold": list(values)})


def variants(kind: str, clean: Row) -> list[Row]:
    """Every faulty row that some seed gives, each once."""
    parse_row(clean)
    found: list[Row] = []
    for seed in range(400):
        faulty = FAULTS[kind].plant(copy.deepcopy(clean), Random(seed))
        if faulty not in found and faulty is not None:
            found.append(faulty)
    return found


def said(found: list[Row], at: int) -> set[Any]:
    return {one["conversations"][at]["value"] for one in found}


@pytest.mark.parametrize(
    ("kind", "clean", "at", "expected"),
    [
        ("tag_doubled", row("<image>\nq", "a", image="p"), 0, {"<image>\n<image>\nq"}),
        ("tag_doubled", row("q\n<image>", "a", image="p"), 0, {"q\n<image>\n<image>"}),
        ("tag_doubled", row("Is <image> red?", "a", image="p"), 0, {"Is <image><image> red?"}),
        ("tag_in_every_turn", row("<image>\nq", "a", "r", "b", image="p"), 2, {"<image>\nr"}),
        ("tag_in_reply", row("<image>\nq", "a", image="p"), 1, {"<image>\na"}),
        ("tag_missing", row("<image>\n<image>\nq", "a", image=["p", "q"]), 0, {"<image>\nq"}),
        ("think_opener_missing", row("q", THOUGHT + "2"), 1, {"1 + 1 = 2.</think>2"}),
        ("think_closer_missing", row("q", THOUGHT + "2"), 1,
         {"<think>1 + 1 = 2.2", "<think>1 + 1 = 2. 2", "<think>1 + 1 = 2.\n2"}),
        ("think_closer_is_opener", row("q", THOUGHT + "2"), 1, {"<think>1 + 1 = 2.<think>2"}),
        ("think_after_answer", row("q", THOUGHT + "2"), 1, {"2" + THOUGHT}),
        ("think_tag_doubled", row("q", THOUGHT + "2"), 1,
         {"<think>" + THOUGHT + "2", THOUGHT + "</think>2", "<think>" + THOUGHT + "</think>2"}),
        ("answer_inside_thinking", row("q", THOUGHT + "2", answer=number("2")), 1,
         {f"<think>1 + 1 = 2.\n{end}</think>" for end in (
             "2", "Final answer: 2", "Answer: 2", "**Answer:** 2", "<answer>2</answer>",
             "\\boxed{2}", "The final answer is 2.")}),
        ("thinking_disagrees", row("q", "<think>It is 20.</think>20", answer=number("20")), 1,
         {f"<think>It is {other}.</think>20" for other in (18, 19, 21, 23, 30, 47)}),
        ("thinking_alone", row("q", "<think>Well.</think> 2"), 1, {"<think>Well.</think>"}),
        ("reply_empty", row("q", "a"), 1, {"", " ", "\n", "\n\n", None}),
        ("letter_as_text", row(LETTER, "B", options=["red", "blue"]), 1, {"blue"}),
        ("letter_in_words", row(LETTER, THOUGHT + "B", options=["red", "blue"]), 1,
         {THOUGHT + end for end in (
             "b", "The answer is B.", "Answer: B", "(B)", "B.", "B)", "Option B", "**B**",
             "The correct answer is B.", "The correct option is (B).", "B. blue", "(B) blue",
             "B) blue", "B: blue", "The answer is B. blue")}),
        ("text_as_letter", row(TEXT, "blue", options=["red", "blue"]), 1, {"B", "B.", "(B)", "B)"}),
        ("word_in_sentence", row(WORD, "3", answer=number("3")), 1,
         {"The answer is 3.", "Answer: 3", "It is 3.", "3.", "Sure! The answer is 3.",
          "Based on the image, the answer is 3.", "The correct answer is: 3"}),
        ("reply_echoes_question", row("<image>\nq?", "a", image="p"), 1, {"q?"}),
        ("line_breaks_escaped", row("q\nr", "a\nb"), 1, {"a\\nb"}),
        ("quotes_escaped", row('q "r"', 'a\n"b"'), 1, {'a\\n\\"b\\"'}),
        ("letters_escaped", row("é", "où 😀"), 1, {"o\\u00f9 \\ud83d\\ude00"}),
        ("entities", row("q", "<think>2 < 3</think>'a' & \"b\""), 1,
         {"<think>2 &lt; 3</think>&#39;a&#39; &amp; &quot;b&quot;",
          "<think>2 &lt; 3</think>&apos;a&apos; &amp; &quot;b&quot;"}),
        ("entities_twice", row("q", "2 < 3"), 1, {"2 &amp;lt; 3"}),
        ("tags_escaped", row("<image>\nq", "2 < 3", image="p"), 0, {"&lt;image&gt;\nq"}),
        ("mojibake", row("é", "“à”"), 1,
         {"â\x80\x9cÃ\xa0â\x80\x9d", "â€œÃ\xa0â€\x9d"}),
        ("mojibake_twice", row("q", "é"), 1, {"ÃƒÂ©"}),
        ("letters_lost", row("q", "où"), 1, {"o\ufffd"}),
        ("mode_tag_in_text", row("q", "a", mode="nothink"), 1, {f"{tag}a" for tag in (
            "<notthink>", "<no_think>", "<no-think>", "<NoThink>", "<nonthink>",
            "<nothnik>", "</nothink>", "<no think>", "<|nothink|>", "/no_think")}),
        ("mode_tag_in_text", row("q", "<nothink>a"), 1, {f"{tag}a" for tag in (
            "<notthink>", "<no_think>", "<no-think>", "<NoThink>", "<nonthink>",
            "<nothnik>", "</nothink>", "<no think>", "<|nothink|>", "/no_think")}),
        ("tags_all_missing", row("<image>\nq", "a", image="p"), 0, {"q"}),
        ("box_width_height", box(0.3, 0.1, 0.5, 0.9), 1, {"[0.3000, 0.1000, 0.2000, 0.8000]"}),
        ("box_corners_swapped", box(0.3, 0.5, 0.9, 0.7), 1, {"[0.9000, 0.7000, 0.3000, 0.5000]"}),
        ("box_corners_swapped", box(0.0, 0.5, 0.9, 0.6), 1, {"[0.9000, 0.6000, 0.0000, 0.5000]"}),
        ("box_order_unclear", box(0.3, 0.2, 0.6, 0.5), 1, {"[0.6000, 0.5000, 0.3000, 0.2000]"}),
        ("box_no_area", box(0.3, 0.2, 0.6, 0.5), 1,
         {"[0.3000, 0.2000, 0.3000, 0.5000]", "[0.3000, 0.2000, 0.6000, 0.2000]"}),
        ("box_text_broken", box(0.3, 0.2, 0.6, 0.5), 1,
         {"(0.3000, 0.2000, 0.6000, 0.5000)", "0.3000, 0.2000, 0.6000, 0.5000",
          "<box>0.3000, 0.2000, 0.6000, 0.5000</box>", "[[0.3000, 0.2000, 0.6000, 0.5000]]"}),
        ("box_absolute", box(0.25, 0.1, 0.5, 0.9) | {"image_size": [[1600, 1200]]}, 1,
         {"[400, 120, 800, 1080]"}),
        ("box_thousandths", box(0.25, 0.1, 0.5, 0.9) | {"image_size": [[400, 300]]}, 1,
         {"[250, 100, 500, 900]"}),
        ("box_scale_unclear", box(0.25, 0.1, 0.5, 0.9) | {"image_size": [[800, 1000]]}, 1,
         {"[200, 100, 400, 900]", "[250, 100, 500, 900]"}),
    ],
)  # fmt: skip
def test_a_text_is_spoilt_in_just_these_ways(
    kind: str, clean: Row, at: int, expected: set[Any]
) -> None:
    assert said(variants(kind, clean), at) == expected


@pytest.mark.parametrize(
    ("kind", "clean"),
    [
        ("tag_misspelt", row("<image>\nWhat is `<img>`?", "a", image="p")),
        ("tag_in_every_turn", row("q", "a", "<image>\nr", "b", image="p")),
        ("tag_in_reply", row("<image>\nq", "Write `<image>`.", image="p")),
        ("roles_swapped", row("q", "a")),
        ("turns_out_of_order", row("<image>\nq", "Write `<image>`.", image="p")),
        ("think_after_answer", row("q", THOUGHT + "\n2")),
        ("answer_inside_thinking", row("q", THOUGHT + "3", answer=number("2"))),
        ("thinking_disagrees", row("q", "<think>2, check: 2 - 1 = 1</think>2")),
        ("letter_in_words", row(LETTER, "B")),
        ("word_in_sentence", row(WORD, "three", answer=number("3"))),
        ("line_breaks_escaped", row("q\nr", "Write \\n.")),
        ("entities", row("What is &lt;?", "2 < 3")),
        ("mojibake", row("q", "a")),
        ("mode_tag_in_text", row("q", "a")),
        ("box_absolute", box(0.25, 0.1, 0.5, 0.9) | {"image_size": [[800, 600]]}),
        ("box_thousandths", box(0.25, 0.1, 0.5, 0.9) | {"image_size": [[1600, 1200]]}),
        ("box_absolute", box(0.25, 0.1, 0.5, 0.9)),
        ("box_width_height", box(0.1, 0.1, 0.5, 0.9)),
        ("gold_letter_form", row(LETTER, "B", answer={"kind": "choice", "gold": "B"})),
        ("image_not_there", row("<image>\nHow many?", "3", image="p")),
        ("options_doubled", row("Red or blue?", "red", options=["red", "blue"])),
    ],
)
def test_where_the_row_would_not_tell_a_kind_does_not_apply(kind: str, clean: Row) -> None:
    assert variants(kind, clean) == []


def test_shapes_of_nesting() -> None:
    clean = row("q", "a")
    human, gpt = clean["conversations"]
    shapes = [one["conversations"] for one in variants("turns_nested", clean)]
    assert sorted(map(str, shapes)) == sorted(
        map(str, ([[human, gpt]], [[[human, gpt]]], [[human], [gpt]]))
    )


def test_a_misspelt_tag_may_carry_the_number_of_its_picture() -> None:
    clean = row("<image>\nLike <image>?", "a", "And <image>?", "b", image=["p", "q", "r"])
    found = variants("tag_misspelt", clean)
    assert len(found) == len(MISSPELT) and not any("<image>\n" in one for one in said(found, 0))
    assert {"<img>\nLike <img>?", "<image 1>\nLike <image 2>?"} < said(found, 0)
    assert {"And <img>?", "And <image 3>?"} < said(found, 2)


def test_golds_in_other_forms() -> None:
    options = {"options": ["red", "blue"]}
    clean = row(LETTER, "B", answer={"kind": "choice", "gold": "B"}, **options)
    golds = {one["answer"]["gold"] for one in variants("gold_letter_form", clean)}
    assert golds == {"(B)", "B.", "B)", " B", "Option B", "B. blue", "(B) blue", "b"}
    clean = row("q", "1200", answer=number("1200"))
    golds = {one["answer"]["gold"] for one in variants("gold_number_form", clean)}
    assert {"1,200", " 1200", "1200 ", "$1200", "= 1200", "1200 kg"} < golds


def test_boxes_go_wrong_in_reply_and_gold_alike_and_keep_their_form() -> None:
    clean = box(0.3, 0.1, 0.5, 0.9)
    (listed,) = variants("box_width_height", clean)
    assert listed["answer"]["gold"] == [0.3, 0.1, 0.2, 0.8]
    clean["answer"]["gold"] = "[0.3000, 0.1000, 0.5000, 0.9000]"
    (written,) = variants("box_width_height", clean)
    assert written["answer"]["gold"] == "[0.3000, 0.1000, 0.2000, 0.8000]"


def test_a_duplicated_option_is_never_the_right_one() -> None:
    options = {"options": ["red", "blue"], "answer": {"kind": "choice", "gold": "B"}}
    for one in variants("options_doubled", row(LETTER, "B", **options)):
        assert one["options"] == ["blue", "blue"]
        assert one["conversations"][0]["value"] == LETTER.replace("A. red", "A. blue")


TEXTS = st.text(alphabet="aB é<>&\"'\\\n.0123[], ", max_size=24) | st.sampled_from(
    ("<image>", "<image>\nHow many in the picture?", LETTER, WORD, TEXT, BOX, "A", "B", "red", "12",
     THOUGHT + "2", "<think>a</think>B", "[0.1000, 0.2000, 0.3000, 0.4000]", "[0.1, 0.2]")
)  # fmt: skip
ANSWERS = st.fixed_dictionaries(
    {"kind": st.sampled_from(("number", "choice", "text", "expression", "json")),
     "gold": st.sampled_from(("A", "B", "C", "12", "red", "x", 12, 1.5, {"a": 1}))},
    optional={"aliases": st.lists(TEXTS, max_size=2)},
) | st.fixed_dictionaries(
    {"kind": st.sampled_from(("box", "point", "boxes")),
     "gold": st.sampled_from(([0.1, 0.2, 0.3, 0.4], [[0.1, 0.2, 0.3, 0.4]],
                              "[0.1000, 0.2000, 0.3000, 0.4000]", "[[0, 0, 1, 1]]"))},
)  # fmt: skip
SOUND = st.builds(
    row,
    TEXTS, TEXTS, TEXTS, TEXTS,
    image=st.sampled_from((None, "p", ["p"], ["p", "q"])),
    answer=st.none() | ANSWERS,
    options=st.none() | st.lists(TEXTS, max_size=4),
    mode=st.sampled_from((None, "think", "nothink")),
    image_size=st.none() | st.sampled_from(([], [[640, 480]], [[640, 480], [1600, 1200]])),
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(SOUND, st.booleans(), st.integers(0, 5))
def test_no_sound_row_makes_a_kind_fall(made: Row, short: bool, seed: int) -> None:
    made["conversations"] = made["conversations"][: 2 if short else 4]
    try:
        parse_row(made)
    except RowFault:
        return
    before = copy.deepcopy(made)
    for kind in FAULTS:
        faulty = plant_in(kind, made, Random(seed))
        assert made == before and faulty != made, kind
