"""What `pellucid data repair` would mend in a record, or flag.

Value: the number of such places. The record goes back into the form of a row, as the import left
it; what a source has mended on the way in is mended. Leaves out on purpose: checks over several
records (contradictions), and records that texts and tags cannot say.
"""

from collections.abc import Iterator

from pellucid.data.llava import write_row
from pellucid.data.repair import chosen, repaired
from pellucid.data.repair.base import Facts, Repaired
from pellucid.data.repair.seam import in_texts
from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind
from pellucid.recipe.triage import CLASSES, RowChecksSignal, Suspicion
from pellucid.schema.record import Record

_SPEAKS_FOR: dict[str, Suspicion] = {
    "gold_and_reply": "wrong_answers",
    "thinking_and_answer": "wrong_answers",
    "empty_replies": "wrong_answers",
    "repeated_replies": "wrong_answers",
    "cut_off_replies": "wrong_answers",
    "options": "low_quality_questions",
    "absent_picture": "low_quality_questions",
    "wrapped_prompts": "low_quality_questions",
}
"""Classes of operators that find more than a fault of format."""
_SHOWN = 2
"""Findings that the reason names."""


def make(context: Context, options: RowChecksSignal) -> Look:
    """A look at a record as a row."""
    without = chosen(options.without, "signals.row_checks.without")
    operators = tuple(one for one in chosen(None) if one not in without)

    def look(record: Record) -> Found:
        names = [f"{number}-{image.sha256}" for number, image in enumerate(record.images)]
        sizes = {
            name: (image.width, image.height)
            for name, image in zip(names, record.images, strict=True)
        }
        row = in_texts(write_row(record, names))
        found = repaired(row, operators, Facts(sizes))
        told = list(_told(found))
        if not told:
            return Found(0.0)
        # One signal speaks for one class: the first of the report's order.
        suspected = {_class(op) for op, _ in told}
        worst = next(name for name in CLASSES if name in suspected)
        said = [f"{op}: {why}" for op, why in told if _class(op) == worst]
        return Found(float(len(told)), worst, "; ".join(said[:_SHOWN]))

    return look


def _class(op: str) -> Suspicion:
    return _SPEAKS_FOR.get(op, "formatting_errors")


def _told(found: Repaired) -> Iterator[tuple[str, str]]:
    """Operator and reason of each place."""
    for flag in found.flags:
        yield flag.op, flag.reason
    for change in found.changes:
        yield change.op, f"mends {change.where}"


SIGNAL = SignalKind(1, make)
