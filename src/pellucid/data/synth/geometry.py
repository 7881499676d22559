"""What is asked of plane figures: lengths, names and boxes, areas, perimeters and comparisons.

One side of a rectangle may be "?": it follows from the perimeter that the question gives.
"""

from random import Random

from pellucid.base.seeds import derive
from pellucid.data.synth.base import (
    Ask,
    Item,
    Scene,
    ask,
    box_answer,
    complete,
    draw_data,
    first_fit,
    number,
    said,
    statements,
)
from pellucid.data.synth.figures import (
    Figure,
    Plane,
    draw_figures,
    facts_of,
    has_withheld,
    lay_out,
    lay_out_on_grid,
    paint,
)
from pellucid.recipe.data import GeometryScene
from pellucid.schema.record import Answer

VERSION = 4
FROM_CAPTION = frozenset(
    "count read name which diameter area perimeter missing compare dialogue".split()
)
FROM_BOXES = frozenset(("locate",))


def draw(options: GeometryScene, seed: int) -> Scene:
    """The figures of one seed.

    Raises:
        UserError: so many figures do not fit into so small a picture.
    """
    counts = Random(derive(seed, "geometry", "count"))
    count = counts.randint(options.min_figures, options.max_figures)
    most = options.max_length
    figures = draw_data(
        "geometry", seed, options.withheld, lambda rng: draw_figures(count, most, rng), has_withheld
    )
    place = lay_out_on_grid if options.on_grid else lay_out
    plane = first_fit("geometry", seed, options, lambda rng: place(options, figures, rng))
    words, more = (
        _items(options, plane, Random(derive(seed, "geometry", what)))
        for what in ("words", "more words")
    )
    return Scene((paint(plane),), facts_of(plane), complete(words, more))


def _items(options: GeometryScene, plane: Plane, rng: Random) -> tuple[Item, ...]:
    made = (
        _caption(plane, rng),
        _grounded(plane),
        _count(plane, rng),
        _read(plane, rng),
        _name(plane, rng),
        _which(plane, rng),
        _locate(plane, rng),
        _diameter(plane, rng),
        _area(plane, rng),
        _perimeter(plane, rng),
        _missing(plane, rng),
        _compare(plane, rng),
        _dialogue(plane, rng),
        _statements(options, plane, rng),
    )
    return tuple(item for item in made if item is not None)


def _caption(plane: Plane, rng: Random) -> Item:
    listed = []
    for figure in plane.figures:
        sides = " and ".join(f"{side} {figure.write(side)}" for side in figure.sides)
        article = "an" if figure.colour == "orange" else "a"
        listed.append(f"{article} {figure.name} with {sides}")
    listed[0] = "A" + listed[0][1:]
    noun = "figure" if len(listed) == 1 else "figures"
    question = rng.choice(("Describe the picture.", "List every figure with its lengths."))
    text = f"{len(listed)} {noun}. {', '.join(listed)}."
    return Item("caption", (Ask(question, text),), None)


def _grounded(plane: Plane) -> Item:
    """Every figure by its name, and its box."""
    size = plane.width, plane.height
    listed = (f"{one.figure.name} {said(box_answer(one.box, *size))}." for one in plane.drawn)
    return Item("grounded", (Ask("Describe the picture with boxes.", " ".join(listed)),), None)


def _statements(options: GeometryScene, plane: Plane, rng: Random) -> Item:
    facts, boxes = [f"figures {len(plane.figures)}."], []
    for one in plane.drawn:
        figure = one.figure
        facts.append(f"{figure.colour} kind {figure.kind}.")
        for side, length in figure.shown.items():
            facts.append(f"{figure.name} {side} {length}.")
            facts.append(f"length {length} figure {figure.name}.")
        told = said(box_answer(one.box, plane.width, plane.height))
        boxes.append(f"{figure.name} box {told}.")
    return statements(facts, boxes, rng, options)


def _count(plane: Plane, rng: Random) -> Item:
    question = rng.choice(("How many figures are there?", "Count the figures."))
    return ask("count", question, number(len(plane.figures)))


def _read(plane: Plane, rng: Random) -> Item:
    figure = rng.choice(plane.figures)
    side, length = rng.choice(list(figure.shown.items()))
    question = rng.choice(("What is the {} of the {}?", "How long is the {} of the {}?"))
    return ask("read", question.format(side, figure.name), number(length))


def _name(plane: Plane, rng: Random) -> Item:
    figure = rng.choice(plane.figures)
    question = rng.choice(("What kind of figure is {}?", "Name the {} figure."))
    asked = question.format(figure.colour)
    aliases = ("triangle",) if figure.kind == "right triangle" else ()
    return ask("name", asked, Answer("text", figure.kind, aliases))


def _which(plane: Plane, rng: Random) -> Item:
    figure = rng.choice(plane.figures)
    length = rng.choice(list(figure.shown.values()))
    answer = Answer("text", figure.name)
    return ask("which", f"Which figure has a length of {length}?", answer)


def _locate(plane: Plane, rng: Random) -> Item:
    one = rng.choice(plane.drawn)
    question = rng.choice(("Where is the {}? Give its box.", "Give the box of the {}."))
    answer = box_answer(one.box, plane.width, plane.height)
    return ask("locate", question.format(one.figure.name), answer)


def _work(figure: Figure) -> tuple[int, str]:
    """The area of a figure that has one in whole numbers, and the steps."""
    a, b = figure.lengths[0], figure.lengths[-1]
    steps = f"{a} * {b} = {a * b}."
    if figure.kind != "right triangle":
        return a * b, steps
    return a * b // 2, f"{steps} {a * b} / 2 = {a * b // 2}."


def _plain(plane: Plane) -> list[Figure]:
    """Figures whose area follows from what is written."""
    return [one for one in plane.figures if one.kind != "circle" and not one.hidden]


def _diameter(plane: Plane, rng: Random) -> Item | None:
    circles = [figure for figure in plane.figures if figure.kind == "circle"]
    if not circles:
        return None
    figure = rng.choice(circles)
    asked = f"What is the diameter of the {figure.name}?"
    return ask("diameter", asked, *_second(figure)[1:])


def _area(plane: Plane, rng: Random) -> Item | None:
    plain = _plain(plane)
    if not plain:
        return None
    figure = rng.choice(plain)
    return ask("area", f"What is the area of the {figure.name}?", *_second(figure)[1:])


def _perimeter(plane: Plane, rng: Random) -> Item | None:
    plain = [figure for figure in _plain(plane) if figure.kind != "right triangle"]
    if not plain:
        return None
    figure = rng.choice(plain)
    a, b = figure.lengths[0], figure.lengths[-1]
    half = f"width {a}, height {b}. {a} + {b} = {a + b}. 2 * {a + b} = {2 * (a + b)}."
    steps = f"side {a}. 4 * {a} = {4 * a}." if figure.kind == "square" else half
    asked = f"What is the perimeter of the {figure.name}?"
    return ask("perimeter", asked, number(2 * (a + b)), steps)


def _missing(plane: Plane, rng: Random) -> Item | None:
    hidden = [figure for figure in plane.figures if figure.hidden]
    if not hidden:
        return None
    figure = rng.choice(hidden)
    asked = (
        f"The perimeter of the {figure.name} is {2 * sum(figure.lengths)}. "
        f"What is its {figure.hidden}?"
    )
    return ask("missing", asked, *_second(figure)[1:])


def _compare(plane: Plane, rng: Random) -> Item | None:
    """How much longer a side of one figure is than a side of another; no two are equal."""
    if len(plane.figures) < 2:
        return None
    ends = []
    for figure in rng.sample(plane.figures, 2):
        side, length = rng.choice(list(figure.shown.items()))
        ends.append((length, side, figure.name))
    (low, short, less), (high, long, more) = sorted(ends)
    steps = f"{long} {high}, {short} {low}. {high} - {low} = {high - low}."
    asked = f"How much longer is the {long} of the {more} than the {short} of the {less}?"
    return ask("compare", asked, number(high - low), steps)


def _second(figure: Figure) -> tuple[str, Answer, str]:
    """What follows from one figure: a question that calls it "it", the gold, the steps."""
    listed = ", ".join(f"{side} {length}" for side, length in figure.shown.items())
    if figure.kind == "circle":
        radius = figure.lengths[0]
        steps = f"{listed}. 2 * {radius} = {2 * radius}."
        return "And what is its diameter?", number(2 * radius), steps
    if figure.hidden:
        half, (known,) = sum(figure.lengths), figure.shown.values()
        steps = f"{listed}. {2 * half} / 2 = {half}. {half} - {known} = {half - known}."
        asked = f"Its perimeter is {2 * half}. What is its {figure.hidden}?"
        return asked, number(half - known), steps
    area, steps = _work(figure)
    return "And what is its area?", number(area), f"{listed}. {steps}"


def _dialogue(plane: Plane, rng: Random) -> Item:
    """Two questions; the second leans on the first, whose answer does not give its own away."""
    figure = rng.choice(plane.figures)
    asked, answer, steps = _second(figure)
    first = Ask(f"What kind of figure is {figure.colour}?", figure.kind)
    return Item("dialogue", (first, Ask(asked, answer.gold, steps)), answer)
