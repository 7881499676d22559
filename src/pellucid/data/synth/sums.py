"""Arithmetic without a picture, spelt as the steps of all families spell it.

Whole numbers, products and halves, prices and change. Leaves out on purpose: words, brackets,
negative results and fractions.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pellucid.base.seeds import derive
from pellucid.data.synth.base import Ask, Item, Scene, draw_data
from pellucid.recipe.data import SumsScene
from pellucid.schema.record import Answer

VERSION = 1
WITHHELD_DIGIT = 7
"""Withheld: a step whose two operands both end in this digit."""

_WORK: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
}
_NOTES = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
"""What is paid with, in cents."""
_QUESTIONS = ("What is {}?", "Work out {}.", "How much is {}?", "{} = ?")
_DRILLS = ("Work out: {}.", "Work these out: {}.", "Solve each: {}.")


@dataclass(frozen=True, slots=True)
class _Expression:
    """Terms under one sign, worked from the left; amounts in cents when priced."""

    sign: str
    terms: tuple[int, ...]
    priced: bool = False

    def spell(self, value: int) -> str:
        """A value as it is written.

        >>> _Expression("+", (5, 200), True).spell(205)
        '2.05'
        """
        return f"{value // 100}.{value % 100:02d}" if self.priced else str(value)

    @property
    def text(self) -> str:
        return f" {self.sign} ".join(self.spell(term) for term in self.terms)

    @property
    def steps(self) -> tuple[tuple[int, int, int], ...]:
        """Left operand, right operand and result of each step."""
        found, so_far = [], self.terms[0]
        for term in self.terms[1:]:
            left, so_far = so_far, _WORK[self.sign](so_far, term)
            found.append((left, term, so_far))
        return tuple(found)

    @property
    def worked(self) -> str:
        """The steps as text.

        >>> _Expression("+", (12, 19, 4)).worked
        '12 + 19 = 31. 31 + 4 = 35.'
        """
        spelt = (tuple(map(self.spell, step)) for step in self.steps)
        return " ".join(f"{left} {self.sign} {right} = {result}." for left, right, result in spelt)

    @property
    def value(self) -> str:
        return self.spell(self.steps[-1][2])


@dataclass(frozen=True, slots=True)
class _Sheet:
    asked: dict[str, _Expression]
    """By task."""
    drill: tuple[_Expression, ...]


def draw(options: SumsScene, seed: int) -> Scene:
    """The expressions of one seed.

    Raises:
        UserError: the options leave no room for scenes without the withheld combination.
    """
    sheet = draw_data("sums", seed, options.withheld, lambda rng: _data(options, rng), _holds)
    rng = Random(derive(seed, "sums", "words"))
    items = (*(_item(task, one, rng) for task, one in sheet.asked.items()), _drill(sheet, rng))
    facts = {
        "family": "sums",
        **{task: one.text for task, one in sheet.asked.items()},
        "drill": [one.text for one in sheet.drill],
    }
    return Scene((), facts, items)


def _data(options: SumsScene, rng: Random) -> _Sheet:
    """Sum, difference and chain have the withheld combination when it is wanted."""
    asked = {
        "sum": _sum(options, rng, options.withheld),
        "difference": _difference(options, rng, options.withheld),
        "product": _product(options, rng),
        "chain": _chain(options, rng, options.withheld),
    }
    makers = (_sum, _sum, _difference, _product, _half)
    drill = tuple(rng.choice(makers)(options, rng) for _ in range(options.drilled))
    return _Sheet(asked, drill)


def _holds(sheet: _Sheet) -> bool:
    """Whether any step has the withheld combination."""
    return any(
        left % 10 == right % 10 == WITHHELD_DIGIT
        for one in (*sheet.asked.values(), *sheet.drill)
        for left, right, _ in one.steps
    )


def _terms(rng: Random, most: int, count: int, withheld: bool) -> tuple[int, ...]:
    """Numbers up to `most`; small ones are as common as all. Withheld: of one last digit."""
    if withheld:
        return tuple(rng.sample(range(WITHHELD_DIGIT, most + 1, 10), count))
    most = rng.choice((most // 3, most))
    return tuple(rng.randint(1, most) for _ in range(count))


def _sum(options: SumsScene, rng: Random, withheld: bool = False) -> _Expression:
    """Of two whole numbers, or of a price and the sum of some."""
    if rng.random() < 0.5:
        return _Expression("+", _terms(rng, options.max_number, 2, withheld))
    first, second = _terms(rng, options.max_cents, 2, withheld)
    before = 10 * rng.randrange(options.max_cents * (options.max_terms - 2) // 10)
    return _Expression("+", (first + rng.choice((0, before)), second), priced=True)


def _difference(options: SumsScene, rng: Random, withheld: bool = False) -> _Expression:
    """Of two whole numbers, or the change out of what is paid."""
    if withheld or rng.random() < 0.5:
        low, high = sorted(_terms(rng, options.max_number, 2, withheld))
        return _Expression("-", (high + (low == high), low))
    value = rng.randint(5, options.max_cents * rng.randint(1, options.max_terms))
    paid = rng.choice([note for note in _NOTES if note > value][:2])
    return _Expression("-", (paid, value), priced=True)


def _product(options: SumsScene, rng: Random) -> _Expression:
    """Of two sides, or what a perimeter needs: two or four times a length."""
    if rng.random() < 0.7:
        return _Expression("*", (_factor(options, rng), _factor(options, rng)))
    return _Expression("*", (rng.choice((2, 4)), rng.randint(2, 2 * options.max_factor)))


def _factor(options: SumsScene, rng: Random) -> int:
    return rng.randint(2, options.max_factor)


def _half(options: SumsScene, rng: Random) -> _Expression:
    product = _factor(options, rng) * _factor(options, rng)
    return _Expression("/", (product + product % 2, 2))


def _chain(options: SumsScene, rng: Random, withheld: bool) -> _Expression:
    count, priced = rng.randint(3, options.max_terms), rng.random() < 0.5
    most = options.max_cents if priced else options.max_number
    first = _terms(rng, most, 2, withheld)
    return _Expression("+", (*first, *_terms(rng, most, count - 2, False)), priced)


def _item(task: str, one: _Expression, rng: Random) -> Item:
    asked = Ask(rng.choice(_QUESTIONS).format(one.text), one.value, one.worked)
    return Item(task, (asked,), Answer("number", one.value), pictures=())


def _drill(sheet: _Sheet, rng: Random) -> Item:
    listed = ", ".join(one.text for one in sheet.drill)
    worked = " ".join(one.worked for one in sheet.drill)
    return Item("drill", (Ask(rng.choice(_DRILLS).format(listed), worked),), None, pictures=())
