"""Encoded image files to upright RGB pictures.

Every room that shows pixels to the model goes through here, so training and serving see the same
colours. Leaves out: animation (the first frame counts) and colour profiles.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import SHORT, hash_bytes

DAMAGE = (
    OSError,  # unknown or truncated, in most formats
    SyntaxError,  # broken PNG chunks
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    NotImplementedError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises on files that are damaged or hostile."""


def decode(data: bytes, name: str) -> Image.Image:
    """The picture in an encoded file, as `upright_rgb` makes it.

    Args:
        data: the whole file.
        name: what the file is called in an error.

    Raises:
        UserError: the file is no image that can be read.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return upright_rgb(picture)
    except DAMAGE as error:
        shown = f"{len(data)} bytes, sha256 {hash_bytes(data)[:SHORT]}"
        reason = f"is not a readable image ({type(error).__name__}: {error})"
        raise UserError(Problem(name, shown, reason, "replace or remove it")) from error


def upright_rgb(picture: Image.Image) -> Image.Image:
    """Turned as its EXIF tag says, transparency over white, 8 bits per channel."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        # 16-bit greys: Pillow would clip them to white instead of scaling them.
        grey = np.asarray(picture).clip(0, 65535) // 257
        picture = Image.fromarray(grey.astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")
