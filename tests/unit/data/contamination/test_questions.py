"""Questions without their template: what is asked, of what, with which numbers and options."""

import pytest

from pellucid.data.contamination.questions import (
    Frequencies,
    frequencies,
    plain,
    question,
    same_gold,
)
from pellucid.data.questions.same import compare
from pellucid.data.questions.template import same_options
from pellucid.data.questions.wording import wording

MANY = [
    question(f"What is the price of {item} in {town}?", "1")
    for item in ("tea", "milk", "salt", "rice", "soap")
    for town in ("Rome", "Oslo", "Bonn", "Lyon", "Cork")
]


def same(one: str, other: str) -> bool:
    a, b = question(one, "7"), question(other, "7")
    return same_options(a.options, b.options) and compare(wording(a.text), wording(b.text)).same


def test_the_words_of_a_template_are_looked_up_last() -> None:
    known = Frequencies(frequencies(MANY))
    assert known.rarest(["price", "tea", "zebra"], 2) == ["zebra", "tea"]


def test_what_differs_is_what_is_asked_about() -> None:
    assert same("What is the price of tea in Rome?", "In Rome, how much is the tea?")
    assert not same("What is the price of tea in Rome?", "What is the price of milk in Rome?")
    assert not same("What is the price of tea in Rome?", "What is the price of tea in Oslo?")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Add 12 and 30 apples.", "Add 12 and 31 apples."),
        ("Is the disc left of the box?", "Is the box left of the disc?"),
        ("Which city?\nA. Rome\nB. Oslo", "Which city?\nA. Bonn\nB. Lyon"),
        ("", "What is it?"),
    ],
)
def test_other_numbers_order_or_options_are_another_question(one: str, other: str) -> None:
    assert not same(one, other)


def test_how_to_answer_is_not_looked_up() -> None:
    asked = question("Which lake?\nA. Como\nB. Garda\nAnswer with the option's letter.", "B")
    assert asked.words == ("lake",) and asked.options == {"como", "garda"}


def test_options_may_stand_in_another_order_and_say_what_the_letter_means() -> None:
    one = question("Which city?\nA. Rome\nB. Oslo", "B", lettered=True)
    other = question("Which city?\n(A) Oslo\n(B) Rome", "A", lettered=True)
    assert same_options(one.options, other.options) and same_gold(one, other)
    assert one.golds == {"oslo"} and one.words == ("city",)
    assert same_gold(one, question("Which city is it?", "Oslo."))
    assert not same_gold(one, question("Which city?\nA. Oslo\nB. Rome", "B", lettered=True))


def test_numbers_have_one_form() -> None:
    assert plain("1,200.50") == plain("1200.5") != plain("120.05")
    assert plain("-3") != plain("3") and plain("5 %") != plain("5")
