"""Square crops at native size: how many cover an image, and where they lie.

    larger than the budget   scaled down, shape kept, until the crops that cover it fit
    smaller than a crop      scaled up, shape kept, until its longer side is a crop's

Both strategies with crops share this.
"""

from typing import NamedTuple

from pellucid.prompt.plan.grids import largest_grid


class Crops(NamedTuple):
    """Crops of an image, as few as cover it."""

    rows: int
    cols: int
    width: int
    """Of the image, in pixels, after scaling."""
    height: int


def crops(width: int, height: int, side: int, most: int) -> Crops:
    """The crops of an image.

    Args:
        width: of the image, in pixels.
        height: of the image, in pixels.
        side: of a crop, in pixels.
        most: crops that there may be.

    >>> crops(1280, 720, 384, 5), crops(200, 100, 384, 5)
    (Crops(rows=2, cols=2, width=768, height=432), Crops(rows=1, cols=1, width=384, height=192))
    """
    rows, cols = -(-height // side), -(-width // side)
    if rows * cols > most:
        rows, cols = largest_grid(width, height, most)
        width, height = _scaled(width, height, cols * side, rows * side)
    elif max(width, height) < side:
        width, height = _scaled(width, height, side, side)
    return Crops(rows, cols, width, height)


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
