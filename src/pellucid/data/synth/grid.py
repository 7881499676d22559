"""The grid: letters of one width, a character to a cell.

A cell is half a patch wide and as tall as one, so a patch shows the same pixels wherever a text
stands. Reading is then learnt from thousands of pictures; from free places it takes tens of
thousands (docs/LOG.md). Leaves out on purpose: what families put where.
"""

from functools import cache

from PIL import ImageFont

from pellucid.base.paths import ASSETS
from pellucid.data.synth.base import INK, Rgb, Text, ink
from pellucid.recipe.data import PictureScene

CELL_WIDTH, CELL_HEIGHT = 8, 16
"""In pixels."""
_FONT_PX = 13
"""The size at which every letter is as wide as a cell."""


@cache
def cell_font() -> ImageFont.FreeTypeFont:
    """The shipped font of one width."""
    path = ASSETS / "fonts" / "DejaVuSansMono.ttf"
    return ImageFont.truetype(path, _FONT_PX, layout_engine=ImageFont.Layout.BASIC)


def cells(options: PictureScene) -> tuple[int, int]:
    """Columns and rows of a picture on the grid."""
    return options.max_side_px // CELL_WIDTH, options.min_side_px // CELL_HEIGHT


def cell_text(text: str, column: int, row: int, fill: Rgb = INK) -> Text:
    """A text from a cell on; its box is that of the ink, which keeps off the cells' lower edge."""
    x, y = column * CELL_WIDTH, row * CELL_HEIGHT - 1
    x0, y0, x1, y1 = ink(text, cell_font())
    return Text(text, cell_font(), (x, y), (x + x0, y + y0, x + x1, y + y1), fill)
