"""Pictures that look alike at a few pixels: candidates where local codes are too few or too common.

A shape on a plain ground gives a handful of codes, which every such picture shares or which a crop
loses. Its 8 x 8 means hardly change when a tenth is cut off a side, so the nearest by those are
candidates too. Time grows with the number of pictures, not with its square: only `_REACH` pictures
before and after in order of brightness, and of brightness from side to side, are compared. Leaves
out on purpose: any decision.
"""

from collections.abc import Iterator

import numpy as np

CELLS = 8
NEAREST = 4
"""Candidates for each picture and order."""
_FARTHEST = 48.0
"""Mean difference of cells, in grey levels, of what is still proposed."""
_ROWS, _REACH = 1024, 4096


def cells(copies: np.ndarray) -> np.ndarray:
    """Means of `CELLS` x `CELLS` squares of small copies, rounded; (pictures, `CELLS`^2) bytes."""
    step = copies.shape[1] // CELLS
    means = copies.reshape(len(copies), CELLS, step, CELLS, step).mean(axis=(2, 4))
    rounded: np.ndarray = np.round(means).astype(np.uint8).reshape(len(copies), -1)
    return rounded


def nearest_pairs(means: np.ndarray, asking: np.ndarray) -> np.ndarray:
    """Pairs in which one is among the nearest of the other, which asks; lesser * rows + greater.

    Args:
        means: `cells` of each picture.
        asking: whether a picture asks for its nearest.

    >>> means = np.array([[0], [9], [1], [200]], np.uint8)
    >>> nearest_pairs(means.repeat(64, axis=1), np.array([True, False, False, False])).tolist()
    [1, 2]
    """
    found = [_nearest(means, order, asking) for order in _orders(means)]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _orders(means: np.ndarray) -> Iterator[np.ndarray]:
    """Orders in which alike pictures stand near each other; one is enough for few."""
    if len(means) < 2:
        return
    plain = means.astype(np.int64)
    yield np.argsort(plain.sum(axis=1), kind="stable")
    if len(means) > _REACH:
        slope = np.tile(np.arange(CELLS) * 2 - CELLS + 1, CELLS)
        yield np.argsort(plain @ slope, kind="stable")


def _nearest(means: np.ndarray, order: np.ndarray, asking: np.ndarray) -> np.ndarray:
    """Pairs by one order. Sums are of whole numbers below 2^24, so exact."""
    count, found = len(order), [np.zeros(0, np.int64)]
    take = min(NEAREST, count - 1)
    for start in range(0, count, _ROWS):
        at = start + np.flatnonzero(asking[order[start : start + _ROWS]])
        low = max(0, start - _REACH)
        rows, others = order[at], order[low : start + _ROWS + _REACH]
        here, there = means[rows].astype(np.float32), means[others].astype(np.float32)
        far = (here**2).sum(axis=1)[:, None] + (there**2).sum(axis=1)[None, :]
        far -= 2 * (here @ there.T)
        far[np.arange(len(at)), at - low] = np.inf
        nearest = np.argpartition(far, take - 1, axis=1)[:, :take]
        close = np.take_along_axis(far, nearest, axis=1) <= _FARTHEST**2 * means.shape[1]
        one = np.broadcast_to(rows[:, None], nearest.shape)[close]
        other = others[nearest[close]]
        found.append(np.minimum(one, other) * count + np.maximum(one, other))
    return np.unique(np.concatenate(found))
