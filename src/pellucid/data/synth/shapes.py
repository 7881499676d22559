"""Coloured shapes on a plane: counts, places, relations, and what changed between two pictures.

No two shapes of a scene share both colour and kind, so each can be named. Leaves out on purpose:
overlap, perspective, and anything that needs a threshold to judge.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from pellucid.base.seeds import derive
from pellucid.data.synth.base import (
    BACKGROUNDS,
    Ask,
    Box,
    Item,
    Picture,
    Rgb,
    Scene,
    ask,
    box_answer,
    choice,
    clash,
    complete,
    draw_data,
    encode,
    first_fit,
    inside,
    most_so_far,
    number,
    said,
    statements,
    unit,
)
from pellucid.data.synth.grid import CELL_HEIGHT
from pellucid.recipe.data import ShapesScene
from pellucid.schema.record import Answer

VERSION = 7
FROM_CAPTION = frozenset({"count_all", "count_colour", "dialogue", "most", "total"})
"""Tasks that a reader of the caption alone can answer."""
FROM_BOXES = frozenset({"locate", "relation"})
"""Tasks for which the reader needs the caption with boxes."""

COLOURS: dict[str, Rgb] = {
    "red": (214, 39, 40),
    "blue": (31, 99, 200),
    "green": (34, 150, 60),
    "yellow": (240, 200, 20),
    "purple": (140, 70, 190),
    "orange": (255, 130, 10),
}
KINDS = ("circle", "square", "triangle", "diamond")
WITHHELD = "yellow triangle"
"""The withheld combination, in no picture and no question: other shapes are yellow, and triangles
have other colours. No change brings it forth, not even where it is wanted."""
_GAP = 3
"""Least distance of two shapes, in pixels."""
_GRID_SIDES = (13, 29)
"""Sides of shapes on the grid: within one patch, or two across."""
_GRID_STEP = 2 * CELL_HEIGHT
"""From one place of the grid to the next, in pixels: the larger shapes fill a place."""
_PLACES = 60
"""Places tried for one shape before the layout is given up."""
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
_RELATIONS = ("left of", "right of", "above", "below")
_SAY = 'Answer "left of", "right of", "above" or "below".'
_CHANGES = ("added", "removed", "recoloured")


@dataclass(frozen=True, slots=True)
class _Shape:
    colour: str
    kind: str
    box: Box = (0, 0, 0, 0)

    @property
    def name(self) -> str:
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True, slots=True)
class _Plane:
    width: int
    height: int
    background: Rgb
    shapes: tuple[_Shape, ...]
    """In reading order."""

    def count(self, colour: str) -> int:
        return sum(shape.colour == colour for shape in self.shapes)


@dataclass(frozen=True, slots=True)
class _Change:
    """What was done between the first picture and the second, as a sentence."""

    kind: str
    text: str
    after: _Plane
    gone: str = "nothing"
    """The shape that is only in the first picture."""
    new: str = "nothing"
    """The shape that is only in the second picture."""


def draw(options: ShapesScene, seed: int) -> Scene:
    """The shapes of one seed, before and after a change.

    Raises:
        UserError: so many shapes do not fit into so small a picture.
    """

    def data(rng: Random) -> list[_Shape]:
        return _data(options, seed, rng)

    names = draw_data("shapes", seed, options.withheld, data, _withheld)
    plane, change = first_fit("shapes", seed, options, lambda rng: _layout(options, names, rng))
    items = complete(
        _items(options, plane, change, Random(derive(seed, "shapes", "words"))),
        _items(options, plane, change, Random(derive(seed, "shapes", "more words"))),
    )
    facts = {**_facts(plane), "change": change.text, "after": _facts(change.after)}
    return Scene((_paint(plane), _paint(change.after)), facts, items)


def _data(options: ShapesScene, seed: int, rng: Random) -> list[_Shape]:
    """Colours and kinds; few colours, so that one is often there several times.

    Numbers of shapes take turns from seed to seed, so that none is likelier than another.
    """
    count = options.min_shapes + seed % (options.max_shapes - options.min_shapes + 1)
    least = -(-count // len(KINDS))
    palette = rng.sample(sorted(COLOURS), max(least, min(count, rng.randint(2, 3))))
    names = [_Shape(colour, kind) for colour in palette for kind in KINDS]
    return rng.sample(names, count)


def _withheld(names: list[_Shape]) -> bool:
    return any(shape.name == WITHHELD for shape in names)


def _layout(
    options: ShapesScene, names: list[_Shape], rng: Random
) -> tuple[_Plane, _Change] | None:
    """One try; None when a shape finds no place or no pair stands in a clear relation."""
    width, height = (rng.randint(options.min_side_px, options.max_side_px) for _ in range(2))
    if options.on_grid:
        width, height = options.max_side_px, options.min_side_px
    placed: list[_Shape] = []
    for shape in names:
        found = _place(options, shape, placed, (width, height), rng)
        if found is None:
            return None
        placed.append(found)
    plane = _ordered(_Plane(width, height, rng.choice(BACKGROUNDS), tuple(placed)))
    if len(placed) > 1 and not _relations(plane):
        return None
    change = _change(options, plane, rng)
    return (plane, change) if change else None


def _place(
    options: ShapesScene, shape: _Shape, others: list[_Shape], size: tuple[int, int], rng: Random
) -> _Shape | None:
    """The shape at a free place; its side is odd, so that a triangle's tip is one pixel."""
    width, height = size
    short = min(width, height)
    for _ in range(_PLACES):
        side = rng.randint(max(9, short // 8), max(11, short // 4)) | 1
        x, y = rng.randint(0, max(0, width - side)), rng.randint(0, max(0, height - side))
        if options.on_grid:
            side = rng.choice(_GRID_SIDES)
            x, y = (2 + _GRID_STEP * rng.randrange(pixels // _GRID_STEP) for pixels in size)
        box = (x, y, x + side, y + side)
        free = not any(clash(box, other.box, _GAP) for other in others)
        if free and inside(box, width, height, 2):
            return replace(shape, box=box)
    return None


def _ordered(plane: _Plane) -> _Plane:
    """Shapes sorted by row of thirds, then from left to right."""

    def key(shape: _Shape) -> tuple[int, Box]:
        row, _ = _cell(plane, shape)
        return row, shape.box

    return replace(plane, shapes=tuple(sorted(plane.shapes, key=key)))


def _cell(plane: _Plane, shape: _Shape) -> tuple[int, int]:
    """Row and column, in thirds of the picture, of a shape's centre."""
    x0, y0, x1, y1 = shape.box
    return 3 * (y0 + y1) // (2 * plane.height), 3 * (x0 + x1) // (2 * plane.width)


def _relations(plane: _Plane) -> dict[str, list[tuple[_Shape, _Shape]]]:
    """Pairs (a, b) by relation: apart along one axis, and centres further apart there by half."""
    found: dict[str, list[tuple[_Shape, _Shape]]] = {}
    for a in plane.shapes:
        for b in plane.shapes:
            across = (a.box[0] + a.box[2]) - (b.box[0] + b.box[2])
            down = (a.box[1] + a.box[3]) - (b.box[1] + b.box[3])
            if a.box[2] < b.box[0] and -across > 1.5 * abs(down):
                found.setdefault("left of", []).append((a, b))
                found.setdefault("right of", []).append((b, a))
            if a.box[3] < b.box[1] and -down > 1.5 * abs(across):
                found.setdefault("above", []).append((a, b))
                found.setdefault("below", []).append((b, a))
    return found


def _change(options: ShapesScene, plane: _Plane, rng: Random) -> _Change | None:
    """Add, remove or recolour one shape; None when the new shape finds no place."""
    absent = _absent(plane)
    kind = rng.choice(_CHANGES)
    if kind == "added" or (kind == "removed" and len(plane.shapes) == 1):
        size = plane.width, plane.height
        new = _place(options, rng.choice(absent), list(plane.shapes), size, rng)
        if new is None:
            return None
        after = replace(plane, shapes=(*plane.shapes, new))
        return _Change("added", f"The {new.name} was added.", _ordered(after), new=new.name)
    old = rng.choice(plane.shapes)
    rest = tuple(shape for shape in plane.shapes if shape is not old)
    if kind == "removed":
        text = f"The {old.name} was removed."
        return _Change(kind, text, replace(plane, shapes=rest), gone=old.name)
    colour = rng.choice([shape.colour for shape in absent if shape.kind == old.kind])
    new = replace(old, colour=colour)
    text, after = f"The {old.name} became {colour}.", replace(plane, shapes=(*rest, new))
    return _Change(kind, text, _ordered(after), old.name, new.name)


def _absent(plane: _Plane) -> list[_Shape]:
    """Colour and kind of every shape that is not there and may come; the withheld one may not."""
    there = {shape.name for shape in plane.shapes} | {WITHHELD}
    every = [_Shape(colour, kind) for colour in sorted(COLOURS) for kind in KINDS]
    return [shape for shape in every if shape.name not in there]


def _paint(plane: _Plane) -> Picture:
    picture = Image.new("RGB", (plane.width, plane.height), plane.background)
    pen = ImageDraw.Draw(picture)
    for shape in plane.shapes:
        x0, y0, x1, y1 = shape.box[0], shape.box[1], shape.box[2] - 1, shape.box[3] - 1
        mx, my, fill = (x0 + x1) // 2, (y0 + y1) // 2, COLOURS[shape.colour]
        if shape.kind == "circle":
            pen.ellipse((x0, y0, x1, y1), fill=fill)
        elif shape.kind == "square":
            pen.rectangle((x0, y0, x1, y1), fill=fill)
        elif shape.kind == "triangle":
            pen.polygon([(mx, y0), (x1, y1), (x0, y1)], fill=fill)
        else:
            pen.polygon([(mx, y0), (x1, my), (mx, y1), (x0, my)], fill=fill)
    return encode(picture)


def _facts(plane: _Plane) -> dict[str, Any]:
    return {
        "family": "shapes",
        "width": plane.width,
        "height": plane.height,
        "shapes": [
            {
                "colour": shape.colour,
                "kind": shape.kind,
                "box": unit(shape.box, plane.width, plane.height),
            }
            for shape in plane.shapes
        ],
    }


def _items(options: ShapesScene, plane: _Plane, change: _Change, rng: Random) -> tuple[Item, ...]:
    items = [
        _caption(plane, rng),
        _grounded(plane),
        _count_all(plane, rng),
        _count_colour(plane, rng),
        _locate(plane, rng),
        _total(plane, rng),
        _dialogue(plane, rng),
        _changed(plane, change, rng),
    ]
    most = _most(plane, rng)
    if most:
        items.append(most)
    if len(plane.shapes) > 1:
        items.append(_relation(options, plane, rng))
    items.append(_statements(options, plane, rng))
    return tuple(items)


def _caption(plane: _Plane, rng: Random) -> Item:
    listed = []
    for shape in plane.shapes:
        row, column = _cell(plane, shape)
        article = "an" if shape.colour == "orange" else "a"
        listed.append(f"{article} {shape.name} at the {_ROWS[row]} {_COLUMNS[column]}")
    listed[0] = "A" + listed[0][1:]
    text = f"{', '.join(listed[:-1])} and {listed[-1]}" if len(listed) > 1 else listed[0]
    noun = "shape" if len(listed) == 1 else "shapes"
    question = rng.choice(("Describe the picture.", "List every shape and where it is."))
    return Item("caption", (Ask(question, f"{len(listed)} {noun}. {text}."),), None)


def _grounded(plane: _Plane) -> Item:
    listed = [
        f"{shape.name} {said(box_answer(shape.box, plane.width, plane.height))}."
        for shape in plane.shapes
    ]
    return Item("grounded", (Ask("Describe the picture with boxes.", " ".join(listed)),), None)


def _statements(options: ShapesScene, plane: _Plane, rng: Random) -> Item:
    facts = [f"shapes {len(plane.shapes)}."]
    for colour in sorted(COLOURS):
        facts.append(f"{colour} {plane.count(colour)}.")
    for relation, pairs in _relations(plane).items():
        told = [f"{a.name} seen from {b.name} {relation}." for a, b in pairs]
        facts += rng.sample(told, min(len(told), 3))
    boxes = [
        f"{shape.name} box {said(box_answer(shape.box, plane.width, plane.height))}."
        for shape in plane.shapes
    ]
    return statements(facts, boxes, rng, options)


def _count_all(plane: _Plane, rng: Random) -> Item:
    question = rng.choice(("How many shapes are there?", "Count the shapes."))
    return ask("count_all", question, number(len(plane.shapes)))


def _colour_by_count(plane: _Plane, rng: Random) -> str:
    """A colour: one time in four an absent one, else one by the counts that occur.

    Twos occur in the most pictures, so they are asked for a little less.
    """
    counts = sorted({plane.count(colour) for colour in COLOURS} - {0})
    weights = [0.8 if count == 2 else 1 for count in counts]
    wanted = 0 if rng.random() < 1 / 4 else rng.choices(counts, weights)[0]
    return rng.choice([colour for colour in sorted(COLOURS) if plane.count(colour) == wanted])


def _count_colour(plane: _Plane, rng: Random) -> Item:
    colour = _colour_by_count(plane, rng)
    question = rng.choice(("How many {} shapes are there?", "How many shapes are {}?"))
    return ask("count_colour", question.format(colour), number(plane.count(colour)))


def _locate(plane: _Plane, rng: Random) -> Item:
    shape = rng.choice(plane.shapes)
    question = rng.choice(("Where is the {}? Give its box.", "Give the box of the {}."))
    return ask(
        "locate", question.format(shape.name), box_answer(shape.box, plane.width, plane.height)
    )


def _relation(options: ShapesScene, plane: _Plane, rng: Random) -> Item:
    found = _relations(plane)
    names = [name for name in _RELATIONS if name in found]
    if options.on_grid:  # there all pictures are wider than tall, or all taller than wide
        (right,) = rng.choices(names, [_weight(plane, name) for name in names])
    else:
        right = rng.choice(names)
    a, b = rng.choice(found[right])
    question = f"Where is the {a.name}, seen from the {b.name}?"
    return ask("relation", f"{question} {_SAY}", Answer("text", right))


def _weight(plane: _Plane, relation: str) -> float:
    """What runs along the shorter side of a picture is rarer there, so it is chosen rather."""
    ratio = plane.width / plane.height
    return ratio if relation in ("above", "below") else 1 / ratio


def _two_colours(plane: _Plane, rng: Random) -> tuple[str, str]:
    """Two colours in seeded order, at least one of them in the picture."""
    first = rng.choice(sorted({shape.colour for shape in plane.shapes}))
    there = [colour for colour in sorted(COLOURS) if colour != first and plane.count(colour)]
    others = there or [colour for colour in sorted(COLOURS) if colour != first]
    pair = [first, rng.choice(others)]
    rng.shuffle(pair)
    return pair[0], pair[1]


def _most(plane: _Plane, rng: Random) -> Item | None:
    """Which colour is there most often; None where two are."""
    colours = dict.fromkeys(shape.colour for shape in plane.shapes)
    counts = {colour: plane.count(colour) for colour in colours}
    best, *others = sorted(counts, key=lambda colour: -counts[colour])
    if not others or counts[others[0]] == counts[best]:
        return None
    question = rng.choice(
        ("Which colour do most shapes have?", "Which colour is there most often?")
    )
    steps = most_so_far(list(counts.items()))
    return ask("most", question, Answer("text", best), steps)


def _sum_steps(plane: _Plane, a: str, b: str) -> str:
    """Every colour that is there with its count, then those that are asked for, then the sum."""
    colours = dict.fromkeys(shape.colour for shape in plane.shapes)
    listed = ", ".join(f"{colour} {plane.count(colour)}" for colour in colours)
    left, right = plane.count(a), plane.count(b)
    return f"{listed}. {a} {left}, {b} {right}. {left} + {right} = {left + right}."


def _total(plane: _Plane, rng: Random) -> Item:
    a, b = _two_colours(plane, rng)
    question = rng.choice(
        ("How many {} and {} shapes are there together?", "How many shapes are {} or {}?")
    )
    total = number(plane.count(a) + plane.count(b))
    return ask("total", question.format(a, b), total, _sum_steps(plane, a, b))


def _dialogue(plane: _Plane, rng: Random) -> Item:
    """Two questions; the second leans on the first."""
    a, b = _two_colours(plane, rng)
    first = Ask(f"How many {a} shapes are there?", str(plane.count(a)))
    answer = number(plane.count(a) + plane.count(b))
    second = Ask(f"And together with the {b} ones?", answer.gold, _sum_steps(plane, a, b))
    return Item("dialogue", (first, second), answer)


def _changed(plane: _Plane, change: _Change, rng: Random) -> Item:
    """Both pictures; the wrong options are changes that could have been made but were not.

    One kind of change stands twice among the four options. It is that of the right one half the
    time, so that each of the four is right as often and their kinds give nothing away.
    """
    twice = rng.choice((change.kind, change.kind, *(k for k in _CHANGES if k != change.kind)))
    kinds = [*_CHANGES, twice]
    kinds.remove(change.kind)
    lines, answer = choice(rng, change.text, _not_made(plane, change, kinds, rng))
    first, second = (", ".join(shape.name for shape in one.shapes) for one in (plane, change.after))
    steps = (
        f"First: {first}. Second: {second}. "
        f"Only in the first: {change.gone}. Only in the second: {change.new}. "
        f"{change.text.rstrip('.')}, so {answer.gold}."
    )
    question = f"What changed from the first picture to the second?{lines}"
    return Item("changed", (Ask(question, answer.gold, steps),), answer, pictures=(0, 1))


def _not_made(plane: _Plane, change: _Change, kinds: list[str], rng: Random) -> list[str]:
    """One sentence per kind, about shapes apart from those of the change and of each other.

    Where the picture has too few shapes, another one is said to have been added instead.
    """
    came = [shape for shape in _absent(change.after) if shape.name != change.gone]
    stayed = [shape for shape in plane.shapes if shape.name != change.gone]
    rng.shuffle(came)
    rng.shuffle(stayed)
    texts = []
    for kind in kinds:
        if kind == "added" or not stayed:
            texts.append(f"The {came.pop().name} was added.")
            continue
        shape = stayed.pop()
        if kind == "removed":
            texts.append(f"The {shape.name} was removed.")
            continue
        colours = [new.colour for new in _absent(plane) if new.kind == shape.kind]
        texts.append(f"The {shape.name} became {rng.choice(colours)}.")
    return texts
