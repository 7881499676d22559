"""Small windows: what they hold, where it stands, and how they are drawn.

A window has a title bar, and buttons, check boxes and fields in rows and columns. Leaves out on
purpose: menus, scrolling, disabled or hidden controls, and all questions.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from pellucid.data.synth.base import (
    BACKGROUNDS,
    INK,
    Box,
    Picture,
    Rgb,
    Text,
    apart,
    centre_text,
    clash,
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
from pellucid.data.synth.lexicon import COMMANDS, WORDS
from pellucid.recipe.data import ScreensScene

NOUNS = {"button": "button", "check": "box", "field": "field"}
"""How questions call each kind of control."""
STEPS = {"right of": (0, 1), "left of": (0, -1), "below": (1, 0), "above": (-1, 0)}
"""Rows and columns from a control to the one that stands there."""
BARS: dict[str, Rgb] = {
    "blue": (35, 70, 160),
    "green": (25, 110, 50),
    "red": (165, 35, 40),
    "grey": (90, 90, 95),
    "purple": (110, 50, 150),
}
"""Colours of title bars."""
WITHHELD = "green"
"""The withheld combination: a checked box in a window whose title bar has this colour."""
_BUTTONS: tuple[Rgb, ...] = ((214, 218, 226), (196, 216, 240), (205, 230, 205), (240, 222, 190))
_LINE: Rgb = (90, 90, 90)
_WHITE: Rgb = (255, 255, 255)
SHORT_WORDS = tuple(word for word in WORDS if len(word) <= 5)
"""Titles, and the labels of check boxes and fields."""
_GAP = 4
"""Least distance of two controls with their labels, in pixels."""


@dataclass(frozen=True, slots=True)
class Control:
    """A button, a check box or a field."""

    kind: str
    label: str
    value: str = ""
    """The number in a field; "x" in a checked box."""
    digits: int = 0
    """How many digits a field has room for."""

    @property
    def name(self) -> str:
        """How questions call it."""
        return f"{self.label} {NOUNS[self.kind]}"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A control in the picture: what is clicked, the frame that is drawn, and its texts."""

    control: Control
    place: tuple[int, int]
    """Row and column."""
    box: Box
    frame: Box
    label: Text
    value: Text | None = None

    @property
    def whole(self) -> Box:
        """The control with its label, in pixels."""
        return union((self.box, self.label.box))


@dataclass(frozen=True, slots=True)
class Window:
    """What a window holds, before it is laid out."""

    title: str
    bar: str
    controls: tuple[Control, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands, in pixels."""

    width: int
    height: int
    background: Rgb
    bar: Box
    bar_colour: str
    button_colour: Rgb
    title: Text
    drawn: tuple[Drawn, ...]
    """In reading order."""

    @property
    def frame(self) -> tuple[Box, Box, Box]:
        """Left, bottom and right side of the window; the title bar is its top."""
        x0, _, x1, y = self.bar
        end = self.height - self.bar[1]
        return (x0, y, x0 + 1, end - 1), (x0, end - 1, x1, end), (x1 - 1, y, x1, end - 1)

    def next_to(self, one: Drawn, relation: str) -> Drawn | None:
        """The control that stands left or right of, above or below another."""
        down, across = STEPS[relation]
        wanted = one.place[0] + down, one.place[1] + across
        return next((other for other in self.drawn if other.place == wanted), None)


def draw_window(options: ScreensScene, rng: Random) -> Window:
    """As many buttons as any other number, so that their count can't be guessed."""
    count = rng.randint(options.min_controls, options.max_controls)
    buttons = rng.randint(0, count)
    title, *words = rng.sample(SHORT_WORDS, count + 1)
    controls = [Control("button", label) for label in rng.sample(COMMANDS, buttons)]
    for label in words[buttons:]:
        if rng.random() < 0.5:
            controls.append(Control("check", label, rng.choice(("", "x"))))
        else:
            room = len(str(options.max_number))
            digits = rng.randint(1, room)
            most = min(10**digits - 1, options.max_number)
            value = rng.randint(10 ** (digits - 1), most)
            controls.append(Control("field", label, str(value), room))
    rng.shuffle(controls)
    return Window(title, rng.choice(sorted(BARS)), tuple(controls))


def has_withheld(window: Window) -> bool:
    """Whether a window has a checked box and a title bar in the withheld colour."""
    checked = any(one.kind == "check" and one.value for one in window.controls)
    return checked and window.bar == WITHHELD


def lay_out(options: ScreensScene, window: Window, rng: Random) -> Layout | None:
    """One try; None when something would overlap or be cut."""
    width, height = (rng.randint(options.min_side_px, options.max_side_px) for _ in range(2))
    size, edge = rng.randint(10, 12), rng.randint(2, 5)
    bold = font(rng.randint(10, 12), bold=True)
    bar = (edge, edge, width - edge, edge + rng.randint(14, 18))
    title = centre_text(window.title, bold, bar, _WHITE)
    if rng.random() < 0.6:
        left = edge + 4
        title = put_text(window.title, bold, left, title.origin[1], _WHITE)
    columns = rng.choice((1, 2, 2, 3))
    tall = size + rng.randint(4, 8)
    widths = [0] * columns
    for index, control in enumerate(window.controls):
        widths[index % columns] = max(widths[index % columns], _wide(control, size))
    rows = -(-len(window.controls) // columns)
    spare = width - 2 * edge - 2 - sum(widths) - _GAP * (columns + 1)
    spare_down = height - bar[3] - edge - 1 - rows * tall - _GAP * (rows + 1)
    if spare < 0 or spare_down < 0:
        return None
    between = _GAP + rng.randint(0, spare // (columns + 1))
    between_rows = _GAP + rng.randint(0, min(tall, spare_down // (rows + 1)))
    loose = width - 2 * edge - 2 - sum(widths) - between * (columns + 1)
    loose_down = height - bar[3] - edge - 1 - rows * tall - between_rows * (rows + 1)
    start = edge + 1 + between + rng.randint(0, loose)
    drawn, y = [], bar[3] + between_rows + rng.randint(0, loose_down)
    for row in range(rows):
        x = start
        for column in range(min(columns, len(window.controls) - row * columns)):
            control = window.controls[row * columns + column]
            drawn.append(_place(control, (row, column), (x, y), tall, size))
            x += widths[column] + between
        y += tall + between_rows
    back, front = rng.choice(BACKGROUNDS), rng.choice(_BUTTONS)
    layout = Layout(width, height, back, bar, window.bar, front, title, tuple(drawn))
    return layout if _fits(layout) else None


def lay_out_on_grid(options: ScreensScene, window: Window, rng: Random) -> Layout | None:
    """One try on the grid, an empty row above each row of controls; None when it does not fit."""
    columns, rows = cells(options)
    width, height = columns * CELL_WIDTH, rows * CELL_HEIGHT
    across = rng.choice((1, 2, 2, 3))
    down = -(-len(window.controls) // across)
    widths = [
        max((_cells_of(one) for one in window.controls[at::across]), default=0)
        for at in range(across)
    ]
    spare = columns - 2 - sum(widths) - (across - 1)
    spare_down = rows - 2 - 2 * down
    if spare < 0 or spare_down < 0 or across > len(window.controls):
        return None
    between = 1 + rng.randint(0, spare // across)
    x = 1 + rng.randint(0, spare - (between - 1) * (across - 1))
    top = 2 + rng.randint(0, spare_down)
    starts = [x + sum(widths[:at]) + between * at for at in range(across)]
    drawn = tuple(
        _place_on_grid(one, divmod(at, across), starts[at % across], top + 2 * (at // across))
        for at, one in enumerate(window.controls)
    )
    bar = (2, 1, width - 2, CELL_HEIGHT)
    middle = (columns - len(window.title)) // 2
    title = cell_text(window.title, rng.choice((1, middle)), 0, _WHITE)
    back, front = rng.choice(BACKGROUNDS), rng.choice(_BUTTONS)
    return Layout(width, height, back, bar, window.bar, front, title, drawn)


def _cells_of(control: Control) -> int:
    """Cells across that a control takes with its label."""
    if control.kind == "field":
        return len(control.label) + control.digits + 2
    return len(control.label) + 2


def _place_on_grid(control: Control, place: tuple[int, int], column: int, row: int) -> Drawn:
    """A control from a cell on: a frame as tall as the row, its texts in the cells."""
    x, y = column * CELL_WIDTH, row * CELL_HEIGHT
    end = x + _cells_of(control) * CELL_WIDTH - 1
    if control.kind == "button":
        whole = (x + 1, y, end, y + CELL_HEIGHT)
        return Drawn(control, place, whole, whole, cell_text(control.label, column + 1, row))
    if control.kind == "check":
        label, frame = cell_text(control.label, column + 2, row), (x + 1, y + 2, x + 14, y + 15)
        return Drawn(control, place, union((frame, label.box)), frame, label)
    digits = column + len(control.label) + 1
    frame = (digits * CELL_WIDTH - 4, y, end - 3, y + CELL_HEIGHT)
    label, value = cell_text(control.label, column, row), cell_text(control.value, digits, row)
    return Drawn(control, place, frame, frame, label, value)


def _wide(control: Control, size_px: int) -> int:
    """Width of a control with its label, in pixels."""
    face = font(size_px)
    x0, _, x1, _ = ink(control.label, face)
    if control.kind == "button":
        return x1 - x0 + 10
    if control.kind == "check":
        return x1 - x0 + (size_px | 1) + 4
    left, _, right, _ = ink("0" * control.digits, face)
    return x1 - x0 + 5 + right - left + 8


def _place(
    control: Control, place: tuple[int, int], at: tuple[int, int], tall: int, size_px: int
) -> Drawn:
    """A control whose left upper corner is given, in the middle of a row so many pixels tall."""
    x, y = at
    face, wide, size = font(size_px), _wide(control, size_px), size_px | 1
    whole = (x, y, x + wide, y + tall)
    _, top, _, bottom = ink("Ag", face)
    line = y + (tall - (bottom - top)) // 2 - top
    if control.kind == "button":
        label = centre_text(control.label, face, whole)
        label = put_text(control.label, face, label.box[0], line)
        return Drawn(control, place, whole, whole, label)
    if control.kind == "check":
        above = y + (tall - size) // 2
        frame = (x, above, x + size, above + size)
        label = put_text(control.label, face, x + size + 4, line)
        return Drawn(control, place, union((frame, label.box)), frame, label)
    label = put_text(control.label, face, x, line)
    frame = (label.box[2] + 5, y, x + wide, y + tall)
    value = put_text(control.value, face, frame[0] + 4, line)
    return Drawn(control, place, frame, frame, label, value)


def _fits(layout: Layout) -> bool:
    """The title keeps inside its bar, every control apart from the others and the frame."""
    x0, y0, x1, y1 = layout.bar
    title = layout.title.box
    if title[0] < x0 + 2 or title[2] > x1 - 2 or title[1] < y0 + 1 or title[3] > y1 - 1:
        return False
    if not inside(layout.bar, layout.width, layout.height):
        return False
    wholes = [one.whole for one in layout.drawn]
    if any(clash(whole, other, 3) for whole in wholes for other in (layout.bar, *layout.frame)):
        return False
    if any(not inside(whole, layout.width, layout.height) for whole in wholes):
        return False
    return apart(wholes, 3)


def paint(layout: Layout) -> Picture:
    """The picture of a window."""
    picture = Image.new("RGB", (layout.width, layout.height), layout.background)
    pen = ImageDraw.Draw(picture)
    frame = [(layout.bar, BARS[layout.bar_colour]), *((side, _LINE) for side in layout.frame)]
    for box, colour in frame:
        pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=colour)
    draw_texts(pen, (layout.title,))
    for one in layout.drawn:
        x0, y0, x1, y1 = one.frame[0], one.frame[1], one.frame[2] - 1, one.frame[3] - 1
        button = one.control.kind == "button"
        fill = layout.button_colour if button else _WHITE
        radius = 3 if button else 0
        pen.rounded_rectangle((x0, y0, x1, y1), radius, fill=fill, outline=_LINE)
        if one.control.kind == "check" and one.control.value:
            _cross(pen, (x0 + 2, y0 + 2, x1 - 2, y1 - 2))
        draw_texts(pen, (one.label, *((one.value,) if one.value else ())))
    return encode(picture)


def _cross(pen: ImageDraw.ImageDraw, box: Box) -> None:
    """The mark of a checked box: a cross with a thick middle, between two corners inclusive."""
    x0, y0, x1, y1 = box
    mx, my = (x0 + x1) // 2, (y0 + y1) // 2
    for line in ((x0, y0, x1, y1), (x0, y1, x1, y0)):
        pen.line(line, fill=INK)
    pen.rectangle((mx - 1, my - 1, mx + 1, my + 1), fill=INK)


def facts_of(layout: Layout) -> dict[str, Any]:
    """All that is drawn, as JSON; boxes are [0, 1]."""
    size = (layout.width, layout.height)
    return {
        "family": "screens",
        "width": layout.width,
        "height": layout.height,
        "title": {"text": layout.title.text, "box": unit(layout.title.box, *size)},
        "bar": {"colour": layout.bar_colour, "box": unit(layout.bar, *size)},
        "frame": [unit(side, *size) for side in layout.frame],
        "controls": [
            {
                "kind": one.control.kind,
                "label": one.control.label,
                "value": one.control.value,
                "box": unit(one.box, *size),
                "label_box": unit(one.label.box, *size),
                "value_box": unit(one.value.box, *size) if one.value else None,
            }
            for one in layout.drawn
        ],
    }
