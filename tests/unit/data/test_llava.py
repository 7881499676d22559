"""One LLaVA row at a time: what becomes of it, or what is said against it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.llava import RowFault, parse_answer, parse_row
from pellucid.schema.record import Part


def row(*said: str, **fields: object) -> dict:
    turns = [
        {"from": "human" if number % 2 == 0 else "gpt", "value": text}
        for number, text in enumerate(said)
    ]
    return {"conversations": turns, **fields}


def text(value: str) -> Part:
    return Part("text", value)


def image(index: int) -> Part:
    return Part("image", image=index)


def test_images_stand_where_their_tags_stand() -> None:
    found = parse_row(
        row(
            "Is <image>\nlike\n<image> or not?",
            "No.",
            "And <image>?",
            "Yes.",
            image=["a", "b", "c"],
        )
    )
    assert found.messages[0].content == (
        text("Is "),
        image(0),
        text("like"),
        image(1),
        text(" or not?"),
    )
    assert found.messages[2].content == (text("And "), image(2), text("?"))
    assert found.images == ("a", "b", "c")


def test_images_without_tags_come_first() -> None:
    found = parse_row(row("What changed?", "A cup.", image=["a.png", "b.png"]))
    assert found.messages[0].content == (image(0), image(1), text("What changed?"))


@pytest.mark.parametrize("given", [{}, {"image": None}, {"image": []}])
def test_a_row_may_have_no_image(given: dict) -> None:
    found = parse_row(row("2 + 2?", "4", **given))
    assert found.images == () and found.messages[0].content == (text("2 + 2?"),)


def test_a_tag_in_a_reply_is_text() -> None:
    found = parse_row(row("Write HTML.", "<image> is no tag of mine"))
    assert found.messages[1].text == "<image> is no tag of mine"


def test_a_conversation_nested_twice_is_unwrapped_once() -> None:
    plain = row("a", "b")
    nested = {"conversations": [plain["conversations"]]}
    assert parse_row(nested).messages == parse_row(plain).messages
    with pytest.raises(RowFault, match="is not a turn"):
        parse_row({"conversations": [[plain["conversations"]]]})


def test_thinking_becomes_reasoning_and_never_stays_in_text() -> None:
    found = parse_row(row("q", "<think> 1 + 1 = 2. </think>\n2")).messages[1]
    assert (found.text, found.reasoning, found.mode) == ("2", "1 + 1 = 2.", "think")
    empty = parse_row(row("q", "<think></think>2")).messages[1]
    assert (empty.text, empty.reasoning, empty.mode) == ("2", None, "nothink")


def test_mode_may_silence_the_thinking() -> None:
    last = parse_row(row("q", "<think>a</think>2", mode="nothink")).messages[1]
    assert (last.mode, last.reasoning) == ("nothink", "a")


def test_a_system_turn_and_the_other_names_of_the_speakers() -> None:
    turns = [
        {"from": "system", "value": "Be brief."},
        {"from": "user", "value": "q"},
        {"from": "assistant", "value": "a"},
    ]
    found = parse_row({"conversations": turns}).messages
    assert [turn.role for turn in found] == ["system", "user", "assistant"]


def test_fields_and_original_are_kept() -> None:
    given = row("q", "a", split="test", task="t", domain="d", group="g", licence="MIT", extra=[1])
    found = parse_row(given)
    assert (found.split, found.task, found.domain, found.group, found.licence) == (
        "test", "t", "d", "g", "MIT",
    )  # fmt: skip
    assert json.loads(found.raw) == given


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "is not an object"),
        ({}, "is no conversation"),
        ({"conversations": []}, "is no conversation"),
        ({"conversations": ["hello"]}, "is not a turn"),
        ({"conversations": [{"from": "humman", "value": "q"}]}, "is not a speaker"),
        ({"conversations": [{"from": "human"}]}, "missing text"),
        (row("   ", "a"), "empty"),
        (row("q"), "ends without a reply"),
        (row("q", "a", "q"), "ends without a reply"),
        ({"conversations": [{"from": "gpt", "value": "a"}]}, "turn 0 is assistant"),
        (row("<image>", "a"), "1 <image> tags, 0 images"),
        (row("<image><image> q", "a", image="x.png"), "2 <image> tags, 1 images"),
        (row("q", "<image>", "<image>", "a", image=["x", "y"]), "1 <image> tags, 2 images"),
        (row("q", "a", image=3), "is no image path"),
        (row("q", "a", image=["x", ""]), "is no image path"),
        (row("q", "<think>never closed"), "stray thinking tag"),
        (row("q", "a <think>late</think>"), "stray thinking tag"),
        (row("q", "<think>only</think> "), "gives no answer"),
        (row("q", "a", mode="think"), "nothing to think with"),
        (row("q", "a", mode="auto"), "is not a mode"),
        (row("q", "a", split="tset"), "is not a split"),
        (row("q", "a", task=7), "is no text for `task`"),
        (row("q", "half a pair \ud83d"), "half of a surrogate pair"),
    ],
)
def test_faulty_rows_are_refused(value: object, says: str) -> None:
    with pytest.raises(RowFault, match=says):
        parse_row(value)


def test_the_fix_names_the_nearest() -> None:
    with pytest.raises(RowFault) as caught:
        parse_row(row("q", "a", split="tset"))
    assert caught.value.fix == "did you mean 'test'?"


@pytest.mark.parametrize(
    ("kind", "gold", "kept"),
    [
        ("number", "12.50", "12.50"),
        ("number", 7, "7"),
        ("number", "-1e3", "-1e3"),
        ("choice", "B", "B"),
        ("text", " a b ", " a b "),
        ("box", [0.1, 0, 0.5, 1], "[0.1000, 0.0000, 0.5000, 1.0000]"),
        ("box", "[0.1, 0.2, 0.33333, 0.4]", "[0.1000, 0.2000, 0.3333, 0.4000]"),
        ("boxes", [[0, 0, 1, 1], [0.5, 0.5, 1, 1]],
         "[[0.0000, 0.0000, 1.0000, 1.0000], [0.5000, 0.5000, 1.0000, 1.0000]]"),
        ("point", [0.5, 0.25, 0.75, 0.5], "[0.5000, 0.2500, 0.7500, 0.5000]"),
        ("json", {"a": 1}, '{"a": 1}'),
        ("json", '{"a":1}', '{"a":1}'),
    ],
)  # fmt: skip
def test_gold_answers_take_the_form_of_their_kind(kind: str, gold: object, kept: str) -> None:
    answer = parse_answer({"kind": kind, "gold": gold, "aliases": ["x"], "tolerance": 0.5})
    assert (answer.gold, answer.aliases, answer.tolerance) == (kept, ("x",), 0.5)


@pytest.mark.parametrize(
    "value",
    [
        "B",
        {"gold": "1"},
        {"kind": "number"},
        {"kind": "nummber", "gold": "1"},
        {"kind": "number", "gold": "twelve"},
        {"kind": "number", "gold": True},
        {"kind": "number", "gold": "1", "tolerence": 0.1},
        {"kind": "number", "gold": "1", "tolerance": -1},
        {"kind": "number", "gold": "1", "aliases": "1.0"},
        {"kind": "choice", "gold": "yes"},
        {"kind": "text", "gold": ""},
        {"kind": "box", "gold": [10, 20, 30, 40]},
        {"kind": "box", "gold": [0.5, 0, 0.1, 1]},
        {"kind": "box", "gold": "somewhere"},
        {"kind": "boxes", "gold": []},
        {"kind": "point", "gold": [0.1, 0.2]},
        {"kind": "box", "gold": [0.1, 0.2, 0.1, 0.4]},
        {"kind": "box", "gold": [0.1, 0.2, 0.10001, 0.4]},
        {"kind": "json", "gold": "{"},
    ],
)
def test_gold_answers_of_the_wrong_form_are_refused(value: object) -> None:
    with pytest.raises(RowFault):
        parse_answer(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["conversations", "from", "value", "image", "answer", "kind", "gold"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_a_row_or_a_fault(value: object) -> None:
    try:
        assert parse_row(value).messages[-1].role == "assistant"
    except RowFault as fault:
        assert fault.rule and fault.fix


STEP = {"op": "teach.answer", "version": 1, "params_hash": "ab", "parents": ["r"], "calls": ["c"]}


def test_a_row_says_what_made_it() -> None:
    found = parse_row(row("q", "a", lineage=STEP)).lineage
    assert [(one.op, one.calls, one.parents) for one in found] == [("teach.answer", ("c",), ("r",))]
    assert parse_row(row("q", "a", lineage="from a friend")).lineage == ()
    with pytest.raises(RowFault, match="is no step of lineage"):
        parse_row(row("q", "a", lineage={**STEP, "calls": "c"}))
