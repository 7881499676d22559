"""Plane figures with their lengths written beside them: data, layout, pixels, facts.

A figure is drawn in proportion, each at a scale of its own; no two figures share a colour and no
two lengths are equal, so each can be named by either. One side of a rectangle may be "?". Leaves
out on purpose: questions (`geometry`), angles, pi, units and figures inside figures.
"""

from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from pellucid.data.synth.base import (
    BACKGROUNDS,
    Box,
    Picture,
    Rgb,
    Text,
    apart,
    draw_texts,
    encode,
    font,
    ink,
    inside,
    put_text,
    union,
    unit,
)
from pellucid.data.synth.grid import CELL_HEIGHT, CELL_WIDTH, cell_text, cells
from pellucid.recipe.data import GeometryScene

COLOURS: dict[str, Rgb] = {
    "red": (214, 39, 40),
    "blue": (31, 99, 200),
    "green": (34, 150, 60),
    "orange": (240, 120, 0),
    "purple": (140, 70, 190),
    "brown": (130, 80, 50),
}
SIDES: dict[str, tuple[str, ...]] = {
    "rectangle": ("width", "height"),
    "square": ("side",),
    "right triangle": ("base", "height"),
    "circle": ("radius",),
}
"""What is measured of each kind, what runs across before what runs down."""
WITHHELD = ("purple", "circle")
"""The withheld combination: a circle in this colour."""
_GAP = 3
"""Least distance of two figures or their texts, in pixels."""
_GRID_RADIUS = 26
"""Least radius of a circle on the grid, in pixels: two digits stand inside."""
_TRIES = 30
"""Sizes tried for one figure before the layout is given up."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A kind in a colour, and how long its sides are."""

    kind: str
    colour: str
    lengths: tuple[int, ...]
    """One for each of the kind's sides."""
    hidden: str = ""
    """The side written as "?"."""

    @property
    def name(self) -> str:
        """Colour and kind, which no other figure of the picture shares."""
        return f"{self.colour} {self.kind}"

    @property
    def sides(self) -> dict[str, int]:
        """Length by side."""
        return dict(zip(SIDES[self.kind], self.lengths, strict=True))

    @property
    def shown(self) -> dict[str, int]:
        """Length by side, of those that are written."""
        return {side: length for side, length in self.sides.items() if side != self.hidden}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in units of length."""
        if self.kind == "circle":
            return 2 * self.lengths[0], 2 * self.lengths[0]
        return self.lengths[0], self.lengths[-1]

    def write(self, side: str) -> str:
        """The text beside a side."""
        return "?" if side == self.hidden else str(self.sides[side])


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure in the picture: its box, its texts by side, and which corner is the right angle."""

    figure: Figure
    box: Box
    texts: tuple[Text, ...]
    at_right: bool
    at_top: bool


@dataclass(frozen=True, slots=True)
class Plane:
    """The picture before it is painted; sizes in pixels."""

    width: int
    height: int
    background: Rgb
    drawn: tuple[Drawn, ...]
    """In reading order."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures in reading order."""
        return tuple(one.figure for one in self.drawn)


def draw_figures(count: int, most: int, rng: Random) -> tuple[Figure, ...]:
    """Kinds, colours and lengths; where no two sides are left for a kind, it is a square."""
    used: set[int] = set()
    figures = []
    for colour in rng.sample(sorted(COLOURS), count):
        kind = rng.choice(sorted(SIDES))
        free = [sides for sides in _sides(kind, most) if used.isdisjoint(sides)]
        if not free:
            kind = "square"
            free = [sides for sides in _sides(kind, most) if used.isdisjoint(sides)]
        lengths = rng.choice(free)
        used.update(lengths)
        hides = kind == "rectangle" and rng.random() < 0.4
        hidden = rng.choice(SIDES[kind]) if hides else ""
        figures.append(Figure(kind, colour, lengths, hidden))
    return tuple(figures)


def has_withheld(figures: tuple[Figure, ...]) -> bool:
    """Whether one of them is the withheld combination."""
    return any((figure.colour, figure.kind) == WITHHELD for figure in figures)


@cache
def _sides(kind: str, most: int) -> tuple[tuple[int, ...], ...]:
    """All lengths that a figure of a kind can have, each from 2 to `most`."""
    lengths = range(2, most + 1)
    if len(SIDES[kind]) == 1:
        return tuple((length,) for length in lengths)
    return tuple((a, b) for a, b in permutations(lengths, 2) if _goes_with(kind, a, b))


def _goes_with(kind: str, a: int, b: int) -> bool:
    """Sides that are told apart and not too thin; the area of a triangle is a whole number."""
    low, high = min(a, b), max(a, b)
    return 1.2 * low <= high <= 2.5 * low and (kind == "rectangle" or a * b % 2 == 0)


def lay_out(options: GeometryScene, figures: tuple[Figure, ...], rng: Random) -> Plane | None:
    """One try: figures in cells of a grid; None when one does not fit into its cell."""
    width, height = (rng.randint(options.min_side_px, options.max_side_px) for _ in range(2))
    columns = 1 if len(figures) == 1 or (len(figures) == 2 and height > width) else 2
    rows = -(-len(figures) // columns)
    cells = rng.sample(range(rows * columns), len(figures))
    size = rng.randint(10, 12)
    drawn = []
    for cell, figure in zip(sorted(cells), figures, strict=True):
        row, column = divmod(cell, columns)
        area = (
            2 + (width - 4) * column // columns,
            2 + (height - 4) * row // rows,
            2 + (width - 4) * (column + 1) // columns,
            2 + (height - 4) * (row + 1) // rows,
        )
        found = _place(figure, area, size, rng)
        if found is None:
            return None
        drawn.append(found)
    plane = Plane(width, height, rng.choice(BACKGROUNDS), tuple(drawn))
    return plane if _fits(plane) else None


def _place(figure: Figure, area: Box, size_px: int, rng: Random) -> Drawn | None:
    """The figure at a size and place that leave room for its texts within an area."""
    face = font(size_px)
    wide, tall = figure.size
    written = [ink(figure.write(side), face) for side in figure.sides]
    room = max(box[2] - box[0] for box in written) + 3, max(box[3] - box[1] for box in written) + 3
    if figure.kind == "circle":
        room = 0, 0
    for _ in range(_TRIES):
        across, down = area[2] - area[0] - 2 - room[0], area[3] - area[1] - 2 - room[1]
        scale = min(across / wide, down / tall) * rng.uniform(0.7, 1.0)
        w, h = round(scale * wide), round(scale * tall)
        if min(w, h) < 12:
            continue
        at_right, at_top = rng.random() < 0.5, rng.random() < 0.5
        x = rng.randint(area[0] + 1, area[2] - 1 - w - room[0]) + (0 if at_right else room[0])
        y = rng.randint(area[1] + 1, area[3] - 1 - h - room[1]) + (room[1] if at_top else 0)
        found = Drawn(figure, (x, y, x + w, y + h), (), at_right, at_top)
        if figure.kind == "circle":
            texts = _radius_text(found, size_px)
        else:
            sides = list(figure.sides)
            down_too = len(sides) == 2 or rng.random() < 0.5
            texts = [_text_across(found, sides[0], size_px)] if len(sides) == 2 else []
            one = _text_down if down_too else _text_across
            texts.append(one(found, sides[-1], size_px))
        if texts:
            return replace(found, texts=tuple(texts))
    return None


def lay_out_on_grid(
    options: GeometryScene, figures: tuple[Figure, ...], rng: Random
) -> Plane | None:
    """One try on the grid: figures in equal areas of whole cells."""
    columns, rows = cells(options)
    across = 1 if len(figures) == 1 else 2
    down = -(-len(figures) // across)
    areas = rng.sample(range(across * down), len(figures))
    drawn = []
    for at, figure in zip(sorted(areas), figures, strict=True):
        row, column = divmod(at, across)
        area = (
            1 + (columns - 2) * column // across,
            rows * row // down,
            1 + (columns - 2) * (column + 1) // across,
            rows * (row + 1) // down,
        )
        one = _circle_on_grid if figure.kind == "circle" else _sides_on_grid
        found = one(figure, area, rng)
        if found is None:
            return None
        drawn.append(found)
    sizes = columns * CELL_WIDTH, rows * CELL_HEIGHT
    plane = Plane(*sizes, rng.choice(BACKGROUNDS), tuple(drawn))
    return plane if _fits(plane) else None


def _circle_on_grid(figure: Figure, area: Box, rng: Random) -> Drawn | None:
    """A circle whose centre is a corner of cells; the radius stands in the row above it."""
    text = figure.write("radius")
    least = _GRID_RADIUS + CELL_WIDTH * (len(text) - 2)
    across, down = -(-(least + 3) // CELL_WIDTH), -(-(least + 3) // CELL_HEIGHT)
    if area[2] - area[0] < 2 * across or area[3] - area[1] < 2 * down:
        return None
    column = rng.randint(area[0] + across, area[2] - across)
    row = rng.randint(area[1] + down, area[3] - down)
    x, y = column * CELL_WIDTH, row * CELL_HEIGHT
    radius = rng.randint(least, min(down * CELL_HEIGHT, across * CELL_WIDTH) - 3)
    box = (x - radius, y - radius, x + radius + 1, y + radius + 1)
    return Drawn(figure, box, (cell_text(text, column, row - 1),), False, False)


def _sides_on_grid(figure: Figure, area: Box, rng: Random) -> Drawn | None:
    """A figure in proportion, its lengths in the row of cells and the columns next to it."""
    left, top, right, bottom = area
    at_right, at_top = rng.random() < 0.5, rng.random() < 0.5
    written = [figure.write(side) for side in figure.sides]
    aside = written[-1] if len(written) == 2 or rng.random() < 0.5 else ""
    under = written[0] if len(written) == 2 or not aside else ""
    room = (right - left - len(aside) - 1) * CELL_WIDTH - 4, (bottom - top - 1) * CELL_HEIGHT - 4
    wide, tall = figure.size
    scale = min(room[0] / wide, room[1] / tall) * rng.uniform(0.75, 1.0)
    w, h = round(scale * wide), round(scale * tall)
    if min(w, h) < 12:
        return None
    x = (left + len(aside)) * CELL_WIDTH + 2
    if at_right:
        x = (right - len(aside)) * CELL_WIDTH - 2 - w
    y = (top + 1) * CELL_HEIGHT + 1 if at_top else (bottom - 1) * CELL_HEIGHT - 2 - h
    made = []
    if under:
        column = round((x + w / 2) / CELL_WIDTH - len(under) / 2)
        made.append(cell_text(under, column, top if at_top else bottom - 1))
    if aside:
        column, row = right - len(aside) if at_right else left, (y + h // 2) // CELL_HEIGHT
        made.append(cell_text(aside, column, row))
    return Drawn(figure, (x, y, x + w, y + h), tuple(made), at_right, at_top)


def _text_across(drawn: Drawn, side: str, size_px: int) -> Text:
    """Above or below the figure, centred."""
    x0, y0, x1, y1 = drawn.box
    face = font(size_px)
    left, top, right, bottom = ink(drawn.figure.write(side), face)
    y = y0 - 2 - bottom if drawn.at_top else y1 + 2 - top
    return put_text(drawn.figure.write(side), face, (x0 + x1 - (right - left)) // 2, y)


def _text_down(drawn: Drawn, side: str, size_px: int) -> Text:
    """To the left or right of the figure, centred."""
    x0, y0, x1, y1 = drawn.box
    face = font(size_px)
    left, top, right, bottom = ink(drawn.figure.write(side), face)
    x = x1 + 2 if drawn.at_right else x0 - 2 - (right - left)
    return put_text(drawn.figure.write(side), face, x, (y0 + y1 - (bottom - top)) // 2 - top)


def _radius_text(drawn: Drawn, size_px: int) -> list[Text]:
    """Above the line from the centre to the right; empty when it would touch the circle."""
    x0, y0, x1, y1 = drawn.box
    face, radius = font(size_px), (x1 - x0) / 2
    left, top, right, bottom = ink(drawn.figure.write("radius"), face)
    reach = radius / 2 + (right - left) / 2 - 1, bottom - top + 3
    if reach[0] ** 2 + reach[1] ** 2 > (radius - 3) ** 2 or right - left > radius - 4:
        return []
    start = round((x0 + x1) / 2 + radius / 2 - (right - left) / 2) - 1
    return [put_text(drawn.figure.write("radius"), face, start, (y0 + y1 - 1) // 2 - 2 - bottom)]


def _fits(plane: Plane) -> bool:
    """Every figure with its texts stands inside and apart from the others."""
    blocks = [union((one.box, *(text.box for text in one.texts))) for one in plane.drawn]
    if not all(inside(block, plane.width, plane.height, 2) for block in blocks):
        return False
    return apart(blocks, _GAP)


def paint(plane: Plane) -> Picture:
    """The picture; the same plane gives the same bytes."""
    picture = Image.new("RGB", (plane.width, plane.height), plane.background)
    pen = ImageDraw.Draw(picture)
    for one in plane.drawn:
        _paint_figure(pen, one)
        draw_texts(pen, one.texts)
    return encode(picture)


def _paint_figure(pen: ImageDraw.ImageDraw, drawn: Drawn) -> None:
    """A dark outline around a pale filling; the right angle and the radius are marked."""
    x0, y0, x1, y1 = drawn.box[0], drawn.box[1], drawn.box[2] - 1, drawn.box[3] - 1
    line = COLOURS[drawn.figure.colour]
    red, green, blue = ((value + 3 * 255) // 4 for value in line)
    pale = (red, green, blue)
    if drawn.figure.kind == "circle":
        pen.ellipse((x0, y0, x1, y1), fill=pale, outline=line)
        mx, my = (x0 + x1) // 2, (y0 + y1) // 2
        pen.line((mx, my, x1, my), fill=line)
        pen.rectangle((mx - 1, my - 1, mx + 1, my + 1), fill=line)
    elif drawn.figure.kind == "right triangle":
        x, far_x = (x1, x0) if drawn.at_right else (x0, x1)
        y, far_y = (y0, y1) if drawn.at_top else (y1, y0)
        pen.polygon([(x, y), (far_x, y), (x, far_y)], fill=pale, outline=line)
        mark_x, mark_y = (x - 4 if drawn.at_right else x + 4), (y + 4 if drawn.at_top else y - 4)
        pen.line([(x, mark_y), (mark_x, mark_y), (mark_x, y)], fill=line)
    else:
        pen.rectangle((x0, y0, x1, y1), fill=pale, outline=line)


def facts_of(plane: Plane) -> dict[str, Any]:
    """What is in the picture and where, as JSON."""
    size = (plane.width, plane.height)
    return {
        "family": "geometry",
        "width": plane.width,
        "height": plane.height,
        "figures": [
            {
                "kind": one.figure.kind,
                "colour": one.figure.colour,
                "box": unit(one.box, *size),
                "sides": one.figure.sides,
                "hidden": one.figure.hidden,
                "texts": [{"text": text.text, "box": unit(text.box, *size)} for text in one.texts],
            }
            for one in plane.drawn
        ],
    }
