"""Writes the language of the scenes, as text for the tokenizer to learn from.

    python -m pellucid.prompt.scene_language

Charts, shapes, receipts, screens, geometry and tables: questions, steps and answers as they are
asked of drawn pictures, from made-up facts. Nothing is drawn, and no model is trained on this text.
"""

from collections.abc import Callable, Iterator
from random import Random

from pellucid.base.paths import write_text
from pellucid.base.seeds import derive
from pellucid.prompt.train_tokenizer import FOLDER

COLOURS = (
    "red orange yellow green blue purple pink brown grey black white cyan magenta teal navy gold"
).split()
LABELS = (
    "apples pears plums lemons cherries grapes bread milk rice tea coffee sugar salt "
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May "
    "June July August September October November December north south east west Paris London "
    "Berlin Madrid Rome Oslo Tokyo Cairo Lima Delhi cats dogs birds fish horses sheep goats cows "
    "cars buses trains bikes boats planes books pens bags shoes hats coats cups plates lamps"
).split()
TITLES = (
    "Sales by month,Visitors by day,Books read,Fruit sold,Rain by month,Units shipped,Votes,"
    "Animals on the farm,Goals scored,Hours worked,Orders by city,Points by team,Cups of tea,"
    "Temperature,Profit by region,Students by class,Energy used,Tickets sold"
).split(",")
KINDS = "circle square triangle diamond star cross rectangle pentagon hexagon arrow line".split()
PLACES = (
    "top left,top centre,top right,middle left,centre,middle right,bottom left,bottom centre,"
    "bottom right"
).split(",")
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
NAMES = "Ada Ben Cara Dan Emma Finn Grace Hugo Ivy Jack Kate Leo Mia Noah Olga Paul Rosa Sam".split()
FIELDS = "name age city score height weight price year total rank points team country".split()

Lines = Iterator[str]
Family = Callable[[Random], Lines]


def _box(random: Random) -> str:
    left, top = random.randint(0, 5999), random.randint(0, 5999)
    right, bottom = random.randint(left + 500, 9999), random.randint(top + 500, 9999)
    return "[" + ", ".join(f"{side / 10_000:.4f}" for side in (left, top, right, bottom)) + "]"


def _choices(options: list[str]) -> str:
    return "\n".join(f"{letter}. {text}" for letter, text in zip("ABCDEFGH", options, strict=False))


def _times(count: int, noun: str) -> str:
    if count == 0:
        return f"no {noun}s"
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _charts(random: Random) -> Lines:
    bars = [
        (label, colour, random.randint(1, 99))
        for label, colour in zip(random.sample(LABELS, 4), random.sample(COLOURS, 4), strict=True)
    ]
    largest = "ABCD"[max(range(4), key=lambda index: bars[index][2])]
    (one, tint, high), (two, hue, low) = sorted(bars[:2], key=lambda bar: -bar[2])
    yield from (
        f"A bar chart titled {random.choice(TITLES)} with {len(bars)} bars.",
        " ".join(f"{label} is {colour} with value {value}." for label, colour, value in bars[:3]),
    )
    asked = [
        (f"How many bars does the chart have?\n{len(bars)}",),
        (f"What is the value of the bar labelled {one}?\n{high}",),
        (f"What is the value of the {hue} bar?\n{low}",),
        (f"Which bar is the largest?\n{_choices([bar[0] for bar in bars])}\n{largest}",),
        (f"Where is the {tint} bar? Give its box.\n{_box(random)}",),
        (
            f"What is the sum of {one} and {two}?",
            f"{one} is {high} and {two} is {low}. {high} + {low} = {high + low}\n{high + low}",
        ),
        (
            f"How much larger is {one} than {two}? What is the difference?",
            f"The {tint} bar is {high}. The {hue} bar is {low}. "
            f"{high} - {low} = {high - low}\n{high - low}",
        ),
        (f"Which bar has the smallest value, {one} or {two}?\n{two}",),
        (f"Is {one} larger than {two}?\nyes", f"Is the {hue} bar taller than the {tint} bar?\nno"),
    ]
    for lines in random.sample(asked, 2):
        yield from lines


def _shapes(random: Random) -> Lines:
    first, second, third = random.sample(COLOURS[:9], 3)
    kind, other = random.sample(KINDS, 2)
    many, few = random.randint(1, 6), random.randint(0, 4)
    place = random.choice(PLACES)
    yield f"A {first} {kind} at the {place} and a {second} {other} at the {random.choice(PLACES)}."
    asked = [
        (f"How many shapes are there?\n{many + few}",),
        (f"How many {first} shapes are in the picture?\n{many}",),
        (f"Where is the {first} {kind}? Give its bounding box.\n{_box(random)}",),
        (
            f"Are there more {first} or more {second} shapes? Answer with the colour, or equal.",
            f"There are {_times(many, first + ' shape')} and {_times(few, second + ' shape')}.",
            "equal" if many == few else first if many > few else second,
        ),
        (
            f"How many {first} and {second} shapes are there in total?",
            f"I count {many} {first} and {few} {second}. {many} + {few} = {many + few}\n"
            f"{many + few}",
        ),
        (
            f"Where is the {first} {kind} relative to the {second} {other}?",
            _choices(list(RELATIONS)) + f"\n{random.choice(RELATIONS)}",
        ),
        (
            "What has changed from the first picture to the second?",
            _choices([
                f"The {first} {kind} was added.", f"The {second} {other} was removed.",
                f"The {first} {other} turned {third}.", f"The {second} {kind} became {third}.",
            ]),
        ),
        (f"What colour is the {kind} at the {place}?\n{first}",),
        (f"Is there a {third} {other}?\n{random.choice(('yes', 'no'))}",),
    ]  # fmt: skip
    for lines in random.sample(asked, 2):
        yield from lines


def _receipts(random: Random) -> Lines:
    goods = [(good, random.randint(50, 1999)) for good in random.sample(GOODS, 3)]
    total = sum(cents for _, cents in goods)
    (one, price), (two, cost), _ = goods
    date = f"{random.randint(2015, 2025)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"
    yield f"Receipt of {random.choice(SHOPS)}, {date}."
    yield from (f"{random.randint(1, 4)} x {good} {cents / 100:.2f}" for good, cents in goods)
    yield f"Total {total / 100:.2f}"
    asked = [
        (f"What is the total amount on the receipt?\n{total / 100:.2f}",),
        (f"How much does the {one} cost?\n{price / 100:.2f}",),
        (f"What is the date of the receipt?\n{date}",),
        (
            f"How much do {one} and {two} cost together?",
            f"{price / 100:.2f} + {cost / 100:.2f} = {(price + cost) / 100:.2f}",
        ),
        (
            f"How much change is given for 50.00?\n50.00 - {total / 100:.2f} = "
            f"{(5000 - total) / 100:.2f}",
        ),
        (f"Which item is the most expensive?\n{max(goods, key=lambda good: good[1])[0]}",),
    ]
    for lines in random.sample(asked, 2):
        yield from lines


def _screens(random: Random) -> Lines:
    name, other = random.sample(BUTTONS, 2)
    widget = random.choice(WIDGETS)
    yield f"A screenshot of a window with a {name} {widget} and a {other} button."
    asked = [
        (f'Click on "{name}".\n{_box(random)}',),
        (f"Where is the {name} {widget}? Answer with [x1, y1, x2, y2].\n{_box(random)}",),
        (f"Which button is next to {other}?\n{name}",),
        (f"What happens when the user clicks {name}?",),
        (f"Type {random.choice(NAMES)} into the text field, then press {name}.",),
        (f'{{"action": "click", "target": "{name}", "box": {_box(random)}}}',),
        (f"Scroll down until the {name} {widget} is shown on the screen.",),
        (f"Is the {other} {widget} enabled?\n{random.choice(('yes', 'no'))}",),
    ]
    for lines in random.sample(asked, 2):
        yield from lines


def _geometry(random: Random) -> Lines:
    long, short = random.randint(5, 20), random.randint(2, 12)
    angle = random.randint(20, 80)
    apex = "".join(random.sample("ABCDEFGH", 3))
    asked = [
        (
            f"A rectangle is {long} cm long and {short} cm wide. What is its area?",
            f"The area is length times width: {long} * {short} = {long * short}\n{long * short}",
        ),
        (
            f"What is the perimeter of a rectangle with sides {long} and {short}?",
            f"2 * ({long} + {short}) = 2 * {long + short} = {2 * (long + short)}",
        ),
        (
            f"In triangle {apex}, angle {apex[0]} is {angle} degrees and angle {apex[1]} is 60 "
            f"degrees. Find angle {apex[2]}.",
            f"The angles of a triangle add up to 180. 180 - {angle} - 60 = {120 - angle}",
        ),
        (
            f"A circle has radius {short}. What is its diameter?",
            f"The diameter is twice the radius: 2 * {short} = {2 * short}\n{2 * short}",
        ),
        (
            f"Solve for x: {short}x + {long} = {short * angle + long}.",
            f"So {short}x = {short * angle}, therefore x = {angle}.",
        ),
        (
            f"Line {apex[:2]} is parallel to line {apex[1:]}. Is the figure drawn to scale?",
            "We know that the two angles are equal because the lines are parallel.",
        ),
        (
            f"The graph of y = {short}x^2 - {long} passes through which point?",
            f"At x = 1, y = {short} * 1 - {long} = {short - long}. \\frac{{{short}}}{{{long}}}",
        ),
    ]
    for lines in random.sample(asked, 2):
        yield from lines


def _tables(random: Random) -> Lines:
    fields = random.sample(FIELDS[1:], 2)
    rows = [
        (name, random.randint(1, 99), random.randint(1, 99)) for name in random.sample(NAMES, 3)
    ]
    (one, first, _), (two, second, _), _ = rows
    yield f"| name | {fields[0]} | {fields[1]} |"
    yield from (f"| {name} | {left} | {right} |" for name, left, right in rows)
    asked = [
        (f"What is the {fields[0]} of {one}?\n{first}",),
        (f"How many rows does the table have?\n{len(rows)}",),
        (f"Who has the highest {fields[1]}?\n{max(rows, key=lambda row: row[2])[0]}",),
        (
            f"What is the average {fields[0]} of {one} and {two}?",
            f"({first} + {second}) / 2 = {(first + second) / 2:g}",
        ),
        (
            f"What is the total of the {fields[1]} column?",
            " + ".join(str(row[2]) for row in rows) + f" = {sum(row[2] for row in rows)}",
        ),
        (
            f"Is the {fields[0]} of {one} greater than that of {two}?",
            f"{first} is {'greater' if first > second else 'not greater'} than {second}, so the "
            f"answer is {'yes' if first > second else 'no'}.",
        ),
    ]
    for lines in random.sample(asked, 2):
        yield from lines


FAMILIES: dict[str, tuple[Family, int]] = {
    "charts": (_charts, 66),
    "shapes": (_shapes, 66),
    "receipts": (_receipts, 50),
    "screens": (_screens, 60),
    "geometry": (_geometry, 40),
    "tables": (_tables, 50),
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
