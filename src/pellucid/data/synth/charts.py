"""Bar charts: coloured, labelled bars with their values written on, above or beside them.

On the grid the bars lie, elsewhere they stand. Leaves out on purpose: axis ticks, grid lines and
other chart types.
"""

from dataclasses import dataclass
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
    apart,
    ask,
    box_answer,
    clash,
    complete,
    draw_data,
    draw_texts,
    encode,
    first_fit,
    font,
    inside,
    most_so_far,
    number,
    said,
    set_text,
    statements,
    unit,
)
from pellucid.data.synth.grid import CELL_HEIGHT, CELL_WIDTH, cell_text, cells
from pellucid.recipe.data import ChartsScene
from pellucid.schema.record import Answer

VERSION = 6
FROM_CAPTION = frozenset({"count", "difference", "dialogue", "largest", "name", "read", "sum"})
"""Tasks that a reader of the caption alone can answer."""
FROM_BOXES = frozenset({"locate"})
"""Tasks for which the reader needs the caption with boxes."""

COLOURS: dict[str, Rgb] = {
    "red": (214, 39, 40),
    "blue": (31, 99, 200),
    "green": (34, 150, 60),
    "orange": (255, 140, 20),
    "purple": (140, 70, 190),
    "pink": (250, 130, 190),
    "brown": (130, 80, 50),
    "yellow": (240, 210, 30),
}
WITHHELD = "purple"
"""A month's bar in this colour is the withheld combination: other bars have it, and months have
other colours."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
TITLES = (
    "rain", "sales", "visits", "votes", "stock", "trips", "goals", "steps", "books", "calls",
)  # fmt: skip
LABELS = (
    ("ant", "bee", "cat", "cow", "dog", "elk", "fox", "hen", "owl", "pig", "rat", "yak"),
    MONTHS,
    ("egg", "fig", "ham", "jam", "nut", "oat", "pea", "pie", "rye", "soy", "tea", "yam"),
    ("ann", "ben", "eva", "ida", "jim", "kim", "lea", "max", "ned", "pam", "ray", "sue"),
)
_LABEL_CELLS = max(len(label) for group in LABELS for label in group)
"""Cells that a label takes on the grid."""
_SHORTEST, _LONGEST = 8, 48
"""Of lying bars in pixels: no bar is shorter, and the longest is at least so long."""
_TEXT_GAP = 2
"""Least distance of two texts, in pixels."""


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    colour: str
    value: int


@dataclass(frozen=True, slots=True)
class _Chart:
    title: str
    bars: tuple[_Bar, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    width: int
    height: int
    background: Rgb
    title: Text
    bars: tuple[Box, ...]
    labels: tuple[Text, ...]
    values: tuple[Text, ...]
    axes: tuple[Box, ...]


def draw(options: ChartsScene, seed: int) -> Scene:
    """The chart of one seed.

    Raises:
        UserError: so many bars do not fit into so small a picture.
    """

    def data(rng: Random) -> _Chart:
        return _data(options, seed, rng)

    chart = draw_data("charts", seed, options.withheld, data, _withheld)
    place = _on_grid if options.on_grid else _layout
    layout = first_fit("charts", seed, options, lambda rng: place(options, chart, rng))
    items = complete(
        _items(options, chart, layout, Random(derive(seed, "charts", "words"))),
        _items(options, chart, layout, Random(derive(seed, "charts", "more words"))),
    )
    return Scene((_paint(chart, layout),), _facts(chart, layout), items)


def _withheld(chart: _Chart) -> bool:
    return any(bar.colour == WITHHELD and bar.label in MONTHS for bar in chart.bars)


def _data(options: ChartsScene, seed: int, rng: Random) -> _Chart:
    """Numbers of bars take turns from seed to seed, so that none is likelier than another."""
    count = options.min_bars + seed % (options.max_bars - options.min_bars + 1)
    labels = rng.sample(rng.choice(LABELS), count)
    colours = rng.sample(sorted(COLOURS), count)
    values = rng.sample(range(1, options.max_value + 1), count)
    bars = zip(labels, colours, values, strict=True)
    return _Chart(rng.choice(TITLES), tuple(_Bar(*bar) for bar in bars))


def _layout(options: ChartsScene, chart: _Chart, rng: Random) -> _Layout | None:
    """One try; None when something would overlap or be cut."""
    width, height = (rng.randint(options.min_side_px, options.max_side_px) for _ in range(2))
    face, bold = font(rng.randint(9, 13)), font(rng.randint(10, 13), bold=True)
    on_bar, background = rng.random() < options.on_bar, rng.choice(BACKGROUNDS)
    left, right = rng.randint(3, 8), width - rng.randint(3, 8)
    title = set_text(chart.title, bold, (left + right) / 2, rng.randint(1, 3))
    base = height - rng.randint(2, 4) - face.getbbox("gjy")[3]
    base = int(base) - 1
    top = title.box[3] + 2 + int(face.getbbox("0")[3])
    if base - top < max(24, height // 4):
        return None
    slot = (right - left - 2) / len(chart.bars)
    bars = _bar_boxes(chart, rng.uniform(0.5, 0.85) * slot, slot, left + 2, top, base)
    labels = tuple(
        set_text(bar.label, face, (box[0] + box[2]) / 2, base + 2)
        for bar, box in zip(chart.bars, bars, strict=True)
    )
    values = tuple(
        _value(bar, box, face, on_bar) for bar, box in zip(chart.bars, bars, strict=True)
    )
    axes = ((left, base, right, base + 1), (left, title.box[3] + 1, left + 1, base))
    layout = _Layout(width, height, background, title, bars, labels, values, axes)
    return layout if _fits(layout) else None


def _on_grid(options: ChartsScene, chart: _Chart, rng: Random) -> _Layout | None:
    """One try on the grid: the title, then a row to each bar: its label, the bar, its value.

    The bars lie, so that what belongs together stands in one row.
    """
    columns, rows = cells(options)
    count = len(chart.bars)
    pitch = rng.choice([p for p in (1, 1, 2) if p * (count - 1) + 1 <= rows - 1] or [0])
    if not pitch:
        return None
    first = 1 + rng.randint(0, rows - 2 - pitch * (count - 1))
    column = rng.randint(1, 2)
    start = (column + _LABEL_CELLS + 1) * CELL_WIDTH
    most = (columns - 3) * CELL_WIDTH - 4 - start - rng.randint(0, 3) * CELL_WIDTH
    if most < _LONGEST:
        return None
    largest = max(bar.value for bar in chart.bars)
    bars, labels, values = [], [], []
    for index, bar in enumerate(chart.bars):
        row = first + pitch * index
        end = start + max(_SHORTEST, round(bar.value / largest * most))
        bars.append((start, row * CELL_HEIGHT + 2, end, (row + 1) * CELL_HEIGHT - 2))
        labels.append(cell_text(bar.label, column, row))
        values.append(cell_text(str(bar.value), -(-(end + 2) // CELL_WIDTH), row))
    title = cell_text(chart.title, column + rng.randint(0, columns - 3 - len(chart.title)), 0)
    top, bottom = first * CELL_HEIGHT, (first + pitch * (count - 1) + 1) * CELL_HEIGHT - 1
    axes = ((start - 2, top, start - 1, bottom),)
    sizes = (columns * CELL_WIDTH, rows * CELL_HEIGHT)
    background = rng.choice(BACKGROUNDS)
    return _Layout(*sizes, background, title, tuple(bars), tuple(labels), tuple(values), axes)


def _bar_boxes(
    chart: _Chart, wide: float, slot: float, left: int, top: int, base: int
) -> tuple[Box, ...]:
    """Bars on the base line, the tallest reaching `top`, heights in proportion."""
    most = max(bar.value for bar in chart.bars)
    boxes = []
    for index, bar in enumerate(chart.bars):
        x0 = round(left + slot * index + (slot - wide) / 2)
        tall = max(2, round(bar.value / most * (base - top)))
        boxes.append((x0, base - tall, x0 + max(4, round(wide)), base))
    return tuple(boxes)


def _value(bar: _Bar, box: Box, face: Any, on_bar: bool) -> Text:
    """The value's text: inside the top of its bar where that is wished and fits, else above."""
    middle = (box[0] + box[2]) / 2
    _, top, _, bottom = (int(side) for side in face.getbbox(str(bar.value)))
    if on_bar:
        red, green, blue = COLOURS[bar.colour]
        dark = 0.3 * red + 0.59 * green + 0.11 * blue < 130
        fill = (255, 255, 255) if dark else INK
        text = set_text(str(bar.value), face, middle, box[1] + 3 - top, fill)
        roomy = text.box[0] > box[0] and text.box[2] < box[2] and text.box[3] < box[3] - 1
        if roomy:
            return text
    return set_text(str(bar.value), face, middle, box[1] - 2 - bottom)


def _fits(layout: _Layout) -> bool:
    """Nothing overlaps, nothing is cut: texts keep their distance, bars a pixel."""
    texts = (layout.title, *layout.labels, *layout.values)
    everything = [text.box for text in texts] + [*layout.bars, *layout.axes]
    if not all(inside(box, layout.width, layout.height) for box in everything):
        return False
    if not (apart([text.box for text in texts], _TEXT_GAP) and apart(layout.bars, 1)):
        return False
    if any(clash(text.box, axis, 1) for text in texts for axis in layout.axes):
        return False
    for index, bar in enumerate(layout.bars):
        if any(clash(bar, axis, 0) for axis in layout.axes):
            return False
        own = layout.values[index]
        on_bar = own.box[1] >= bar[1]
        if any(clash(bar, text.box, 1) for text in texts if not (on_bar and text is own)):
            return False
    return True


def _paint(chart: _Chart, layout: _Layout) -> Picture:
    picture = Image.new("RGB", (layout.width, layout.height), layout.background)
    draw = ImageDraw.Draw(picture)
    for bar, (x0, y0, x1, y1) in zip(chart.bars, layout.bars, strict=True):
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=COLOURS[bar.colour])
    for x0, y0, x1, y1 in layout.axes:
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=INK)
    draw_texts(draw, (layout.title, *layout.labels, *layout.values))
    return encode(picture)


def _facts(chart: _Chart, layout: _Layout) -> dict[str, Any]:
    size = (layout.width, layout.height)
    bars = [
        {
            "label": bar.label,
            "colour": bar.colour,
            "value": bar.value,
            "box": unit(box, *size),
            "label_box": unit(label.box, *size),
            "value_box": unit(value.box, *size),
        }
        for bar, box, label, value in zip(
            chart.bars, layout.bars, layout.labels, layout.values, strict=True
        )
    ]
    return {
        "family": "charts",
        "width": layout.width,
        "height": layout.height,
        "title": {"text": chart.title, "box": unit(layout.title.box, *size)},
        "bars": bars,
        "axes": [unit(box, *size) for box in layout.axes],
    }


def _items(options: ChartsScene, chart: _Chart, layout: _Layout, rng: Random) -> tuple[Item, ...]:
    return (
        _caption(chart, rng),
        _grounded(chart, layout),
        _read(chart, rng),
        _count(chart, rng),
        _name_of(chart, rng),
        _locate(chart, layout, rng),
        _largest(chart, rng),
        _sum(chart, rng),
        _difference(chart, rng),
        _dialogue(chart, rng),
        _statements(options, chart, layout, rng),
    )


def _caption(chart: _Chart, rng: Random) -> Item:
    listed = [f"{bar.label} is {bar.colour} with value {bar.value}" for bar in chart.bars]
    text = (
        f"A bar chart titled {chart.title} with {len(listed)} bars: "
        f"{', '.join(listed[:-1])} and {listed[-1]}."
    )
    question = rng.choice(("Describe the picture.", "Write down everything the chart shows."))
    return Item("caption", (Ask(question, text),), None)


def _grounded(chart: _Chart, layout: _Layout) -> Item:
    listed = [
        f"{bar.colour} {bar.label} bar {bar.value} "
        f"{said(box_answer(box, layout.width, layout.height))}."
        for bar, box in zip(chart.bars, layout.bars, strict=True)
    ]
    return Item("grounded", (Ask("Describe the picture with boxes.", " ".join(listed)),), None)


def _statements(options: ChartsScene, chart: _Chart, layout: _Layout, rng: Random) -> Item:
    facts, boxes = [f"bars {len(chart.bars)}.", f"title {chart.title}."], []
    for bar, box in zip(chart.bars, layout.bars, strict=True):
        facts.append(f"{bar.label} colour {bar.colour}.")
        facts.append(f"{bar.colour} label {bar.label}.")
        told = said(box_answer(box, layout.width, layout.height))
        for name in (bar.label, bar.colour):
            facts.append(f"{name} value {bar.value}.")
            boxes.append(f"{name} box {told}.")
    return statements(facts, boxes, rng, options)


def _name(bar: _Bar, rng: Random) -> str:
    """A bar by its label or its colour."""
    return rng.choice((f"the {bar.label} bar", f"the {bar.colour} bar"))


def _read(chart: _Chart, rng: Random) -> Item:
    bar = rng.choice(chart.bars)
    question = rng.choice(("What is the value of {}?", "Which value does {} show?"))
    return ask("read", question.format(_name(bar, rng)), number(bar.value))


def _count(chart: _Chart, rng: Random) -> Item:
    question = rng.choice(("How many bars are there?", "How many bars does the chart have?"))
    return ask("count", question, number(len(chart.bars)))


def _name_of(chart: _Chart, rng: Random) -> Item:
    """The colour that goes with a label, or the label that goes with a colour."""
    bar = rng.choice(chart.bars)
    if rng.random() < 0.5:
        return ask("name", f"Which colour is the {bar.label} bar?", Answer("text", bar.colour))
    return ask("name", f"What is the label of the {bar.colour} bar?", Answer("text", bar.label))


def _locate(chart: _Chart, layout: _Layout, rng: Random) -> Item:
    index = rng.randrange(len(chart.bars))
    question = rng.choice(("Where is {}? Give its box.", "Give the box of {}."))
    answer = box_answer(layout.bars[index], layout.width, layout.height)
    return ask("locate", question.format(_name(chart.bars[index], rng)), answer)


def _largest(chart: _Chart, rng: Random) -> Item:
    best = max(chart.bars, key=lambda bar: bar.value)
    question = rng.choice(("Which bar is the largest?", "Which bar has the largest value?"))
    steps = most_so_far([(bar.label, bar.value) for bar in chart.bars])
    return ask("largest", question, Answer("text", best.label, (best.colour,)), steps)


def _sum(chart: _Chart, rng: Random) -> Item:
    a, b = rng.sample(chart.bars, 2)
    question = rng.choice(("What is the sum of {} and {}?", "How much are {} and {} together?"))
    asked = question.format(a.label, b.label)
    return ask("sum", asked, number(a.value + b.value), _sum_steps(chart, a, b))


def _listed(chart: _Chart, *asked: _Bar) -> str:
    """Every bar in order, then those that are asked for, as the first steps.

    What is read in order is read best, and a name is found again sooner in words than in a picture.
    """
    parts = [", ".join(f"{bar.label} {bar.value}" for bar in part) for part in (chart.bars, asked)]
    return ". ".join(parts) + "."


def _sum_steps(chart: _Chart, a: _Bar, b: _Bar) -> str:
    return f"{_listed(chart, a, b)} {a.value} + {b.value} = {a.value + b.value}."


def _difference(chart: _Chart, rng: Random) -> Item:
    a, b = sorted(rng.sample(chart.bars, 2), key=lambda bar: -bar.value)
    question = rng.choice(("How much larger is {} than {}?", "How much more is {} than {}?"))
    left = a.value - b.value
    steps = f"{_listed(chart, a, b)} {a.value} - {b.value} = {left}."
    return ask("difference", question.format(a.label, b.label), number(left), steps)


def _dialogue(chart: _Chart, rng: Random) -> Item:
    """Two questions; the second leans on the first."""
    a, b = rng.sample(chart.bars, 2)
    first = Ask(f"What is the value of {a.label}?", str(a.value))
    answer = number(a.value + b.value)
    second = Ask(f"And together with {b.label}?", answer.gold, _sum_steps(chart, a, b))
    return Item("dialogue", (first, second), answer)
