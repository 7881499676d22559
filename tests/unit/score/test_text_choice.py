"""Words and letters."""

import pytest

from pellucid.schema.record import Answer
from pellucid.score import choice, text


def says(answer: str, gold: str, *aliases: str) -> bool | None:
    return text.judge(answer, Answer("text", gold, aliases)).right


def picks(answer: str, gold: str = "B", *aliases: str) -> bool | None:
    return choice.judge(answer, Answer("choice", gold, aliases)).right


def test_text_ignores_case_space_width_and_outer_punctuation() -> None:
    assert says(' "The  Ｃat"\n', "the cat")
    assert says("Red.", "red") and says(r"It is \boxed{\text{RED}}", "red")
    assert says("The answer is red.", "red") and says("<answer>red</answer>", "red")
    assert says("STRASSE", "straße")


def test_text_keeps_articles_and_inner_marks() -> None:
    assert not says("cat", "the cat")
    assert not says("well known", "well-known")
    assert not says("-5", "5")
    assert not says("dark red", "red")
    assert not says("not red", "red")


def test_text_takes_aliases_and_odd_golds() -> None:
    assert says("grey", "gray", "grey")
    assert says("?!", "?!") and not says("...", "?!")
    assert says("the answer is 42", "the answer is 42")


def test_a_long_gold_is_met_by_the_same_long_text_only() -> None:
    page = "word " * 4000
    assert says(page, page) and not says(page + "more", page)
    tail = page[-text.extract.MAX_CHARS :]
    assert not says(page + tail, tail), "the end of a longer text is not the text"


@pytest.mark.parametrize(
    "answer",
    [
        "B", "b", "(B)", "B.", "[B]", "**B**", "$B$", r"\boxed{B}", r"\text{(B)}", "Answer: B",
        "The answer is B because it is taller.", "The answer is (B) red", "(B) red", "B. red",
        "B: red", "b) red", "Option B", "I think it is option B.", "So (B) it is.", "red", "RED.",
        "<answer>B</answer>", "A is small and C is thin.\nAnswer: **B**", "Answer: B, as drawn",
        "The answer is B 5", "B. red, unlike (C)",
    ],
)  # fmt: skip
def test_choices_that_name_the_gold(answer: str) -> None:
    assert picks(answer, "B", "red")


@pytest.mark.parametrize(
    "answer", ["A", "(A) red", "The answer is C", "blue", "Because", "B or C", "(B) or (C)", "A/B",
               "Either (B) or (D)", "Answer: B, C", "Bob is taller", "B is the tallest or (C)",
               "not sure", "Choice A rather than option B"]
)  # fmt: skip
def test_choices_that_do_not(answer: str) -> None:
    assert not picks(answer, "B", "red")


def test_a_sentence_names_no_letter() -> None:
    assert not picks("A red bar is the tallest.", "A", "green")
    assert not picks("The answer is A red bar", "A", "green")
    assert not picks("Cannot be determined", "C", "green")
    assert not picks("I do not know", "I", "green")
    assert not picks("a", "C") and not picks("As shown", "A")


def test_ambiguity_is_wrong_with_a_reason() -> None:
    both = choice.judge("It is (A) or maybe (B)", Answer("choice", "B"))
    assert both.right is False and "ambiguous: names A, B" in both.why
    row = choice.judge("A or B", Answer("choice", "A"))
    assert row.right is False and "ambiguous" in row.why
    torn = choice.judge("(A) red", Answer("choice", "B", ("red",)))
    assert torn.right is False and "but the text of B" in torn.why


def test_golds_that_are_no_letter_are_compared_as_text() -> None:
    assert picks("Yes.", "yes") and not picks("no", "yes")
    assert picks("3", "3") and picks("three", "3", "three")
