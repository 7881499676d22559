"""Multi-crop: square crops at native size, evenly spaced, the last one flush with the border.

Row 2 of Table 1 of the Phi-4-reasoning-vision report, which gives its budget (3,096 tokens) and no
more; crop side, spacing and what becomes of small images are our choices (docs/design/004).

    larger than the budget   scaled down, shape kept, until the crops that cover it fit
    smaller than a crop      scaled up, shape kept, until its longer side is a crop's
    a side under a crop's    filled up with grey, centred

Tokens follow the crops, row by row; the tower sees each crop by itself.
"""

from pellucid.prompt.plan.base import Plan, View
from pellucid.prompt.plan.grids import largest_grid
from pellucid.recipe.model import MultiCropImages


def multi_crop(options: MultiCropImages, patch_px: int, width: int, height: int) -> Plan:
    """The plan of an image; `Plan.width` and `Plan.height` are its size before it is filled up."""
    side, each = options.crop_px, (options.crop_px // patch_px) ** 2
    rows, cols = -(-height // side), -(-width // side)
    if rows * cols > options.max_tokens // each:
        rows, cols = largest_grid(width, height, max(options.max_tokens // each, 1))
        width, height = _scaled(width, height, cols * side, rows * side)
    elif max(width, height) < side:
        width, height = _scaled(width, height, side, side)
    views = (View(side // patch_px, side // patch_px),) * (rows * cols)
    count = rows * cols * each
    return Plan(width, height, views, count, count)


def origins(length: int, side: int) -> list[int]:
    """Where the crops along one side begin: evenly spaced, as few as cover it.

    >>> origins(1000, 384), origins(384, 384), origins(768, 384)
    ([0, 308, 616], [0], [0, 384])
    """
    count = -(-length // side)
    if count == 1:
        return [0]
    return [(2 * at * (length - side) + count - 1) // (2 * (count - 1)) for at in range(count)]


def _scaled(width: int, height: int, widest: int, tallest: int) -> tuple[int, int]:
    """The largest size of the same shape within two limits, rounded up."""
    if width * tallest >= height * widest:
        return widest, -(-height * widest // width)
    return -(-width * tallest // height), tallest
