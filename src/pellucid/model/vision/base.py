"""What every image strategy does with pixels: the torch half of `prompt.plan`.

The plan says how many views and tokens an image has; this half cuts the patches of those views.
Both halves must agree: tokens promised there = features made here.
"""

from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import Float32
from PIL import Image

from pellucid.prompt.plan import Plan

OptionsT = TypeVar("OptionsT", contravariant=True)


class Patchify(Protocol[OptionsT]):
    """Cuts one picture into the patches of its plan; pure."""

    def __call__(
        self, options: OptionsT, patch_px: int, picture: Image.Image, plan: Plan
    ) -> Float32[np.ndarray, "p c"]:
        """Patches of all views, one view after the other, row-major within a view.

        Args:
            options: the strategy's options.
            patch_px: side of a patch in pixels; `c` is its square times 3, ordered (y, x, channel).
            picture: an upright RGB picture, see `picture.decode`.
            plan: its plan; `p` is `plan.patches`.
        """
        ...
