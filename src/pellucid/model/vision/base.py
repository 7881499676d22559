"""What every image strategy does with pixels: the torch half of `prompt.plan`.

The plan says how many views and tokens an image has; this half cuts the patches of those views.
Both halves must agree: tokens promised there = features made here.
"""

from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from pellucid.prompt.plan import Plan

OptionsT = TypeVar("OptionsT", contravariant=True)


def cut(pixels: UInt8[np.ndarray, "h w 3"], patch_px: int) -> Float32[np.ndarray, "p c"]:
    """Patches of one view, row-major; within a patch (y, x, channel), values x / 127.5 - 1."""
    rows, cols = pixels.shape[0] // patch_px, pixels.shape[1] // patch_px
    apart = pixels.reshape(rows, patch_px, cols, patch_px, 3).swapaxes(1, 2)
    patches = apart.reshape(rows * cols, -1).astype(np.float32)
    patches *= np.float32(1 / 127.5)
    patches -= np.float32(1)
    return patches


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
