"""Pictures of one colour, noise of compression aside.

Value: the largest share, over the record's pictures, of pixels within `_NEAR` greys of the
commonest.
"""

import numpy as np
from PIL import Image

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind
from pellucid.recipe.triage import BlankSignal
from pellucid.schema.record import Record

_NEAR = 3
_SIDE = 1024
"""Larger pictures are looked at in this size: a page with one word on it is not blank."""


def make(context: Context, options: BlankSignal) -> Look:
    """A look at every picture of a record."""

    def look(record: Record) -> Found | None:
        shares = [_share(picture) for picture in context.pictures(record)]
        if not shares:
            return None
        if max(shares) >= options.most_share:
            return Found(max(shares), "low_quality_images", "a picture is blank")
        return Found(max(shares))

    return look


def _share(picture: Image.Image) -> float:
    """Of the three colours, the least even one: a blue sign on yellow may be even in green."""
    if max(picture.size) > _SIDE:
        picture = picture.copy()
        picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(picture)
    found = []
    for colour in range(3):
        counts = np.bincount(pixels[..., colour].ravel(), minlength=256)
        at = int(counts.argmax())
        found.append(counts[max(0, at - _NEAR) : at + _NEAR + 1].sum() / counts.sum())
    return float(min(found))


SIGNAL = SignalKind(1, make)
