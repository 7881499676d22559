"""Dynamic resolution (NaFlex without needless upscaling): one view, near native size.

The published processor of Phi-4-reasoning-vision searches its scale in floating point until an
interval is small; here the search is exact, over the scales at which the grid changes.

Leaves out on purpose: tiles and crops, which would be strategies of their own.
"""

from pellucid.prompt.plan.base import Plan, View
from pellucid.prompt.plan.grids import largest_grid
from pellucid.recipe.model import DynamicImages


def dynamic(options: DynamicImages, patch_px: int, width: int, height: int) -> Plan:
    """The plan of an image: as many patches as fit in it whole, within the budgets.

    Args:
        options: fewest and most patches.
        patch_px: patch side in pixels.
        width: of the image, in pixels, at least 1.
        height: of the image, in pixels, at least 1.
    """
    held = max((width // patch_px) * (height // patch_px), 1)
    target = min(max(held, options.min_patches), options.max_patches)
    rows, cols = largest_grid(width, height, target)
    count = rows * cols
    return Plan(cols * patch_px, rows * patch_px, (View(rows, cols),), count, count)
