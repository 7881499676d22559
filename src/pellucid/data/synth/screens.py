"""What is asked of small windows: names, numbers and states, and where to click.

Every label of a window is another word. A check box is clicked on its mark or its label, a field on
its frame; a click counts when the middle of the box that is given lies on the control. Leaves out
on purpose: what a click does.
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
from pellucid.data.synth.windows import (
    SHORT_WORDS,
    STEPS,
    Drawn,
    Layout,
    draw_window,
    facts_of,
    has_withheld,
    lay_out,
    lay_out_on_grid,
    paint,
)
from pellucid.recipe.data import ScreensScene
from pellucid.schema.record import Answer

VERSION = 4
FROM_CAPTION = frozenset(("title", "colour", "count", "which", "corner", "checked", "read", "sum"))
FROM_BOXES = frozenset(("locate", "click", "click_next", "click_second", "dialogue"))

STATES = {
    "checked": "checked",
    "empty": "not checked",
    "field": "a field",
    "absent": "not there",
}
"""What can be true of a label that no button has."""
_WEIGHTS = {"checked": 6, "empty": 3, "field": 1}
"""Against how often each occurs in a window."""
_CORNERS = ("top left", "top right", "bottom left")


def draw(options: ScreensScene, seed: int) -> Scene:
    """The window of one seed.

    Raises:
        UserError: so many controls do not fit into so small a picture.
    """
    window = draw_data(
        "screens", seed, options.withheld, lambda rng: draw_window(options, rng), has_withheld
    )
    place = lay_out_on_grid if options.on_grid else lay_out
    layout = first_fit("screens", seed, options, lambda rng: place(options, window, rng))
    words, more = (
        _items(options, layout, Random(derive(seed, "screens", what)))
        for what in ("words", "more words")
    )
    return Scene((paint(layout),), facts_of(layout), complete(words, more))


def _items(options: ScreensScene, layout: Layout, rng: Random) -> tuple[Item, ...]:
    made = (
        _caption(layout, rng),
        _grounded(layout),
        _title(layout, rng),
        _colour(layout, rng),
        _count(layout, rng),
        _locate(layout, rng),
        _click(layout, rng),
        _which(layout, rng),
        _corner(layout, rng),
        _checked(layout, rng),
        _read(layout, rng),
        _click_next(layout, rng),
        _click_second(layout, rng),
        _sum(layout, rng),
        _dialogue(layout, rng),
        _statements(options, layout, rng),
    )
    return tuple(item for item in made if item is not None)


def _caption(layout: Layout, rng: Random) -> Item:
    marks = {"button": "", "check": " not checked", "checkx": " checked"}
    listed = [
        one.control.name + marks.get(one.control.kind + one.control.value, f" {one.control.value}")
        for one in layout.drawn
    ]
    bar = f"A window titled {layout.title.text} with a {layout.bar_colour} bar"
    question = rng.choice(("Describe the picture.", "Write down everything in the window."))
    text = f"{bar} and {len(listed)} controls. {_by_rows(layout, listed)}"
    return Item("caption", (Ask(question, text),), None)


def _grounded(layout: Layout) -> Item:
    """Every control by its name, and its box, row by row."""
    listed = [f"{one.control.name} {said(_box(layout, one))}" for one in layout.drawn]
    asked = "Describe the picture with boxes."
    return Item("grounded", (Ask(asked, _by_rows(layout, listed)),), None)


def _by_rows(layout: Layout, listed: list[str]) -> str:
    rows: dict[int, list[str]] = {}
    for one, told in zip(layout.drawn, listed, strict=True):
        rows.setdefault(one.place[0], []).append(told)
    return " ".join(f"Row {row + 1}: {', '.join(told)}." for row, told in rows.items())


def _statements(options: ScreensScene, layout: Layout, rng: Random) -> Item:
    """What questions ask for by name, place and state."""
    absent = rng.choice([word for word in SHORT_WORDS if word not in _labels(layout)])
    corners = {corner: _at(layout, corner).control.label for corner in _CORNERS}
    facts = [
        f"title {layout.title.text}.",
        f"bar {layout.bar_colour}.",
        f"buttons {len(_of(layout, 'button'))}.",
        *(f"{corner} label {label}." for corner, label in corners.items()),
        f"{absent} {STATES['absent']}.",
    ]
    for one in layout.drawn:
        if one.control.kind != "button":
            facts.append(f"{one.control.label} {STATES[_state(one)]}.")
        if one.control.kind == "field":
            facts.append(f"{one.control.name} number {int(one.control.value)}.")
    for relation in STEPS:
        for one, other in _pairs(layout, relation):
            label = other.control.label
            facts.append(f"{relation} {one.control.name} label {label}.")
    boxes = [f"{one.control.name} box {said(_box(layout, one))}." for one in layout.drawn]
    return statements(facts, boxes, rng, options)


def _labels(layout: Layout) -> set[str]:
    """Every word in the window."""
    return {layout.title.text, *(one.control.label for one in layout.drawn)}


def _title(layout: Layout, rng: Random) -> Item:
    question = rng.choice(("What is the title of the window?", "Read the title bar."))
    return ask("title", question, Answer("text", layout.title.text))


def _colour(layout: Layout, rng: Random) -> Item:
    question = rng.choice(("What colour is the title bar?", "Name the colour of the title bar."))
    return ask("colour", question, Answer("text", layout.bar_colour))


def _count(layout: Layout, rng: Random) -> Item:
    question = rng.choice(("How many buttons are there?", "Count the buttons."))
    return ask("count", question, number(len(_of(layout, "button"))))


def _of(layout: Layout, kind: str) -> list[Drawn]:
    return [one for one in layout.drawn if one.control.kind == kind]


def _box(layout: Layout, one: Drawn) -> Answer:
    return box_answer(one.box, layout.width, layout.height)


def _target(layout: Layout, one: Drawn) -> Answer:
    """What is to be clicked: a box whose middle must lie on the control."""
    return Answer("point", _box(layout, one).gold)


def _locate(layout: Layout, rng: Random) -> Item:
    one = rng.choice(layout.drawn)
    question = rng.choice(("Give the box of the {}.", "Where is the {}? Give its box."))
    return ask("locate", question.format(one.control.name), _box(layout, one))


def _click(layout: Layout, rng: Random) -> Item:
    one = rng.choice(layout.drawn)
    return ask("click", f"Click the {one.control.name}.", _target(layout, one))


def _pairs(layout: Layout, relation: str) -> list[tuple[Drawn, Drawn]]:
    """Each control with the one that stands in a relation to it."""
    found = ((one, layout.next_to(one, relation)) for one in layout.drawn)
    return [(one, other) for one, other in found if other is not None]


def _pair(layout: Layout, rng: Random) -> tuple[str, Drawn, Drawn]:
    """A relation, a control, and the control that stands in the relation to it."""
    relation = rng.choice([relation for relation in STEPS if _pairs(layout, relation)])
    return relation, *rng.choice(_pairs(layout, relation))


def _which(layout: Layout, rng: Random) -> Item:
    relation, one, other = _pair(layout, rng)
    asked = f"Which label is {_side(relation)} the {one.control.name}?"
    return ask("which", asked, Answer("text", other.control.label))


def _side(relation: str) -> str:
    return f"directly to the {relation}" if relation.endswith("of") else f"directly {relation}"


def _at(layout: Layout, corner: str) -> Drawn:
    """The first control, the last of the first row, or the first of the last row."""
    last_row = layout.drawn[-1].place[0]
    if corner == "top left":
        return layout.drawn[0]
    if corner == "top right":
        return [one for one in layout.drawn if one.place[0] == 0][-1]
    return next(one for one in layout.drawn if one.place[0] == last_row)


def _corner(layout: Layout, rng: Random) -> Item:
    corner = rng.choice(_CORNERS)
    found = _at(layout, corner).control.label
    return ask("corner", f"Which label is at the {corner}?", Answer("text", found))


def _state(one: Drawn) -> str:
    """What is true of a check box or a field, as a key of `STATES`."""
    if one.control.kind == "field":
        return "field"
    return "checked" if one.control.value else "empty"


def _checked(layout: Layout, rng: Random) -> Item | None:
    """About as often each state, one of them that the label is not there."""
    pool = [one for one in layout.drawn if one.control.kind != "button"]
    if not pool:
        return None
    states = sorted({_state(one) for one in pool})
    (state,) = rng.choices(states, [_WEIGHTS[state] for state in states])
    label = rng.choice([one.control.label for one in pool if _state(one) == state])
    if rng.random() < 0.3:
        there = _labels(layout)
        label, state = rng.choice([word for word in SHORT_WORDS if word not in there]), "absent"
    asked = f"Is {label} checked, not checked, a field or not there?"
    return ask("checked", asked, Answer("text", STATES[state]))


def _read(layout: Layout, rng: Random) -> Item | None:
    fields = _of(layout, "field")
    if not fields:
        return None
    control = rng.choice(fields).control
    question = rng.choice(("What does the {} say?", "Which number is in the {}?"))
    return ask("read", question.format(control.name), number(int(control.value)))


def _hops(layout: Layout, one: Drawn, hops: list[tuple[str, Drawn]]) -> tuple[Answer, str]:
    """What is to be clicked at the end of some hops from a control, and the way there."""
    steps, at = [], one
    for relation, other in hops:
        steps.append(f"{relation.capitalize()} the {at.control.name} is the {other.control.name}.")
        at = other
    return _target(layout, at), " ".join(steps)


def _click_next(layout: Layout, rng: Random) -> Item:
    relation, one, other = _pair(layout, rng)
    answer, steps = _hops(layout, one, [(relation, other)])
    question = rng.choice(("Click what is {} the {}.", "Find the {1}. Click what is {0} it."))
    return ask("click_next", question.format(_side(relation), one.control.name), answer, steps)


def _click_second(layout: Layout, rng: Random) -> Item:
    """Two hops that do not lead back."""
    ways = [
        (one, [(first, middle), (then, last)])
        for first in STEPS
        for one, middle in _pairs(layout, first)
        for then in STEPS
        if (last := layout.next_to(middle, then)) is not None and last is not one
    ]
    one, hops = rng.choice(ways)
    answer, steps = _hops(layout, one, hops)
    first, then = (_side(relation) for relation, _ in hops)
    asked = f"Find what is {first} the {one.control.name}. Then click what is {then} that."
    return ask("click_second", asked, answer, steps)


def _sum(layout: Layout, rng: Random) -> Item | None:
    fields = _of(layout, "field")
    if len(fields) < 2:
        return None
    a, b = (one.control for one in rng.sample(fields, 2))
    left, right = int(a.value), int(b.value)
    steps = f"{a.label} {left}, {b.label} {right}. {left} + {right} = {left + right}."
    asked = f"What is the sum of the {a.name} and the {b.name}?"
    return ask("sum", asked, number(left + right), steps)


def _dialogue(layout: Layout, rng: Random) -> Item:
    """A label, then a click that leans on it."""
    corner = rng.choice(_CORNERS)
    one = _at(layout, corner)
    relation, other = rng.choice(
        [(relation, other) for relation in STEPS if (other := layout.next_to(one, relation))]
    )
    answer, steps = _hops(layout, one, [(relation, other)])
    first = Ask(f"Which label is at the {corner}?", one.control.label)
    second = Ask(f"And now click what is {_side(relation)} it.", said(answer), steps)
    return Item("dialogue", (first, second), answer)
