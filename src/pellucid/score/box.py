"""Boxes and points in [0, 1] coordinates, `[x1, y1, x2, y2]` and `[x, y]`.

A box must overlap a gold box (intersection over union) by at least the tolerance; a point, or the
centre of a box, must lie in the gold box, borders included. All arithmetic is exact. Left out on
purpose: pixels and other conventions (converted at import and at render), several boxes.
"""

import re
from fractions import Fraction

from pellucid.schema.record import Answer
from pellucid.score.base import AnswerScorer, Judgement, UnreadableGold
from pellucid.score.extract import final_answer

MIN_OVERLAP = 0.5

_NUMBER = r"-?(?:[0-9]{1,9}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})"
_LIST = re.compile(rf"[\[(]\s?{_NUMBER}(?:\s?,\s{{0,2}}{_NUMBER}){{1,3}}\s?[\])]")
_ONE = re.compile(_NUMBER)

Box = tuple[Fraction, Fraction, Fraction, Fraction]


def overlap(one: Box, two: Box) -> Fraction:
    """Intersection over union of two boxes, in [0, 1].

    Both must have an area above 0.
    """
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    shared = max(width, Fraction(0)) * max(height, Fraction(0))
    return shared / (_area(one) + _area(two) - shared)


def judge(text: str, gold: Answer) -> Judgement:
    """Judge the last list of four numbers; for a point gold, the last of two or four.

    Raises:
        UnreadableGold: the gold or an alias is no box.
    """
    golds = [_gold_box(spelt) for spelt in (gold.gold, *gold.aliases)]
    sizes = (2, 4) if gold.kind == "point" else (4,)
    said = [found for found in _LIST.finditer(final_answer(text).text)]
    said = [found for found in said if len(_ONE.findall(found[0])) in sizes]
    if not said:
        return Judgement(False, None, "has no list of coordinates")
    spelt = said[-1][0]
    values = [Fraction(value) for value in _ONE.findall(spelt)]
    box = _box(values * 2 if len(values) == 2 else values, flat=len(values) == 2)
    if box is None:
        return Judgement(False, spelt, "is no box or point within [0, 1]")
    if gold.kind == "point":
        hit = any(_inside(_centre(box), target) for target in golds)
        return Judgement(hit, spelt, f"the point is {'in' if hit else 'outside'} the gold box")
    least = Fraction(str(MIN_OVERLAP if gold.tolerance is None else gold.tolerance))
    best = max(overlap(box, target) for target in golds)
    return Judgement(best >= least, spelt, f"overlap {float(best):.4f}, needs {float(least):.4f}")


def _gold_box(spelt: str) -> Box:
    values = [Fraction(value) for value in _ONE.findall(spelt)]
    box = _box(values, flat=False) if _LIST.fullmatch(spelt.strip()) else None
    if box is None:
        raise UnreadableGold(f"the gold {spelt[:100]!r} is no box [x1, y1, x2, y2] within [0, 1]")
    return box


def _box(values: list[Fraction], flat: bool) -> Box | None:
    """Four values as a box within [0, 1]; `flat` allows one without an area (a point)."""
    if len(values) != 4 or not all(0 <= value <= 1 for value in values):
        return None
    x1, y1, x2, y2 = values
    return (x1, y1, x2, y2) if flat or (x1 < x2 and y1 < y2) else None


def _area(box: Box) -> Fraction:
    return (box[2] - box[0]) * (box[3] - box[1])


def _centre(box: Box) -> tuple[Fraction, Fraction]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _inside(point: tuple[Fraction, Fraction], box: Box) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


SCORER = AnswerScorer("box", 1, lambda: {"min_overlap": MIN_OVERLAP}, judge)
