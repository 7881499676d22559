"""Clean rows in many forms, seeded: what repairs must leave alone, and what faults are planted in.

Every row is sound (`llava.parse_row`), its reply agrees with its gold, and much of it looks like a
fault and is none: entities that are asked about, tags inside code, two pictures with one question.
Leaves out on purpose: picture files (rows name them only) and sentences of real sets.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from pellucid.base.seeds import derive
from pellucid.data.faults.asked import choice, choice_free, choice_text, dialogue, series
from pellucid.data.faults.base import SHORT, TAG, Row, images, question
from pellucid.data.faults.scene import SIZES, box, row, tagged, thinking, written
from pellucid.data.faults.words import (
    CITIES,
    COLOURS,
    DETAILS,
    ELEMENTS,
    FOREIGN,
    FRENCH_COLOURS,
    LOOKS,
    MARKUP,
    PRODUCTS,
    READ,
    RULES,
    SHOTS,
    THINGS,
    UNITS,
)

Form = Callable[[Random, int], Row]


def clean_rows(seed: int, rows: int, only: tuple[str, ...] = ()) -> Iterator[Row]:
    """Clean rows, each drawn from (seed, its number) alone but for shared pictures.

    Args:
        seed: names the set.
        rows: how many.
        only: forms to draw from; all of them when empty.
    """
    names, before = only or tuple(FORMS), None
    for number in range(rows):
        rng = Random(derive(seed, "clean", number))
        made = FORMS[rng.choice(names)](rng, number)
        shared = _share(rng, made, before)
        # A picture is shared by two rows at most, or a third might ask what the first asked.
        before = made if shared is made else None
        yield shared


def _share(rng: Random, made: Row, before: Row | None) -> Row:
    """Sometimes the picture of the row before, with another question, as real sets have it."""
    if (
        before is None
        or rng.random() > 0.15
        or "answer" in made
        and made["answer"]["kind"] == "box"
    ):
        return made
    if len(images(made)) != 1 or len(images(before)) != 1:
        return made
    if _asked(made) == _asked(before):
        return made
    shared = {**made, "image": before["image"]}
    shared.pop("image_size", None)
    return shared | {name: before[name] for name in ("image_size",) if name in before}


def _asked(row: Row) -> str:
    """The last question without its tags."""
    return " ".join(question(row)["value"].replace(TAG, " ").split())


def count(rng: Random, number: int) -> Row:
    """How many there are, often in one word."""
    many, thing = rng.randint(0, 4200 if rng.random() < 0.3 else 30), rng.choice(THINGS)
    asked = f"How many {thing} are there in the {rng.choice(SHOTS)}?"
    asked += rng.choice(("", f"\n{SHORT}", f" {SHORT}"))
    gold = many if rng.random() < 0.2 else str(many)
    answer = {"kind": "number", "gold": gold}
    mode: dict[str, Any] = {"mode": "nothink"} if rng.random() < 0.4 else {}
    return row(
        rng, number, [(tagged(rng, asked), str(many))], 1, task="count", answer=answer, **mode
    )


def colour(rng: Random, number: int) -> Row:
    """A word or a phrase as the answer, at times "none" or two colours."""
    said = rng.choice((*COLOURS, "red and white", "none", "dark green"))
    asked = f"Which colour has {rng.choice(ELEMENTS)}?" + rng.choice((f"\n{SHORT}", ""))
    answer = {"kind": "text", "gold": said, "aliases": [f"{said} colour"]}
    if rng.random() < 0.4:
        del answer["aliases"]
    return row(rng, number, [(tagged(rng, asked), said)], 1, task="colour", answer=answer)


def chart(rng: Random, number: int) -> Row:
    """A value with its unit, no format asked for."""
    value, unit = rng.randint(1, 9000) / rng.choice((1, 10)), rng.choice(UNITS)
    asked = f"How much {rng.choice(PRODUCTS)} did {rng.choice(CITIES)} sell in {2000 + number % 25}"
    said = f"{value:g} {unit}"
    reply = rng.choice((said, f"It sold {said}.", f"{said}, the most of all cities & years."))
    answer = {"kind": "number", "gold": f"{value:g}"}
    fields: dict[str, Any] = {"answer": answer} if reply == said else {}
    return row(
        rng, number, [(tagged(rng, f"{asked}, by the chart?"), reply)], 1, task="chart", **fields
    )


def reasoned(rng: Random, number: int) -> Row:
    """Arithmetic over a chart, thought through; a few check themselves at the end."""
    one, two = rng.randint(20, 700), rng.randint(3, 19)
    product, city = rng.choice(PRODUCTS), rng.choice(CITIES)
    asked = f"How much {product} did {city} sell in both years, by the {rng.choice(SHOTS)}?"
    steps = rng.choice(
        (
            f"The first bar shows {one}, the second {two}.\nTogether {one} + {two} = {one + two}.",
            f"{city} sold {one} and then {two}. The sum is {one + two}.",
            f"I add the bars of {product}: {one} + {two}.\n\nSo it is {one + two}.",
        )
    )
    if rng.random() < 0.05:
        steps += f" Check: {one + two} - {two} = {one}."
    mode: dict[str, Any] = {"mode": "think"} if rng.random() < 0.4 else {}
    answer = {"kind": "number", "gold": str(one + two)}
    reply = thinking(rng, steps, str(one + two))
    return row(
        rng, number, [(tagged(rng, asked), reply)], 1, task="reasoned", answer=answer, **mode
    )


def locate(rng: Random, number: int) -> Row:
    """A box in [0, 1] with four decimals."""
    size = rng.choice(SIZES)
    found = box(rng, size, rng.random() < 0.5)
    whole = rng.random() < 0.03
    found = [0.0, 0.0, 1.0, 1.0] if whole else found
    asked = f"Where is {rng.choice(ELEMENTS)}? " + rng.choice(
        ("Give me a relative bounding box.", "Answer with a box [x1, y1, x2, y2] in [0, 1].")
    )
    reply = rng.choice((written(found), written(found), f"It is at {written(found)}."))
    answer = {"kind": "box", "gold": rng.choice((found, written(found)))}
    mode: dict[str, Any] = {"mode": "nothink"} if rng.random() < 0.5 else {}
    said = [(tagged(rng, asked), reply)]
    return row(rng, number, said, 1, size, task="locate", answer=answer, **mode)


def locate_all(rng: Random, number: int) -> Row:
    """Several boxes."""
    size, on_thousand = rng.choice(SIZES), rng.random() < 0.5
    found = [box(rng, size, on_thousand) for _ in range(rng.randint(2, 4))]
    asked = f"Give the boxes of all {rng.choice(THINGS)}, as [[x1, y1, x2, y2], ...] in [0, 1]."
    said = [(tagged(rng, asked), "[" + ", ".join(written(one) for one in found) + "]")]
    answer = {"kind": "boxes", "gold": found}
    return row(rng, number, said, 1, size, task="locate_all", answer=answer)


def point(rng: Random, number: int) -> Row:
    """A point in [0, 1]; its gold is the box that it must hit."""
    size = rng.choice(SIZES)
    (left, top, right, bottom), (width, height) = box(rng, size, False), size
    across = (round(left * width) + round(right * width)) // 2
    down = (round(top * height) + round(bottom * height)) // 2
    at = written([round(across / width, 4), round(down / height, 4)])
    asked = f"Point at {rng.choice(ELEMENTS)}. Answer with [x, y] in [0, 1]."
    answer = {"kind": "point", "gold": [left, top, right, bottom]}
    said = [(tagged(rng, asked), at)]
    return row(rng, number, said, 1, size, task="point", answer=answer)


def caption(rng: Random, number: int) -> Row:
    """A description of a few sentences."""
    asked = rng.choice(
        ("Describe the {}.", "Write a caption for this {}.", "What does the {} show?")
    )
    told = [f"{rng.choice(COLOURS).capitalize()} {rng.choice(THINGS)} {rng.choice(LOOKS)}."]
    told += rng.sample(DETAILS, rng.randint(1, 4))
    joint = rng.choice((" ", "\n\n"))
    said = [(tagged(rng, asked.format(rng.choice(SHOTS))), joint.join(told))]
    mode: dict[str, Any] = {"mode": "nothink"} if rng.random() < 0.3 else {}
    return row(rng, number, said, 1, task="caption", **mode)


def read(rng: Random, number: int) -> Row:
    """What a page says, word for word."""
    text = rng.choice(READ).format(
        thing=rng.choice(THINGS), a=rng.randint(2, 90), b=rng.randint(100, 900)
    )
    asked = rng.choice(("Read the page.", "Write out all text of the image.", "OCR this image:"))
    fence = rng.random() < 0.3
    said = [(tagged(rng, asked), f"```\n{text}\n```" if fence else text)]
    answer: dict[str, Any] = (
        {} if fence or rng.random() < 0.5 else {"answer": {"kind": "text", "gold": text}}
    )
    return row(rng, number, said, 1, task="read", **answer)


def values(rng: Random, number: int) -> Row:
    """Four numbers that are no box, or a JSON object."""
    found = [rng.randint(1, 950) for _ in range(4)]
    if rng.random() < 0.5:
        asked = "List the values of the four bars, e.g. [1, 2, 3, 4]."
        reply = str(found)
    else:
        asked = 'What does the receipt say? Answer in JSON: {"total": ..., "items": ...}'
        reply = f'{{"total": {found[0]}.5, "items": {found[1]}}}'
    answer = {"kind": "json", "gold": reply}
    return row(rng, number, [(tagged(rng, asked), reply)], 1, task="values", answer=answer)


def total(rng: Random, number: int) -> Row:
    """Text alone: a sum, with LaTeX at times, thought through or not."""
    one, two = rng.randint(100, 9999), rng.randint(1000, 99999)
    asked = rng.choice(("What is {} + {}?", "Compute ${} + {}$.", "{} + {} = ?")).format(one, two)
    steps = f"${one} + {two} = {one + two}$, as $\\text{{sum}} \\times 1 = {one + two}$."
    reply = thinking(rng, steps, str(one + two)) if rng.random() < 0.6 else str(one + two)
    answer = {"kind": "number", "gold": str(one + two)}
    return row(rng, number, [(asked, reply)], task="total", answer=answer)


def markup(rng: Random, number: int) -> Row:
    """Text alone, about entities, tags and escapes."""
    asked, reply = rng.choice(MARKUP)
    # The number keeps questions apart without another answer to the same question.
    fill = {"n": str(number + 2)}
    return row(rng, number, [(_fill(asked, fill), _fill(reply, fill))], task="markup")


def foreign(rng: Random, number: int) -> Row:
    """Another language than English."""
    asked, reply = rng.choice(FOREIGN)
    fill = {"n": str(rng.randint(2, 60)), "fr": rng.choice(FRENCH_COLOURS)}
    said = _fill(reply, fill)
    answer: dict[str, Any] = (
        {"answer": {"kind": "text", "gold": said}} if rng.random() < 0.4 else {}
    )
    return row(rng, number, [(tagged(rng, asked), said)], 1, task="foreign", **answer)


def long_prompt(rng: Random, number: int) -> Row:
    """A long question that means every word of it."""
    rules = rng.sample(RULES, rng.randint(4, 7))
    asked = "\n".join(f"{at}. {rule}" for at, rule in enumerate(rules, 1))
    asked = f"Answer by these rules.\n{asked}\n\nWhat do the {rng.choice(THINGS)} cost?"
    price = f"{rng.randint(2, 90)}.{rng.randint(10, 99)}"
    answer = {"kind": "number", "gold": price}
    reply = price if rng.random() < 0.5 else f"{price} EUR"
    return row(rng, number, [(tagged(rng, asked), reply)], 1, task="long_prompt", answer=answer)


def pair(rng: Random, number: int) -> Row:
    """Several pictures and one question, their tags together or apart."""
    shown = rng.randint(2, 4)
    thing, said = rng.choice(THINGS), rng.choice(COLOURS)
    asked = rng.choice(
        (
            f"What changed between the pictures? The {thing} were white before.",
            f"Which colour have the {thing} in the last picture & in no other?",
        )
    )
    if rng.random() < 0.5:
        asked = "".join(f"Image {at}: <image>\n" for at in range(1, shown + 1)) + asked
    else:
        asked = tagged(rng, asked, shown)
    reply = rng.choice((said, f"The {thing} are {said} now."))
    fields: dict[str, Any] = (
        {"answer": {"kind": "text", "gold": reply}} if rng.random() < 0.6 else {}
    )
    return row(rng, number, [(asked, reply)], shown, task="pair", **fields)


def _fill(text: str, fill: dict[str, str]) -> str:
    """Named places filled; braces that are none of them stay, as code has them."""
    for name, value in fill.items():
        text = text.replace("{" + name + "}", value)
    return text


FORMS: dict[str, Form] = {
    "caption": caption,
    "chart": chart,
    "choice": choice,
    "choice_free": choice_free,
    "choice_text": choice_text,
    "colour": colour,
    "count": count,
    "dialogue": dialogue,
    "foreign": foreign,
    "locate": locate,
    "locate_all": locate_all,
    "long_prompt": long_prompt,
    "markup": markup,
    "pair": pair,
    "point": point,
    "read": read,
    "reasoned": reasoned,
    "series": series,
    "total": total,
    "values": values,
}
"""Forms of clean rows by name; all are drawn equally often."""
