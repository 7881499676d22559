"""Replies that say nothing: a placeholder, a refusal to look, the question again.

Value: 1 for such a reply, else 0. Leaves out on purpose: refusals of harmful requests, which are
answers, and long replies.
"""

import re

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind, question, reply
from pellucid.recipe.triage import ReplySignal
from pellucid.schema.record import Record
from pellucid.score.extract import tidy

_PLACEHOLDERS = frozenset(
    ("", "-", "?", "n/a", "na", "nan", "null", "none", "nil", "todo", "tbd", "undefined", "answer",
     "the answer", "your answer here", "placeholder", "xxx", "lorem ipsum", "no answer", "test")
)  # fmt: skip
_BLIND = re.compile(
    r"\b(?:as an? (?:ai|language model)|i(?:'m| am) (?:sorry|unable)\b"
    r".{0,60}\b(?:image|picture|see|view)"
    r"|(?:can ?not|can't|unable to|not able to) (?:see|view|open|access|display|process)"
    r"\b.{0,30}\b(?:image|picture|photo|figure|file)"
    r"|no (?:image|picture|photo) (?:was|is|has been)? ?(?:provided|attached|given|shown|visible))",
    re.IGNORECASE,
)


def make(context: Context, options: ReplySignal) -> Look:
    """A look at the last reply of a record."""

    def look(record: Record) -> Found:
        said = reply(record).text
        bare = tidy(said).strip("()[]{}<>*_ .")
        gold = tidy(record.answer.gold) if record.answer else None
        if bare in _PLACEHOLDERS and bare != gold:
            return Found(1.0, "formatting_errors", f"the reply is a placeholder: {said[:40]!r}")
        if len(said) <= options.most_characters and _BLIND.search(said):
            return Found(1.0, "wrong_answers", "the reply says that there is nothing to see")
        if len(bare) > 12 and bare == tidy(question(record)):
            return Found(1.0, "wrong_answers", "the reply is the question")
        return Found(0.0)

    return look


SIGNAL = SignalKind(1, make)
