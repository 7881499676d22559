"""The vision side: the packed tower, and the torch half of every image strategy.

A plug-in kind: one file per strategy, a row in `STRATEGIES`, options in `recipe.model`; its
torch-free half is in `prompt.plan` under the same name.
"""

from typing import Any

import numpy as np
from jaxtyping import Float32
from PIL import Image

from pellucid.base.lookup import pick
from pellucid.model.vision.base import Patchify
from pellucid.model.vision.dynamic import dynamic
from pellucid.prompt.plan import Plan
from pellucid.recipe.model import ImageOptions

__all__ = ["STRATEGIES", "Patchify", "patchify"]

STRATEGIES: dict[str, Patchify[Any]] = {"dynamic": dynamic}


def patchify(
    options: ImageOptions, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Cut an upright RGB picture into the patches of its plan; see `base.Patchify`."""
    cut = pick(STRATEGIES, options.kind, "model.images.kind")
    patches = cut(options, patch_px, picture, plan)
    assert len(patches) == plan.patches, f"{len(patches)} patches for a plan of {plan.patches}"
    return patches
