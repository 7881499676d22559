"""SigLIP2's own rule: one view that fills the patch count, whatever the image's size.

What transformers' `Siglip2ImageProcessor` does; the search is exact here, as in `dynamic`.
"""

from pellucid.prompt.plan.base import Plan, View
from pellucid.prompt.plan.grids import largest_grid
from pellucid.recipe.model import Siglip2Images


def siglip2(options: Siglip2Images, patch_px: int, width: int, height: int) -> Plan:
    """The plan of an image: the largest grid of its shape within the patch count."""
    rows, cols = largest_grid(width, height, options.max_patches)
    count = rows * cols
    return Plan(cols * patch_px, rows * patch_px, (View(rows, cols),), count, count)
