"""A question taken apart: numbers, and what it speaks of, without how it is put.

Leaves out on purpose: options and golds, which `data/contamination/questions.py` reads.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pellucid.data.questions import vocabulary as words
from pellucid.data.questions.lexicon import degree_of, is_verb, lemmas
from pellucid.data.questions.template import asked

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_NAME, _WHOLE, _VERB, _PART, _SLIGHT = 2.0, 1.0, 0.6, 0.35, 0.3


class Unit(NamedTuple):
    """One thing that a question speaks of."""

    word: str
    """In lower case, or the name of a concept."""
    weight: float
    """How much it says."""
    place: int
    """Which word of the question it is."""

    @property
    def decides(self) -> bool:
        """Whether both questions must have it."""
        return self.word.startswith(">")


class Wording(NamedTuple):
    """What a question says."""

    digits: frozenset[str]
    """Numbers in digits."""
    spelt: frozenset[str]
    """Small numbers in letters, in digits."""
    units: tuple[Unit, ...]
    """Each once, in their order."""
    plain: str = ""
    """The question that this was taken from, without its template."""
    core: str = ""
    """The sentence of it that asks, if one alone does."""


@lru_cache(maxsize=1 << 15)
def wording(text: str) -> Wording:
    """Take a question apart.

    >>> [unit.word for unit in wording("Which town had the highest rent in 1999?").units]
    ['town', '>max', 'rent']
    """
    whole, _, core = asked(text)
    plain = whole
    for pattern, other in words.PHRASES:
        plain = pattern.sub(other, plain)
    digits, spelt, units, said = set[str](), set[str](), list[Unit](), list[Unit]()
    found = _WORD.findall(plain)
    for place, word in enumerate(found):
        if word[0].isdigit():
            digits.add(_number(word))
        elif word.lower() in words.NUMBERS:
            spelt.add(words.NUMBERS[word.lower()])
        elif word.lower() == "one" and _counts(found[place - 1 : place], found[place + 1 :]):
            spelt.add("1")
        else:
            said.append(Unit(word.lower(), _NAME, place))
            behind = found[place + 1 : place + 3]
            measured = behind[:1] == ["than"] and behind[1:] and behind[1][0].isdigit()
            for unit in _units(word, place):  # "taller than 50" is "more than 50"
                slight = measured and not unit.decides
                units.append(unit._replace(weight=min(unit.weight, _SLIGHT)) if slight else unit)
    if all(unit.word in words.SILENT for unit in units) and not digits:
        units += said  # of nothing but empty words, all are what is asked
    seen: dict[str, Unit] = {}
    for unit in units:
        seen.setdefault(unit.word, unit)
    return Wording(frozenset(digits), frozenset(spelt), tuple(seen.values()), whole, core)


def _counts(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether "one" is a number here ("there is one box") and stands for no thing ("is one of")."""
    return bool(before and after) and before[0].lower() in words.COUNTING and after[0] != "of"


def _units(word: str, place: int) -> list[Unit]:
    """What one word stands for: nothing, a thing, or a degree and a thing."""
    lower = word.lower()
    named = place > 0 and word[0].isupper() and len(word) > 1
    if lower in words.RELATIVE and place > 1:
        return []  # "the town that ..., whose ...": asks for nothing
    if lower in words.CONCEPTS:
        return [_concept(words.CONCEPTS[lower], place, is_verb(lower))]
    if len(lower) == 1 and lower.isascii():
        return [Unit(lower, _NAME, place)] if place and word.isupper() and word != "I" else []
    if lower in words.EMPTY:
        return []
    if base := degree_of(lower):
        most = lower.endswith("est")
        little = base in words.LITTLE
        degree = (">min" if little else ">max") if most else (">lt" if little else ">gt")
        thing = words.CONCEPTS.get(base, base)
        return [
            _concept(degree, place),
            *([] if base in words.BARE else [Unit(thing, _WHOLE, place)]),
        ]
    forms = lemmas(lower)
    if lower in words.BARE or forms & words.EMPTY and not named:
        return []
    if concepts := sorted(words.CONCEPTS[one] for one in forms & words.CONCEPTS.keys()):
        return [_concept(concepts[0], place, is_verb(lower))]
    return [Unit(lower, _weight(lower, forms, named), place)]


def _concept(name: str, place: int, verb: bool = False) -> Unit:
    if name[0] == "@":
        return Unit(
            name, 0.0 if name in words.SILENT or name.startswith("@how") else _SLIGHT, place
        )
    if name in words.MAY_LACK:
        return Unit(name, 0.0 if name == ">than" else _SLIGHT, place)
    return Unit(name, _VERB if verb and name[0] != ">" else _WHOLE, place)


def _weight(word: str, forms: frozenset[str], named: bool) -> float:
    if forms & words.SLIGHT:
        return _SLIGHT
    if forms & words.PARTS:
        return _PART
    return _NAME if named else _VERB if is_verb(word) else _WHOLE


def _number(text: str) -> str:
    """A number without commas between thousands and zeros behind the point."""
    whole = re.sub(r",(?=\d{3}(?:\D|$))", "", text)
    return whole.rstrip("0").rstrip(".") if re.fullmatch(r"\d+\.\d+", whole) else whole
