"""Teacher answers that do not give the gold: either the gold or the question is doubtful.

Value: the share of k answers that the gold's scorer calls right. Applies only where answers are
handed in (`Context.answers`), to records with a gold that has a scorer.
"""

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind
from pellucid.recipe.triage import AgreementSignal
from pellucid.schema.record import Record
from pellucid.score import judged


def make(context: Context, options: AgreementSignal) -> Look:
    """A look at a record through a teacher's eyes."""

    def look(record: Record) -> Found | None:
        if context.answers is None or record.answer is None:
            return None
        said = context.answers(record, options.answers)
        scores = [score for one in said if (score := judged(one, record.answer)) is not None]
        if not scores:
            return None
        share = sum(score > 0 for score in scores) / len(scores)
        if share < options.least_share:
            why = f"{share:.0%} of {len(scores)} teacher answers give the gold"
            return Found(share, "wrong_answers", why)
        return Found(share)

    return look


SIGNAL = SignalKind(1, make)
