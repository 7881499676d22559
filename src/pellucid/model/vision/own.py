"""A strategy of the user's own, the torch half: the parts of a plan, resized and cut.

The resize is Pillow's bilinear filter, as in `dynamic`.
"""

import math

import numpy as np
from jaxtyping import Float32
from PIL import Image

from pellucid.model.vision.base import cut
from pellucid.prompt.plan import Plan
from pellucid.prompt.plan.own import Part, parts
from pellucid.recipe.model import PythonImages


def own(
    options: PythonImages, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Patches part by part; within a part row-major, within a patch (y, x, channel)."""
    found = [_seen(picture, part) for part in parts(options, patch_px, *picture.size)]
    return np.concatenate([cut(np.asarray(one), patch_px) for one in found])


def _seen(picture: Image.Image, part: Part) -> Image.Image:
    """One part, resized. Cut out first: Pillow's filter would look at what lies around it."""
    left, top, right, bottom = part.box
    outer = math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)
    within = left - outer[0], top - outer[1], right - outer[0], bottom - outer[1]
    size = part.width, part.height
    return picture.crop(outer).resize(size, Image.Resampling.BILINEAR, box=within)
