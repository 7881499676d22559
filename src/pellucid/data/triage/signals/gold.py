"""Replies that the scorer of the record's gold calls wrong: one of the two is.

Value: the score of the reply, in [0, 1]. Does not apply without a gold, to kinds that have no
scorer, or where the scorer cannot say.
"""

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind, reply
from pellucid.recipe.triage import GoldSignal
from pellucid.schema.record import Record
from pellucid.score import judged


def make(context: Context, options: GoldSignal) -> Look:
    """A look at reply and gold."""

    def look(record: Record) -> Found | None:
        score = judged(reply(record).text, record.answer) if record.answer else None
        if score is None or record.answer is None:
            return None
        if score > 0:
            return Found(score)
        said = reply(record).text
        return Found(
            0.0, "wrong_answers", f"says {said[:30]!r}, the gold is {record.answer.gold[:30]!r}"
        )

    return look


SIGNAL = SignalKind(1, make)
