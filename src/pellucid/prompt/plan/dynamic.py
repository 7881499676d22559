"""Dynamic resolution (NaFlex without needless upscaling): one view, near native size.

The published processor of Phi-4-reasoning-vision searches its scale in floating point until an
interval is small; here the search is exact, over the scales at which the grid changes.

Leaves out on purpose: tiles and crops, which would be strategies of their own.
"""

from pellucid.prompt.plan.base import Plan, View
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


def largest_grid(width: int, height: int, target: int) -> tuple[int, int]:
    """Rows and columns at the largest scale whose grid, rounded up, has at most `target` patches.

    The grid of a scale s is (ceil(height * s), ceil(width * s)). It changes just after each
    s = k / side, so the largest scale that fits is such a fraction; the patch side cancels out.

    >>> largest_grid(640, 480, 1200)
    (30, 40)
    """
    cols = _most(width, height, target)
    rows = _most(height, width, target)
    if cols * height >= rows * width:  # cols / width >= rows / height
        return _ceil(cols * height, width), cols
    return rows, _ceil(rows * width, height)


def _most(side: int, other: int, target: int) -> int:
    """Largest k so that the grid at scale k / side has at most `target` patches; 0 if none has."""
    low, high = 0, target
    while low < high:
        middle = (low + high + 1) // 2
        if middle * _ceil(middle * other, side) <= target:
            low = middle
        else:
            high = middle - 1
    return low


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
