"""Qwen2-VL's rule: sides rounded to whole squares of patches, near native size, within a budget.

The published rule refuses sides of more than 200 to 1 and, for such thin images, leaves its own
budget; here it goes on, and the longer side gives way. Facts are from transformers 5.23
(`models/qwen2_vl`, Apache-2.0).

Leaves out on purpose: video, which would have more than one frame.
"""

import math

from pellucid.prompt.plan.base import Plan, View
from pellucid.recipe.model import Qwen2VlImages


def qwen2_vl(options: Qwen2VlImages, patch_px: int, width: int, height: int) -> Plan:
    """The plan of an image.

    Args:
        options: squares and budgets.
        patch_px: patch side in pixels.
        width: of the image, in pixels, at least 1.
        height: of the image, in pixels, at least 1.
    """
    unit = patch_px * options.merge
    across, down = (round(side / unit) for side in (width, height))
    if across * down * unit**2 > options.max_pixels:
        shrink = math.sqrt(width * height / options.max_pixels)
        across, down = (max(math.floor(side / shrink / unit), 1) for side in (width, height))
    elif across * down * unit**2 < options.min_pixels:
        grow = math.sqrt(options.min_pixels / (width * height))
        across, down = (math.ceil(side * grow / unit) for side in (width, height))
    squares = options.most_tokens(patch_px)
    if across * down > squares:
        across, down = _within(across, down, squares)
    view = View(down * options.merge, across * options.merge)
    count = view.rows * view.cols
    return Plan(across * unit, down * unit, (view,), across * down, count)


def _within(across: int, down: int, most: int) -> tuple[int, int]:
    """The longer side shortened until the budget holds."""
    shorter = min(across, down, most)
    longer = most // shorter
    return (longer, shorter) if across >= down else (shorter, longer)
