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
    encode,
    first_fit,
    inside,
    number,
    unit,
)
from pellucid.recipe.data import ShapesScene
from pellucid.schema.record import Answer

VERSION = 1

COLOURS: dict[str, Rgb] = {
    "red": (214, 39, 40),
    "blue": (31, 99, 200),
    "green": (34, 150, 60),
    "yellow": (240, 200, 20),
    "purple": (140, 70, 190),
    "orange": (255, 130, 10),
}
KINDS = ("circle", "square", "triangle", "diamond")
_GAP = 3
"""Least distance of two shapes, in pixels."""
_PLACES = 60
"""Places tried for one shape before the layout is given up."""
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
_RELATIONS = ("left of", "right of", "above", "below")


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

    text: str
    after: _Plane
    name: str
    """The shape it was done to, as it was called before (when added: after)."""


def draw(options: ShapesScene, seed: int) -> Scene:
    """The shapes of one seed, before and after a change.

    Raises:
        UserError: so many shapes do not fit into so small a picture.
    """
    names = _data(options, Random(derive(seed, "shapes", "data")))
    plane, change = first_fit("shapes", seed, options, lambda rng: _layout(options, names, rng))
    items = _items(plane, change, Random(derive(seed, "shapes", "words")))
    facts = {**_facts(plane), "change": change.text, "after": _facts(change.after)}
    return Scene((_paint(plane), _paint(change.after)), facts, items)


def _data(options: ShapesScene, rng: Random) -> list[_Shape]:
    """Colours and kinds; few colours, so that one is often there several times."""
    count = rng.randint(options.min_shapes, options.max_shapes)
    least = -(-count // len(KINDS))
    palette = rng.sample(sorted(COLOURS), max(least, min(count, rng.randint(2, 3))))
    names = [_Shape(colour, kind) for colour in palette for kind in KINDS]
    return rng.sample(names, count)


def _layout(
    options: ShapesScene, names: list[_Shape], rng: Random
) -> tuple[_Plane, _Change] | None:
    """One try; None when a shape finds no place or no pair stands in a clear relation."""
    width, height = (rng.randint(options.min_side_px, options.max_side_px) for _ in range(2))
    placed: list[_Shape] = []
    for shape in names:
        found = _place(shape, placed, width, height, rng)
        if found is None:
            return None
        placed.append(found)
    plane = _ordered(_Plane(width, height, rng.choice(BACKGROUNDS), tuple(placed)))
    if len(placed) > 1 and not _relations(plane):
        return None
    change = _change(plane, rng)
    return (plane, change) if change else None


def _place(
    shape: _Shape, others: list[_Shape], width: int, height: int, rng: Random
) -> _Shape | None:
    """The shape at a free place; its side is odd, so that a triangle's tip is one pixel."""
    short = min(width, height)
    for _ in range(_PLACES):
        side = rng.randint(max(9, short // 9), max(11, short // 4)) | 1
        x, y = rng.randint(0, max(0, width - side)), rng.randint(0, max(0, height - side))
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


def _change(plane: _Plane, rng: Random) -> _Change | None:
    """Add, remove or recolour one shape; None when the new shape finds no place."""
    absent = _absent(plane)
    kind = rng.choice(("added", "removed", "recoloured"))
    if kind == "added" or (kind == "removed" and len(plane.shapes) == 1):
        new = _place(rng.choice(absent), list(plane.shapes), plane.width, plane.height, rng)
        if new is None:
            return None
        after = replace(plane, shapes=(*plane.shapes, new))
        return _Change(f"The {new.name} was added.", _ordered(after), new.name)
    old = rng.choice(plane.shapes)
    rest = tuple(shape for shape in plane.shapes if shape is not old)
    if kind == "removed":
        return _Change(f"The {old.name} was removed.", replace(plane, shapes=rest), old.name)
    colour = rng.choice([shape.colour for shape in absent if shape.kind == old.kind])
    after = replace(plane, shapes=(*rest, replace(old, colour=colour)))
    return _Change(f"The {old.name} became {colour}.", _ordered(after), old.name)


def _absent(plane: _Plane) -> list[_Shape]:
    """Colour and kind of every shape that is not there."""
    there = {shape.name for shape in plane.shapes}
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


def _items(plane: _Plane, change: _Change, rng: Random) -> tuple[Item, ...]:
    items = [
        _caption(plane, rng),
        _count_all(plane, rng),
        _count_colour(plane, rng),
        _locate(plane, rng),
        _more(plane, rng),
        _total(plane, rng),
        _dialogue(plane, rng),
        _changed(plane, change, rng),
    ]
    if len(plane.shapes) > 1:
        items.append(_relation(plane, rng))
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


def _count_all(plane: _Plane, rng: Random) -> Item:
    question = rng.choice(("How many shapes are there?", "Count the shapes."))
    return ask("count_all", question, number(len(plane.shapes)))


def _colour_by_count(plane: _Plane, rng: Random) -> str:
    """A colour: one time in six an absent one, else each count that occurs is as likely."""
    counts = sorted({plane.count(colour) for colour in COLOURS} - {0})
    wanted = 0 if rng.random() < 1 / 6 else rng.choice(counts)
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


def _relation(plane: _Plane, rng: Random) -> Item:
    found = _relations(plane)
    right = rng.choice([name for name in _RELATIONS if name in found])
    a, b = rng.choice(found[right])
    wrong = [name for name in _RELATIONS if name != right]
    lines, answer = choice(rng, right, wrong)
    return ask("relation", f"Where is the {a.name}, seen from the {b.name}?{lines}", answer)


def _two_colours(plane: _Plane, rng: Random) -> tuple[str, str]:
    """Two colours in seeded order, at least one of them in the picture."""
    first = rng.choice(sorted({shape.colour for shape in plane.shapes}))
    there = [colour for colour in sorted(COLOURS) if colour != first and plane.count(colour)]
    others = there or [colour for colour in sorted(COLOURS) if colour != first]
    pair = [first, rng.choice(others)]
    rng.shuffle(pair)
    return pair[0], pair[1]


def _more(plane: _Plane, rng: Random) -> Item:
    a, b = _compared(plane, rng)
    left, right = plane.count(a), plane.count(b)
    question = f'Are more shapes {a} or {b}? Answer with the colour, or "equal".'
    counts = f"{a} {left}, {b} {right}. "
    if left == right:
        return ask("more", question, Answer("text", "equal"), counts + f"{left} = {right}.")
    winner = a if left > right else b
    steps = f"{max(left, right)} > {min(left, right)}, so {winner}."
    return ask("more", question, Answer("text", winner), counts + steps)


def _compared(plane: _Plane, rng: Random) -> tuple[str, str]:
    """Two colours to compare: seldom an equal pair, an absent colour only where it must be."""
    there = sorted({shape.colour for shape in plane.shapes})
    pairs = [(a, b) for a in there for b in sorted(COLOURS) if a != b]
    equal = [(a, b) for a, b in pairs if plane.count(a) == plane.count(b)]
    clear = [pair for pair in pairs if pair not in equal]
    pool = [(a, b) for a, b in clear if b in there] or clear
    if equal and rng.random() < 1 / 6:
        pool = equal
    a, b = rng.choice(pool)
    return (a, b) if rng.random() < 0.5 else (b, a)


def _sum_steps(plane: _Plane, a: str, b: str) -> str:
    left, right = plane.count(a), plane.count(b)
    return f"{a} {left}, {b} {right}. {left} + {right} = {left + right}."


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
    """Both pictures; the wrong options are changes that could have been made but were not."""
    wrong = {f"The {rng.choice(_absent(change.after)).name} was added."}
    shape = rng.choice(plane.shapes)
    colours = [colour for colour in sorted(COLOURS) if colour != shape.colour]
    wrong.add(f"The {shape.name} became {rng.choice(colours)}.")
    # A recoloured shape is gone under its old name, so nobody is asked whether it was removed.
    others = [other.name for other in plane.shapes if other.name != change.name]
    wrong.update(f"The {name} was removed." for name in rng.sample(others, min(1, len(others))))
    lines, answer = choice(rng, change.text, sorted(wrong - {change.text}))
    question = f"What changed from the first picture to the second?{lines}"
    return Item("changed", (Ask(question, answer.gold),), answer, pictures=(0, 1))
