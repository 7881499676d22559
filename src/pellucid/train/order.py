"""The global order of an epoch: a permutation that is computed, never stored.

A Feistel network over the smallest even number of bits that holds `n`, walked until the value falls
below `n`. Position and index are found in O(1) memory, so a run resumes anywhere, whatever the
number of workers. A curriculum is a row of such orders, one for each of its windows.

Leaves out on purpose: weighting and mixing, which the frozen mix already holds.
"""

from collections.abc import Sequence

import numpy as np

from pellucid.base.seeds import derive

_ROUNDS = 6


def permute(index: int, n: int, seed: int, epoch: int) -> int:
    """Which of `n` things stands at position `index` of the epoch's order.

    >>> [permute(index, 5, seed=0, epoch=0) for index in range(5)]
    [1, 0, 3, 4, 2]
    """
    return int(window(index, index + 1, n, seed, epoch)[0])


def window(start: int, stop: int, n: int, seed: int, epoch: int) -> np.ndarray:
    """Positions `start` to `stop` of the epoch's order.

    Returns:
        int64 (stop - start,), each in [0, n); over [0, n) every value occurs exactly once.
    """
    assert 0 <= start <= stop <= n, f"window [{start}, {stop}) is not inside [0, {n})"
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = [derive(seed, "order", n, epoch, turn) for turn in range(_ROUNDS)]
    found = _feistel(np.arange(start, stop, dtype=np.uint64), half, keys)
    outside = found >= n
    while outside.any():
        found[outside] = _feistel(found[outside], half, keys)
        outside = found >= n
    return found.astype(np.int64)


def in_windows(start: int, stop: int, sizes: Sequence[int], seed: int, epoch: int) -> np.ndarray:
    """Positions `start` to `stop` of an order that goes through windows one after the other.

    Args:
        start: first position.
        stop: position after the last.
        sizes: things in each window; those of a window have neighbouring indices.
        seed: of the order within each window.
        epoch: of the order within each window.

    Returns:
        int64 (stop - start,), each in [0, sum of sizes); one window gives what `window` gives.

    >>> in_windows(0, 5, [2, 3], seed=0, epoch=0).tolist()
    [1, 0, 2, 4, 3]
    """
    if len(sizes) == 1:
        return window(start, stop, sizes[0], seed, epoch)
    found, first = [], 0
    for number, size in enumerate(sizes):
        low, high = max(start, first), min(stop, first + size)
        if low < high:
            own = derive(seed, "curriculum", number)
            found.append(first + window(low - first, high - first, size, own, epoch))
        first += size
    assert 0 <= start <= stop <= first, f"window [{start}, {stop}) is not inside [0, {first})"
    return np.concatenate([*found, np.zeros(0, np.int64)])


def _feistel(values: np.ndarray, half: int, keys: list[int]) -> np.ndarray:
    """A bijection of [0, 4**half)."""
    mask = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ np.uint64(key)) & mask)
    return (left << np.uint64(half)) | right


def _mix(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64: every input bit reaches every output bit; wraps at 2**64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed
