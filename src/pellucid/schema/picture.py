"""What an encoded image shows: upright RGB pixels, the same for all who store, hash or learn it.

Leaves out: animation (the first frame counts) and colour profiles.
"""

import numpy as np
from PIL import ExifTags, Image, ImageOps


def upright_rgb(picture: Image.Image) -> Image.Image:
    """Turned as its EXIF tag says, transparency over white, 8 bits per channel.

    A picture that is all that is not copied; it is loaded and given back.
    """
    picture.load()
    turned = picture.getexif().get(ExifTags.Base.Orientation, 1) != 1
    if picture.mode == "RGB" and not turned and not picture.has_transparency_data:
        return picture
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
