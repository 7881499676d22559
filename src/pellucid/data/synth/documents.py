"""Receipts and notices: a heading with a number, then lines that end in a price or a count.

No two lines share a word or a number, so each can be named by either. Leaves out on purpose: a
printed total (it is to be computed), tables, paragraphs and handwriting.
"""

from collections.abc import Sequence
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
    ink,
    inside,
    number,
    put_text,
    said,
    statements,
    union,
    unit,
)
from pellucid.data.synth.grid import CELL_HEIGHT, CELL_WIDTH, cell_text, cells
from pellucid.data.synth.lexicon import WORDS
from pellucid.recipe.data import DocumentsScene
from pellucid.schema.record import Answer

VERSION = 4

HEADINGS = {
    "receipt": ("receipt", "bill", "order", "invoice", "sale"),
    "notice": ("notice", "stock", "list", "lost", "wanted"),
}
_MAX_COUNT = 99
"""Largest number on a notice."""
_NOTES = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
"""What is paid with, in cents."""
WITHHELD_DIGIT = "7"
"""Withheld: a line of two words whose number ends in this digit. Lines of two words and numbers
with this end are both common otherwise."""
_NAME_CHARS = 13
"""Most characters of a line's words, so that they fit beside a price."""
_FEW = 3
"""Most lines that are all paid for, so that the steps stay short."""
_GAP = 3
"""Least distance of two lines, in pixels."""


@dataclass(frozen=True, slots=True)
class _Line:
    words: str
    value: int
    """Cents on a receipt, a count on a notice."""


@dataclass(frozen=True, slots=True)
class _Document:
    kind: str
    heading: str
    number: int
    lines: tuple[_Line, ...]

    def spell(self, value: int) -> str:
        """A value as it is written.

        >>> _Document("receipt", "bill", 7, ()).spell(205)
        '2.05'
        """
        return f"{value // 100}.{value % 100:02d}" if self.kind == "receipt" else str(value)


@dataclass(frozen=True, slots=True)
class _Layout:
    width: int
    height: int
    background: Rgb
    heading: Text
    rule: Box | None
    words: tuple[Text, ...]
    values: tuple[Text, ...]

    @property
    def lines(self) -> tuple[Box, ...]:
        """Each line, from its first word to the end of its number."""
        pairs = zip(self.words, self.values, strict=True)
        return tuple(union((words.box, value.box)) for words, value in pairs)


def draw(options: DocumentsScene, seed: int) -> Scene:
    """The document of one seed.

    Raises:
        UserError: so many lines do not fit into so small a picture.
    """
    count = Random(derive(seed, "documents", "count")).randint(options.min_lines, options.max_lines)
    document = draw_data(
        "documents", seed, options.withheld, lambda rng: _data(options, count, rng), _holds
    )
    place = _on_grid if options.on_grid else _layout
    layout = first_fit("documents", seed, options, lambda rng: place(options, document, rng))
    items = complete(
        _items(options, document, layout, Random(derive(seed, "documents", "words"))),
        _items(options, document, layout, Random(derive(seed, "documents", "more words"))),
    )
    return Scene((_paint(layout),), _facts(document, layout), items)


def _data(options: DocumentsScene, count: int, rng: Random) -> _Document:
    kind = rng.choice(("receipt", "receipt", "notice"))
    words = rng.sample(WORDS, 2 * count)
    most = options.max_cents if kind == "receipt" else _MAX_COUNT
    lines = []
    for index, value in enumerate(rng.sample(range(5, most + 1), count)):
        one, two = words[2 * index], f"{words[2 * index]} {words[2 * index + 1]}"
        long = rng.random() < 0.4 and len(two) <= _NAME_CHARS
        lines.append(_Line(two if long else one, value))
    digits = rng.randint(2, 4)
    numbered = rng.randint(10 ** (digits - 1), 10**digits - 1)
    return _Document(kind, rng.choice(HEADINGS[kind]), numbered, tuple(lines))


def _holds(document: _Document) -> bool:
    """Whether a document has the withheld combination."""
    return any(
        " " in line.words and str(line.value).endswith(WITHHELD_DIGIT) for line in document.lines
    )


def _layout(options: DocumentsScene, document: _Document, rng: Random) -> _Layout | None:
    """One try; None when something would overlap or be cut."""
    width, height = (rng.randint(options.min_side_px, options.max_side_px) for _ in range(2))
    face, bold = font(rng.randint(10, 13)), font(rng.randint(10, 13), bold=True)
    left, right = rng.randint(3, 12), width - rng.randint(3, 12)
    title = f"{document.heading} {document.number}"
    _, above, _, below = ink("Aglpy0", face)
    tall, head = below - above, ink(title, bold)
    step = tall + rng.randint(_GAP, _GAP + 5)
    under = rng.randint(6, 10)
    needed = head[3] - head[1] + under + step * (len(document.lines) - 1) + tall
    if needed > height - 4:
        return None
    top = rng.randint(2, height - 2 - needed)
    across = left if rng.random() < 0.5 else (left + right - (head[2] - head[0])) // 2
    heading = put_text(title, bold, across, top - head[1])
    first = heading.box[3] + under - above
    values, words = [], []
    for index, line in enumerate(document.lines):
        spelt, y = document.spell(line.value), first + step * index
        x0, _, x1, _ = ink(spelt, face)
        words.append(put_text(line.words, face, left, y))
        values.append(put_text(spelt, face, right - (x1 - x0), y))
    middle = heading.box[3] + under // 2
    rule = (left, middle, right, middle + 1) if rng.random() < 0.6 else None
    background = rng.choice(BACKGROUNDS)
    layout = _Layout(width, height, background, heading, rule, tuple(words), tuple(values))
    return layout if _fits(layout) else None


def _on_grid(options: DocumentsScene, document: _Document, rng: Random) -> _Layout | None:
    """One try on the grid: the heading, then a line to a row; None when one is too long."""
    columns, rows = cells(options)
    values = [document.spell(line.value) for line in document.lines]
    top = rng.randint(0, max(0, rows - 1 - len(values)))
    left, right = 1 + rng.randint(0, 1), columns - 1 - rng.randint(0, 2)
    room = right - left - 1
    title = f"{document.heading} {document.number}"
    wide = any(
        len(line.words) + len(value) > room
        for line, value in zip(document.lines, values, strict=True)
    )
    if wide or len(title) > right - left or top + len(values) >= rows:
        return None
    heading = cell_text(title, left + rng.choice((0, (right - left - len(title)) // 2)), top)
    words = tuple(
        cell_text(line.words, left, top + row) for row, line in enumerate(document.lines, 1)
    )
    ends = tuple(
        cell_text(value, right - len(value), top + row) for row, value in enumerate(values, 1)
    )
    sizes = columns * CELL_WIDTH, rows * CELL_HEIGHT
    return _Layout(*sizes, rng.choice(BACKGROUNDS), heading, None, words, ends)


def _fits(layout: _Layout) -> bool:
    """Nothing overlaps, nothing is cut; words keep clear of the numbers."""
    boxes = [layout.heading.box, *layout.lines]
    if not all(inside(box, layout.width, layout.height, 2) for box in boxes):
        return False
    if any(
        words.box[2] + 5 > value.box[0]
        for words, value in zip(layout.words, layout.values, strict=True)
    ):
        return False
    if layout.rule and any(clash(layout.rule, box, 1) for box in boxes):
        return False
    return apart(boxes, _GAP - 1)


def _paint(layout: _Layout) -> Picture:
    picture = Image.new("RGB", (layout.width, layout.height), layout.background)
    pen = ImageDraw.Draw(picture)
    if layout.rule:
        x0, y0, x1, y1 = layout.rule
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), fill=INK)
    draw_texts(pen, (layout.heading, *layout.words, *layout.values))
    return encode(picture)


def _facts(document: _Document, layout: _Layout) -> dict[str, Any]:
    size = (layout.width, layout.height)
    drawn = zip(document.lines, layout.lines, layout.words, layout.values, strict=True)
    return {
        "family": "documents",
        "width": layout.width,
        "height": layout.height,
        "kind": document.kind,
        "title": {"text": layout.heading.text, "box": unit(layout.heading.box, *size)},
        "rules": [unit(layout.rule, *size)] if layout.rule else [],
        "lines": [
            {
                "words": line.words,
                "value": document.spell(line.value),
                "box": unit(box, *size),
                "words_box": unit(words.box, *size),
                "value_box": unit(value.box, *size),
            }
            for line, box, words, value in drawn
        ],
    }


def _items(
    options: DocumentsScene, document: _Document, layout: _Layout, rng: Random
) -> tuple[Item, ...]:
    receipt = document.kind == "receipt"
    few = len(document.lines) <= _FEW
    return (
        _caption(document, rng),
        _grounded(document, layout),
        _read(document, rng),
        _heading(document, rng),
        _name(document, rng),
        _nth(document, rng),
        _count(document, rng),
        _locate(document, layout, rng),
        _pair(document, rng),
        _total(document, rng),
        *((_change(document, rng),) if receipt else ()),
        *((_change_all(document, rng),) if receipt and few else ()),
        *(() if receipt else (_difference(document, rng),)),
        _dialogue(document, rng),
        _statements(options, document, layout, rng),
    )


def _caption(document: _Document, rng: Random) -> Item:
    listed = [
        f"Line {index}: {line.words} {document.spell(line.value)}."
        for index, line in enumerate(document.lines, 1)
    ]
    heading = f"{document.heading} {document.number}"
    text = f"A {document.kind} headed {heading} with {len(listed)} lines. {' '.join(listed)}"
    question = rng.choice(("Describe the picture.", f"Write down the whole {document.kind}."))
    return Item("caption", (Ask(question, text),), None)


def _grounded(document: _Document, layout: _Layout) -> Item:
    """The words of every line with its box, as a question for a box names it."""
    boxes = (said(box_answer(box, layout.width, layout.height)) for box in layout.lines)
    listed = (f"{line.words} {box}." for line, box in zip(document.lines, boxes, strict=True))
    return Item("grounded", (Ask("Describe the picture with boxes.", " ".join(listed)),), None)


def _statements(options: DocumentsScene, document: _Document, layout: _Layout, rng: Random) -> Item:
    facts = [
        f"lines {len(document.lines)}.",
        f"heading {document.heading} {document.number}.",
    ]
    boxes = []
    for index, (line, box) in enumerate(zip(document.lines, layout.lines, strict=True), 1):
        value = document.spell(line.value)
        facts.append(f"{line.words} number {value}.")
        facts.append(f"{value} words {line.words}.")
        facts.append(f"line {index} words {line.words}.")
        told = said(box_answer(box, layout.width, layout.height))
        boxes.append(f"{line.words} box {told}.")
    return statements(facts, boxes, rng, options)


def _read(document: _Document, rng: Random) -> Item:
    line = rng.choice(document.lines)
    question = rng.choice(_questions(document)).format(line.words)
    return ask("read", question, _value(document, line.value))


def _questions(document: _Document) -> tuple[str, str]:
    priced = document.kind == "receipt"
    return (
        "Which number stands beside {}?",
        "What is the price of {}?" if priced else "How many does the notice give for {}?",
    )


def _value(document: _Document, value: int) -> Answer:
    return Answer("number", document.spell(value))


def _heading(document: _Document, rng: Random) -> Item:
    question = rng.choice(("What is the number of the {}?", "Which number is in the heading?"))
    return ask("heading", question.format(document.kind), number(document.number))


def _name(document: _Document, rng: Random) -> Item:
    line = rng.choice(document.lines)
    question = rng.choice(("What stands beside {}?", "Which line ends in {}? Give its words."))
    asked = question.format(document.spell(line.value))
    return ask("name", asked, Answer("text", line.words))


def _nth(document: _Document, rng: Random) -> Item:
    index = rng.randrange(len(document.lines))
    question = rng.choice(("Which words stand in line {}?", "Read the words of line {}."))
    return ask("nth", question.format(index + 1), Answer("text", document.lines[index].words))


def _count(document: _Document, rng: Random) -> Item:
    question = rng.choice(("How many lines are under the heading?", "Count the lines."))
    return ask("count", question, number(len(document.lines)))


def _locate(document: _Document, layout: _Layout, rng: Random) -> Item:
    index = rng.randrange(len(document.lines))
    question = rng.choice(("Where is the line with {}? Give its box.", "Give the box of {}."))
    answer = box_answer(layout.lines[index], layout.width, layout.height)
    return ask("locate", question.format(document.lines[index].words), answer)


def _listed(document: _Document, lines: Sequence[_Line]) -> str:
    """Each line with its value, as the first step."""
    return ", ".join(f"{line.words} {document.spell(line.value)}" for line in lines) + "."


def _added(document: _Document, lines: Sequence[_Line]) -> tuple[int, str]:
    """The sum of the lines, and the steps: one addition after the other."""
    steps, so_far = [], lines[0].value
    for line in lines[1:]:
        left, right, so_far = so_far, line.value, so_far + line.value
        steps.append(
            f"{document.spell(left)} + {document.spell(right)} = {document.spell(so_far)}."
        )
    return so_far, " ".join(steps)


def _pair(document: _Document, rng: Random) -> Item:
    a, b = rng.sample(document.lines, 2)
    question = rng.choice(("What is the sum of {} and {}?", "How much are {} and {} together?"))
    answer, steps = _both(document, a, b)
    return ask("pair", question.format(a.words, b.words), answer, steps)


def _both(document: _Document, a: _Line, b: _Line) -> tuple[Answer, str]:
    """The sum of two lines, and the steps: their values, then the addition."""
    total, steps = _added(document, (a, b))
    return _value(document, total), f"{_listed(document, (a, b))} {steps}"


def _total(document: _Document, rng: Random) -> Item:
    question = rng.choice(("What is the total of all lines?", "How much is everything together?"))
    total, steps = _added(document, document.lines)
    return ask("total", question, _value(document, total), steps)


def _left(document: _Document, paid: int, value: int) -> tuple[Answer, str]:
    """What is left of a payment, and the step to it."""
    answer = _value(document, paid - value)
    return answer, f"{document.spell(paid)} - {document.spell(value)} = {answer.gold}."


def _note(value: int, rng: Random) -> int:
    """One of the two smallest notes that are worth more."""
    return rng.choice([note for note in _NOTES if note > value][:2])


def _change(document: _Document, rng: Random) -> Item:
    line = rng.choice(document.lines)
    paid = _note(line.value, rng)
    answer, step = _left(document, paid, line.value)
    question = rng.choice(
        ("You pay for {} with {}. What is the change?", "What is the change for {} out of {}?")
    )
    asked = question.format(line.words, document.spell(paid))
    return ask("change", asked, answer, f"{_listed(document, [line])} {step}")


def _change_all(document: _Document, rng: Random) -> Item:
    total, steps = _added(document, document.lines)
    paid = _note(total, rng)
    answer, step = _left(document, paid, total)
    asked = f"You pay for everything with {document.spell(paid)}. What is the change?"
    return ask("change_all", asked, answer, f"{steps} {step}")


def _difference(document: _Document, rng: Random) -> Item:
    a, b = sorted(rng.sample(document.lines, 2), key=lambda line: -line.value)
    question = rng.choice(("How much larger is {} than {}?", "How much more is {} than {}?"))
    answer, step = _left(document, a.value, b.value)
    steps = f"{_listed(document, (a, b))} {step}"
    return ask("difference", question.format(a.words, b.words), answer, steps)


def _dialogue(document: _Document, rng: Random) -> Item:
    """Two questions; the second leans on the first."""
    a, b = rng.sample(document.lines, 2)
    first = Ask(rng.choice(_questions(document)).format(a.words), document.spell(a.value))
    answer, steps = _both(document, a, b)
    second = Ask(f"And together with {b.words}?", answer.gold, steps)
    return Item("dialogue", (first, second), answer)
