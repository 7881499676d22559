"""S2, the torch half: squares and grids of several sizes, cut into tiles, the tiles into patches.

The resize is Pillow's bicubic filter, antialiased when shrinking. (The published S2 code resizes
tensors by bicubic interpolation without antialiasing, which lets fine print flicker.)
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float32
from PIL import Image

from pellucid.model.vision.base import cut
from pellucid.model.vision.multi_crop import cropped
from pellucid.prompt.plan import Plan
from pellucid.recipe.model import DynamicS2Images, MultiCropS2Images, S2Images


def s2(
    options: S2Images, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Patches of the squares, from the smallest; tile by tile, row by row."""
    return np.concatenate([*_squares(picture, options.scales_px, options.tile_px, patch_px)])


def dynamic_s2(
    options: DynamicS2Images, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Patches of the squares, from the smallest, then of the grid; tile by tile, row by row."""
    squares = _squares(picture, options.scales_px, options.tile_px, patch_px)
    grid = _tiles(picture, plan.width, plan.height, options.tile_px, patch_px)
    return np.concatenate([*squares, *grid])


def multi_crop_s2(
    options: MultiCropS2Images, patch_px: int, picture: Image.Image, plan: Plan
) -> Float32[np.ndarray, "p c"]:
    """Patches of each crop's squares, from the smallest; crop by crop, tile by tile."""
    return np.concatenate(
        [
            tile
            for crop in cropped(picture, plan, options.crop_px)
            for tile in _squares(crop, options.scales_px, options.tile_px, patch_px)
        ]
    )


def _squares(
    picture: Image.Image, sides: Sequence[int], tile: int, patch_px: int
) -> Iterator[Float32[np.ndarray, "p c"]]:
    for side in sides:
        yield from _tiles(picture, side, side, tile, patch_px)


def _tiles(
    picture: Image.Image, width: int, height: int, tile: int, patch_px: int
) -> Iterator[Float32[np.ndarray, "p c"]]:
    """Patches of each tile of the picture at one size."""
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture)
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            yield cut(pixels[y : y + tile, x : x + tile], patch_px)
