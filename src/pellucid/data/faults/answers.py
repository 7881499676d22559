"""Faults of what is answered: empty, boilerplate, another form than asked for, another than gold.

Leaves out on purpose: options themselves (`options.py`) and coordinates (`boxes.py`).
"""

import re
from random import Random

from pellucid.data.faults.base import (
    DIRECT_LETTER,
    DIRECT_TEXT,
    SHORT,
    Row,
    answer_with,
    answered,
    duplicate,
    gold_text,
    letter,
    option_text,
    question,
    reply,
    turns,
)
from pellucid.data.faults.words import UNITS

BOILERPLATE = (
    "Your message is empty. Please provide the image.",
    "I'm sorry, but I cannot see the image.",
    "I'm sorry, I can't assist with that request.",
    "As an AI language model, I am unable to view images.",
    "Please provide more context so that I can help you.",
    "Sorry, no image was provided. Could you upload it?",
    "I am an AI assistant and cannot answer this question.",
    "Error: request timed out",
    "nan",
    "undefined",
    "[object Object]",
    "TODO",
    "{answer}",
)
_IN_WORDS = (
    "The answer is {}.", "Answer: {}", "({})", "{}.", "{})", "Option {}", "**{}**",
    "The correct answer is {}.", "The correct option is ({}).",
)  # fmt: skip
_WITH_TEXT = ("{}. {}", "({}) {}", "{}) {}", "{}: {}", "The answer is {}. {}")
_SENTENCES = (
    "The answer is {}.", "Answer: {}", "It is {}.", "{}.", "Based on the image, the answer is {}.",
    "Sure! The answer is {}.", "The correct answer is: {}",
)  # fmt: skip
_WHOLE = re.compile(r"[1-9]\d*")
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()


def empty(row: Row, rng: Random) -> Row | None:
    """A reply without a word, or with nothing at all where the text should be."""
    faulty = duplicate(row)
    reply(faulty)["value"] = rng.choice(("", " ", "\n", "\n\n", None))
    return faulty


def boilerplate(row: Row, rng: Random) -> Row | None:
    """What a model or a script says when it has no answer."""
    return answer_with(row, rng.choice(BOILERPLATE))


def letter_in_words(row: Row, rng: Random) -> Row | None:
    """A letter was asked for, and stands in a sentence, in marks, or before its text."""
    said = answered(row)
    text = option_text(row, said)
    if not _asks(row, DIRECT_LETTER) or text is None:
        return None
    shape = rng.choice(_IN_WORDS + _WITH_TEXT)
    if rng.random() < 0.1:
        return answer_with(row, said.lower())
    return answer_with(row, shape.format(said, text) if shape in _WITH_TEXT else shape.format(said))


def letter_as_text(row: Row, rng: Random) -> Row | None:
    """A letter was asked for, and the option's text is given."""
    text = option_text(row, answered(row))
    return answer_with(row, text) if _asks(row, DIRECT_LETTER) and text is not None else None


def text_as_letter(row: Row, rng: Random) -> Row | None:
    """The option's text was asked for, and its letter is given."""
    if not _asks(row, DIRECT_TEXT) or answered(row) not in (row.get("options") or ()):
        return None
    said = letter(row["options"].index(answered(row)))
    return answer_with(row, rng.choice(("{}", "{}.", "({})", "{})")).format(said))


def word_in_sentence(row: Row, rng: Random) -> Row | None:
    """A word or phrase was asked for; the gold's stands in a sentence."""
    if not _asks(row, SHORT) or gold_text(row) != answered(row):
        return None
    return answer_with(row, rng.choice(_SENTENCES).format(answered(row)))


def hedged(row: Row, rng: Random) -> Row | None:
    """A word was asked for, and two values are given; the row cannot be read as either."""
    if not _asks(row, SHORT) or not _WHOLE.fullmatch(answered(row)):
        return None
    other = int(answered(row)) + rng.randint(1, 9)
    return answer_with(row, f"It is either {answered(row)} or {other}.")


def gold_letter_form(row: Row, rng: Random) -> Row | None:
    """The gold of a choice as more than its letter."""
    answer = row.get("answer") or {}
    gold = answer.get("gold")
    text = option_text(row, gold)
    if answer.get("kind") != "choice" or not isinstance(gold, str) or text is None:
        return None
    shapes = ["({})", "{}.", "{})", " {}", "Option {}", "{}. {}", "({}) {}"]
    written = rng.choice(shapes).format(gold, text)
    written = gold.lower() if rng.random() < 0.2 else written
    return duplicate(row) | {"answer": answer | {"gold": written}}


def gold_number_form(row: Row, rng: Random) -> Row | None:
    """The gold of a number with what is no digit: thousands' commas, a unit, space, a word."""
    answer = row.get("answer") or {}
    gold = answer.get("gold")
    if answer.get("kind") != "number" or not isinstance(gold, str) or not _WHOLE.fullmatch(gold):
        return None
    shapes = [f" {gold}", f"{gold} ", f"{gold} {rng.choice(UNITS)}", f"${gold}", f"= {gold}"]
    if int(gold) >= 1000:
        shapes += [f"{int(gold):,}"] * 5
    if int(gold) < len(_NUMBER_WORDS):
        shapes += [_NUMBER_WORDS[int(gold)]] * 3
    return duplicate(row) | {"answer": answer | {"gold": rng.choice(shapes)}}


def not_the_gold(row: Row, rng: Random) -> Row | None:
    """A reply that the gold contradicts: one of the two is wrong."""
    gold, said = gold_text(row), answered(row)
    if gold is None or gold != said:
        return None
    if row["answer"]["kind"] == "number":
        other = f"{float(said) + rng.choice((1, 2, 7, 100)):g}"
    elif row["answer"]["kind"] == "choice":
        letters = [letter(at) for at in range(len(row.get("options") or ()))]
        others = [one for one in letters if one != said]
        if not others:
            return None
        other = rng.choice(others)
    else:
        other = rng.choice([word for word in ("crimson", "violet", "two") if word != said])
    return answer_with(row, other)


def echoes(row: Row, rng: Random) -> Row | None:
    """The reply is the question again."""
    asked = question(row)["value"].replace("<image>", "").strip()
    return answer_with(row, asked) if len(turns(row, ("human", "user"))) == 1 else None


def _asks(row: Row, form: str) -> bool:
    return form in question(row)["value"]
