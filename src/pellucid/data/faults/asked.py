"""Forms of clean rows with options, and with several exchanges.

Leaves out on purpose: the other forms and the table of all (`clean.py`).
"""

from random import Random
from typing import Any

from pellucid.data.faults.base import DIRECT_LETTER, DIRECT_TEXT, TAG, Row, letter
from pellucid.data.faults.scene import row, tagged, thinking
from pellucid.data.faults.words import CITIES, COLOURS, SHOTS, THINGS, UNITS


def choice(rng: Random, number: int) -> Row:
    """Options, and the letter asked for; now and then thought through."""
    asked, options, at = _options(rng)
    reply = letter(at)
    if rng.random() < 0.3:
        reply = thinking(rng, f"The legend says so: it must be {options[at]}.", reply)
    answer: dict[str, object] = {"kind": "choice", "gold": letter(at)}
    if rng.random() < 0.5:
        answer["aliases"] = [options[at]]
    said = [(tagged(rng, f"{asked}\n{DIRECT_LETTER}"), reply)]
    return row(rng, number, said, 1, task="choice", options=options, answer=answer)


def choice_text(rng: Random, number: int) -> Row:
    """Options, and the text of one asked for."""
    asked, options, at = _options(rng)
    answer = {"kind": "choice", "gold": letter(at), "aliases": [options[at]]}
    said = [(tagged(rng, f"{asked}\n{DIRECT_TEXT}"), options[at])]
    return row(rng, number, said, 1, task="choice_text", options=options, answer=answer)


def choice_free(rng: Random, number: int) -> Row:
    """Options, and no word about the form of the answer."""
    asked, options, at = _options(rng)
    shapes = ("{letter}. {text}", "The answer is {letter}.", "({letter}) {text}", "{letter}")
    reply = rng.choice(shapes).format(letter=letter(at), text=options[at])
    fields: dict[str, Any] = {"options": options} if rng.random() < 0.6 else {}
    answer = {"kind": "choice", "gold": letter(at), "aliases": [options[at]]}
    said = [(tagged(rng, asked), reply)]
    return row(rng, number, said, 1, task="choice_free", answer=answer, **fields)


def dialogue(rng: Random, number: int) -> Row:
    """Two to five exchanges about one picture, or about none; some think."""
    shown = rng.choice((0, 1, 1, 1))
    exchanges = []
    for _ in range(rng.randint(2, 5)):
        thing, many = rng.choice(THINGS), rng.randint(2, 60)
        asked, reply = rng.choice(
            (
                (f"And how many {thing}?", f"{many}"),
                (f"Tell me about the {thing} of {rng.choice(CITIES)}.", f"They are {many} & old."),
                (f"Are there more than {many} {thing}?", rng.choice(("Yes.", "No."))),
                (f"Name {many} of the {thing}.", "I'd rather not: that's a long list."),
            )
        )
        if rng.random() < 0.2:
            reply = thinking(rng, f"I look at the {thing} again.", reply)
        exchanges.append((asked, reply))
    # Two like exchanges are a fault of their own, and not one that a clean row may have.
    exchanges = list({asked: (asked, reply) for asked, reply in exchanges}.values())
    if shown:
        at = 0 if rng.random() < 0.85 else rng.randrange(len(exchanges))
        asked, reply = exchanges[at]
        exchanges[at] = (f"{TAG}\n{asked}", reply)
    else:
        asked, reply = exchanges[0]
        exchanges[0] = (f"This is about tale {number}. {asked}", reply)
    return row(rng, number, exchanges, shown, task="dialogue")


def series(rng: Random, number: int) -> Row:
    """One question asked of one picture after the other; two answers may well be the same."""
    shown, thing = rng.randint(2, 3), rng.choice(THINGS)
    asked = f"{TAG}\nHow many {thing} are in this {rng.choice(SHOTS)}?"
    exchanges = [(asked, str(rng.randint(1, 3))) for _ in range(shown)]
    return row(rng, number, exchanges, shown, task="series")


def _options(rng: Random) -> tuple[str, list[str], int]:
    """A question with its options written under it, the options, and which is right."""
    many = rng.choice((3, 4, 4, 4, 5))
    kind = rng.choice(("colour", "number", "city", "statement"))
    thing = rng.choice(THINGS)
    if kind == "colour":
        asked, pool = f"Which colour do most {thing} have?", list(COLOURS)
    elif kind == "number":
        unit, start = rng.choice(UNITS), rng.randint(1, 90)
        asked = f"How far apart are the {thing}?"
        pool = [f"{start + step} {unit}" for step in range(1, 9)]
    elif kind == "city":
        asked, pool = f"Where were the {thing} counted?", list(CITIES)
    else:
        asked = f"What is true of the {thing}?"
        pool = ["There is just one.", "All are < 5 cm", "None of the above", "Some aren't whole",
                "They're red & round", "A is left of B"]  # fmt: skip
    options = rng.sample(pool, many)
    at = rng.randrange(many)
    style = rng.choice(("{}. {}", "({}) {}", "{}) {}"))
    lines = [style.format(letter(index), text) for index, text in enumerate(options)]
    return "\n".join((asked, *lines)), options, at
