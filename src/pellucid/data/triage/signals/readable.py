"""Pictures that do not decode, or are not the ones that were imported: a disk that lost something.

Value: pictures of the record that fail.
"""

from pellucid.base.errors import UserError
from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind
from pellucid.recipe.triage import ReadableSignal
from pellucid.schema.record import Record


def make(context: Context, options: ReadableSignal) -> Look:
    """A look at every picture of a record."""

    def look(record: Record) -> Found | None:
        if not record.images:
            return None
        broken = [why for image in record.images if (why := _fault(context, image.sha256))]
        if broken:
            return Found(float(len(broken)), "low_quality_images", f"a picture {broken[0]}")
        return Found(0.0)

    return look


def _fault(context: Context, sha256: str) -> str:
    try:
        context.picture(sha256)
    except (ValueError, OSError, UserError) as error:
        return str(error)[:100] or "cannot be read"
    return ""


SIGNAL = SignalKind(1, make)
