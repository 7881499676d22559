"""Pages of digits, numbers and words in cells: nothing but text to read, row by row.

What reading is learnt from. A digit in the same place of every cell is learnt in a few hundred
pages; the same digits anywhere in a cell, or as parts of numbers, in many thousand, unless the easy
pages come first (docs/LOG.md). Leaves out on purpose: questions; other families ask.
"""

from dataclasses import replace
from random import Random

from PIL import Image, ImageDraw

from pellucid.base.errors import Problem, UserError
from pellucid.base.seeds import derive
from pellucid.data.synth.base import (
    BACKGROUNDS,
    INK,
    Ask,
    Box,
    Item,
    Rgb,
    Scene,
    Text,
    draw_data,
    draw_texts,
    encode,
    font,
    ink,
    put_text,
    statements,
    unit,
)
from pellucid.data.synth.charts import LABELS, TITLES
from pellucid.data.synth.documents import HEADINGS
from pellucid.data.synth.grid import CELL_HEIGHT, CELL_WIDTH, cell_text, cells
from pellucid.data.synth.lexicon import COMMANDS, WORDS
from pellucid.data.synth.windows import BARS
from pellucid.recipe.data import PagesScene

VERSION = 3
WITHHELD = "7"
"""Withheld: this text in both the first cell and the last."""

_INKS: tuple[Rgb, ...] = (INK, INK, (150, 30, 30), (20, 60, 150), (20, 100, 40), (90, 40, 130))
_BARS: tuple[Rgb, ...] = (*_INKS, *BARS.values())
"""What white texts stand on."""
_WHITE: Rgb = (255, 255, 255)
_QUESTIONS = ("Read the page.", "Write down the text.")
_SPELL = "Spell the page."
_KINDS_OF_WORDS = (
    WORDS,
    WORDS,
    WORDS,
    COMMANDS,
    *LABELS,
    (*TITLES, *(heading for kind in HEADINGS.values() for heading in kind)),
)
"""Every word that a scene writes."""


def draw(options: PagesScene, seed: int) -> Scene:
    """The page of one seed.

    Raises:
        UserError: the withheld page is asked for, and the options never write it.
    """
    texts = draw_data(
        "pages", seed, options.withheld, lambda rng: _data(options, rng), holds_withheld
    )
    rng = Random(derive(seed, "pages", "layout"))
    width, height = (rng.randint(options.min_side_px, options.max_side_px) for _ in range(2))
    if options.on_grid:
        width, height = options.max_side_px, options.min_side_px
    size = (width, height)
    place = _on_grid if options.on_grid else _place
    placed = [place(options, texts, cell, size, rng) for cell in range(len(texts))]
    picture = Image.new("RGB", size, rng.choice(BACKGROUNDS) if options.jitter else BACKGROUNDS[0])
    pen = ImageDraw.Draw(picture)
    for index, text in enumerate(placed):
        if rng.random() < options.white_share:
            pen.rectangle(_around(options, text), fill=rng.choice(_BARS))
            placed[index] = replace(text, fill=_WHITE)
    draw_texts(pen, placed)
    facts = {
        "family": "pages",
        "width": width,
        "height": height,
        "texts": [{"text": text.text, "box": unit(text.box, *size)} for text in placed],
    }
    caption = Item("caption", (Ask(rng.choice(_QUESTIONS), " ".join(texts)),), None)
    spelling = Item("spelling", (Ask(_SPELL, " ".join(map(_spelt, texts))),), None)
    found = _places(options, texts)
    places = (statements(found, (), rng, options),) if found else ()
    return Scene((encode(picture),), facts, (caption, spelling, *places))


def holds_withheld(texts: tuple[str, ...]) -> bool:
    """Whether a page has the withheld combination."""
    return texts[0] == WITHHELD == texts[-1]


def _data(options: PagesScene, rng: Random) -> tuple[str, ...]:
    """What stands in the cells, row by row."""
    return tuple(_text(options, rng) for _ in range(options.columns * options.rows))


def _spelt(text: str) -> str:
    """A word letter by letter and a comma; a number as it is.

    >>> _spelt("oven"), _spelt("7941")
    ('o v e n,', '7941')
    """
    return text if text.isdigit() else " ".join(text) + ","


def _places(options: PagesScene, texts: tuple[str, ...]) -> list[str]:
    """What stands right of and below each text that stands on the page once."""
    found = []
    for cell, text in enumerate(texts):
        row, column = divmod(cell, options.columns)
        if texts.count(text) > 1:
            continue
        if column + 1 < options.columns:
            found.append(f"right of {text} {texts[cell + 1]}.")
        if row + 1 < options.rows:
            found.append(f"below {text} {texts[cell + options.columns]}.")
    return found


def _text(options: PagesScene, rng: Random) -> str:
    if rng.random() < options.word_share:
        return rng.choice(rng.choice(_KINDS_OF_WORDS))
    digits = rng.randint(1, options.max_digits)
    return "".join(rng.choice("0123456789") for _ in range(digits))


def _on_grid(
    options: PagesScene, texts: tuple[str, ...], cell: int, size: tuple[int, int], rng: Random
) -> Text:
    """The text of one cell of the page, moved by whole cells of the grid.

    Raises:
        UserError: the text is wider than the cell.
    """
    row, column = divmod(cell, options.columns)
    across, down = cells(options)
    left, right = column * across // options.columns, (column + 1) * across // options.columns
    top, bottom = row * down // options.rows, (row + 1) * down // options.rows
    spare = right - left - 1 - len(texts[cell])
    if spare < 0 or bottom == top:
        rule = f"leaves no room for {texts[cell]!r} in a picture {size[0]} pixels wide"
        fix = "fewer columns and rows, or a larger picture"
        raise UserError(Problem("scene (pages).columns", options.columns, rule, fix))
    moved = round(options.jitter * rng.uniform(0, spare))
    lower = round(options.jitter * rng.uniform(0, bottom - top - 1))
    colour = rng.choice(_INKS) if options.jitter else INK
    return cell_text(texts[cell], left + moved, top + lower, colour)


def _around(options: PagesScene, text: Text) -> Box:
    """The bar behind a white text: on the grid its cells and half of one to each side."""
    x0, y0, x1, y1 = text.box
    if not options.on_grid:
        return x0 - 1, y0 - 1, x1, y1
    left, top = text.origin[0], text.origin[1] + 1
    right = left + CELL_WIDTH * len(text.text)
    return left - CELL_WIDTH // 2, top, right + CELL_WIDTH // 2 - 1, top + CELL_HEIGHT - 1


def _place(
    options: PagesScene, texts: tuple[str, ...], cell: int, size: tuple[int, int], rng: Random
) -> Text:
    """The text of one cell: at its left upper corner, or moved into its free room by the jitter.

    A text that is wider than its cell takes the smallest font.
    """
    row, column = divmod(cell, options.columns)
    wide, tall = size[0] // options.columns, size[1] // options.rows
    face = font(rng.randint(options.min_font_px, options.max_font_px))
    if ink(texts[cell], face)[2] > wide - 4:
        face = font(options.min_font_px)
    x0, y0, x1, y1 = ink(texts[cell], face)
    room = (max(0, wide - 4 - (x1 - x0)), max(0, tall - 4 - (y1 - y0)))
    across, down = (round(options.jitter * rng.uniform(0, free)) for free in room)
    colour = rng.choice(_INKS) if options.jitter else INK
    left, top = column * wide + 2 + across, row * tall + 2 + down
    return put_text(texts[cell], face, left, top - y0, colour)
