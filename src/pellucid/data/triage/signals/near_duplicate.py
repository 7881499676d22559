"""Pictures almost equal to another picture of the sample: a set that repeats itself.

Value: the least number of bits, of 256, in which the perceptual hash of a picture of the record
differs from that of another record's picture. The same picture under several questions is no
repetition, nor are pictures of one group (a scene before and after a change).

Leaves out on purpose: clusters over the whole set, which are an operator's work.
"""

from pellucid.base.errors import UserError
from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind
from pellucid.recipe.triage import NearDuplicateSignal
from pellucid.schema.record import Record


def make(context: Context, options: NearDuplicateSignal) -> Look:
    """A look at a record's pictures beside those of the sample."""
    hashes, groups = _hashes(context), _groups(context)

    def look(record: Record) -> Found | None:
        own = {image.sha256 for image in record.images}
        mine = [hashes[sha256] for sha256 in own if sha256 in hashes]
        group = record.source.group
        others = [
            value
            for sha256, value in hashes.items()
            if sha256 not in own and not (group and group in groups[sha256])
        ]
        if not mine or not others:
            return None
        least = min((a ^ b).bit_count() for a in mine for b in others)
        if least <= options.most_bits:
            why = f"differs in {least} of 256 bits from another picture"
            return Found(float(least), "low_quality_images", why)
        return Found(float(least))

    return look


def _groups(context: Context) -> dict[str, set[str]]:
    """SHA-256 of each picture of the sample -> groups of the records that show it."""
    found: dict[str, set[str]] = {}
    for record in context.records:
        for image in record.images:
            found.setdefault(image.sha256, set()).add(record.source.group)
    return found


def _hashes(context: Context) -> dict[str, int]:
    """SHA-256 of each picture of the sample -> its perceptual hash."""
    found: dict[str, int] = {}
    for record in context.records:
        for image in record.images:
            if image.sha256 in found:
                continue
            try:
                found[image.sha256] = int(context.phash256(image.sha256), 16)
            except (ValueError, OSError, UserError):
                continue  # `readable` speaks of it
    return found


SIGNAL = SignalKind(1, make)
