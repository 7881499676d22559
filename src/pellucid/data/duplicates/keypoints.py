"""Local features of a picture, so that a part of it can be found again: blobs and their codes.

A blob is an extremum of the difference of Gaussians over place and scale (Lowe, 2004), found on a
grey copy of fixed area, and on halves and quarters of it for the wider blurs. Its code is the signs
of the low DCT terms of the patch around it, upright: a crop or another size leaves most codes as
they are, while another text changes them. Sums are over whole numbers that single precision holds
exactly (below 2^24), so the codes do not depend on the machine or its threads. Leaves out on
purpose: turning, and any decision; codes only propose pairs (`align.py` decides).
"""

from functools import lru_cache

import numpy as np
from PIL import Image

from pellucid.data.duplicates.mixing import mixed

VERSION = 2
"""Raised when the same picture would give other codes."""

SIDE = 224
"""Side of the square that has the area of the grey copy, in pixels."""
KEPT = 256
"""Most codes of a picture: those whose mixed values are least, so that a crop keeps the same."""
_OCTAVES = 3
"""The copy, its half and its quarter."""
_LEVELS = 6
"""Blurs of an octave. Blobs are looked for in three of the steps between them; the blur is twice as
wide three levels later, where the next octave goes on."""
_FIRST = 1.3
"""Blur of the first level, in pixels of the octave; each next one is a third of an octave wider."""
_REACHES = tuple(int(np.ceil(3.5 * _FIRST * 2 ** (level / 3))) for level in range(_LEVELS))
"""Pixels that a blur takes in on either side."""
_WIDEST = max(_REACHES)
_BLOCK = 32
"""Pixels whose blurs are one product: far ones, which have no weight, are not multiplied."""
_FINE = 16
"""Steps of a grey level that are told apart."""
_UNIT = 4096
"""Weights of a blur are whole parts of this; 255 * `_FINE` * `_UNIT` is below 2^24."""
_CONTRAST = 2.0
"""Least height of an extremum, in grey levels."""
_EDGE = 12.0
"""Most that a blob may be longer than wide (ratio of curvatures)."""
_GRID, _TERMS = 12, 5
_REACH = 3.2
"""Half the side of a patch, in blurs."""
_LEAST_PX = 12

KEYPOINT = np.dtype([("code", "<u4"), ("x", "<f4"), ("y", "<f4"), ("size", "<f4")])
"""A code and where it is: the place in [0, 1] of the picture's sides, the blur in copy pixels."""

_AROUND = np.array(
    [
        (level, y, x)
        for level in (-1, 0, 1)
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
        if abs(level) + abs(y) + abs(x) > 1
    ]
).T
"""The neighbours of an extremum that do not share a face with it: level, y, x."""


def keypoints(picture: Image.Image) -> np.ndarray:
    """The codes of a picture, at most `KEPT`, sorted by code, each once.

    Args:
        picture: upright RGB or grey.

    Returns:
        An array of `KEYPOINT`.
    """
    grey = picture.convert("L")
    factor = SIDE / (grey.width * grey.height) ** 0.5
    width, height = (max(24, min(1024, round(side * factor))) for side in grey.size)
    filtered = grey.resize((width, height), Image.Resampling.BILINEAR)
    pixels, parts = np.asarray(filtered, dtype=np.float32) * _FINE, list[np.ndarray]()
    for octave in range(_OCTAVES):
        if octave:
            pixels = _halved(pixels)
        if min(pixels.shape) >= _LEAST_PX:
            parts.append(_octave(pixels, 2.0**octave))
    found = np.concatenate(parts)
    found["x"] /= width
    found["y"] /= height
    _, first, counts = np.unique(found["code"], return_index=True, return_counts=True)
    found = found[first[counts == 1]]
    order = np.argsort(mixed(found["code"].astype(np.uint64)), kind="stable")[:KEPT]
    least: np.ndarray = found[np.sort(order)]
    return least


def _halved(pixels: np.ndarray) -> np.ndarray:
    """Means of two by two, whole again; an odd last row or column is left out."""
    height, width = (2 * (side // 2) for side in pixels.shape)
    rows = pixels[0:height:2] + pixels[1:height:2]
    half: np.ndarray = np.rint((rows[:, 0:width:2] + rows[:, 1:width:2]) / 4)
    return half


def _octave(pixels: np.ndarray, grown: float) -> np.ndarray:
    """The codes of one octave, with places in pixels of the copy.

    Args:
        pixels: whole numbers from 0 to 255 * `_FINE`.
        grown: pixels of the copy to one of these.
    """
    blurred = _blurred(pixels)
    level, y, x, size = _blobs(blurred)
    codes = _codes(blurred, level, y, x, size)
    found = np.empty(len(codes) * len(x), KEYPOINT)
    found["code"] = np.concatenate(codes)
    for name, value in (("x", x + 0.5), ("y", y + 0.5), ("size", size)):
        found[name] = np.tile(value * grown, len(codes))
    return found


@lru_cache(maxsize=1)
def _weights() -> np.ndarray:
    """Weights from pixels to blurred ones; (levels, `_BLOCK`, `_BLOCK` + 2 * `_WIDEST`)."""
    bands = np.zeros((_LEVELS, _BLOCK, _BLOCK + 2 * _WIDEST), np.float32)
    for level, reach in enumerate(_REACHES):
        bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (_FIRST * 2 ** (level / 3))) ** 2)
        whole = np.floor(bell / bell.sum() * _UNIT)
        whole[reach] += _UNIT - whole.sum()
        for at in range(_BLOCK):
            bands[level, at, at + _WIDEST - reach : at + _WIDEST + reach + 1] = whole
    return bands


@lru_cache(maxsize=256)
def _mirrored(side: int) -> np.ndarray:
    """Places of an axis in whole blocks, with what a blur takes in beyond its ends."""
    at = np.mod(np.arange(-_WIDEST, -(-side // _BLOCK) * _BLOCK + _WIDEST), 2 * side)
    places: np.ndarray = np.where(at >= side, 2 * side - 1 - at, at)
    return places


def _blurred(pixels: np.ndarray) -> np.ndarray:
    """The picture at every level; whole multiples of 1 / (`_FINE` * `_UNIT`) grey levels."""
    height, width = pixels.shape
    bands = _weights()
    rows, columns = _mirrored(height), _mirrored(width)
    wide = pixels[rows]
    down = np.empty((_LEVELS, len(rows) - 2 * _WIDEST, width), np.float32)
    for at in range(0, down.shape[1], _BLOCK):
        block = bands.reshape(-1, bands.shape[2]) @ wide[at : at + bands.shape[2]]
        down[:, at : at + _BLOCK] = block.reshape(_LEVELS, _BLOCK, width)
    down *= np.float32(1 / _UNIT)
    np.rint(down, out=down)
    wide = down[:, :height, columns]
    both = np.empty((_LEVELS, height, len(columns) - 2 * _WIDEST), np.float32)
    for level, reach in enumerate(_REACHES):
        low, high = _WIDEST - reach, _WIDEST + reach + _BLOCK
        band = np.ascontiguousarray(bands[level, :, low:high].T)
        for at in range(0, both.shape[2], _BLOCK):
            both[level, :, at : at + _BLOCK] = wide[level, :, at + low : at + high] @ band
    return both[:, :, :width]


def _blobs(blurred: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Level, place and blur of every extremum that is no edge."""
    steps = np.diff(blurred, axis=0)
    level, y, x = (np.concatenate(both) for both in zip(*_extrema(steps), strict=True))

    def at(down: int = 0, right: int = 0) -> np.ndarray:
        values: np.ndarray = steps[level, y + down, x + right].astype(np.float64)
        return values

    xx, yy = at(0, 1) + at(0, -1) - 2 * at(), at(1, 0) + at(-1, 0) - 2 * at()
    xy = (at(1, 1) + at(-1, -1) - at(1, -1) - at(-1, 1)) / 4
    trace, area = xx + yy, xx * yy - xy**2
    kept = (area > 0) & (trace**2 * _EDGE < (_EDGE + 1) ** 2 * area)
    level, y, x = level[kept], y[kept], x[kept]
    return level, *_between(steps, level, y, x)


def _extrema(steps: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Level, y and x of the maxima, and of the minima.

    The neighbours that share a face are looked at everywhere, the others where those leave some.
    """
    inner, least, found = steps[1:-1, 1:-1, 1:-1], _CONTRAST * _FINE * _UNIT, []
    for hot, beyond in ((inner > least, np.greater_equal), (inner < -least, np.less_equal)):
        for axis in range(3):
            for side in (slice(None, -2), slice(2, None)):
                place = [slice(1, -1)] * 3
                place[axis] = side
                hot &= beyond(inner, steps[tuple(place)])
        here = tuple(place + 1 for place in np.nonzero(hot))
        near = steps[tuple(place[:, None] + off for place, off in zip(here, _AROUND, strict=True))]
        most = beyond(steps[here][:, None], near).all(axis=1)
        found.append(tuple(place[most] for place in here))
    return found


def _between(
    steps: np.ndarray, level: np.ndarray, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place and blur between the pixels and levels, by parabolas."""
    at = steps[level, y, x].astype(np.float64)

    def vertex(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        bend = before + after - 2 * at
        flat = np.abs(bend) < 1e-9
        return np.where(
            flat, 0.0, np.clip((before - after) / np.where(flat, 1, 2 * bend), -0.5, 0.5)
        )

    dy = vertex(steps[level, y - 1, x], steps[level, y + 1, x])
    dx = vertex(steps[level, y, x - 1], steps[level, y, x + 1])
    dl = vertex(steps[level - 1, y, x], steps[level + 1, y, x])
    return y + dy, x + dx, _FIRST * 2 ** ((level + dl) / 3)


@lru_cache(maxsize=1)
def _terms() -> np.ndarray:
    """The low DCT terms of a patch but the mean, as whole numbers."""
    steps = np.arange(_GRID)
    lines = np.stack(
        [np.round(1024 * np.cos(np.pi * k * (2 * steps + 1) / (2 * _GRID))) for k in range(_TERMS)]
    )
    both = np.einsum("ki,lj->klij", lines, lines).reshape(_TERMS**2, _GRID**2)
    terms: np.ndarray = both[1:]
    return terms


def _codes(
    blurred: np.ndarray, level: np.ndarray, y: np.ndarray, x: np.ndarray, size: np.ndarray
) -> list[np.ndarray]:
    """Codes of each blob: all signs, and the same with the two least certain ones turned."""
    spread = (np.arange(_GRID) - (_GRID - 1) / 2) / ((_GRID - 1) / 2) * _REACH
    rows = y[:, None] + size[:, None] * spread[None, :]
    columns = x[:, None] + size[:, None] * spread[None, :]
    patch = _sampled(blurred, np.maximum(level - 1, 0), rows, columns)
    whole = np.round(patch.reshape(len(x), _GRID**2) / _UNIT)
    terms = whole @ _terms().T
    powers = np.uint32(1) << np.arange(terms.shape[1], dtype=np.uint32)
    codes = ((terms > 0) * powers[None, :]).sum(axis=1).astype(np.uint32)
    order = np.argsort(np.abs(terms), axis=1, kind="stable")
    one, two = powers[order[:, 0]], powers[order[:, 1]]
    return [codes, codes ^ one, codes ^ two, codes ^ one ^ two]


def _sampled(
    blurred: np.ndarray, level: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Values at places between pixels, the edge carried on; (blobs, grid, grid)."""
    height, width = blurred.shape[1:]
    rows, columns = np.clip(rows, 0, height - 1.001), np.clip(columns, 0, width - 1.001)
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    down, right = (rows - top)[:, :, None], (columns - left)[:, None, :]
    at, t, c = level[:, None, None], top[:, :, None], left[:, None, :]
    upper = blurred[at, t, c] * (1 - right) + blurred[at, t, c + 1] * right
    lower = blurred[at, t + 1, c] * (1 - right) + blurred[at, t + 1, c + 1] * right
    values: np.ndarray = upper * (1 - down) + lower * down
    return values
