"""The vision side: the packed tower, and the torch half of every image strategy.

A plug-in kind: one file per way of cutting, a row in `STRATEGIES` per strategy, options in
`recipe.model`; the torch-free half is in `prompt.plan` under the strategy's name.
"""

from typing import Any

import numpy as np
from jaxtyping import Float32
from PIL import Image

from pellucid.base.lookup import pick
from pellucid.model.vision.base import Patchify
from pellucid.model.vision.multi_crop import multi_crop
from pellucid.model.vision.one_view import one_view
from pellucid.model.vision.own import own
from pellucid.model.vision.s2 import dynamic_s2, multi_crop_s2, s2
from pellucid.model.vision.squares import squares
from pellucid.prompt.plan import Plan
from pellucid.recipe.model import ImageOptions

__all__ = ["STRATEGIES", "Patchify", "patchify"]

STRATEGIES: dict[str, Patchify[Any]] = {
    "dynamic": one_view,
    "siglip2": one_view,
    "multi_crop": multi_crop,
    "s2": s2,
    "dynamic_s2": dynamic_s2,
    "multi_crop_s2": multi_crop_s2,
    "qwen2_vl": squares,
    "python": own,
}


def patchify(
    options: ImageOptions, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Cut an upright RGB picture into the patches of its plan; see `base.Patchify`."""
    cut = pick(STRATEGIES, options.kind, "model.images.kind")
    patches = cut(options, patch_px, picture, plan)
    assert len(patches) == plan.patches, f"{len(patches)} patches for a plan of {plan.patches}"
    return patches
