"""Which candidate pairs of pictures cannot be one, told from small grey copies, many pairs at once.

A copy is a square of `SIDE` pixels whatever the picture's shape, since a crop or another size is a
change of each axis by itself. The frame (where one picture lies in the other) is found from coarse
to fine by least squares; at every level a pair ends whose least similar window differs by far more
than that of any copy did. Leaves out on purpose: saying that two pictures *are* one: a small copy
cannot show one digit (`align.py` looks at those that are left).
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

COPY_VERSION = 1
"""Raised when the same picture would give another small copy."""
VERSION = 1
"""Raised when the same two copies would be judged otherwise."""

SIDE = 128
"""Pixels of a small copy's sides."""


class Level(NamedTuple):
    """One pass over what is left."""

    side: int
    """Pixels at which the pairs are compared."""
    steps: int
    """Of least squares."""
    worst: float
    """A pair with a window that differs by more (as in `align.Rule`) is let go."""


LEVELS = (Level(32, 6, 1.0), Level(64, 3, 1.5), Level(128, 1, 2.7))
_WINDOW_PX = 5
_NOISE = 16.0
"""Grey levels that are nothing at these sizes."""
_LARGEST_STEP = 0.06
_SLACK = 0.02
"""A frame may be off by this much of a side before the full picture has been looked at."""


def small(picture: Image.Image) -> np.ndarray:
    """The small copy of a grey picture; (`SIDE`, `SIDE`) bytes."""
    # Hamming: a box of a broken number of pixels would dislocate them.
    return np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.HAMMING))


def sieved(
    a: np.ndarray, b: np.ndarray, frames: np.ndarray, overlap: float, cut: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs may be one, and where the second lies in the first.

    Args:
        a: (pairs, `SIDE`, `SIDE`) bytes.
        b: the other picture of each pair.
        frames: (pairs, 4): left, top, right, bottom of `b` in `a`, whose sides lie at 0 and 1.
        overlap: least share of either that the other shows.
        cut: most that one may lack at a side.

    Returns:
        (pairs,) whether the pair is left, and the frames, refined.
    """
    frames = frames.astype(np.float64).copy()
    left = np.arange(len(frames))
    for level in LEVELS:
        here, there = (
            _softened(_pooled(a[left], level.side)),
            _softened(_pooled(b[left], level.side)),
        )
        frames[left] = _refined(here, there, frames[left], level.steps)
        stays = covering(frames[left], overlap - 2 * _SLACK, cut + _SLACK)
        stays &= _worst(here, there, frames[left]) <= level.worst
        left = left[stays]
        if not len(left):
            break
    alive = np.zeros(len(frames), bool)
    alive[left] = True
    return alive, frames


def covering(frames: np.ndarray, overlap: float, cut: float) -> np.ndarray:
    """Whether each frame and its inverse show enough and lack little."""
    good = np.ones(len(frames), bool)
    for one in (frames, turned(frames)):
        sides = np.minimum(one[:, 2:], 1) - np.maximum(one[:, :2], 0)
        good &= (sides > 0).all(axis=1) & (sides.prod(axis=1) >= overlap)
        good &= np.maximum(one[:, :2], 1 - one[:, 2:]).max(axis=1) <= cut
    return good


def turned(frames: np.ndarray) -> np.ndarray:
    """Where the first picture lies in the second."""
    sides = np.maximum(1e-3, frames[:, 2:] - frames[:, :2])
    return np.concatenate([-frames[:, :2] / sides, (1 - frames[:, :2]) / sides], axis=1)


def _pooled(copies: np.ndarray, side: int) -> np.ndarray:
    """Means over squares."""
    step = SIDE // side
    if step == 1:
        return copies.astype(np.float32)
    cut = copies.reshape(len(copies), side, step, side, step)
    means: np.ndarray = cut.mean(axis=(2, 4), dtype=np.float32)
    return means


def _softened(pixels: np.ndarray) -> np.ndarray:
    """A blur of [1 2 1] / 4 both ways."""
    for axis in (1, 2):
        first, last = pixels.take([0], axis), pixels.take([-1], axis)
        wide = np.concatenate([first, pixels, last], axis)
        size = pixels.shape[axis]
        before, after = wide.take(range(size), axis), wide.take(range(2, size + 2), axis)
        pixels = (before + 2 * pixels + after) / 4
    return pixels


def _weights(low: np.ndarray, high: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Between which pixels each place along an axis lies, as matrices; and whether it is inside."""
    places = low[:, None] + (high - low)[:, None] * ((np.arange(side) + 0.5) / side)
    inside = ((places >= 0) & (places <= 1)).astype(np.float32)
    at = np.clip(places * side - 0.5, 0, side - 1).astype(np.float32)
    near = np.abs(at[:, :, None] - np.arange(side, dtype=np.float32))
    return np.maximum(np.float32(0), 1 - near), inside


def _laid(a: np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first pictures at the pixels of the second, and which of those they show."""
    side = a.shape[1]
    across, in_x = _weights(frames[:, 0], frames[:, 2], side)
    down, in_y = _weights(frames[:, 1], frames[:, 3], side)
    return down @ a @ across.transpose(0, 2, 1), in_y[:, :, None] * in_x[:, None, :]


def _refined(a: np.ndarray, b: np.ndarray, frames: np.ndarray, steps: int) -> np.ndarray:
    """The frames moved until the pixels agree best (least squares on the four sides).

    The slope is the mean of both pictures' slopes, which takes fewer steps than either alone.
    """
    side = a.shape[1]
    u = ((np.arange(side, dtype=np.float32) + 0.5) / side)[None, None, :]
    v = u.transpose(0, 2, 1)
    best, least = frames, np.full(len(frames), np.inf)
    b_dy, b_dx = np.gradient(b, axis=(1, 2))
    for step in range(steps + 1):
        here, mask = _laid(a, frames)
        count = np.maximum(1, mask.sum(axis=(1, 2), keepdims=True))
        error = (here - b) * mask
        error -= mask * (error.sum(axis=(1, 2), keepdims=True) / count)
        size = (error**2).sum(axis=(1, 2)) / count[:, 0, 0]
        better = size < least * 0.999
        best = np.where(better[:, None], frames, best)
        least = np.minimum(least, size)
        if step == steps:
            break
        dy, dx = np.gradient(here, axis=(1, 2))
        dx, dy = (dx + b_dx) * mask / 2, (dy + b_dy) * mask / 2
        columns = np.stack([dx * (1 - u), dy * (1 - v), dx * u, dy * v], axis=1)
        columns = columns.reshape(len(a), 4, -1)
        square = columns @ columns.transpose(0, 2, 1)
        trace = np.trace(square, axis1=1, axis2=2)[:, None, None]
        square = square + np.eye(4, dtype=np.float32) * (1e-3 * trace / 4 + 1e-3)
        move = np.linalg.solve(square, columns @ error.reshape(len(a), -1, 1))[:, :, 0]
        move = np.clip(move / side, -_LARGEST_STEP, _LARGEST_STEP)
        sides = np.tile(np.maximum(1e-3, frames[:, 2:] - frames[:, :2]), 2)
        frames = frames - move * sides
    return best


def _worst(a: np.ndarray, b: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Over all windows, the largest squared difference against contrast."""
    here, mask = _laid(a, frames)
    error = _sums(((here - b) * mask) ** 2)
    floor = np.float32(_WINDOW_PX**2 * _NOISE**2)
    contrast = np.full_like(error, floor)
    for one in (here, b):
        contrast += _sums(one**2) - _sums(one) ** 2 / _WINDOW_PX**2
    worst: np.ndarray = (error / np.maximum(contrast, floor)).max(axis=(1, 2))
    return worst


def _sums(pixels: np.ndarray) -> np.ndarray:
    """Sums over all windows."""
    for axis in (1, 2):
        size = pixels.shape[axis] - _WINDOW_PX + 1
        total = pixels.take(range(size), axis)
        for at in range(1, _WINDOW_PX):
            total += pixels.take(range(at, at + size), axis)
        pixels = total
    return pixels
