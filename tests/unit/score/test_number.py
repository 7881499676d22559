"""Numbers: how they are spelt, which one is the answer, how near is near enough."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.schema.record import Answer
from pellucid.score.base import UnreadableGold
from pellucid.score.number import judge, numbers


def right(text: str, gold: str, tolerance: float | None = None) -> bool | None:
    return judge(text, Answer("number", gold, tolerance=tolerance)).right


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-12.50", Fraction(-25, 2)),
        ("−3", -3),
        (".5", Fraction(1, 2)),
        ("1,234,567.5", Fraction(2469135, 2)),
        ("1{,}234", 1234),
        ("1.2e-3", Fraction(12, 10000)),
        ("1.2 x 10^5", 120000),
        ("1.2×10⁵", 120000),
        (r"3 \times 10^{-2}", Fraction(3, 100)),
        ("3/4", Fraction(3, 4)),
        ("1 3/4", Fraction(7, 4)),
        ("1½", Fraction(3, 2)),
        ("½", Fraction(1, 2)),
        (r"-\frac{3}{4}", Fraction(-3, 4)),
        (r"2\frac{1}{2}", Fraction(5, 2)),
        ("$1,200", 1200),
        ("-$5", -5),
        ("€ 7 per head", 7),
        ("12cm²", 12),
        ("90°", 90),
        ("１２", 12),
    ],
)
def test_spellings(text: str, value: int | Fraction) -> None:
    assert [number.exact for number in numbers(text)] == [value]


@pytest.mark.parametrize(
    "text", ["H2O", "x^2", "1.2.3", "1,23", "3/4/5", "1/0", "1e99999", "9" * 50, "twelve", ""]
)
def test_no_number(text: str) -> None:
    assert numbers(text) == []


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_integers_are_read_back_with_and_without_commas(value: int) -> None:
    for text in (str(value), f"{value:,}"):
        assert [number.exact for number in numbers(text)] == [value]


@given(st.decimals(min_value=-(10**6), max_value=10**6, places=4, allow_nan=False))
def test_decimals_are_read_back(value: object) -> None:
    assert [number.exact for number in numbers(f"about {value:f} cm")] == [Fraction(str(value))]


def test_which_number_is_the_answer() -> None:
    assert right("3 + 4 = 7", "7")
    assert not right("3 + 4 = 7", "3")
    assert right("The answer is 12, because 3 times 4 is 12 and 5 is not 4.", "12")
    assert right("12 bars", "12")
    assert right(r"2, 3, so \boxed{5}. Not 6.", "5")
    assert right("5 - 3 is 2", "2") and not right("5 - 3", "-3")
    assert right("2019-2021", "2021"), "a hyphen after a digit is no sign"
    assert not right("no idea", "3")


def test_marks_are_dropped_or_applied_but_never_mixed() -> None:
    assert right("27%", "27") and right("27 percent", "27") and right("27", "27%")
    assert right("27%", "0.27") and right("0.27", "27%")
    assert not right("2700%", "27%")
    assert right("1.4 billion", "1400000000") and right("1.4 billion", "1.4")
    assert not right("1.4 billion", "1.4 million") and not right("27 million", "27%")


def test_tolerance_is_relative_exact_and_includes_its_edge() -> None:
    assert right("10.5", "10", 0.05) and right("9.5", "10", 0.05)
    assert not right("10.51", "10", 0.05)
    assert right("1000000.9", "1000000") and not right("1000001.1", "1000000")
    assert not right("0.3333", "1/3")
    assert not right("0.0001", "0", 0.5) and right("-0", "0")
    assert not right("-12", "12", 0.1)


def test_a_gold_that_is_no_number_is_unreadable() -> None:
    for gold in ("red", "3 and 4", ""):
        with pytest.raises(UnreadableGold):
            judge("3", Answer("number", gold))
