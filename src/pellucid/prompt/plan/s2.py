"""S2: the same pixels at several scales, each cut into tiles of one size.

    s2              the picture as squares
    dynamic_s2      the picture as squares, then as a grid of tiles near its own shape
    multi_crop_s2   crops of the picture as squares, crop after crop

A token is a patch of one of the scales (the smallest; for `dynamic_s2` the grid); what the tower
makes of the others is averaged to it in the model (`vision/stitch`). The report names the three and
the budgets of two; scales, tile side and grid rule are our choices (docs/design/004).
"""

from collections.abc import Sequence
from fractions import Fraction

from pellucid.prompt.plan.base import Plan, View
from pellucid.prompt.plan.crops import crops
from pellucid.recipe.model import DynamicS2Images, MultiCropS2Images, S2Images


def s2(options: S2Images, patch_px: int, width: int, height: int) -> Plan:
    """The same plan for every image; `Plan.width` and `Plan.height` are the largest square's."""
    views = _squares(options.scales_px, options.tile_px, patch_px)
    side = options.scales_px[-1]
    return _plan(side, side, views, options.most_tokens(patch_px))


def dynamic_s2(options: DynamicS2Images, patch_px: int, width: int, height: int) -> Plan:
    """The plan of an image; `Plan.width` and `Plan.height` are its grid's."""
    tile, each = options.tile_px, (options.tile_px // patch_px) ** 2
    down, across = tile_grid(width, height, tile, max(options.max_tokens // each, 1))
    views = (
        *_squares(options.scales_px, tile, patch_px),
        *_tiles(down, across, tile // patch_px),
    )
    return _plan(across * tile, down * tile, views, down * across * each)


def multi_crop_s2(options: MultiCropS2Images, patch_px: int, width: int, height: int) -> Plan:
    """The plan of an image; `Plan.width` and `Plan.height` are its size before it is filled up."""
    each = (options.scales_px[0] // patch_px) ** 2
    found = crops(width, height, options.crop_px, max(options.max_tokens // each, 1))
    count = found.rows * found.cols
    views = _squares(options.scales_px, options.tile_px, patch_px) * count
    return _plan(found.width, found.height, views, count * each)


def tile_grid(width: int, height: int, side: int, most: int) -> tuple[int, int]:
    """Rows and columns of the grid whose shape is nearest to the image's.

    No side that holds a tile is enlarged.

    Nearest by |width / height - cols / rows|; of equally near grids the one with most tiles, and
    then the widest. A side that holds no tile gets one.

    >>> tile_grid(1280, 720, 384, 5), tile_grid(640, 480, 384, 5), tile_grid(300, 2000, 384, 5)
    ((1, 2), (1, 1), (5, 1))
    """
    shape = Fraction(width, height)
    grids = (
        (down, across)
        for down in range(1, min(max(height // side, 1), most) + 1)
        for across in range(1, min(max(width // side, 1), most // down) + 1)
    )
    return min(
        grids, key=lambda grid: (abs(shape - Fraction(grid[1], grid[0])), -grid[0] * grid[1], grid)
    )


def _squares(sides: Sequence[int], tile: int, patch_px: int) -> tuple[View, ...]:
    return tuple(
        view for side in sides for view in _tiles(side // tile, side // tile, tile // patch_px)
    )


def _tiles(down: int, across: int, side: int) -> tuple[View, ...]:
    return (View(side, side, down, across),) * (down * across)


def _plan(width: int, height: int, views: tuple[View, ...], tokens: int) -> Plan:
    return Plan(width, height, views, tokens, sum(view.rows * view.cols for view in views))
