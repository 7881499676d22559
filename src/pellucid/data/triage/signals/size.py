"""Pictures too small or too narrow to see anything in.

Value: the shortest side of the record's pictures, in pixels.
"""

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind
from pellucid.recipe.triage import SizeSignal
from pellucid.schema.record import Record


def make(context: Context, options: SizeSignal) -> Look:
    """A look at the sizes of a record's pictures; nothing is decoded."""

    def look(record: Record) -> Found | None:
        if not record.images:
            return None
        sides = [sorted((image.width, image.height)) for image in record.images]
        shortest = float(min(short for short, _ in sides))
        for short, long in sides:
            if short < options.least_side_px:
                return Found(shortest, "low_quality_images", f"a picture of {short} x {long} px")
            if long > options.most_aspect * short:
                return Found(shortest, "low_quality_images", f"a strip of {short} x {long} px")
        return Found(shortest)

    return look


SIGNAL = SignalKind(1, make)
