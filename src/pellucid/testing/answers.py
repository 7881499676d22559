"""Checks of what judges answers: rewards and scorers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pellucid.base.own import FAILS, share
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer, Mode
from pellucid.schema.rollout import Outcome, Rollout
from pellucid.testing.base import Function, called_by, refuse

ANSWERS: Mapping[str, str | None] = {
    "a number": "7",
    "a sentence": "There are 7 bars, I think.",
    "one letter": "B",
    "a box": "[0.1, 0.2, 0.3, 0.4]",
    "JSON that is cut": '{"total": [1, 2',
    "mathematics": r"\boxed{\frac{7}{2}}",
    "white space": " \n\t ",
    "nothing": "",
    "no answer": None,
    "foreign letters": "七 · ७ · é · 🎈",
    "much": "seven " * 20_000,
    "a control token": "<think>7</think>",
    "a large number": "9" * 5000,
}
"""What models write, by what it is."""
PLAIN = ("a number", "a sentence", "one letter", "nothing")
"""Those that a model may well write, whatever it is asked."""
_GOLDS: Mapping[str, Answer] = {
    "a number": Answer("number", "7", (), 0.01),
    "a choice": Answer("choice", "B", ("7",)),
    "a text": Answer("text", "bar"),
    "a box": Answer("box", "[0.1, 0.2, 0.3, 0.4]"),
}


def rollout(
    answer: str | None, *, thinking: str | None = None, outcome: Outcome = "answered"
) -> Rollout:
    """A rollout that gave this answer, as an engine would hand it over.

    Args:
        answer: what follows the thinking; None where none came.
        thinking: what was thought; None for an answer at once.
        outcome: how it ended.
    """
    mode: Mode = "nothink" if thinking is None else "think"
    text = answer or "" if thinking is None else f"{thinking}</think>{answer or ''}"
    ids = tuple(range(len(text.split()) + 1))
    chances = (-0.5,) * len(ids)
    finish = {"truncated": "length", "failed": "error"}.get(outcome, "stop")
    spent = len(thinking.split()) if thinking else 0
    return Rollout(
        "check", mode, mode, "0" * 64, 12, ids, chances, text, thinking, answer, outcome,
        finish, spent, error="the engine stopped" if outcome == "failed" else "",  # type: ignore[arg-type]
    )  # fmt: skip


def rollouts_of(gold: str) -> Iterator[tuple[str, Rollout]]:
    """What every policy gives sooner or later where this is the gold, by what it is."""
    yield "the gold", rollout(gold)
    yield "the gold after thinking", rollout(gold, thinking="I see.")
    for name in PLAIN:
        yield name, rollout(ANSWERS[name])
    yield "truncated", rollout(None, thinking="I see", outcome="truncated")
    yield "malformed", rollout(None, outcome="malformed")
    yield "failed", rollout(None, outcome="failed")


def check_reward(function: Function, **options: Any) -> None:
    """A reward `(rollout, evidence, **options)` gives a number in [0, 1] or None, whatever it sees.

    Rollouts of every outcome, with golds of several kinds, with and without facts; each twice, for
    what it says may depend on nothing else.

    Raises:
        AssertionError: it does not; each fault is listed once, with a case that shows it.
        UserError: there is no such function.
    """
    called = called_by(function)
    faults = [
        (name, fault)
        for name, asked, known in _rollouts()
        for fault in _fault(called, asked, known, options)
    ]
    if not faults and all(called(*case, **options) is None for _, *case in _rollouts()):
        rule = "it says None of everything; a run refuses a reward that never says anything"
        refuse(called, [rule])
    refuse(called, _each_once(faults), len(faults))


def check_scorer(
    function: Function,
    *,
    right: Iterable[tuple[str, Answer]] = (),
    wrong: Iterable[tuple[str, Answer]] = (),
    **options: Any,
) -> None:
    """A scorer `(answer, gold, **options)` gives a verdict on whatever a model writes.

    Args:
        function: what is checked.
        right: answers with their golds that it must give 1.
        wrong: answers with their golds that it must give 0.
        options: keyword arguments of the function.

    Raises:
        AssertionError: it does not; all faults are listed.
        UserError: there is no such function.
    """
    called = called_by(function)
    faults: list[str] = []
    # Answers that are empty or absent are wrong without asking.
    written = {name: text for name, text in ANSWERS.items() if text and text.strip()}
    for name, text in written.items():
        for kind, gold in _GOLDS.items():
            found = _fault(called, text, gold, options)
            faults += [f"{name}, gold {kind}: {fault}" for fault in found]
    for value, cases in ((1.0, right), (0.0, wrong)):
        for text, gold in cases:
            at = f"{text!r} with gold {gold.gold!r}"
            broken = _fault(called, text, gold, options)
            if not broken and (said := called(text, gold, **options)) != value:
                broken = [f"{said!r}, wanted {value:g}"]
            faults += [f"{at}: {fault}" for fault in broken]
    refuse(called, faults)


def _rollouts() -> Iterable[tuple[str, Rollout, Evidence]]:
    """Name, rollout and evidence of every case."""
    facts = {"family": "charts", "bars": [{"label": "ant", "value": 7}]}
    for kind, gold in _GOLDS.items():
        for known in ({}, facts):
            evidence = Evidence(gold, known, 64)
            for name, text in ANSWERS.items():
                if text is not None:
                    at = f"{name}, gold {kind}"
                    yield at, rollout(text), evidence
                    yield f"thinking, then {at}", rollout(text, thinking="7."), evidence
            yield "truncated", rollout(None, thinking="7 and", outcome="truncated"), evidence
            yield "malformed", rollout(None, outcome="malformed"), evidence
            yield "failed", rollout(None, outcome="failed"), evidence


def _fault(
    called: Callable[..., Any], asked: Any, known: Any, options: Mapping[str, Any]
) -> list[str]:
    """What is wrong with one call, asked twice."""
    try:
        said, again = called(asked, known, **options), called(asked, known, **options)
    except FAILS as error:
        return [f"raised {type(error).__name__}: {error}"[:200]]
    try:
        one, two = share(said), share(again)
    except ValueError as error:
        return [f"{error}, wanted a number from 0 to 1 or None"[:200]]
    return [] if one == two else [f"{said!r}, and {again!r} when asked again"]


def _each_once(faults: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each thing that is wrong: where it was met first, and how often again."""
    met: dict[str, list[str]] = {}
    for where, what in faults:
        met.setdefault(what, []).append(f"{where}: {what}")
    return [first + (f" (and {len(rest)} more)" if rest else "") for first, *rest in met.values()]
