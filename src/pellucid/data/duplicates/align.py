"""Whether two pictures are one: the same scene in another file, at another size, slightly cropped.

One picture is laid over the other (a guess from shared codes, then least squares on the pixels),
and the overlap is compared window by window. The *worst* window decides, not the mean: two pages of
one template differ in a few digits. What is asked of it is in `Rule`; the numbers were measured
(`benchmarks/duplicates.py`). Leaves out on purpose: turning, mirroring, changes of colour.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

VERSION = 3
"""Raised when the same two pictures would be judged otherwise."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes two pictures one."""

    worst: float = 0.30
    """Most that a window may differ: squared difference over the window's own contrast."""
    overlap: float = 0.6
    """Least share of either picture that the other shows; 0.8 x 0.8 is a crop of a tenth a side."""
    cut: float = 0.13
    """Most that one may lack at a side of the other."""
    window_px: int = 5
    """Side of a window."""
    noise: float = 24.0
    """Difference in grey levels that is nothing: what a JPEG file does to a flat area."""
    longest_px: int = 1024
    """Larger pictures are compared at this length."""


RULE = Rule()


class Frame(NamedTuple):
    """Where a picture's sides lie in the other, whose sides lie at 0 and 1."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE = Frame(0.0, 0.0, 1.0, 1.0)


class Shown(NamedTuple):
    """A grey picture, and the same with twice `_MIDDLE_PX` at most."""

    full: Image.Image
    reduced: Image.Image


class Lay(NamedTuple):
    """Rectangles (left, top, right, bottom) of two pictures that show the same, in their pixels."""

    a: tuple[float, float, float, float]
    b: tuple[float, float, float, float]
    size: tuple[int, int]
    """Width and height at which they are compared."""

    def part(self, left: int, top: int, right: int, bottom: int) -> "Lay":
        """The same of some of the pixels compared."""
        width, height = self.size
        there, here = (
            (
                box[0] + left / width * (box[2] - box[0]),
                box[1] + top / height * (box[3] - box[1]),
                box[0] + right / width * (box[2] - box[0]),
                box[1] + bottom / height * (box[3] - box[1]),
            )
            for box in (self.a, self.b)
        )
        return Lay(there, here, (right - left, bottom - top))


_MIDDLE_PX = 320
"""Length at which the frame is refined; the sieve has done so from coarser ones."""
_STEPS = 8
_STILL_PX = 0.03
_LEAST_PX = 12
_MATCHES = 48
"""Shared codes that a guess is made from."""
_HOPELESS = 1.0
_SPOT_PX = 24
"""Half the side of what is looked at again around the worst window."""
_FILTERS = (
    Image.Resampling.BICUBIC,
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.NEAREST,
)
"""How the finer picture may have been reduced; the one that fits best counts."""


def guess(a: np.ndarray, b: np.ndarray) -> Frame | None:
    """Where `b` lies in `a`, from the places of their shared codes (two lines by consensus).

    Args:
        a: `keypoints` of one picture.
        b: of the other.

    Returns:
        None when fewer than two codes agree on a place.
    """
    _, in_a, in_b = np.intersect1d(a["code"], b["code"], assume_unique=True, return_indices=True)
    if len(in_a) < 2:
        return None
    in_a, in_b = in_a[:_MATCHES], in_b[:_MATCHES]
    first, second = np.triu_indices(len(in_a), 1)
    sides, agree = [], np.ones((len(first), len(in_a)), bool)
    for axis in ("x", "y"):
        here, there = a[axis][in_a].astype(np.float64), b[axis][in_b].astype(np.float64)
        run = there[second] - there[first]
        far = np.abs(run) > 0.03
        scale = np.where(far, (here[second] - here[first]) / np.where(far, run, 1), 1.0)
        start = here[first] - scale * there[first]
        error = np.abs(start[:, None] + scale[:, None] * there[None, :] - here[None, :])
        agree &= (error < 0.02) & ((scale > 0.7) & (scale < 1.4))[:, None]
        sides.append((here, there, start, scale))
    best = int(np.argmax(agree.sum(axis=1)))
    votes = agree[best]
    if votes.sum() < 2:
        return None
    fits = [
        _line(there[votes], here[votes], start[best], scale[best])
        for here, there, start, scale in sides
    ]
    (x, width), (y, height) = fits
    return Frame(x, y, x + width, y + height)


def _line(at: np.ndarray, value: np.ndarray, start: float, scale: float) -> tuple[float, float]:
    """Least squares where the points reach far enough, else the guess."""
    spread = at - at.mean()
    if (spread**2).sum() < 0.05:
        return start, scale
    slope = float((spread * (value - value.mean())).sum() / (spread**2).sum())
    return float(value.mean() - slope * at.mean()), slope


def shown(picture: Image.Image) -> Shown:
    """A grey picture, ready to be compared several times."""
    factor = 2 * _MIDDLE_PX / max(picture.size)
    if factor >= 0.8:
        return Shown(picture, picture)
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return Shown(picture, picture.resize((width, height), Image.Resampling.HAMMING))


def worst_window(a: Shown, b: Shown, frame: Frame, rule: Rule = RULE) -> float | None:
    """How much the least similar window differs, or None when the pictures do not cover each other.

    Args:
        a: a picture.
        b: another one.
        frame: where `b` lies in `a`, to about a hundredth of a side (`sieve.sieved`).
        rule: what makes two pictures one.
    """
    if b.full.width / frame_width(frame) > a.full.width * 1.02:  # the finer one is resampled
        a, b, frame = b, a, _turned(frame)
    found = _refined(a.reduced, b.reduced, frame, _MIDDLE_PX)
    if found is None or not _covers(found, rule):
        return None
    lay = _overlap(a.reduced, b.reduced, found, _MIDDLE_PX)
    if lay is None or _worst(*_pixels(a.reduced, b.reduced, lay), rule)[0] > _HOPELESS:
        return None
    return _least(a.full, b.full, found, rule)


def worst_of_whole(a: Shown, b: Shown, rule: Rule = RULE) -> float | None:
    """How much the least similar window differs where each picture shows all of the other.

    No place is looked for, which takes most of the time; None where there is no such window.
    """
    if b.full.width > a.full.width * 1.02:
        a, b = b, a
    lay = _overlap(a.full, b.full, WHOLE, rule.longest_px)
    return None if lay is None else _worst(*_pixels(a.full, b.full, lay), rule)[0]


def _least(a: Image.Image, b: Image.Image, frame: Frame, rule: Rule) -> float | None:
    """The worst window under the place and filter that fit best; none of them mends a digit.

    A crop starts and ends at whole pixels of what it was cut from, so those places are tried too:
    filters that take the nearest pixel are then repeated exactly. Where the last worst window stays
    bad, the rest need not be looked at.
    """
    least, spot = np.inf, None
    for place in dict.fromkeys((_whole_pixels(a, frame), _turned_whole(b, frame), frame)):
        lay = _overlap(a, b, place, rule.longest_px)
        if lay is None:
            continue
        for resample in _FILTERS:
            near = None if spot is None else _around(lay, spot)
            if near and _worst(*_pixels(a, b, near, resample), rule)[0] > rule.worst:
                continue
            worst, (x, y) = _worst(*_pixels(a, b, lay, resample), rule)
            least = min(least, worst)
            if least <= rule.worst or least > _HOPELESS:
                return float(least)
            across, down = (lay.b[2] - lay.b[0]) / lay.size[0], (lay.b[3] - lay.b[1]) / lay.size[1]
            spot = lay.b[0] + x * across, lay.b[1] + y * down
    return float(least) if least < np.inf else None


def _around(lay: Lay, spot: tuple[float, float]) -> Lay | None:
    """The surroundings of a place of `b`; None where they are most of the picture anyway."""
    width, height = lay.size
    if width * height < 4 * (2 * _SPOT_PX) ** 2:
        return None
    x = round((spot[0] - lay.b[0]) / (lay.b[2] - lay.b[0]) * width)
    y = round((spot[1] - lay.b[1]) / (lay.b[3] - lay.b[1]) * height)
    left, right = max(0, x - _SPOT_PX), min(width, x + _SPOT_PX)
    top, bottom = max(0, y - _SPOT_PX), min(height, y + _SPOT_PX)
    if right - left < _LEAST_PX or bottom - top < _LEAST_PX:
        return None
    return lay.part(left, top, right, bottom)


def _whole_pixels(picture: Image.Image, frame: Frame) -> Frame:
    """The frame with its sides at whole pixels of the picture that it lies in."""
    sizes = (picture.width, picture.height) * 2
    return Frame(*(round(side * size) / size for side, size in zip(frame, sizes, strict=True)))


def _turned_whole(b: Image.Image, frame: Frame) -> Frame:
    """The same, where the other picture is the one that was cut."""
    return _turned(_whole_pixels(b, _turned(frame)))


def frame_width(frame: Frame) -> float:
    """Width of a frame; never zero."""
    return max(1e-3, frame.right - frame.left)


def _turned(frame: Frame) -> Frame:
    """Where `a` lies in `b`."""
    width, height = frame_width(frame), max(1e-3, frame.bottom - frame.top)
    return Frame(
        -frame.left / width,
        -frame.top / height,
        (1 - frame.left) / width,
        (1 - frame.top) / height,
    )


def _covers(frame: Frame, rule: Rule) -> bool:
    turned = _turned(frame)
    for one in (frame, turned):
        width = min(one.right, 1) - max(one.left, 0)
        height = min(one.bottom, 1) - max(one.top, 0)
        if width <= 0 or height <= 0 or width * height < rule.overlap:
            return False
        if max(one.left, one.top, 1 - one.right, 1 - one.bottom) > rule.cut:
            return False
    return True


def _overlap(a: Image.Image, b: Image.Image, frame: Frame, longest: int) -> Lay | None:
    """What both show, at the pixels of `b` (fewer when that is longer than `longest`)."""
    seen = _turned(frame)
    left = int(np.ceil(max(0.0, seen.left) * b.width - 1e-6))
    top = int(np.ceil(max(0.0, seen.top) * b.height - 1e-6))
    right = int(np.floor(min(1.0, seen.right) * b.width + 1e-6))
    bottom = int(np.floor(min(1.0, seen.bottom) * b.height + 1e-6))
    width, height = right - left, bottom - top
    if width < _LEAST_PX or height < _LEAST_PX:
        return None
    factor = min(1.0, longest / max(width, height))
    size = max(_LEAST_PX, round(width * factor)), max(_LEAST_PX, round(height * factor))
    across, down = frame_width(frame) / b.width, (frame.bottom - frame.top) / b.height
    there = (
        max(0.0, (frame.left + left * across) * a.width),
        max(0.0, (frame.top + top * down) * a.height),
        min(float(a.width), (frame.left + right * across) * a.width),
        min(float(a.height), (frame.top + bottom * down) * a.height),
    )
    if there[2] - there[0] < 1 or there[3] - there[1] < 1:
        return None
    return Lay(there, (left, top, right, bottom), size)


def _pixels(
    a: Image.Image,
    b: Image.Image,
    lay: Lay,
    resample: Image.Resampling = Image.Resampling.BICUBIC,
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of both that are compared."""
    left, top, right, bottom = lay.b
    if (round(right) - round(left), round(bottom) - round(top)) == lay.size:
        mine = b.crop((round(left), round(top), round(right), round(bottom)))
    else:
        mine = b.resize(lay.size, resample, box=lay.b)
    return np.asarray(a.resize(lay.size, resample, box=lay.a)), np.asarray(mine)


def _refined(a: Image.Image, b: Image.Image, frame: Frame, longest: int) -> Frame | None:
    """The frame moved until the pixels agree best (Gauss-Newton on its four sides)."""
    best, least = frame, np.inf
    for _ in range(_STEPS):
        lay = _overlap(a, b, frame, longest)
        if lay is None:
            return None
        here, there = (_softened(one) / 16 for one in _pixels(a, b, lay))
        here, there = here - here.mean(), there - there.mean()
        error = here - there
        size = float((error**2).mean() / (there.var() + 1))
        if size < least:
            best, least = frame, size
        move = _move(here, error)
        if move is None:
            break
        height, width = here.shape
        across, down = frame_width(frame) / width, (frame.bottom - frame.top) / height
        steps = np.clip(move, -0.06 * max(width, height), 0.06 * max(width, height))
        frame = Frame(
            frame.left - steps[0] * across,
            frame.top - steps[2] * down,
            frame.right - steps[1] * across,
            frame.bottom - steps[3] * down,
        )
        if np.abs(steps).max() < _STILL_PX:
            break
    return best


def _move(here: np.ndarray, error: np.ndarray) -> np.ndarray | None:
    """By how many pixels the left, right, top and bottom side are off, to first order."""
    height, width = here.shape
    dy, dx = np.gradient(here)
    u = ((np.arange(width) + 0.5) / width)[None, :]
    v = ((np.arange(height) + 0.5) / height)[:, None]
    columns = np.stack(
        [(dx * (1 - u)).ravel(), (dx * u).ravel(), (dy * (1 - v)).ravel(), (dy * v).ravel()]
    )
    square = columns @ columns.T
    square += np.eye(4) * (1e-3 * np.trace(square) / 4 + 1e-6)
    try:
        return np.linalg.solve(square, columns @ error.ravel())
    except np.linalg.LinAlgError:
        return None


def _softened(pixels: np.ndarray) -> np.ndarray:
    """A blur of [1 2 1] both ways, in sixteenths: what differs between resampling filters goes."""
    wide = np.pad(pixels.astype(np.float32), 1, mode="edge")
    rows = wide[:-2] + wide[2:]
    rows += 2 * wide[1:-1]
    soft: np.ndarray = rows[:, :-2] + rows[:, 2:]
    soft += 2 * rows[:, 1:-1]
    return soft


def _worst(here: np.ndarray, there: np.ndarray, rule: Rule) -> tuple[float, tuple[int, int]]:
    """The largest squared difference of a window against its contrast, and where that window is.

    The contrast is asked for only where the difference alone could be the largest.
    """
    here, there = _softened(here)[2:-2, 2:-2], _softened(there)[2:-2, 2:-2]
    side = min(rule.window_px, *here.shape)
    error = _sums((here - there) ** 2, side)
    floor = side * side * (16 * rule.noise) ** 2
    flat = error.ravel()
    top = np.array([int(flat.argmax())])
    ratio = float((flat[top] / (_contrast(here, there, top, side) + floor))[0])
    at = np.flatnonzero(flat > ratio * floor)
    if len(at) > flat.size * _DENSE:
        found = (error / (_variance(here, side) + _variance(there, side) + floor)).ravel()
        at = np.arange(flat.size)
    elif len(at):
        found = flat[at] / (_contrast(here, there, at, side) + floor)
    else:
        at, found = top, np.array([ratio])
    best = int(found.argmax())
    y, x = divmod(int(at[best]), error.shape[1])
    return float(found[best]), (x + 2 + side // 2, y + 2 + side // 2)


_DENSE = 0.08
"""Share of windows above which it is cheaper to ask for the contrast of all."""


def _variance(pixels: np.ndarray, side: int) -> np.ndarray:
    spread: np.ndarray = _sums(pixels**2, side) - _sums(pixels, side) ** 2 / side**2
    return spread.clip(min=0)


def _contrast(here: np.ndarray, there: np.ndarray, at: np.ndarray, side: int) -> np.ndarray:
    """The sums of squares around the mean of both, in some windows."""
    y, x = np.divmod(at, here.shape[1] - side + 1)
    steps = np.arange(side)
    rows, columns = y[:, None, None] + steps[:, None], x[:, None, None] + steps
    total = np.zeros(len(at), np.float32)
    for one in (here, there):
        window = one[rows, columns].reshape(len(at), -1)
        total += window.var(axis=1) * side * side
    return total


def _sums(pixels: np.ndarray, side: int) -> np.ndarray:
    """Sums over all windows of that side."""
    height, width = (size - side + 1 for size in pixels.shape)
    rows = pixels[:height].copy()
    for at in range(1, side):
        rows += pixels[at : at + height]
    sums: np.ndarray = rows[:, :width].copy()
    for at in range(1, side):
        sums += rows[:, at : at + width]
    return sums
