"""From equal keys to candidate pairs, and from pairs to clusters; NumPy only.

Leaves out on purpose: deciding which pairs hold.
"""

import numpy as np

ALL_PAIRS = 24
"""Groups of at most this many give all their pairs."""
NEIGHBOURS = 2
"""How many next ones each member of a larger group is paired with."""


def components(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The least member of each one's cluster, where pairs join clusters.

    >>> components(5, np.array([3, 1]), np.array([1, 4])).tolist()
    [0, 1, 2, 1, 1]
    """
    root = np.arange(count)
    while True:
        a, b = root[first], root[second]
        if (a == b).all():
            return root
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while True:
            up = root[root]
            if (up == root).all():
                break
            root = up


def agreed(count: int, first: np.ndarray, second: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The least member of each one's cluster, where of the pairs between two clusters most hold.

    Pairs are taken in their order. One pair that holds does not join two clusters that others hold
    apart: a small or cropped copy may lack the one digit in which two pages differ, and then looks
    like both.

    Args:
        count: how many there are to cluster.
        first: one of each pair that was looked at, the surest pair first.
        second: the other one.
        same: whether the pair holds.

    >>> pairs = np.array([[0, 1], [0, 2], [1, 2], [3, 0], [3, 2]]).T
    >>> agreed(4, *pairs, np.array([True, False, False, True, True])).tolist()
    [0, 0, 2, 0]
    """
    root = list(range(count))
    votes: dict[int, dict[int, int]] = {}
    for a, b, holds in zip(first.tolist(), second.tolist(), same.tolist(), strict=True):
        for one, other in ((a, b), (b, a)):
            own = votes.setdefault(one, {})
            own[other] = own.get(other, 0) + (1 if holds else -1)
    for a, b in zip(first[same].tolist(), second[same].tolist(), strict=True):
        a, b = _root(root, a), _root(root, b)
        if a == b or votes[a].get(b, 0) <= 0:
            continue
        least, most = min(a, b), max(a, b)
        root[most] = least
        for other, sum_ in votes.pop(most).items():
            if other != least:
                votes[least][other] = votes[least].get(other, 0) + sum_
                votes[other][least] = votes[other].get(least, 0) + votes[other].pop(most)
        votes[least].pop(most, None)
    return np.array([_root(root, at) for at in range(count)], np.int64)


def _root(root: list[int], at: int) -> int:
    while root[at] != at:
        root[at] = root[root[at]]
        at = root[at]
    return at


def same_key_pairs(
    keys: np.ndarray, all_pairs: int = ALL_PAIRS, neighbours: int = NEIGHBOURS
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of places of a *sorted* array with equal keys: all, or in large groups the next few.

    >>> [one.tolist() for one in same_key_pairs(np.array([5, 5, 7, 9, 9]))]
    [[0, 3], [1, 4]]
    """
    equal = keys[1:] == keys[:-1]
    held = np.zeros(len(keys), bool)
    held[:-1] |= equal
    held[1:] |= equal
    at = np.flatnonzero(held)  # keys that stand alone, most of them, take no further room
    none = np.zeros(0, np.int64)
    if not len(at):
        return none, none
    own = keys[at]
    group = np.cumsum(np.concatenate([[False], own[1:] != own[:-1]]))
    small = np.bincount(group)[group] <= all_pairs
    first, second = [], []
    here = np.arange(len(at))
    for step in range(1, all_pairs):
        here = here[here + step < len(at)]
        here = here[group[here] == group[here + step]]
        here = here if step <= neighbours else here[small[here]]
        if not len(here):
            break
        first.append(at[here])
        second.append(at[here + step])
    return np.concatenate(first), np.concatenate(second)


def counted(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Equal values of several (values, counts) put together, sorted by value."""
    if not pairs:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    values = np.concatenate([one for one, _ in pairs])
    counts = np.concatenate([one for _, one in pairs])
    order = np.argsort(values, kind="stable")
    values, counts = values[order], counts[order]
    new = np.concatenate([[True], values[1:] != values[:-1]]) if len(values) else values > 0
    at = np.flatnonzero(new)
    return values[at], np.add.reduceat(counts, at) if len(at) else counts
