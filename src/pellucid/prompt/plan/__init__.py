"""Image plans: how many pixels, patches and tokens an image gets, from its size alone.

The torch-free half of every image strategy; `model/vision` has the half that touches pixels.
"""

from functools import lru_cache
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.prompt.plan.base import Plan, Planner, View
from pellucid.prompt.plan.dynamic import dynamic
from pellucid.prompt.plan.multi_crop import multi_crop
from pellucid.prompt.plan.own import own
from pellucid.prompt.plan.qwen2_vl import qwen2_vl
from pellucid.prompt.plan.s2 import dynamic_s2, multi_crop_s2, s2
from pellucid.prompt.plan.siglip2 import siglip2
from pellucid.recipe.model import ImageOptions

__all__ = ["PLANNERS", "Plan", "View", "plan"]

PLANNERS: dict[str, Planner[Any]] = {
    "dynamic": dynamic,
    "siglip2": siglip2,
    "multi_crop": multi_crop,
    "s2": s2,
    "dynamic_s2": dynamic_s2,
    "multi_crop_s2": multi_crop_s2,
    "qwen2_vl": qwen2_vl,
    "python": own,
}
"""The strategies, by `kind`."""


@lru_cache(maxsize=65536)
def plan(options: ImageOptions, patch_px: int, width: int, height: int) -> Plan:
    """The plan of an image.

    Args:
        options: the image strategy.
        patch_px: patch side in pixels.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Raises:
        UserError: the image has no pixels.
    """
    if width < 1 or height < 1:
        raise UserError(
            Problem("image", f"{width}x{height}", "has no pixels", "leave the image out")
        )
    return PLANNERS[options.kind](options, patch_px, width, height)
