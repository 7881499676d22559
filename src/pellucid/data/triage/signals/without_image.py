"""Questions that can be answered without their picture: by their wording alone.

Two cheap signs: nearly all records of one wording have one answer, or the answer stands in the
question, which offers no alternatives. Value: the share of the record's gold among the golds of its
wording (0 where the wording is rare). Leaves out on purpose: asking a model that sees no picture.
"""

import re
from collections import Counter

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind, question
from pellucid.recipe.triage import WithoutImageSignal
from pellucid.schema.record import Record

_OFFERS = re.compile(
    r"\bor\b|\beither\b|\b(?:options?|choices?|choose|select|which of|between|among)\b"
    r"|(?:^|\s)\(?[A-D][).:]\s|\[[^\]]*,|:\s*\S+(?:\s*,\s*\S+)+",
    re.IGNORECASE | re.MULTILINE,
)
_OPTION_LINE = re.compile(r"^\s*\(?[A-H][).:]\s.*$", re.MULTILINE)


def wording(asked: str) -> str:
    """A question without what varies from record to record: numbers, quotations, options.

    >>> wording('How many "red" bars are over 12?') == wording("How many 'blue' bars are over 7?")
    True
    """
    bare = _OPTION_LINE.sub(" ", asked)
    bare = re.sub(r"(?<!\w)(['\"“]).*?['\"”](?!\w)", "'", bare)
    bare = re.sub(r"\d[\d.,]*", "0", bare)
    return " ".join(bare.casefold().split())


def make(context: Context, options: WithoutImageSignal) -> Look:
    """A look at a question beside the golds of its wording in the set."""

    def look(record: Record) -> Found | None:
        if not record.images or record.answer is None:
            return None
        asked, gold = question(record), record.answer.gold
        golds = context.golds.get(wording(asked), Counter[str | None]())
        count = sum(golds.values())
        share = golds.get(gold, 0) / count if count >= options.least_records else 0.0
        if share >= options.least_share:
            why = f"{share:.0%} of {count} questions of this wording have the answer {gold[:20]!r}"
            return Found(share, "low_quality_questions", why)
        if record.answer.kind == "text" and _given(gold, asked, options.least_characters):
            return Found(share, "low_quality_questions", f"the question says {gold[:20]!r}")
        return Found(share)

    return look


def _given(gold: str, asked: str, least: int) -> bool:
    there = re.search(rf"(?<!\w){re.escape(gold)}(?!\w)", asked, re.IGNORECASE)
    return len(gold) >= least and there is not None and not _OFFERS.search(asked)


SIGNAL = SignalKind(1, make)
