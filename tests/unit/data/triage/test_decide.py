"""Classes and consequences: each rule of the default policy fires where it should."""

import pytest

from pellucid.base.errors import UserError
from pellucid.data.triage.decide import decide
from pellucid.data.triage.interval import Stratum, estimate
from pellucid.recipe.triage import CLASSES, Rule, TriageOptions


def rates(seen: int = 200, **wrong: int) -> dict:
    return {name: estimate([Stratum(100_000, seen, wrong.get(name, 0))]) for name in CLASSES}


@pytest.mark.parametrize(
    ("wrong", "classes", "consequence", "rule"),
    [
        ({}, ("excellent",), "keep", "nothing_wrong"),
        ({"wrong_answers": 20}, ("wrong_answers",), "regenerate", "wrong_answers"),
        ({"wrong_answers": 120}, ("wrong_answers",), "exclude", "too_many_wrong_answers"),
        ({"formatting_errors": 150}, ("formatting_errors",), "repair", "formatting"),
        ({"low_quality_images": 120}, ("low_quality_images",), "exclude", "flawed_images"),
        ({"low_quality_images": 24}, ("low_quality_images",), "repair", "some_bad_images"),
        (
            {"low_quality_questions": 120},
            ("low_quality_questions",),
            "image_as_seed",
            "good_images_bad_questions",
        ),
        (
            {"low_quality_questions": 120, "low_quality_images": 30},
            ("low_quality_questions", "low_quality_images"),
            "exclude",
            "bad_questions",
        ),
        (
            {"wrong_answers": 20, "formatting_errors": 30},
            ("wrong_answers", "formatting_errors"),
            "regenerate",
            "wrong_answers",
        ),
    ],
)
def test_the_report_s_practice(wrong: dict, classes: tuple, consequence: str, rule: str) -> None:
    found = decide(rates(**wrong), "charts", TriageOptions())
    assert (found.classes, found.consequence, found.rule) == (classes, consequence, rule)


def test_what_is_excellent_depends_on_the_category() -> None:
    some = rates(wrong_answers=14)  # 7 %
    assert decide(some, "captions", TriageOptions()).classes == ("excellent",)
    assert decide(some, "charts", TriageOptions()).classes == ("wrong_answers",)
    many = rates(wrong_answers=66)  # 33 %, at least 27 %
    assert decide(many, "maths", TriageOptions()).consequence == "exclude"
    assert decide(many, "charts", TriageOptions()).consequence == "regenerate"


def test_nothing_is_excluded_on_a_few_records() -> None:
    few = decide(rates(10, wrong_answers=4), "charts", TriageOptions())
    assert few.consequence == "regenerate" and not few.sure, "40 % of 10 may be 17 %"
    assert decide(rates(400, wrong_answers=160), "charts", TriageOptions()).sure


def test_one_s_own_rules() -> None:
    rule = Rule(name="mine", present=("wrong_answers",), then="exclude")
    found = decide(rates(wrong_answers=20), "general", TriageOptions(rules=(rule,)))
    assert (found.consequence, found.rule) == ("exclude", "mine")
    with pytest.raises(UserError, match="did you mean 'charts'"):
        decide(rates(), "chart", TriageOptions())
