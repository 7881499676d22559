"""One view, the torch half of `dynamic` and `siglip2`: resized to its plan, cut into patches.

The resize is Pillow's bilinear filter (antialiased when shrinking), as in the published processor;
values become x / 127.5 - 1, which is mean = std = 0.5 of x / 255.
"""

import numpy as np
from jaxtyping import Float32
from PIL import Image

from pellucid.model.vision.base import cut
from pellucid.prompt.plan import Plan
from pellucid.recipe.model import DynamicImages, Siglip2Images


def one_view(
    options: DynamicImages | Siglip2Images, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Patches of the one view, row-major; within a patch (y, x, channel)."""
    if picture.size != (plan.width, plan.height):
        picture = picture.resize((plan.width, plan.height), Image.Resampling.BILINEAR)
    return cut(np.asarray(picture), patch_px)
