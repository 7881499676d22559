"""Faults of coordinates: another scale, another order, out of range, without area.

A set writes its boxes in one way, so the reply and the gold go wrong together. A kind is called
repairable only where the numbers themselves exclude every other reading that sets use.
"""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from pellucid.data.faults.base import REPLIES, Row, duplicate, question, turns

Numbers = list[float]
_NUMBER = r"-?\d+(?:\.\d+)?"
_LISTED = re.compile(rf"\[({_NUMBER}(?:, {_NUMBER}){{3}}|{_NUMBER}, {_NUMBER})\]")
_KINDS = ("box", "boxes", "point")


def absolute(row: Row, rng: Random) -> Row | None:
    """Whole pixels; one lies beyond 1000, so that they are no thousandths."""
    found = _pixels(row)
    if found is None or max(value for one in found for value in one) <= 1000:
        return None
    return _converted(row, _to_pixels(row))


def thousandths(row: Row, rng: Random) -> Row | None:
    """0 to 1000; one lies beyond the picture, so that they are no pixels."""
    found, size = _thousandths(row), _size(row)
    if found is None or size is None:
        return None
    beyond = any(value > size[at % 2] for one in found for at, value in enumerate(one))
    return _converted(row, _to_thousandths) if beyond else None


def scale_unclear(row: Row, rng: Random) -> Row | None:
    """Whole numbers that may be pixels and may be thousandths."""
    size = _size(row)
    if size is None:
        return None
    scaled = [(_pixels(row), _to_pixels(row)), (_thousandths(row), _to_thousandths)]
    rng.shuffle(scaled)
    for found, change in scaled:
        values = [(at, value) for one in found or () for at, value in enumerate(one)]
        within = all(value <= 1000 and value <= size[at % 2] for at, value in values)
        if values and within and max(value for _, value in values) > 1:
            return _converted(row, change)
    return None


def width_height(row: Row, rng: Random) -> Row | None:
    """`[x, y, width, height]`; just one axis looks reversed, so that no corners are swapped."""
    found = _boxes(row)
    if not found or sum(_wide(one) < one[0] for one in found) == 0:
        return None
    for one in found:
        across, down = _wide(one) < one[0], _high(one) < one[1]
        if across == down or _wide(one) == one[0] or _high(one) == one[1]:
            return None
    return _converted(row, _to_size)


def corners_swapped(row: Row, rng: Random) -> Row | None:
    """The lower right corner first; as width and height the box would leave the picture."""
    found = _boxes(row)
    if not found or any(_may_be_size(_swapped(one)) for one in found):
        return None
    return _converted(row, _swapped)


def order_unclear(row: Row, rng: Random) -> Row | None:
    """Both axes reversed: swapped corners, or width and height."""
    found = _boxes(row)
    if not found or not all(_may_be_size(_swapped(one)) for one in found):
        return None
    return _converted(row, _swapped)


def out_of_range(row: Row, rng: Random) -> Row | None:
    """One coordinate a little outside [0, 1]."""
    found = _boxes(row)
    if not found:
        return None
    low, by = rng.random() < 0.3, round(rng.uniform(0.01, 0.3), 4)
    at = rng.randrange(2) if low else rng.choice((2, 3))

    def change(values: Numbers) -> Numbers:
        value = -by if low else 1 + by
        return [*values[:at], round(value, 4), *values[at + 1 :]]

    return _converted(row, change)


def no_area(row: Row, rng: Random) -> Row | None:
    """A box whose two sides are one."""
    at = rng.randrange(2)
    if not _boxes(row):
        return None
    return _converted(row, lambda values: [*values[: at + 2], values[at], *values[at + 3 :]])


def box_text_broken(row: Row, rng: Random) -> Row | None:
    """Coordinates in other brackets than the question shows; the numbers are all there."""
    if (row.get("answer") or {}).get("kind") != "box" or "[x1" not in question(row)["value"]:
        return None
    shape = rng.choice(("({})", "{}", "<box>{}</box>", "[[{}]]"))
    faulty = duplicate(row)
    for turn in turns(faulty, REPLIES):
        if not _LISTED.fullmatch(turn["value"]):
            return None
        turn["value"] = shape.format(turn["value"][1:-1])
    return faulty


def _to_pixels(row: Row) -> Callable[[Numbers], Numbers]:
    size = _size(row) or [1, 1]
    return lambda values: [round(value * size[at % 2]) for at, value in enumerate(values)]


def _to_thousandths(values: Numbers) -> Numbers:
    return [round(value * 1000) for value in values]


def _to_size(values: Numbers) -> Numbers:
    return [values[0], values[1], _wide(values), _high(values)]


def _swapped(values: Numbers) -> Numbers:
    return [*values[2:], *values[:2]]


def _may_be_size(box: Numbers) -> bool:
    """Whether four numbers may be `[x, y, width, height]` of a box within the picture."""
    return min(box[2:]) > 0 and box[0] + box[2] <= 1 and box[1] + box[3] <= 1


def _wide(box: Numbers) -> float:
    return round(box[2] - box[0], 4)


def _high(box: Numbers) -> float:
    return round(box[3] - box[1], 4)


def _size(row: Row) -> list[int] | None:
    sizes = row.get("image_size") or []
    return sizes[0] if len(sizes) == 1 else None


def _coordinates(row: Row) -> list[Numbers]:
    """All coordinates of the reply and the gold."""
    answer = row.get("answer") or {}
    if answer.get("kind") not in _KINDS:
        return []
    said = [turn["value"] for turn in turns(row, REPLIES)]
    listed = [[float(value) for value in at[1].split(", ")]
              for text in said for at in _LISTED.finditer(text)]  # fmt: skip
    gold = answer["gold"]
    gold = json.loads(gold) if isinstance(gold, str) else gold
    return listed + (gold if answer["kind"] == "boxes" else [gold])


def _boxes(row: Row) -> list[Numbers]:
    """The coordinates, where all of them are boxes."""
    found = _coordinates(row)
    return found if all(len(one) == 4 for one in found) else []


def _pixels(row: Row) -> list[Numbers] | None:
    """The coordinates in pixels, where they are whole ones."""
    size = _size(row)
    return None if size is None else _scaled(row, size)


def _thousandths(row: Row) -> list[Numbers] | None:
    return _scaled(row, [1000, 1000])


def _scaled(row: Row, by: list[int]) -> list[Numbers] | None:
    scaled = []
    for one in _coordinates(row):
        whole = [round(value * by[at % 2]) for at, value in enumerate(one)]
        back = [round(value / by[at % 2], 4) for at, value in enumerate(whole)]
        if back != one:
            return None
        scaled.append([float(value) for value in whole])
    return scaled or None


def _converted(row: Row, change: Callable[[Numbers], Numbers]) -> Row:
    """A copy with each list of coordinates changed, in replies and in the gold."""
    faulty = duplicate(row)
    for turn in turns(faulty, REPLIES):
        turn["value"] = _in_text(turn["value"], change)
    answer = faulty["answer"]
    gold = answer["gold"]
    if isinstance(gold, str):
        answer["gold"] = _in_text(gold, change)
    else:
        answer["gold"] = (
            [change(one) for one in gold] if answer["kind"] == "boxes" else change(gold)
        )
    return faulty


def _in_text(text: str, change: Callable[[Numbers], Numbers]) -> str:
    def written(found: re.Match[str]) -> str:
        values: list[Any] = change([float(value) for value in found[1].split(", ")])
        shown = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in values]
        return "[" + ", ".join(shown) + "]"

    return _LISTED.sub(written, text)
