"""An encoded image as a grey picture of moderate size, for comparing.

Leaves out on purpose: colour. Two pictures that differ in colour alone differ in grey as well,
unless the colours are equally bright.
"""

import warnings
from io import BytesIO

from PIL import Image, ImageOps

from pellucid.schema.picture import upright_rgb

LONGEST_PX = 2048
"""Larger pictures are reduced to this length."""


def grey(data: bytes) -> Image.Image:
    """The upright grey picture of an image of a store (it has been decoded before)."""
    picture = _grey(data)
    factor = LONGEST_PX / max(picture.size)
    if factor >= 1:
        return picture
    size = tuple(max(1, round(side * factor)) for side in picture.size)
    return picture.resize((size[0], size[1]), Image.Resampling.BOX)


def thumbnail(data: bytes, longest_px: int) -> Image.Image:
    """The upright picture in colour, no side longer than `longest_px`."""
    picture = decoded(data)
    picture.thumbnail((longest_px, longest_px))
    return picture


def _grey(data: bytes) -> Image.Image:
    """Upright, at full size. Of a JPEG file the brightness alone is decoded, in half the time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(BytesIO(data)) as opened:
            if opened.format == "JPEG":
                opened.draft("L", None)
            if opened.mode == "L" and not opened.has_transparency_data:
                return ImageOps.exif_transpose(opened)
            return upright_rgb(opened).convert("L")


def decoded(data: bytes) -> Image.Image:
    """The upright RGB picture of an image of a store."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(BytesIO(data)) as opened:
            return upright_rgb(opened)
