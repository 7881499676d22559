"""How much of each ingredient: shares and counts as whole numbers, solved together.

Shares are dealt by Webster's divisor method (Sainte-Lague), not by largest remainders: a larger
total never takes a record away from an ingredient, so totals stay nested; with largest remainders
it can (the Alabama paradox). Both are within one record of the exact share for what mixes ask.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from heapq import heapify, heapreplace
from typing import NamedTuple

from pellucid.base.errors import Problem, UserError
from pellucid.recipe.mix import Mix, Take

_MOST = 2**40
"""No mix is larger; only the search for the largest total looks that far."""


class Target(NamedTuple):
    """What is wanted of one ingredient."""

    records: int
    """Different records."""
    seen: int
    """Per epoch, repeats counted."""


def deal(total: int, weights: Sequence[float]) -> list[int]:
    """A whole number in proportion to weights.

    >>> deal(10, [0.5, 0.25, 0.25]), deal(7, [1, 1, 1])
    ([5, 3, 2], [3, 2, 2])
    >>> deal(0, [1, 2])
    [0, 0]
    """
    exact = [Fraction(str(weight)) for weight in weights]
    whole = sum(exact)
    if not whole:
        return [0] * len(exact)
    found = [max(0, int(total * one / whole) - len(exact)) for one in exact]
    queue = [(-one / (2 * found[at] + 1), at) for at, one in enumerate(exact)]
    heapify(queue)
    for _ in range(total - sum(found)):
        at = queue[0][1]
        found[at] += 1
        heapreplace(queue, (-exact[at] / (2 * found[at] + 1), at))
    return found


def target(take: Take, seen: int, there: int) -> Target:
    """Records and repeats that show so much of an ingredient.

    As few records as its `repeat` allows; all there are when that does not suffice.
    """
    if seen == 0:
        return Target(0, 0)
    each = Fraction(str(take.repeat))
    return Target(max(1, min(there, -(-seen * each.denominator // each.numerator))), seen)


def counted(take: Take, records: int) -> Target:
    """So many records, as often as `repeat` says.

    >>> counted(Take(source="a", repeat=2.5), 5)
    Target(records=5, seen=12)
    """
    return Target(records, int(records * Fraction(str(take.repeat))))


def room(take: Take, there: int) -> int:
    """Most that an ingredient can show per epoch."""
    return int(there * Fraction(str(take.most)))


def shares(mix: Mix) -> dict[int, float]:
    """The shares by ingredient; empty when there are none."""
    return {at: take.share for at, take in enumerate(mix.take) if take.share is not None}


def seen_by_share(mix: Mix, total: int) -> dict[int, int]:
    """What each ingredient with a share shows of a total."""
    asked = shares(mix)
    return dict(zip(asked, deal(total - fixed(mix), list(asked.values())), strict=True))


def fixed(mix: Mix) -> int:
    """What the ingredients with a count show."""
    return sum(
        counted(take, take.count).seen for take in mix.take if take.share is None and take.count
    )


def total_of(name: str, mix: Mix) -> int | None:
    """The total that counts or `total` settle; None when it is to be found.

    Raises:
        UserError: the two settle different ones, or the shares leave nothing to count.
    """
    asked = shares(mix)
    if len(asked) == len(mix.take):
        return mix.total
    there, part = fixed(mix), sum(map(Fraction, map(str, asked.values())))
    if part >= 1:
        rule = f"come to {float(part):g} and leave nothing for the ingredients without a share"
        fix = "lower them below 1 together, or give every ingredient a share"
        raise UserError(Problem(f"data.mixes.{name}.take: share", float(part), rule, fix))
    total = round(there / (1 - part))
    if mix.total is not None and abs(mix.total - total) > len(asked):
        rule = f"is not what the counts ({there}) and shares ({float(part):g}) come to"
        raise UserError(Problem(f"data.mixes.{name}.total", mix.total, rule, f"set {total}"))
    return mix.total if mix.total is not None else total


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest total up to `most` that fits; every smaller one does too. 0 when none does."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def most_of(mix: Mix, there: Mapping[int, int]) -> int:
    """The largest total that shares allow of ingredients with so many records.

    Args:
        mix: the query.
        there: records of each ingredient with a share.
    """

    def fits(total: int) -> bool:
        found = seen_by_share(mix, total)
        return all(found[at] <= room(mix.take[at], there[at]) for at in found)

    bound = sum(room(mix.take[at], there[at]) for at in there) + fixed(mix)
    return largest(fits, min(bound, _MOST))


def planned(name: str, mix: Mix, there: Sequence[int]) -> list[Target]:
    """Targets from numbers of records alone, for what is counted before the data is here.

    Args:
        name: of the mix.
        mix: the query.
        there: records that each ingredient can take.

    Raises:
        UserError: it cannot be met.
    """
    found: dict[int, int] = {}
    if asked := shares(mix):
        known = {at: there[at] for at in asked}
        total = total_of(name, mix)
        total = most_of(mix, known) if total is None else total
        found = seen_by_share(mix, total)
        short = {at: known[at] for at in asked if found[at] > room(mix.take[at], known[at])}
        if short:
            raise beyond(name, mix, total, short, most_of(mix, known))
    targets = []
    for at, take in enumerate(mix.take):
        if at in found:
            targets.append(target(take, found[at], there[at]))
            continue
        if take.count is not None and take.count > there[at]:
            raise too_many(f"data.mixes.{name}.take.{at}", take.count, there[at])
        targets.append(counted(take, there[at] if take.count is None else take.count))
    return targets


def too_many(at: str, count: int, there: int) -> UserError:
    """A count that is more than there is."""
    rule = f"is more than the {there} records that match"
    return UserError(Problem(f"{at}.count", count, rule, f"lower it to {there}"))


def beyond(name: str, mix: Mix, total: int, short: Mapping[int, int], nearest: int) -> UserError:
    """A total whose shares are more than there is, with the nearest that can be met.

    Args:
        name: of the mix.
        mix: the query.
        total: that was asked for, or settled by the counts.
        short: records there are of the ingredients that have too few.
        nearest: the largest total that can be met.
    """
    asked = seen_by_share(mix, total)
    told, mended = [], []
    for at, there in short.items():
        take = mix.take[at]
        told.append(f"take.{at} ({take.source}) shows at most {room(take, there)} of {asked[at]}")
        if there:
            mended.append(f"take.{at}.max_repeat to {_up(asked[at], there):g}")
    fix = f"set {' and '.join(mended)}" if mended else "take other records"
    if len(shares(mix)) == len(mix.take) and nearest:
        fix = f"set total to {nearest}" + (f", or {fix.removeprefix('set ')}" if mended else "")
    elif mended:
        fix += ", or lower the shares or the counts"
    rule = f"cannot be met: {'; '.join(told)}"
    return UserError(Problem(f"data.mixes.{name}.total", total, rule, fix))


def _up(seen: int, there: int) -> float:
    """The least number of two decimals by which so many records show so much.

    >>> _up(450, 150), _up(10, 3)
    (3.0, 3.34)
    """
    return -(-seen * 100 // there) / 100
