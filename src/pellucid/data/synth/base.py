"""What every scene family gives back, and the few things that all of them draw with.

A family owns its data: it draws the data from the seed, then the pixels, then computes questions,
answers and steps. Boxes are pixels `(x0, y0, x1, y1)`, the last two exclusive, until they leave a
family as [0, 1] with four decimals. Leaves out on purpose: anything that knows of records.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from io import BytesIO
from itertools import combinations
from random import Random
from typing import Any, TypeVar

from PIL import Image, ImageDraw, ImageFont

from pellucid.base.errors import Problem, UserError
from pellucid.base.paths import ASSETS
from pellucid.base.seeds import derive
from pellucid.recipe.data import PictureScene
from pellucid.schema.record import COORDINATE_DECIMALS, Answer

Box = tuple[int, int, int, int]
Rgb = tuple[int, int, int]
T = TypeVar("T")

ATTEMPTS = 400
"""Layouts tried for one scene before its options are called impossible."""

DATA_ATTEMPTS = 4000
"""Tries for data with the withheld combination; far cheaper than layouts."""

_ROUNDED_SIDE = 0.04
"""Least side, of the picture's, of boxes that are said in hundredths."""

BACKGROUNDS: tuple[Rgb, ...] = (
    (255, 255, 255), (250, 248, 240), (240, 246, 252), (244, 250, 240), (246, 242, 250),
)  # fmt: skip
INK: Rgb = (20, 20, 20)


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture."""

    png: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Ask:
    """One question and what the assistant says; `reasoning` makes it think."""

    question: str
    reply: str
    reasoning: str | None = None
    direct: bool = False
    """The assistant answers at once by itself, though there is something that it could think."""


@dataclass(frozen=True, slots=True)
class Item:
    """One conversation about the scene; `answer` is the gold of its last question."""

    task: str
    asks: tuple[Ask, ...]
    answer: Answer | None
    pictures: tuple[int, ...] = (0,)
    """Which of the scene's pictures are shown, before the first question."""
    tasks: tuple[str, ...] = ()
    """Of a quiz: the task of each of its questions."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Pictures of one seed, the exact facts behind them, and what can be asked."""

    pictures: tuple[Picture, ...]
    facts: dict[str, Any]
    """JSON; boxes are [0, 1]."""
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A row of the table of families."""

    version: int
    """Raised when the same options and seed would give another scene."""
    draw: Callable[[Any, int], Scene]
    """(options, seed) -> scene, a pure function."""
    from_caption: frozenset[str] = frozenset()
    """Tasks whose answer follows from the text of the scene's `caption` alone."""
    from_boxes: frozenset[str] = frozenset()
    """Tasks whose answer follows from the text of the scene's `grounded` caption, not from the
    plain one."""
    domain: str = ""
    """Domain of every record; empty where each item is perception or arithmetic."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text and where it goes."""

    text: str
    font: ImageFont.FreeTypeFont
    origin: tuple[int, int]
    box: Box
    """What its ink may cover."""
    fill: Rgb = INK


def draw_data(
    family: str,
    seed: int,
    withheld: bool,
    make: Callable[[Random], T],
    holds: Callable[[T], bool],
) -> T:
    """The first data of a scene that holds the family's withheld combination, or does not.

    Args:
        family: name of the family.
        seed: scene seed.
        withheld: whether the combination is wanted; without it no scene has it.
        make: data from a random stream.
        holds: whether data has the combination.

    Raises:
        UserError: none of `DATA_ATTEMPTS` tries gives it; the options leave no room for it.
    """
    for count in range(DATA_ATTEMPTS):
        made = make(Random(derive(seed, family, "data", count)))
        if holds(made) == withheld:
            return made
    rule = f"cannot be met by these options (scene seed {seed})"
    raise UserError(Problem(f"scene ({family}).withheld", withheld, rule, "widen the options"))


def complete(items: Sequence[Item], more: Sequence[Item]) -> tuple[Item, ...]:
    """The items of a scene, with what follows from them all.

    A single question about the first picture that needs no steps may also be thought about: the
    thinking lists the picture (the caption), and the model is not expected to choose it. Such
    questions, those of `more` first, also make one long conversation, the `quiz`.

    Args:
        items: drawn from the scene; one of them has the task `caption`.
        more: the same tasks drawn again, for other questions about the same scene.
    """
    caption = next(item for item in items if item.task == "caption").asks[0].reply
    seen = {one.asks[0].question: one for one in (*more, *items) if _perception(one)}
    asks = tuple(one.asks[0] for one in seen.values())
    quiz = Item("quiz", asks, None, tasks=tuple(one.task for one in seen.values()))
    listed = tuple(_listing(item, caption) if _perception(item) else item for item in items)
    return (*listed, quiz) if len(asks) > 1 else listed


def _perception(item: Item) -> bool:
    """Whether an item is one question about the first picture that needs no steps."""
    single = len(item.asks) == 1 and item.pictures == (0,) and item.answer is not None
    return single and item.asks[0].reasoning is None


def _listing(item: Item, caption: str) -> Item:
    only = replace(item.asks[0], reasoning=caption, direct=True)
    return replace(item, asks=(only,))


def ask(task: str, question: str, answer: Answer, reasoning: str | None = None) -> Item:
    """One question about the first picture, answered with the gold."""
    return Item(task, (Ask(question, said(answer), reasoning),), answer)


def statements(
    facts: Sequence[str], boxes: Sequence[str], rng: Random, options: PictureScene
) -> Item:
    """What a picture shows in short statements of any order, as many as one text holds.

    What comes next cannot be guessed from what came before, so each has to be looked up by the
    thing that it names. They are not sentences: words that carry nothing cost time.

    Args:
        facts: statements without a box.
        boxes: statements with a box; they are long, so few are taken.
        rng: chooses and orders.
        options: say how many of each.
    """
    few = rng.sample(boxes, min(options.most_boxes, len(boxes)))
    told = [*rng.sample(facts, min(options.most_statements, len(facts))), *few]
    rng.shuffle(told)
    question = "Say what the picture shows."
    return Item("statements", (Ask(question, " ".join(told)),), None)


def most_so_far(counts: Sequence[tuple[str, int]]) -> str:
    """The steps to the name with the largest count: each in turn beside the largest so far.

    The name that is asked for stands beside its count at every step, so nothing has to be found by
    its count.

    >>> most_so_far([("ant", 5), ("bee", 9), ("cow", 7)])
    'ant 5. bee 9: bee 9. cow 7: bee 9.'
    """
    (name, best), *others = counts
    steps = [f"{name} {best}."]
    for other, count in others:
        if count > best:
            name, best = other, count
        steps.append(f"{other} {count}: {name} {best}.")
    return " ".join(steps)


def number(value: int) -> Answer:
    """The gold of a number."""
    return Answer("number", str(value))


def box_answer(box: Box, width: int, height: int) -> Answer:
    """The gold of a box: a JSON list of four decimals in [0, 1].

    >>> box_answer((8, 0, 16, 30), 64, 60).gold
    '[0.1250, 0.0000, 0.2500, 0.5000]'
    """
    values = ", ".join(f"{value:.{COORDINATE_DECIMALS}f}" for value in unit(box, width, height))
    return Answer("box", f"[{values}]")


def said(answer: Answer) -> str:
    """The gold as it is said: a box in hundredths, which are fewer tokens, where none is too thin.

    A box at least `_ROUNDED_SIDE` wide and tall overlaps its rounded self by more than half.

    >>> said(box_answer((8, 0, 16, 30), 64, 60)), said(box_answer((8, 0, 9, 30), 64, 60))
    ('[0.12, 0.00, 0.25, 0.50]', '[0.1250, 0.0000, 0.1406, 0.5000]')
    """
    if answer.kind not in ("box", "point"):
        return answer.gold
    x0, y0, x1, y1 = values = json.loads(answer.gold)
    if min(x1 - x0, y1 - y0) < _ROUNDED_SIDE:
        return answer.gold
    return "[" + ", ".join(f"{value:.2f}" for value in values) + "]"


def choice(rng: Random, right: str, wrong: Sequence[str]) -> tuple[str, Answer]:
    """Lettered options in seeded order, as lines to put under a question, and the gold letter."""
    options = [right, *wrong]
    rng.shuffle(options)
    letters = "ABCDEFGH"[: len(options)]
    lines = "".join(f"\n{letter}. {text}" for letter, text in zip(letters, options, strict=True))
    return lines, Answer("choice", letters[options.index(right)], (right,))


def unit(box: Box, width: int, height: int) -> list[float]:
    """A box in pixels as [0, 1] coordinates, four decimals."""
    sizes = (width, height, width, height)
    return [
        round(value / size, COORDINATE_DECIMALS) for value, size in zip(box, sizes, strict=True)
    ]


def clash(a: Box, b: Box, gap: int) -> bool:
    """Whether two boxes overlap or come closer than `gap` pixels."""
    return a[0] < b[2] + gap and b[0] < a[2] + gap and a[1] < b[3] + gap and b[1] < a[3] + gap


def apart(boxes: Iterable[Box], gap: int) -> bool:
    """Whether no two boxes come closer than `gap` pixels."""
    return not any(clash(a, b, gap) for a, b in combinations(boxes, 2))


def inside(box: Box, width: int, height: int, margin: int = 1) -> bool:
    """Whether a box keeps `margin` pixels from the picture's edge."""
    x0, y0, x1, y1 = box
    return x0 >= margin and y0 >= margin and x1 <= width - margin and y1 <= height - margin


def first_fit(family: str, seed: int, options: object, attempt: Callable[[Random], T | None]) -> T:
    """The first layout that fits, tried with the random streams of attempts 0, 1, 2, ...

    Raises:
        UserError: none of `ATTEMPTS` fits; the options ask for too much in too small a picture.
    """
    for count in range(ATTEMPTS):
        found = attempt(Random(derive(seed, family, "layout", count)))
        if found is not None:
            return found
    rule = f"asks for more than fits into a picture (scene seed {seed})"
    fix = "raise max_side_px (on the grid, min_side_px is the height) or lower the counts"
    raise UserError(Problem(f"scene ({family})", str(options), rule, fix))


@cache
def font(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The shipped font. Basic layout, so that glyphs do not depend on optional libraries."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(
        ASSETS / "fonts" / name, size_px, layout_engine=ImageFont.Layout.BASIC
    )


def set_text(text: str, face: ImageFont.FreeTypeFont, x: float, y: int, fill: Rgb = INK) -> Text:
    """A text centred at `x`, its line starting at `y`."""
    left, top, right, bottom = (int(side) for side in face.getbbox(text))
    start = round(x - (left + right) / 2)
    box = (start + left, y + top, start + right, y + bottom)
    return Text(text, face, (start, y), box, fill)


@lru_cache(maxsize=8192)
def ink(text: str, face: ImageFont.FreeTypeFont) -> Box:
    """What a text drawn at (0, 0) colours, to the pixel; `getbbox` counts its empty sides too."""
    right, bottom = (int(side) for side in face.getbbox(text)[2:])
    canvas = Image.new("L", (right + 8, bottom + 8))
    ImageDraw.Draw(canvas).text((4, 4), text, font=face, fill=255)
    found = canvas.getbbox()
    assert found is not None, f"{text!r} has no ink"
    return found[0] - 4, found[1] - 4, found[2] - 4, found[3] - 4


def put_text(text: str, face: ImageFont.FreeTypeFont, left: int, y: int, fill: Rgb = INK) -> Text:
    """A text whose ink starts at `left`, its line starting at `y`; the box is that of the ink."""
    x0, y0, x1, y1 = ink(text, face)
    return Text(text, face, (left - x0, y), (left, y + y0, left + x1 - x0, y + y1), fill)


def centre_text(text: str, face: ImageFont.FreeTypeFont, box: Box, fill: Rgb = INK) -> Text:
    """A text whose ink stands in the middle of a box; the box of the text is that of the ink."""
    x0, y0, x1, y1 = ink(text, face)
    left = (box[0] + box[2] - (x1 - x0)) // 2
    return put_text(text, face, left, (box[1] + box[3] - (y1 - y0)) // 2 - y0, fill)


def union(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds them all."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def draw_texts(draw: ImageDraw.ImageDraw, texts: Iterable[Text]) -> None:
    """Draw texts where they were set."""
    for text in texts:
        draw.text(text.origin, text.text, font=text.font, fill=text.fill)


def encode(picture: Image.Image) -> Picture:
    """A PNG whose bytes depend on the pixels alone."""
    out = BytesIO()
    picture.save(out, "PNG", compress_level=6)
    return Picture(out.getvalue(), picture.width, picture.height)
