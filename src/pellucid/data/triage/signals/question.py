"""Questions that are none, or that are about a picture that is not there.

Value: 1 for such a question, else 0. Leaves out on purpose: whether a question makes sense, which
takes a reader.
"""

import re
from collections import Counter

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind, question
from pellucid.recipe.triage import QuestionSignal
from pellucid.schema.record import Record

_SHOWN = re.compile(
    r"\b(?:in|of|from|on) (?:the|this|these|that) (?:given |above |following |attached )?"
    r"(?:images?|pictures?|photos?|photographs?|figures?|diagrams?|screenshots?)\b"
    r"|\b(?:see|shown in|according to) (?:the|this) (?:image|picture|figure|diagram|photo)\b",
    re.IGNORECASE,
)
# Not after what LaTeX's arguments stand behind: `\text{ first}`, `\frac{a}{b}`, `x^{n}`.
_HOLES = re.compile(
    r"(?<![\w\\}\]^])\{\{?\s?[a-z]{3,}(?:_[a-z]+)*\s?\}\}?(?!\w)"
    r"|<(?:question|prompt|input|placeholder)>|\[(?:object|question)\]"
)
_MANY_WORDS = 8


def make(context: Context, options: QuestionSignal) -> Look:
    """A look at the last question of a record."""

    def look(record: Record) -> Found:
        asked = question(record)
        words = re.findall(r"\w+", asked)
        if len(words) < options.least_words and not re.search(r"[^\W\d_]{4}|[=+*/^\\]", asked):
            return Found(1.0, "low_quality_questions", f"{asked[:30]!r} asks nothing")
        if _HOLES.search(asked):
            return Found(1.0, "low_quality_questions", "a template's hole was never filled")
        if len(words) >= _MANY_WORDS and _most(words) > 0.5:
            return Found(1.0, "low_quality_questions", "says one word over and over")
        if not record.images and _SHOWN.search(asked):
            return Found(1.0, "low_quality_questions", "is about a picture that is not there")
        return Found(0.0)

    return look


def _most(words: list[str]) -> float:
    """Share of the commonest word that is no number."""
    counts = Counter(word.casefold() for word in words if not word.isdigit())
    return max(counts.values(), default=0) / len(words)


SIGNAL = SignalKind(1, make)
