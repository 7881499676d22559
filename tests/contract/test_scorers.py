"""Every scorer proves itself: gold accepted, perturbed gold rejected, failed unscored, hostile
text rejected within bounded work. A new row of `SCORERS` needs a row of `CASES`.
"""

import signal
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.schema.rollout import Rollout
from pellucid.score import SCORERS

MILLION = 10**6
HANG_S = 60


class Case(NamedTuple):
    gold: Answer | None
    accepted: tuple[str, ...]
    rejected: tuple[str, ...]


CASES = {
    "box": Case(
        Answer("box", "[0.1, 0.2, 0.5, 0.6]"),
        ("[0.1, 0.2, 0.5, 0.6]", "The box is [0.1000, 0.2000, 0.5000, 0.6000]."),
        ("[0.5, 0.2, 0.9, 0.6]", "[0.2, 0.1, 0.6, 0.5, 1]", "[0.5, 0.6, 0.1, 0.2]"),
    ),
    "choice": Case(
        Answer("choice", "C", ("a red bar",)),
        ("C", "(C)", "Answer: C", "a red bar"),
        ("D", "B. a blue bar", "C or D", "Cannot say"),
    ),
    "expression": Case(
        Answer("expression", r"\frac{x^2}{2}"),
        (r"\frac{x^2}{2}", r"\boxed{x^2/2}", "0.5x^2"),
        (r"\frac{x^2}{3}", r"\boxed{x^3/2}", "x"),
    ),
    "format": Case(None, ("anything",), ("", "  \n")),
    "number": Case(
        Answer("number", "1250.5"),
        ("1250.5", "1,250.5 cm", "$1250.50", "The answer is 1250.5."),
        ("1250.4", "1251.5", "-1250.5", "12505", "1250.5 or rather 1250.6"),
    ),
    "text": Case(
        Answer("text", "New York"),
        ("New York", "new  york.", r"\boxed{New York}"),
        ("New Yor", "York New", "New York City", "the New York"),
    ),
}

HOSTILE = {
    "long": "a" * MILLION,
    "digits": "7" * MILLION,
    "grouped": "1,111" * (MILLION // 5),
    "commas": "1," * (MILLION // 2),
    "spaced digits": "1 " * (MILLION // 2),
    "fractions": "1/" * (MILLION // 2),
    "dots": "." * MILLION,
    "blanks": " \t" * (MILLION // 2) + "x",
    "round": "(" * MILLION,
    "square": "[" * (MILLION // 2) + "]" * (MILLION // 2),
    "curly": "{" * MILLION,
    "boxes": r"\boxed{" * (MILLION // 7),
    "closed boxes": r"\boxed{" * 1000 + "}" * 1000,
    "lists": "[0.1, " * (MILLION // 6),
    "blocks": "<answer>" * (MILLION // 8),
    "cues": "answer is " * (MILLION // 10),
    "fracs": r"\frac{" * (MILLION // 6),
    "powers": "9^" * (MILLION // 2) + "9",
    "dollars": "$" * MILLION,
    "letters": "(A) " * (MILLION // 4) + "(B)",
    "combining": "a" + "\u0301\u0323" * (MILLION // 2),
    "ligatures": "\ufdfa" * 50_000,
    "surrogates": "\ud800" * 1000,
    "zeros": "\x00" * 1000,
    "lines": "\n\u2028\r" * 1000 + "x",
}


def rollout(answer: str | None, outcome: str = "answered") -> Rollout:
    return Rollout(
        "1", "nothink", "nothink", "p", 1, (1,), (0.0,), answer or "", None, answer,
        outcome, "error" if outcome == "failed" else "stop", 0,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture(autouse=True)
def hang() -> Iterator[None]:
    """Ends a test that hangs; what it guards takes milliseconds."""

    def stop(number: int, frame: object) -> None:
        raise AssertionError(f"more than {HANG_S} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, HANG_S)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def test_every_scorer_has_its_cases() -> None:
    assert set(CASES) == set(SCORERS)


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_gold_is_accepted_and_perturbed_gold_rejected(name: str) -> None:
    case, check = CASES[name], SCORERS[name]
    for text in case.accepted:
        score = check(rollout(text), Evidence(case.gold))
        assert (score.status, score.value) == ("scored", 1.0), (text, score)
        assert (score.scorer, score.scorer_hash) == (name, check.hash)
    for text in case.rejected:
        score = check(rollout(text), Evidence(case.gold))
        assert (score.status, score.value) == ("scored", 0.0), (text, score)
        assert score.why


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_failed_is_unscored_and_unfinished_is_zero(name: str) -> None:
    case, check = CASES[name], SCORERS[name]
    assert check(rollout(None, "failed"), Evidence(case.gold)).status == "unscored"
    for outcome in ("truncated", "malformed"):
        score = check(rollout(None, outcome), Evidence(case.gold))
        assert (score.status, score.value) == ("scored", 0.0)
        assert outcome in score.why
    if case.gold is not None:
        assert check(rollout(case.accepted[0]), Evidence(None)).status == "unscored"
        assert check(rollout(""), Evidence(case.gold)).value == 0.0


@pytest.mark.parametrize("kind", sorted(HOSTILE))
@pytest.mark.parametrize("name", sorted(set(SCORERS) - {"format"}))
def test_hostile_text_is_rejected_in_bounded_work(name: str, kind: str) -> None:
    score = SCORERS[name](rollout(HOSTILE[kind]), Evidence(CASES[name].gold))
    assert (score.status, score.value) == ("scored", 0.0), score.why[:200]
    assert len(score.extracted or "") <= 10_000
