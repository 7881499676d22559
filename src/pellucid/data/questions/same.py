"""Whether two wordings ask for the same: nothing contradicts, and little is said by one alone.

Things of one question are laid on those of the other: equal words, forms of one word, concepts,
words that WordNet relates. What is left over on both sides contradicts (tea here, milk there); on
one side it is let be while it says little beside what both say. What decides (the most, left of,
minus, not) and numbers must be in both. Leaves out on purpose: pictures and golds.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pellucid.data.questions import vocabulary as words
from pellucid.data.questions.lexicon import lemmas, related
from pellucid.data.questions.within import within
from pellucid.data.questions.wording import Unit, Wording

VERSION = 6
"""Of the rule and its lists of words; in the key of what is made with it."""
BOTH = 0.3
"""Most that the side which says less may say alone; of long questions this share of ten things."""
ALONE = 0.9
"""Most that one side may say alone."""
SHARE = 0.5
"""Most that one side may say alone, of what both say."""
_LONG = 0.08
_PREFIX, _ENDING = 5, 3


class Likeness(NamedTuple):
    """How two wordings compare."""

    same: bool
    share: float
    """What both say of all that is said, in [0, 1]; 0 where numbers or an order contradict."""
    common: tuple[str, ...]
    """Words of the first that the second has too."""
    contradicts: bool = False
    """Whether numbers, an order, or what decides (the most, left of, not) differ."""


NOTHING = Likeness(False, 0.0, (), True)


@lru_cache(maxsize=1 << 16)
def compare(one: Wording, other: Wording) -> Likeness:
    """Compare two questions by their words and numbers alone; their order does not matter."""
    if _ranked(one) > _ranked(other):
        return compare(other, one)
    if _in_both(one, other):
        theirs = {unit.word for unit in other.units}
        return Likeness(True, 1.0, tuple(a.word for a in one.units if a.word in theirs))
    unsaid = _numbers_apart(one, other)
    if unsaid is None:
        return NOTHING
    if one.units == other.units == ():
        return Likeness(unsaid == 0, 1.0 if unsaid == 0 else 0.0, ())
    left, right, pairs = _laid(one.units, other.units)
    if _exchanged(one.units, other.units, pairs):
        return NOTHING
    both = sum(max(1.0, a.weight, b.weight) for a, b in pairs if a.word not in words.SILENT)
    both += len((one.digits | one.spelt) & (other.digits | other.spelt))
    mine, yours = (sum(unit.weight for unit in side) for side in (left, right))
    common = tuple(a.word for a, _ in pairs)
    share = both / (both + mine + yours) if both else 0.0
    if _exclude(one.units, other.units):
        return Likeness(False, share, common, True)
    kinds = _named(left), _named(right)
    if any("@time" in a and "@place" in b for a, b in (kinds, kinds[::-1])):
        return Likeness(False, share, common)
    deciding = {unit.word for unit in (*left, *right) if unit.decides}
    if deciding - words.MAY_LACK:
        return Likeness(False, share, common, True)
    less, more = min(mine, yours), max(mine, yours) + unsaid
    most = min(ALONE, SHARE * both) if not less else BOTH
    near = less <= max(BOTH, _LONG * both) and more <= max(most, 2 * _LONG * both)
    return Likeness(both > 0 and near, share, common)


def _in_both(one: Wording, other: Wording) -> bool:
    """Whether one question stands in both, and beside it nothing that changes it."""
    if within(one.plain, other.plain) or within(other.plain, one.plain):
        return True
    wholes = one.plain, other.plain
    some = sorted({one.core, other.core} - {""})
    return any(all(within(asked, whole, strict=True) for whole in wholes) for asked in some)


def _ranked(one: Wording) -> tuple[list[str], list[str], tuple[Unit, ...]]:
    return sorted(one.digits), sorted(one.spelt), one.units


def stands_in(short: Wording, long: Wording) -> bool:
    """Whether a longer text holds all that a question says: its numbers and nearly all words."""
    if short.digits - (long.digits | long.spelt):
        return False
    left, _, pairs = _laid(short.units, long.units)
    both = sum(max(1.0, a.weight, b.weight) for a, b in pairs)
    return sum(unit.weight for unit in left) <= max(BOTH, _LONG * both)


def _numbers_apart(one: Wording, other: Wording) -> float | None:
    """What numbers in letters add to what one side says alone; None where numbers contradict."""
    mine, yours = one.digits | one.spelt, other.digits | other.spelt
    if one.digits - yours or other.digits - mine:
        return None
    alone = one.spelt - yours, other.spelt - mine
    return None if all(alone) else 0.5 * len(alone[0] | alone[1])


def _laid(
    one: Sequence[Unit], other: Sequence[Unit]
) -> tuple[list[Unit], list[Unit], list[tuple[Unit, Unit]]]:
    """What only one has, what only the other has, and the pairs; the nearest first."""
    left, right = list(one), list(other)
    pairs = list[tuple[Unit, Unit]]()
    for alike in (_equal, _near):
        for unit in list(left):
            hit = next((two for two in right if alike(unit.word, two.word)), None)
            if hit:
                left.remove(unit)
                right.remove(hit)
                pairs.append((unit, hit))
    said = {unit.word for pair in pairs for unit in pair}
    left, right = (
        [unit for unit in side if unit.decides or not any(_near(unit.word, w) for w in said)]
        for side in (left, right)
    )
    for side in (left, right):
        if {">left", ">right"} <= {unit.word for unit in side}:  # "in the left or the right hand"
            side[:] = [unit for unit in side if unit.word not in (">left", ">right")]
    return left, right, pairs


def _equal(one: str, other: str) -> bool:
    return one == other


@lru_cache(maxsize=1 << 16)
def _near(one: str, other: str) -> bool:
    """Whether two words may mean the same thing here."""
    for a, b in ((one, other), (other, one)):
        also = {words.ALSO[form] for form in lemmas(a) & words.ALSO.keys()}
        if b in also or also & {words.ALSO[form] for form in lemmas(b) & words.ALSO.keys()}:
            return True
        if any(lemmas(b) & words.HOLDS[whole] for whole in lemmas(a) & words.HOLDS.keys()):
            return True
        if (a, b) in words.BESIDES:
            return True
        if b == "@place" and a[0] not in ">@" and lemmas(a) & words.PLACES:
            return True
        if b == "@time" and a in words.TIMES:
            return True
        if b == "@howmuch" and a in ("price", ">sum", "@howmany"):
            return True
    if one[0] in ">@" or other[0] in ">@":
        return False
    return related(one, other) or _one_stem(one, other)


def _one_stem(one: str, other: str) -> bool:
    """Whether only the ends of two words differ: Poland, Polish."""
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    shorter, longer = sorted((len(one), len(other)))
    return same >= _PREFIX and same >= shorter - _ENDING and same >= 0.55 * longer


def _exclude(one: Sequence[Unit], other: Sequence[Unit]) -> bool:
    """Whether each names another of things that exclude one another: when, where; sits, stands."""
    mine, yours = _named(one), _named(other)
    return any(mine & some and yours & some and not mine & yours & some for some in words.EXCLUSIVE)


def _named(units: Sequence[Unit]) -> set[str]:
    """Words of some units; a year is a time too."""
    found = {unit.word for unit in units}
    return found | {"@time"} if found & words.TIMES else found


def _exchanged(
    one: Sequence[Unit], other: Sequence[Unit], pairs: Sequence[tuple[Unit, Unit]]
) -> bool:
    """Whether what stands before and behind a word of order changed places."""
    than = all(any(unit.word == ">than" for unit in units) for units in (one, other))
    pivots = {">than"} if than else words.ORDERING
    at = [
        next((unit.place for unit in units if unit.word in pivots), None) for units in (one, other)
    ]
    if at[0] is None or at[1] is None:
        return False
    sides = {(a.place < at[0], b.place < at[1]) for a, b in pairs if not a.decides}
    return (True, False) in sides and (False, True) in sides
