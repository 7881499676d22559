"""What an encoded image holds: format, size, and two hashes of its pixels.

`examine` decodes the whole image the way the model will see it (`schema.picture`): upright, over
white, 8 bits. So whatever passes here will decode again in training, to the size and the pixels
that are recorded. Leaves out on purpose: any change of the bytes.
"""

import hashlib
import math
import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import IO, cast

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from pellucid.schema.picture import upright_rgb

EXTENSIONS = {
    "PNG": "png",
    "JPEG": "jpg",
    "MPO": "jpg",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tif",
}
"""Formats that are read, with the ending of their files. No format that runs an interpreter."""

MAX_PIXELS = 100_000_000
"""Largest image that is decoded when nothing else is said."""

_OPENERS = tuple(name for name in EXTENSIONS if name != "MPO")  # the JPEG reader turns into MPO's
_SIDE, _LOW = 64, 16
_COSINES = np.array(
    [
        [round(16384 * math.cos(math.pi * k * (2 * x + 1) / (2 * _SIDE))) for x in range(_SIDE)]
        for k in range(_LOW)
    ],
    dtype=np.float64,
)
_BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow's decoders raise on bad bytes."""


@dataclass(frozen=True, slots=True)
class Examined:
    """The facts of one encoded image."""

    sha256: str
    """Of the encoded bytes."""
    extension: str
    width: int
    height: int
    pixel_sha256: str
    """Of the size and the RGB pixels: equal for equal pictures in different files."""
    phash256: str
    """256-bit perceptual hash, 64 hex digits; near pictures differ in few bits."""


def examine(data: bytes, max_pixels: int = MAX_PIXELS) -> Examined:
    """Decode an image fully and describe it.

    Args:
        data: an encoded image (PNG, JPEG, WebP, GIF, BMP or TIFF).
        max_pixels: larger images are refused before they are decoded.

    Raises:
        ValueError: it is no image, it is broken or cut off, or it is too large; the text says which
            and does not depend on anything but the bytes.
    """
    with warnings.catch_warnings():
        # Pillow warns of odd palettes and of sizes; sizes are checked here, palettes are fine.
        warnings.simplefilter("ignore")
        name, picture = _decode(data, max_pixels)
    return Examined(
        sha256=hashlib.sha256(data).hexdigest(),
        extension=EXTENSIONS[name],
        width=picture.width,
        height=picture.height,
        pixel_sha256=_pixel_hash(picture),
        phash256=perceptual_hash(picture),
    )


def _pixel_hash(picture: Image.Image) -> str:
    """Of the size and the pixels."""
    width, height = picture.size
    pixels = _Hashed(f"RGB {width}x{height} ", len(f"P6\n{width} {height}\n255\n"))
    # A header, then the pixels line by line.
    picture.save(cast(IO[bytes], pixels), "PPM")
    return pixels.digest.hexdigest()


class _Hashed:
    """A file that is hashed as it is written: nothing copies the pixels whole, and what is hashed
    is still in a cache.
    """

    def __init__(self, begin: str, skipped: int) -> None:
        self.digest = hashlib.sha256(begin.encode())
        self._skipped = skipped
        """Bytes at the start of the file that are not hashed."""

    def write(self, data: bytes) -> None:
        if self._skipped:
            data, self._skipped = data[self._skipped :], max(self._skipped - len(data), 0)
        self.digest.update(data)


def extension(data: bytes) -> str:
    """The ending of an encoded image's file, from how it begins.

    Raises:
        ValueError: it is no image of a known format.
    """
    try:
        with Image.open(BytesIO(data), formats=_OPENERS) as opened:
            return EXTENSIONS[str(opened.format)]
    except (UnidentifiedImageError, *_BROKEN):
        raise ValueError("is not an image of a known format") from None


def perceptual_hash(picture: Image.Image) -> str:
    """Signs of the 16 x 16 lowest DCT terms of a 64 x 64 grey copy, against their median.

    256 bits, because 64 confuse pages that share a template. The cosines are integers, so the bits
    do not depend on the machine's floating-point library.
    """
    grey = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    # Whole numbers below 2**53, so the products are exact, whatever order a library adds them in.
    pixels = np.asarray(grey, dtype=np.float64)
    low = (_COSINES @ pixels @ _COSINES.T).ravel()
    middle = np.partition(low, (low.size // 2 - 1, low.size // 2))[low.size // 2 - 1 :][:2]
    bits = low > middle.mean()
    return np.packbits(bits).tobytes().hex()


def _decode(data: bytes, max_pixels: int) -> tuple[str, Image.Image]:
    """Format name and RGB picture."""
    try:
        with Image.open(BytesIO(data), formats=_OPENERS) as opened:
            name, (width, height) = str(opened.format), opened.size
            if width * height > max_pixels:
                raise _TooLarge(width, height, max_pixels)
            if type(opened).verify is ImageFile.ImageFile.verify:  # which looks at nothing
                return name, upright_rgb(opened)
            opened.verify()  # checksums that decoding does not look at
        with Image.open(BytesIO(data), formats=_OPENERS) as opened:
            return name, upright_rgb(opened)
    except UnidentifiedImageError:
        known = ", ".join(sorted(_OPENERS))
        raise ValueError(f"is not an image of a known format ({known})") from None
    except _TooLarge:
        raise
    except _BROKEN as error:
        raise ValueError(f"is a broken or cut-off image: {error}") from None


class _TooLarge(ValueError):
    def __init__(self, width: int, height: int, limit: int) -> None:
        super().__init__(f"has {width} x {height} pixels, more than {limit}")
