"""Which records of a set are looked at first: one order, of which every beginning is stratified.

The j-th record of a stratum that holds the share w of the set stands at (j - 1/2) / w. Sorted by
that, the first n records are a proportional allocation (Webster's), for every n: samples are
nested, and who stops early has looked at a sound sample. Within a stratum the order is that of a
seeded hash, so it does not depend on files or on other records. Strata under `least_share` are put
together, and every stratum has two records among the first `EARLY`.

Leaves out on purpose: clusters. Records of one picture count as independent.
"""

from collections.abc import Mapping, Sequence

from pellucid.base.seeds import derive

EARLY = 40
"""Length of the beginning that holds `FEW` records of every stratum, were there only one small."""
FEW = 2
REST = "(rest)"
"""The stratum of all strata that are too small to stand alone."""


def strata(labels: Mapping[str, str], least_share: float) -> dict[str, str]:
    """Record id -> name of its stratum; small ones are put together as `REST`.

    Args:
        labels: record id -> what the strata are made by.
        least_share: a label of less than this share of the records does not stand alone.
    """
    sizes: dict[str, int] = {}
    for label in labels.values():
        sizes[label] = sizes.get(label, 0) + 1
    stratum = merged(sizes, least_share)
    return {id: stratum[label] for id, label in labels.items()}


def merged(sizes: Mapping[str, int], least_share: float) -> dict[str, str]:
    """The stratum of each label, from how many records have it.

    >>> merged({"a": 98, "b": 1, "c": 1}, 0.05)
    {'a': 'a', 'b': '(rest)', 'c': '(rest)'}
    """
    records = sum(sizes.values())
    small = {label for label, size in sizes.items() if size < least_share * records}
    if len(small) == 1:
        small = set()  # alone under another name is no larger
    return {label: REST if label in small else label for label in sizes}


def beginning(sizes: Mapping[str, int], n: int) -> list[str]:
    """The stratum of each of the first `n` records of the order.

    >>> beginning({"a": 30, "b": 10}, 4)
    ['a', 'a', 'b', 'a']
    """
    total = sum(sizes.values())
    places = sorted(
        (at, stratum)
        for stratum, size in sizes.items()
        for at in positions(size, total, min(n, size))
    )
    return [stratum for _, stratum in places[:n]]


def positions(size: int, total: int, count: int) -> list[float]:
    """Where the first records of a stratum stand in the order, in records.

    >>> positions(50, 100, 3)
    [1.0, 3.0, 5.0]
    >>> positions(1, 1000, 1)
    [20.0]

    Args:
        size: records of the stratum.
        total: records of the set.
        count: how many positions, at most `size`.
    """
    step, early = total / size, EARLY / FEW
    places = [(number + 0.5) * step for number in range(min(count, size))]
    return [min(at, early * (j + 1)) if j < FEW else at for j, at in enumerate(places)]


def allocate(sizes: Sequence[int], n: int) -> list[int]:
    """How many of the first `n` records of the order are of each stratum.

    >>> allocate([600, 300, 100], 10)
    [6, 3, 1]
    """
    total = sum(sizes)
    places = sorted(
        (at, stratum)
        for stratum, size in enumerate(sizes)
        for at in positions(size, total, min(n, size))
    )
    counts = [0] * len(sizes)
    for _, stratum in places[:n]:
        counts[stratum] += 1
    return counts


def order(stratum_of: Mapping[str, str], seed: int) -> list[str]:
    """All record ids in the order in which they are looked at.

    Args:
        stratum_of: record id -> stratum, from `strata`.
        seed: other seeds give unrelated orders.
    """
    members: dict[str, list[str]] = {}
    for id, stratum in stratum_of.items():
        members.setdefault(stratum, []).append(id)
    placed: list[tuple[float, str, str]] = []
    for stratum, ids in members.items():
        ids.sort(key=lambda id: (derive(seed, "triage", id), id))
        places = positions(len(ids), len(stratum_of), len(ids))
        placed += ((at, stratum, id) for at, id in zip(places, ids, strict=True))
    return [id for _, _, id in sorted(placed)]
