"""Thinking whose last values are not the answer: right steps to another end, or the wrong ones.

Value: 1 when the answer's number or letter does not stand at the end of the thinking, else 0. Only
numbers and choices are compared; a reply that does not think, or answers without its thinking
(mode `nothink`), is not looked at.
"""

import re

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind, reply
from pellucid.recipe.triage import ThinkingEndSignal
from pellucid.schema.record import Record
from pellucid.score.extract import final_answer

_NUMBER = re.compile(r"-?\d[\d,]*\.?\d*|-?\.\d+")
_LETTER = re.compile(r"\b[A-H]\b")
_RESULT = re.compile(
    r"(?:=|\b(?:is|are|be|gives?|get|makes?|total|answer)\b)[\s:$*]{0,4}(-?\d[\d,]*\.?\d*|-?\.\d+)",
    re.IGNORECASE,
)
_END_CHARS = 160
"""How much of the end of the thinking is read."""


def make(context: Context, options: ThinkingEndSignal) -> Look:
    """A look at the end of the thinking."""

    def look(record: Record) -> Found | None:
        turn = reply(record)
        if not turn.reasoning or turn.mode != "think" or record.answer is None:
            return None
        said, end = final_answer(turn.text).text, turn.reasoning[-_END_CHARS:]
        if record.answer.kind == "number":
            wanted, there = _numbers(said), _results(end)
        elif record.answer.kind == "choice":
            wanted, there = set(_LETTER.findall(said)), set(_LETTER.findall(end))
        else:
            return None
        if not wanted or not there or wanted & there:
            return Found(0.0) if wanted and there else None
        why = f"the thinking ends with {', '.join(sorted(there)[:3])}, the answer is {said[:20]}"
        return Found(1.0, "wrong_answers", why)

    return look


def _results(text: str) -> set[str]:
    """What a text comes to: numbers after `=`, `is` and the like, and the last; else all."""
    stated = _RESULT.findall(text)
    return _numbers(" ".join([*stated, *_NUMBER.findall(text)[-1:]])) if stated else _numbers(text)


def _numbers(text: str) -> set[str]:
    """The numbers of a text, written alike: 1,200.50 is 1200.5."""
    return {f"{float(bare):g}" for one in _NUMBER.findall(text) if (bare := _bare(one))}


def _bare(number: str) -> str:
    return number.replace(",", "").rstrip(".")


SIGNAL = SignalKind(1, make)
