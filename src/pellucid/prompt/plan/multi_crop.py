"""Multi-crop: square crops at native size, evenly spaced, the last one flush with the border.

Row 2 of Table 1 of the Phi-4-reasoning-vision report, which gives its budget (3,096 tokens) and no
more; crop side, spacing and what becomes of small images are our choices (docs/design/004).

How many crops, and of which size the image is then: `crops`. A side under a crop's is filled up
with grey, the image in the middle. Tokens follow the crops, row by row; the tower sees each crop by
itself.
"""

from pellucid.prompt.plan.base import Plan, View
from pellucid.prompt.plan.crops import crops
from pellucid.recipe.model import MultiCropImages


def multi_crop(options: MultiCropImages, patch_px: int, width: int, height: int) -> Plan:
    """The plan of an image; `Plan.width` and `Plan.height` are its size before it is filled up."""
    side, each = options.crop_px, (options.crop_px // patch_px) ** 2
    found = crops(width, height, side, max(options.max_tokens // each, 1))
    views = (View(side // patch_px, side // patch_px),) * (found.rows * found.cols)
    count = len(views) * each
    return Plan(found.width, found.height, views, count, count)
