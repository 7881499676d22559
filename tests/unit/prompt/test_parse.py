"""Parsing generated ids: every outcome by hand, and no id sequence that raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.prompt import Parsed
from pellucid.schema.record import assistant, user

QUICK = settings(deadline=None, max_examples=50, derandomize=True)
START, END, THINK, CLOSE, NOTHINK, IMAGE, PAD = 1, 3, 4, 5, 6, 7, 0
SEVEN, EIGHT, NINE = 312, 313, 314
FIRST_BYTE = 32


@pytest.mark.parametrize(
    ("mode", "ids", "parsed"),
    [
        (
            "auto", [THINK, SEVEN, EIGHT, CLOSE, NINE, END],
            Parsed("think", "78", "9", "answered", 2, "<think>78</think>9<|im_end|>"),
        ),
        ("auto", [NOTHINK, NINE, END],
            Parsed("nothink", None, "9", "answered", 0, "<nothink>9<|im_end|>")),
        ("think", [SEVEN, CLOSE, NINE, END],
            Parsed("think", "7", "9", "answered", 1, "<think>7</think>9<|im_end|>")),
        ("nothink", [NINE, END],
            Parsed("nothink", None, "9", "answered", 0, "<nothink>9<|im_end|>")),
        ("nothink", [NINE], Parsed("nothink", None, "9", "answered", 0, "<nothink>9")),
        ("nothink", [END], Parsed("nothink", None, "", "answered", 0, "<nothink><|im_end|>")),
        ("think", [CLOSE, NINE, END],
            Parsed("think", "", "9", "answered", 0, "<think></think>9<|im_end|>")),
    ],
)  # fmt: skip
def test_answers_that_keep_the_form(renderer, mode, ids, parsed):
    assert renderer.parse(ids, mode, "stop") == parsed


@pytest.mark.parametrize(
    ("mode", "ids", "chosen", "thinking"),
    [
        ("auto", [NINE, END], None, None),
        ("auto", [END], None, None),
        ("auto", [], None, None),
        ("think", [SEVEN, END], "think", "7"),
        ("auto", [THINK, SEVEN, CLOSE, EIGHT, CLOSE, NINE, END], "think", "7"),
        ("think", [THINK, SEVEN, CLOSE, NINE, END], "think", "<think>7"),
        ("nothink", [NINE, THINK, END], "nothink", None),
        ("nothink", [SEVEN, CLOSE, NINE, END], "nothink", None),
        ("nothink", [NINE, IMAGE, END], "nothink", None),
        ("nothink", [NINE, END, EIGHT], "nothink", None),
        ("nothink", [NINE, END, END], "nothink", None),
        ("nothink", [NINE, START, END], "nothink", None),
        ("nothink", [PAD, NINE, END], "nothink", None),
        ("nothink", [NINE, 5000, END], "nothink", None),
    ],
)
def test_broken_forms_have_no_answer(renderer, mode, ids, chosen, thinking):
    parsed = renderer.parse(ids, mode, "stop")
    assert (parsed.outcome, parsed.answer) == ("malformed", None)
    assert (parsed.chosen, parsed.thinking) == (chosen, thinking)


def test_a_letter_by_letter_tag_does_not_close_the_thinking(renderer):
    ids = [*renderer.tokenizer.encode_text("7</think>9"), END]
    parsed = renderer.parse(ids, "think", "stop")
    assert (parsed.outcome, parsed.thinking) == ("malformed", "7</think>9")
    assert parsed.thinking_tokens == len(ids) - 1


@pytest.mark.parametrize(
    ("mode", "ids", "thinking"),
    [("think", [SEVEN], "7"), ("think", [SEVEN, CLOSE, NINE], "7"), ("nothink", [NINE], None)],
)
def test_truncated_is_never_an_answer(renderer, mode, ids, thinking):
    parsed = renderer.parse(ids, mode, "length")
    assert (parsed.outcome, parsed.answer, parsed.thinking) == ("truncated", None, thinking)
    assert parsed.thinking_tokens == len(thinking or "")


@pytest.mark.parametrize("reason", ["cancelled", "error"])
def test_broken_off_is_failed(renderer, reason):
    parsed = renderer.parse([NINE], "nothink", reason)
    assert (parsed.outcome, parsed.answer) == ("failed", None)


@QUICK
@given(
    ids=st.lists(
        st.one_of(st.integers(0, 31), st.integers(FIRST_BYTE, 2047), st.integers(-9, 9999))
    ),
    mode=st.sampled_from(["think", "nothink", "auto"]),
    reason=st.sampled_from(["stop", "length", "cancelled", "error"]),
)
def test_nothing_raises_and_only_answered_has_an_answer(renderer, ids, mode, reason):
    parsed = renderer.parse(ids, mode, reason)
    assert (parsed.answer is not None) == (parsed.outcome == "answered")
    assert 0 <= parsed.thinking_tokens <= len(ids)
    prefill = {"think": [THINK], "nothink": [NOTHINK], "auto": []}[mode]
    assert parsed.text == renderer.tokenizer.decode(prefill + ids)
    if mode != "auto":
        assert parsed.chosen == mode


@QUICK
@given(thinking=st.text(min_size=1, max_size=12), answer=st.text(max_size=12))
def test_what_is_rendered_with_a_lead_is_parsed_back(make_renderer, make, thinking, answer):
    renderer = make_renderer().led(" ")
    (shown,) = renderer.examples(make(user("?"), assistant(answer, thinking)))
    ids = [id_ for id_, learnt in zip(shown.ids, shown.supervised, strict=True) if learnt]
    parsed = renderer.parse(ids, "auto", "stop")
    assert (parsed.thinking, parsed.answer) == (thinking, answer)


def test_after_a_lead_a_word_has_the_token_that_it_has_within_a_text(make_renderer, make):
    renderer = make_renderer().led(" ")
    (shown,) = renderer.examples(make(user("The bar is red."), assistant("red")))
    (red,) = renderer.tokenizer.encode_text(" red")
    assert shown.ids.count(red) == 2
