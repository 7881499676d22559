"""Multi-crop, the torch half: resized as planned, filled up with grey, cut into square crops.

Grey is the 0 of normalised values. The resize is Pillow's bilinear filter, as in `dynamic`.
"""

import numpy as np
from jaxtyping import Float32
from PIL import Image

from pellucid.model.vision.base import cut
from pellucid.prompt.plan import Plan
from pellucid.prompt.plan.crops import origins
from pellucid.recipe.model import MultiCropImages

_GREY = (128, 128, 128)


def multi_crop(
    options: MultiCropImages, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Patches of the crops, row by row; within a crop row-major, within a patch (y, x, channel)."""
    found = cropped(picture, plan, options.crop_px)
    return np.concatenate([cut(np.asarray(crop), patch_px) for crop in found])


def cropped(picture: Image.Image, plan: Plan, side: int) -> list[Image.Image]:
    """The crops of a picture, row by row: resized as planned, filled up with grey, cut apart."""
    if picture.size != (plan.width, plan.height):
        picture = picture.resize((plan.width, plan.height), Image.Resampling.BILINEAR)
    if min(picture.size) < side:
        filled = Image.new("RGB", (max(plan.width, side), max(plan.height, side)), _GREY)
        middle = (filled.width - plan.width) // 2, (filled.height - plan.height) // 2
        filled.paste(picture, middle)
        picture = filled
    return [
        picture.crop((x, y, x + side, y + side))
        for y in origins(picture.height, side)
        for x in origins(picture.width, side)
    ]
