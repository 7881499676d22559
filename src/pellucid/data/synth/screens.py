"""Small windows: a title bar, and buttons, check boxes and fields in rows and columns.

Every label of a window is another word. A check box is clicked on its mark or its label, a field on
its frame. Leaves out on purpose: menus, scrolling, disabled or hidden controls, and what a click
does.
"""

from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from pellucid.base.seeds import derive
from pellucid.data.synth.base import (
    BACKGROUNDS,
    INK,
    Ask,
    Box,
    Item,
    Picture,
    Rgb,
    Scene,
    Text,
    ask,
    box_answer,
    centre_text,
    choice,
    clash,
    draw_texts,
    encode,
    first_fit,
    font,
    ink,
    inside,
    number,
    put_text,
    union,
    unit,
)
from pellucid.data.synth.lexicon import COMMANDS, WORDS
from pellucid.recipe.data import ScreensScene
from pellucid.schema.record import Answer

VERSION = 1

NOUNS = {"button": "button", "check": "box", "field": "field"}
"""How questions call each kind of control."""
STEPS = {"right of": (0, 1), "left of": (0, -1), "below": (1, 0), "above": (-1, 0)}
"""Rows and columns from a control to the one that stands there."""
STATES = {
    "checked": "It is a checked box.",
    "empty": "It is a box that is not checked.",
    "field": "It is a field.",
    "absent": "It is not in the window.",
}
"""What can be true of a label that no button has."""
_BARS: tuple[Rgb, ...] = ((40, 60, 110), (70, 70, 80), (20, 100, 100), (110, 50, 80), (60, 90, 40))
_BUTTONS: tuple[Rgb, ...] = ((214, 218, 226), (196, 216, 240), (205, 230, 205), (240, 222, 190))
_LINE: Rgb = (90, 90, 90)
_WHITE: Rgb = (255, 255, 255)
_SHORT_WORDS = tuple(word.capitalize() for word in WORDS if len(word) <= 5)
_CORNERS = ("top left", "top right", "bottom left")
_GAP = 4
"""Least distance of two controls with their labels, in pixels."""


@dataclass(frozen=True, slots=True)
class _Control:
    kind: str
    label: str
    value: str = ""
    """The number in a field; "x" in a checked box."""

    @property
    def name(self) -> str:
        return f"{self.label} {NOUNS[self.kind]}"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A control in the picture: what is clicked, the frame that is drawn, and its texts."""

    control: _Control
    place: tuple[int, int]
    """Row and column."""
    box: Box
    frame: Box
    label: Text
    value: Text | None = None

    @property
    def whole(self) -> Box:
        return union((self.box, self.label.box))


@dataclass(frozen=True, slots=True)
class _Window:
    title: str
    controls: tuple[_Control, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    width: int
    height: int
    background: Rgb
    bar: Box
    bar_colour: Rgb
    button_colour: Rgb
    title: Text
    drawn: tuple[_Drawn, ...]
    """In reading order."""

    @property
    def frame(self) -> tuple[Box, Box, Box]:
        """Left, bottom and right side of the window; the title bar is its top."""
        x0, _, x1, y = self.bar
        end = self.height - self.bar[1]
        return (x0, y, x0 + 1, end - 1), (x0, end - 1, x1, end), (x1 - 1, y, x1, end - 1)

    def next_to(self, one: _Drawn, relation: str) -> _Drawn | None:
        """The control that stands left or right of, above or below another."""
        down, across = STEPS[relation]
        wanted = one.place[0] + down, one.place[1] + across
        return next((other for other in self.drawn if other.place == wanted), None)


def draw(options: ScreensScene, seed: int) -> Scene:
    """The window of one seed.

    Raises:
        UserError: so many controls do not fit into so small a picture.
    """
    window = _data(options, Random(derive(seed, "screens", "data")))
    layout = first_fit("screens", seed, options, lambda rng: _layout(options, window, rng))
    items = _items(layout, Random(derive(seed, "screens", "words")))
    return Scene((_paint(layout),), _facts(layout), items)


def _data(options: ScreensScene, rng: Random) -> _Window:
    """As many buttons as any other number, so that their count can't be guessed."""
    count = rng.randint(options.min_controls, options.max_controls)
    buttons = rng.randint(0, count)
    title, *words = rng.sample(_SHORT_WORDS, count + 1)
    controls = [_Control("button", label) for label in rng.sample(COMMANDS, buttons)]
    for label in words[buttons:]:
        if rng.random() < 0.5:
            controls.append(_Control("check", label, rng.choice(("", "x"))))
        else:
            digits = rng.randint(1, len(str(options.max_number)))
            most = min(10**digits - 1, options.max_number)
            value = rng.randint(10 ** (digits - 1), most)
            controls.append(_Control("field", label, str(value)))
    rng.shuffle(controls)
    return _Window(title, tuple(controls))


def _layout(options: ScreensScene, window: _Window, rng: Random) -> _Layout | None:
    """One try; None when something would overlap or be cut."""
    width, height = (rng.randint(options.min_side_px, options.max_side_px) for _ in range(2))
    size, edge = rng.randint(8, 11), rng.randint(2, 5)
    bold = font(rng.randint(8, 11), bold=True)
    bar = (edge, edge, width - edge, edge + rng.randint(13, 17))
    title = centre_text(window.title, bold, bar, _WHITE)
    if rng.random() < 0.6:
        left = edge + 4
        title = put_text(window.title, bold, left, title.origin[1], _WHITE)
    columns = rng.choice((2, 2, 3))
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
    colours = rng.choice(BACKGROUNDS), rng.choice(_BARS), rng.choice(_BUTTONS)
    layout = _Layout(width, height, colours[0], bar, colours[1], colours[2], title, tuple(drawn))
    return layout if _fits(layout) else None


def _wide(control: _Control, size_px: int) -> int:
    """Width of a control with its label, in pixels."""
    x0, _, x1, _ = ink(control.label, font(size_px))
    return (
        x1
        - x0
        + {"button": 10, "check": (size_px | 1) + 4, "field": 5 + _field(size_px)}[control.kind]
    )


def _field(size_px: int) -> int:
    """Width of a field's frame, in pixels."""
    x0, _, x1, _ = ink("0000", font(size_px))
    return x1 - x0 + 8


def _place(
    control: _Control, place: tuple[int, int], at: tuple[int, int], tall: int, size_px: int
) -> _Drawn:
    """A control whose left upper corner is given, in the middle of a row so many pixels tall."""
    x, y = at
    face, wide, size = font(size_px), _wide(control, size_px), size_px | 1
    whole = (x, y, x + wide, y + tall)
    _, top, _, bottom = ink("Ag", face)
    line = y + (tall - (bottom - top)) // 2 - top
    if control.kind == "button":
        label = centre_text(control.label, face, whole)
        label = put_text(control.label, face, label.box[0], line)
        return _Drawn(control, place, whole, whole, label)
    if control.kind == "check":
        above = y + (tall - size) // 2
        frame = (x, above, x + size, above + size)
        label = put_text(control.label, face, x + size + 4, line)
        return _Drawn(control, place, union((frame, label.box)), frame, label)
    label = put_text(control.label, face, x, line)
    frame = (label.box[2] + 5, y, x + wide, y + tall)
    value = put_text(control.value, face, frame[0] + 4, line)
    return _Drawn(control, place, frame, frame, label, value)


def _fits(layout: _Layout) -> bool:
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
    return not any(clash(a, b, 3) for a, b in combinations(wholes, 2))


def _paint(layout: _Layout) -> Picture:
    picture = Image.new("RGB", (layout.width, layout.height), layout.background)
    pen = ImageDraw.Draw(picture)
    for box, colour in [(layout.bar, layout.bar_colour), *((side, _LINE) for side in layout.frame)]:
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


def _facts(layout: _Layout) -> dict[str, Any]:
    size = (layout.width, layout.height)
    return {
        "family": "screens",
        "width": layout.width,
        "height": layout.height,
        "title": {"text": layout.title.text, "box": unit(layout.title.box, *size)},
        "bar": {"box": unit(layout.bar, *size)},
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


def _items(layout: _Layout, rng: Random) -> tuple[Item, ...]:
    made = (
        _caption(layout, rng),
        _title(layout, rng),
        _count(layout, rng),
        _locate(layout, rng),
        _which(layout, rng),
        _corner(layout, rng),
        _checked(layout, rng),
        _read(layout, rng),
        _click_next(layout, rng),
        _click_second(layout, rng),
        _sum(layout, rng),
        _dialogue(layout, rng),
    )
    return tuple(item for item in made if item is not None)


def _caption(layout: _Layout, rng: Random) -> Item:
    rows: dict[int, list[str]] = {}
    for one in layout.drawn:
        text = {"button": "", "check": " checked" if one.control.value else " not checked"}
        told = one.control.name + text.get(one.control.kind, f" {one.control.value}")
        rows.setdefault(one.place[0], []).append(told)
    listed = " ".join(f"Row {row + 1}: {', '.join(told)}." for row, told in rows.items())
    text_ = f'A window titled "{layout.title.text}" with {len(layout.drawn)} controls. {listed}'
    question = rng.choice(("Describe the picture.", "Write down everything in the window."))
    return Item("caption", (Ask(question, text_),), None)


def _title(layout: _Layout, rng: Random) -> Item:
    question = rng.choice(("What is the title of the window?", "Read the title bar."))
    return ask("title", question, Answer("text", layout.title.text))


def _count(layout: _Layout, rng: Random) -> Item:
    question = rng.choice(("How many buttons are there?", "Count the buttons."))
    return ask("count", question, number(len(_of(layout, "button"))))


def _of(layout: _Layout, kind: str) -> list[_Drawn]:
    return [one for one in layout.drawn if one.control.kind == kind]


def _box(layout: _Layout, one: _Drawn) -> Answer:
    return box_answer(one.box, layout.width, layout.height)


def _locate(layout: _Layout, rng: Random) -> Item:
    one = rng.choice(layout.drawn)
    question = rng.choice(("Click the {}.", "Where is the {}? Give its box."))
    return ask("locate", question.format(one.control.name), _box(layout, one))


def _pairs(layout: _Layout, relation: str) -> list[tuple[_Drawn, _Drawn]]:
    """Each control with the one that stands in a relation to it."""
    found = ((one, layout.next_to(one, relation)) for one in layout.drawn)
    return [(one, other) for one, other in found if other is not None]


def _pair(layout: _Layout, rng: Random) -> tuple[str, _Drawn, _Drawn]:
    """A relation, a control, and the control that stands in the relation to it."""
    relation = rng.choice([relation for relation in STEPS if _pairs(layout, relation)])
    return relation, *rng.choice(_pairs(layout, relation))


def _labels(layout: _Layout, rng: Random, right: _Drawn, besides: str) -> tuple[str, Answer]:
    """Labels to choose from: others of the window, then labels that are not there."""
    there = [one.control.label for one in layout.drawn]
    others = [label for label in there if label not in (right.control.label, besides)]
    wrong = rng.sample(others, min(3, len(others)))
    absent = [label for label in (*COMMANDS, *_SHORT_WORDS) if label not in there]
    return choice(rng, right.control.label, [*wrong, *rng.sample(absent, 3 - len(wrong))])


def _which(layout: _Layout, rng: Random) -> Item:
    relation, one, other = _pair(layout, rng)
    lines, answer = _labels(layout, rng, other, one.control.label)
    return ask("which", f"Which label is {_side(relation)} the {one.control.name}?{lines}", answer)


def _side(relation: str) -> str:
    return f"directly to the {relation}" if relation.endswith("of") else f"directly {relation}"


def _corner(layout: _Layout, rng: Random) -> Item:
    """The first control, the last of the first row, or the first of the last row."""
    corner = rng.choice(_CORNERS)
    last_row = layout.drawn[-1].place[0]
    found = {
        "top left": layout.drawn[0],
        "top right": [one for one in layout.drawn if one.place[0] == 0][-1],
        "bottom left": next(one for one in layout.drawn if one.place[0] == last_row),
    }[corner]
    lines, answer = _labels(layout, rng, found, "")
    return ask("corner", f"Which label is at the {corner}?{lines}", answer)


def _state(one: _Drawn) -> str:
    """What is true of a check box or a field, as a key of `STATES`."""
    if one.control.kind == "field":
        return "field"
    return "checked" if one.control.value else "empty"


def _checked(layout: _Layout, rng: Random) -> Item | None:
    """One time in four a label that is not there, else each state that occurs is as likely."""
    pool = [one for one in layout.drawn if one.control.kind != "button"]
    if not pool:
        return None
    state = rng.choice(sorted({_state(one) for one in pool}))
    label = rng.choice([one.control.label for one in pool if _state(one) == state])
    if rng.random() < 1 / 4:
        there = {layout.title.text, *(one.control.label for one in layout.drawn)}
        label, state = rng.choice([word for word in _SHORT_WORDS if word not in there]), "absent"
    wrong = [text for key, text in STATES.items() if key != state]
    lines, answer = choice(rng, STATES[state], wrong)
    question = rng.choice(("What is true of {}?", "Is {} checked?"))
    return ask("checked", question.format(label) + lines, answer)


def _read(layout: _Layout, rng: Random) -> Item | None:
    fields = _of(layout, "field")
    if not fields:
        return None
    control = rng.choice(fields).control
    question = rng.choice(("What does the {} say?", "Which number is in the {}?"))
    return ask("read", question.format(control.name), number(int(control.value)))


def _click(layout: _Layout, one: _Drawn, hops: list[tuple[str, _Drawn]]) -> tuple[Answer, str]:
    """The box at the end of some hops from a control, and the way there."""
    steps, at = [], one
    for relation, other in hops:
        side = _side(relation).capitalize()
        steps.append(f"{side} the {at.control.name} is the {other.control.name}.")
        at = other
    answer = _box(layout, at)
    return answer, f"{' '.join(steps)} Its box is {answer.gold}."


def _click_next(layout: _Layout, rng: Random) -> Item:
    relation, one, other = _pair(layout, rng)
    answer, steps = _click(layout, one, [(relation, other)])
    question = rng.choice(("Click what is {} the {}.", "Find the {1}. Click what is {0} it."))
    return ask("click_next", question.format(_side(relation), one.control.name), answer, steps)


def _click_second(layout: _Layout, rng: Random) -> Item:
    """Two hops that do not lead back."""
    ways = [
        (one, [(first, middle), (then, last)])
        for first in STEPS
        for one, middle in _pairs(layout, first)
        for then in STEPS
        for start, last in _pairs(layout, then)
        if start is middle and last is not one
    ]
    one, hops = rng.choice(ways)
    answer, steps = _click(layout, one, hops)
    first, then = (_side(relation) for relation, _ in hops)
    asked = f"Find what is {first} the {one.control.name}. Then click what is {then} that."
    return ask("click_second", asked, answer, steps)


def _sum(layout: _Layout, rng: Random) -> Item | None:
    fields = _of(layout, "field")
    if len(fields) < 2:
        return None
    a, b = (one.control for one in rng.sample(fields, 2))
    left, right = int(a.value), int(b.value)
    steps = f"{a.label} {left}, {b.label} {right}. {left} + {right} = {left + right}."
    asked = f"What is the sum of the {a.name} and the {b.name}?"
    return ask("sum", asked, number(left + right), steps)


def _dialogue(layout: _Layout, rng: Random) -> Item:
    """Two clicks; the second leans on the first."""
    relation, one, other = _pair(layout, rng)
    answer, steps = _click(layout, one, [(relation, other)])
    first = Ask(f"Click the {one.control.name}.", _box(layout, one).gold)
    second = Ask(f"And now what is {_side(relation)} it.", answer.gold, steps)
    return Item("dialogue", (first, second), answer)
