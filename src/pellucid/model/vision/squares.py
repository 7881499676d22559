"""Squares of patches that become one token each, the torch half of `qwen2_vl`.

The resize is Pillow's bicubic filter, as in the published processor. The published patches hold
every picture twice, as a video of two equal frames; ours hold it once, and the tower repeats it.
"""

import numpy as np
from jaxtyping import Float32
from PIL import Image

from pellucid.prompt.plan import Plan
from pellucid.recipe.model import Qwen2VlImages


def squares(
    options: Qwen2VlImages, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Patches square by square, row-major in a square; within a patch (channel, y, x)."""
    if picture.size != (plan.width, plan.height):
        picture = picture.resize((plan.width, plan.height), Image.Resampling.BICUBIC)
    down, across = (side // (patch_px * options.merge) for side in (plan.height, plan.width))
    shape = (down, options.merge, patch_px, across, options.merge, patch_px, 3)
    apart = np.asarray(picture).reshape(shape).transpose(0, 3, 1, 4, 6, 2, 5)
    patches = apart.reshape(plan.patches, 3, -1).astype(np.float32)
    mean, std = (
        np.array(value, dtype=np.float32)[:, None] for value in (options.mean, options.std)
    )
    patches /= np.float32(255)
    patches -= mean
    patches /= std
    return patches.reshape(plan.patches, -1)
