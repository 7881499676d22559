"""Writes the language of the scenes, as text for the tokenizer to learn from.

    python -m pellucid.prompt.scene_language

Charts, shapes, receipts, screens, geometry and tables: questions, steps and answers as they are
asked of drawn pictures, from made-up facts; the words of charts and shapes are those of the scene
generators in `data`. Nothing is drawn, and no model is trained on this text.
"""

from collections.abc import Callable, Iterator
from random import Random

from pellucid.base.paths import write_text
from pellucid.base.seeds import derive
from pellucid.prompt.train_tokenizer import FOLDER

COLOURS = "red orange yellow green blue purple pink brown grey black white".split()
LABELS = (
    "ant bee cat cow dog elk fox hen owl pig rat yak "
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec "
    "egg fig ham jam nut oat pea pie rye soy tea yam "
    "Ann Ben Eva Ida Jim Kim Lea Max Ned Pam Ray Sue"
).split()
TITLES = "Rain Sales Visits Votes Stock Trips Goals Steps Books Calls".split()
KINDS = "circle square triangle diamond".split()
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
RELATIONS = ("left of", "right of", "above", "below")
GOODS = (
    "bread milk eggs butter cheese rice pasta tea coffee juice water apples bananas tomatoes "
    "potatoes onions carrots soap paper batteries chicken salad soup sandwich cake biscuits"
).split()
SHOPS = "Corner Market,Green Grocer,City Bakery,Harbour Cafe,Book House,Daily Store".split(",")
BUTTONS = (
    "Save,Cancel,Open,Close,Search,Settings,Sign in,Sign out,Submit,Next,Back,Delete,Edit,Share,"
    "Print,Help,Home,Menu,Download,Upload,Add to cart,Check out,Reply,Send,Refresh,Copy,Paste,"
    "Undo,Redo,Accept,Decline,Play,Pause,Profile,Messages,Notifications"
).split(",")
WIDGETS = "button,link,text field,check box,icon,tab,menu item,slider,switch,dialog".split(",")
NAMES = (
    "Ada Ben Cara Dan Emma Finn Grace Hugo Ivy Jack Kate Leo Mia Noah Olga Paul Rosa Sam".split()
)
FIELDS = "name age city score height weight price year total rank points team country".split()

Lines = Iterator[str]
Family = Callable[[Random], Lines]


def _box(random: Random) -> str:
    left, top = random.randint(0, 5999), random.randint(0, 5999)
    right, bottom = random.randint(left + 500, 9999), random.randint(top + 500, 9999)
    return "[" + ", ".join(f"{side / 10_000:.4f}" for side in (left, top, right, bottom)) + "]"


def _choices(options: list[str]) -> str:
    return "\n".join(f"{letter}. {text}" for letter, text in zip("ABCDEFGH", options, strict=False))


def _charts(random: Random) -> Lines:
    count = random.randint(3, 5)
    bars = list(
        zip(
            random.sample(LABELS, count),
            random.sample(COLOURS[:8], count),
            random.sample(range(1, 100), count),
            strict=True,
        )
    )
    listed = [f"{label} is {colour} with value {value}" for label, colour, value in bars]
    yield (
        f'A bar chart titled "{random.choice(TITLES)}" with {count} bars. '
        f"From left to right, {', '.join(listed[:-1])} and {listed[-1]}."
    )
    best = max(bars, key=lambda bar: bar[2])[0]
    (one, tint, high), (two, _, low) = sorted(bars[:2], key=lambda bar: -bar[2])
    steps = f"{one} {high}, {two} {low}. {high}"
    added, left = f"{steps} + {low} = {high + low}.", f"{steps} - {low} = {high - low}."
    asked = [
        f"Describe the picture.\nHow many bars are there?\n{count}",
        f"Write down everything the chart shows.\nHow many bars does the chart have?\n{count}",
        f"What is the value of the {one} bar?\n{high}",
        f"Which value does the {tint} bar show?\n{high}",
        f"Where is the {one} bar? Give its box.\n{_box(random)}",
        f"Give the box of the {tint} bar.\n{_box(random)}",
        f"Which bar is the tallest?\n{best}",
        f"Which bar has the largest value?\n{_choices([bar[0] for bar in bars])}",
        f"What is the sum of {one} and {two}?\n{added}\n{high + low}",
        f"How much are {one} and {two} together?\n{added}\n{high + low}",
        f"How much larger is {one} than {two}?\n{left}\n{high - low}",
        f"How much more is {one} than {two}?\n{left}\n{high - low}",
        f"What is the value of {one}?\n{high}\nAnd together with {two}?\n{added}",
    ]
    yield from random.sample(asked, 2)


def _shapes(random: Random) -> Lines:
    a, b, c = random.sample(COLOURS[:6], 3)
    kind, other = random.sample(KINDS, 2)
    many, few = random.randint(1, 5), random.randint(0, 3)
    places = [f"{random.choice(ROWS)} {random.choice(COLUMNS)}" for _ in range(3)]
    yield (
        f"{many + few} shapes. A {a} {kind} at the {places[0]}, a {b} {other} at the {places[1]} "
        f"and a {c} {kind} at the {places[2]}."
    )
    counts = f"{a} {many}, {b} {few}."
    added = f"{counts} {many} + {few} = {many + few}."
    compared = f"{many} > {few}, so {a}." if many > few else f"{few} > {many}, so {b}."
    asked = [
        f"Describe the picture.\nHow many shapes are there?\n{many + few}",
        f"List every shape and where it is.\nCount the shapes.\n{many + few}",
        f"How many {a} shapes are there?\n{many}",
        f"How many shapes are {b}?\n{few}",
        f"Where is the {a} {kind}? Give its box.\n{_box(random)}",
        f"Give the box of the {b} {other}.\n{_box(random)}",
        f'Are more shapes {a} or {b}? Answer with the colour, or "equal".\n{counts} '
        + (f"{many} = {few}.\nequal" if many == few else compared),
        f"How many {a} and {b} shapes are there together?\n{added}\n{many + few}",
        f"How many shapes are {a} or {b}?\n{added}\n{many + few}",
        f"How many {a} shapes are there?\n{many}\nAnd together with the {b} ones?\n{added}",
        f"Where is the {a} {kind}, seen from the {b} {other}?\n"
        + _choices(random.sample(RELATIONS, 4)),
        "What changed from the first picture to the second?\n"
        + _choices(
            [
                f"The {a} {kind} was added.",
                f"The {b} {other} was removed.",
                f"The {a} {other} became {c}.",
            ]
        ),
        f"What colour is the {kind} at the {places[0]}?\n{a}",
        f"Is there a {c} {other} in the picture?\n{random.choice(('yes', 'no'))}",
    ]
    yield from random.sample(asked, 2)


def _receipts(random: Random) -> Lines:
    goods = [(good, random.randint(50, 1999)) for good in random.sample(GOODS, 3)]
    total = sum(cents for _, cents in goods)
    (one, price), (two, cost), _ = goods
    date = f"{random.randint(2015, 2025)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"
    yield f"Receipt of {random.choice(SHOPS)}, {date}."
    yield from (f"{random.randint(1, 4)} x {good} {cents / 100:.2f}" for good, cents in goods)
    yield f"Total {total / 100:.2f}"
    asked = [
        f"What is the total amount on the receipt?\n{total / 100:.2f}",
        f"How much does the {one} cost?\n{price / 100:.2f}",
        f"What is the date of the receipt?\n{date}",
        f"How much do {one} and {two} cost together?\n"
        f"{price / 100:.2f} + {cost / 100:.2f} = {(price + cost) / 100:.2f}",
        f"How much change is given for 50.00?\n50.00 - {total / 100:.2f} = "
        f"{(5000 - total) / 100:.2f}",
        f"Which item is the most expensive?\n{max(goods, key=lambda good: good[1])[0]}",
    ]
    yield from random.sample(asked, 2)


def _screens(random: Random) -> Lines:
    name, other = random.sample(BUTTONS, 2)
    widget = random.choice(WIDGETS)
    yield f"A screenshot of a window with a {name} {widget} and a {other} button."
    asked = [
        f'Click on "{name}".\n{_box(random)}',
        f"Where is the {name} {widget}? Answer with [x1, y1, x2, y2].\n{_box(random)}",
        f"Which button is next to {other}?\n{name}",
        f"What happens when the user clicks {name}?",
        f"Type {random.choice(NAMES)} into the text field, then press {name}.",
        f'{{"action": "click", "target": "{name}", "box": {_box(random)}}}',
        f"Scroll down until the {name} {widget} is shown on the screen.",
        f"Is the {other} {widget} enabled?\n{random.choice(('yes', 'no'))}",
    ]
    yield from random.sample(asked, 2)


def _geometry(random: Random) -> Lines:
    long, short = random.randint(5, 20), random.randint(2, 12)
    angle = random.randint(20, 80)
    apex = "".join(random.sample("ABCDEFGH", 3))
    asked = [
        f"A rectangle is {long} cm long and {short} cm wide. What is its area?\n"
        f"The area is length times width: {long} * {short} = {long * short}\n{long * short}",
        f"What is the perimeter of a rectangle with sides {long} and {short}?\n"
        f"2 * ({long} + {short}) = 2 * {long + short} = {2 * (long + short)}",
        f"In triangle {apex}, angle {apex[0]} is {angle} degrees and angle {apex[1]} is 60 "
        f"degrees. Find angle {apex[2]}.\n"
        f"The angles of a triangle add up to 180. 180 - {angle} - 60 = {120 - angle}",
        f"A circle has radius {short}. What is its diameter?\n"
        f"The diameter is twice the radius: 2 * {short} = {2 * short}\n{2 * short}",
        f"Solve for x: {short}x + {long} = {short * angle + long}.\n"
        f"So {short}x = {short * angle}, therefore x = {angle}.",
        f"Line {apex[:2]} is parallel to line {apex[1:]}. Is the figure drawn to scale?\n"
        "We know that the two angles are equal because the lines are parallel.",
        f"The graph of y = {short}x^2 - {long} passes through which point?\n"
        f"At x = 1, y = {short} * 1 - {long} = {short - long}. \\frac{{{short}}}{{{long}}}",
    ]
    yield from random.sample(asked, 2)


def _tables(random: Random) -> Lines:
    fields = random.sample(FIELDS[1:], 2)
    rows = [
        (name, random.randint(1, 99), random.randint(1, 99)) for name in random.sample(NAMES, 3)
    ]
    (one, first, _), (two, second, _), _ = rows
    yield f"| name | {fields[0]} | {fields[1]} |"
    yield from (f"| {name} | {left} | {right} |" for name, left, right in rows)
    asked = [
        f"What is the {fields[0]} of {one}?\n{first}",
        f"How many rows does the table have?\n{len(rows)}",
        f"Who has the highest {fields[1]}?\n{max(rows, key=lambda row: row[2])[0]}",
        f"What is the average {fields[0]} of {one} and {two}?\n"
        f"({first} + {second}) / 2 = {(first + second) / 2:g}",
        f"What is the total of the {fields[1]} column?\n"
        + " + ".join(str(row[2]) for row in rows)
        + f" = {sum(row[2] for row in rows)}",
        f"Is the {fields[0]} of {one} greater than that of {two}?\n"
        f"{first} is {'greater' if first > second else 'not greater'} than {second}, so the "
        f"answer is {'yes' if first > second else 'no'}.",
    ]
    yield from random.sample(asked, 2)


def _words(random: Random) -> Lines:
    """Names as answers: alone on their lines, where no space comes before them."""
    words = [*LABELS, *COLOURS, *KINDS, *RELATIONS, *TITLES, "equal", "yes", "no"]
    yield from random.sample(words, len(words))


FAMILIES: dict[str, tuple[Family, int]] = {
    "charts": (_charts, 72),
    "shapes": (_shapes, 72),
    "receipts": (_receipts, 50),
    "screens": (_screens, 60),
    "geometry": (_geometry, 40),
    "tables": (_tables, 50),
    "words": (_words, 6),
}
"""Each family and how many scenes are told of it."""


def scene_text() -> str:
    """All scenes, a blank line after each; the same text on every machine."""
    told = [
        "\n".join(tell(Random(derive(0, name, number)))) + "\n"
        for name, (tell, count) in FAMILIES.items()
        for number in range(count)
    ]
    return "\n".join(told)


def main() -> None:
    """Write `scenes.txt`."""
    write_text(FOLDER / "corpus" / "scenes.txt", scene_text())


if __name__ == "__main__":
    main()
