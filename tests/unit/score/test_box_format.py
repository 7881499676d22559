"""Boxes, points, and the form of a rollout."""

from fractions import Fraction

import pytest

from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.score import SCORERS
from pellucid.score.base import UnreadableGold
from pellucid.score.box import judge, overlap

UNIT = "[0.0, 0.0, 0.4, 0.4]"


def right(text: str, gold: str = UNIT, tolerance: float | None = None) -> bool | None:
    return judge(text, Answer("box", gold, tolerance=tolerance)).right


def test_overlap_by_hand() -> None:
    # 4 x 4 and 4 x 4 shifted by 2: shared 8, union 16 + 16 - 8 = 24.
    one = (Fraction(0), Fraction(0), Fraction(4), Fraction(4))
    two = (Fraction(2), Fraction(0), Fraction(6), Fraction(4))
    far = (Fraction(5), Fraction(5), Fraction(6), Fraction(6))
    assert overlap(one, two) == Fraction(1, 3)
    assert overlap(one, far) == 0 and overlap(one, one) == 1


def test_the_overlap_must_reach_the_tolerance_and_may_equal_it() -> None:
    assert right("[0, 0, 0.4, 0.2]"), "half of the gold: exactly 0.5"
    assert not right("[0, 0, 0.4, 0.1999]")
    assert right("[0, 0, 0.4, 0.1]", tolerance=0.25)
    assert not right("[0, 0, 0.4, 0.2]", tolerance=0.75)


def test_the_last_list_of_four_counts() -> None:
    assert right("[0.5, 0.5, 0.9, 0.9] no: [[0.0,0.0,0.4,0.4]] (0.1, 0.2)")
    assert right("(0, 0, .4, .4)") and right(r"\boxed{[0.0, 0.0, 0.4, 0.4]}")
    assert not right("[0, 0, 0.4, 0.4] or [0.5, 0.5, 0.9, 0.9]")
    assert not right("0, 0, 0.4, 0.4") and not right("[0, 0, 0.4]") and not right("[0, 0, , 0.4]")


@pytest.mark.parametrize(
    "text", ["[0.4, 0.4, 0.0, 0.0]", "[0, 0.4, 0.4, 0]", "[0, 0, 0, 0.4]", "[0, 0, 40, 40]",
             "[-0.1, 0, 0.4, 0.4]", "[0, 0, 0.4, 1.01]"]
)  # fmt: skip
def test_impossible_boxes_are_wrong(text: str) -> None:
    assert right(text) is False


def test_a_point_hits_the_gold_box_borders_included() -> None:
    gold = Answer("point", "[0.2, 0.2, 0.4, 0.4]")
    for text, hit in (
        ("[0.3, 0.3]", True), ("(0.2, 0.4)", True), ("[0.41, 0.3]", False), ("[3, 3]", False),
        ("[0.0, 0.0, 0.6, 0.6]", True), ("[0.0, 0.0, 0.2, 0.2]", False), ("there", False),
        ("[0.9, 0.9], I mean [0.3, 0.3]", True), ("[0.6, 0.6, 0.0, 0.0]", False),
    ):  # fmt: skip
        assert judge(text, gold).right is hit, text


@pytest.mark.parametrize("gold", ["[0.1, 0.2]", "[0.4, 0, 0, 1]", "[0, 0, 10, 10]", "left"])
def test_golds_that_are_no_box_are_unreadable(gold: str) -> None:
    for kind in ("box", "point"):
        with pytest.raises(UnreadableGold):
            judge(UNIT, Answer(kind, gold))  # type: ignore[arg-type]


def test_format_keeps_the_form_of_its_mode(rollout) -> None:
    nothing = Evidence(None)
    check = SCORERS["format"]
    assert check(rollout("3", mode="think", chosen="think"), nothing).value == 1
    assert check(rollout("3", mode="auto", chosen="think"), nothing).value == 1
    assert check(rollout("3", mode="auto", chosen="nothink"), nothing).value == 1
    assert check(rollout("3", mode="think", chosen="nothink"), nothing).value == 0
    assert check(rollout("3", mode="nothink", chosen="think"), nothing).value == 0
    assert check(rollout("3", mode="auto", chosen=None), nothing).value == 0
    assert check(rollout(" ", mode="auto"), nothing).value == 0
    assert check(rollout(None, "truncated"), nothing).value == 0
    assert check(rollout(None, "malformed", chosen=None), nothing).value == 0
    assert check(rollout(None, "failed"), nothing).status == "unscored"
