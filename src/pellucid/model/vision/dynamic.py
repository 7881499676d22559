"""NaFlex dynamic resolution, the torch half: one view, resized to its plan, cut into patches.

The resize is Pillow's bilinear filter (antialiased when shrinking), as in the published processor;
values become x / 127.5 - 1, which is mean = std = 0.5 of x / 255.
"""

import numpy as np
from jaxtyping import Float32
from PIL import Image

from pellucid.prompt.plan import Plan
from pellucid.recipe.model import DynamicImages


def dynamic(
    options: DynamicImages, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Patches of the one view, row-major; within a patch (y, x, channel)."""
    if picture.size != (plan.width, plan.height):
        picture = picture.resize((plan.width, plan.height), Image.Resampling.BILINEAR)
    (view,) = plan.views
    pixels = np.asarray(picture).reshape(view.rows, patch_px, view.cols, patch_px, 3)
    patches = pixels.swapaxes(1, 2).reshape(plan.patches, -1).astype(np.float32)
    patches *= np.float32(1 / 127.5)
    patches -= np.float32(1)
    return patches
