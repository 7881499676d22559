"""Encoded image files to upright RGB pictures.

What they show is settled by `schema.picture`, which the store hashes and measures by too.
"""

import io
import struct
import zlib

from PIL import Image, UnidentifiedImageError

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import SHORT, hash_bytes
from pellucid.schema.picture import upright_rgb

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
        # Pillow names the object that it read from, which says nothing to anybody.
        told = "no known format" if isinstance(error, UnidentifiedImageError) else str(error)
        reason = f"is not a readable image ({type(error).__name__}: {told})"
        raise UserError(Problem(name, shown, reason, "replace or remove it")) from error
