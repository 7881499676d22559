"""Coordinates in another convention than [0, 1], `[x1, y1, x2, y2]`.

A reading is a scale (pixels, thousandths, hundredths) with a form (corners, swapped corners, corner
and size). Where the gold and the reply state the same box and one of them is sound, the reading
that makes them equal is the right one. Else a box is mended where one reading alone is possible;
what the picture's size leaves open is flagged. A reply in the convention that its question asks for
is never touched.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pellucid.data.repair.base import Doubt, Edit, Facts, Operator, Result, Row
from pellucid.data.repair.places import answer, at, last_question, last_reply, pictures, with_text
from pellucid.schema.record import COORDINATE_DECIMALS

_NUMBER = r"-?(?:\d+(?:\.\d*)?|\.\d+)"
_BOX = re.compile(rf"[\[(]\s*{_NUMBER}(?:\s*,\s*{_NUMBER}){{3}}\s*[\])]")
_ONE = re.compile(_NUMBER)
_POINT = re.compile(rf"[\[(]\s*{_NUMBER}\s*,\s*{_NUMBER}\s*[\])]")
_ALONE = re.compile(
    rf"(?:<\|?box(?:_start)?\|?>)?[\s\[({{]*({_NUMBER}(?:\s*,\s*{_NUMBER}){{3}})[\s\])}}]*"
    r"(?:</box>|<\|box_end\|>)?"
)
_SHOWN = re.compile(r"(?<!\[)\[\s*(?:x_?1|x_?min|left)\b", re.IGNORECASE)
_RELATIVE = re.compile(
    r"\brelative\b|\bnormali[sz]ed\b|\b0(?:\.0)? (?:and|to) 1(?:\.0)?\b(?!\d)|[\[(]0, ?1[\])]", re.I
)
_ASKED = {
    "pixels": re.compile(r"\bpixels?\b|\babsolute\b", re.I),
    "thousandths": re.compile(r"\b1000\b|\b999\b"),
    "hundredths": re.compile(r"\bpercent|\b0 ?(?:-|to|and) ?100\b", re.I),
    "size": re.compile(r"\bxywh\b|\bwidth\b[^.]{0,12}\bheight\b|\bx, ?y, ?w, ?h\b", re.I),
}
_PLACE = re.compile(
    r"\b(?:b?box(?:es)?|bounding|bbox(?:es)?|coordinates?|where|locat\w*|region|x1|xmin|position)\b",
    re.IGNORECASE,
)
"""What a question for a box says; four numbers may be anything else."""
_CLOSE = 0.0055
"""Two boxes of one thing differ by rounding: replies have two decimals."""
_SMALL = 0.0625
"""Pictures of at most this share of 1000 x 1000: a box in thousandths would hardly fit inside.

The same share of 100 x 100 tells pixels from hundredths.
"""

Box = tuple[float, float, float, float]


class _Reading(NamedTuple):
    scale: str
    form: str
    boxes: list[Box]


class _Point(NamedTuple):
    text: str
    x: float
    y: float


def coordinates(row: Row, facts: Facts) -> Result:
    """Bring gold and reply to [0, 1] corners."""
    given, replied = answer(row), last_reply(row)
    kind = given.get("kind")
    gold = _gold(given) if kind in ("box", "boxes", "point") else None
    found = list(_BOX.finditer(replied[1].answer)) if replied else []
    question, size = last_question(row), _size(row, facts)
    asked = [name for name, mark in _ASKED.items() if mark.search(question)]
    if gold is None:
        bare = len(found) == 1 and replied and found[0][0] == replied[1].answer.strip()
        if bare and replied and not asked and kind is None and _PLACE.search(question):
            sure = bool(_RELATIVE.search(question))
            return _reply_alone(row, replied[0], found[0], size, sure)
        return Result(row)
    if kind == "box" and replied and (new := _bracketed(replied[1].answer, question)):
        before = replied[1].head + replied[1].answer
        edit = Edit(before, replied[1].head + new, at(replied[0]))
        return Result(with_text(row, replied[0], edit.after), (edit,))
    if kind == "point" and replied and not asked:
        return _at_point(row, gold[0], replied[0], replied[1].head + replied[1].answer, size)
    said = [_values(one[0]) for one in found] if len(found) == len(gold) else []
    return _both(row, gold, said, found, size, asked)


def _bracketed(said: str, question: str) -> str | None:
    """A box that stands alone in other brackets than the question shows, in those."""
    alone = _ALONE.fullmatch(said.strip())
    if alone is None or not _SHOWN.search(question):
        return None
    new = "[" + alone[1].strip() + "]"
    return None if new == said.strip() else new


def _at_point(row: Row, gold: Box, index: int, said: str, size: tuple[int, int] | None) -> Result:
    """A point and the box that it must hit, in one scale: the one in which it hits the box."""
    points = [_Point(one[0], *map(float, _ONE.findall(one[0]))) for one in _POINT.finditer(said)]
    beyond = any(max(one.x, one.y) > 1 for one in points)
    sound = _sound([gold])
    if sound and not beyond:
        return Result(row)
    by = {"unit": (1, 1), "thousandths": (1000, 1000), "hundredths": (100, 100)}
    by |= {"pixels": size} if size else {}
    if sound:
        readings = [_Reading(name, "corners", [gold]) for name in by]
    else:
        readings = [one for one in _readings([gold], size) if one.form == "corners"]
    fits = [
        one for one in readings if _hit(one.boxes[0], points, by[one.scale] if beyond else (1, 1))
    ]
    if sound:
        only = fits[0] if len(fits) == 1 else None
    else:
        only = _only(fits, size, [], False)
    if only is None:
        return Result(row, (), (Doubt("point and box are in no scale for certain", at(index)),))
    result = Result(row) if sound else _gold_as(row, only.boxes)
    if not beyond:
        return result
    new, (wide, high) = said, by[only.scale]
    for one in points:
        new = new.replace(one.text, f"[{one.x / wide:.4f}, {one.y / high:.4f}]")
    edit = Edit(said, new, at(index))
    return Result(with_text(result.row, index, new), (*result.edits, edit))


def _hit(box: Box, points: Sequence[_Point], by: tuple[int, int]) -> bool:
    """Whether a box holds all points, each divided by the scale."""
    x1, y1, x2, y2 = box
    return all(x1 <= one.x / by[0] <= x2 and y1 <= one.y / by[1] <= y2 for one in points)


def _gold(given: Any) -> list[Box] | None:
    value = given.get("gold")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    rows = value if given["kind"] == "boxes" else [value]
    if not isinstance(rows, list) or not rows:
        return None
    for one in rows:
        if not isinstance(one, list) or len(one) != 4:
            return None
        if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in one):
            return None
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in rows]


def _values(text: str) -> Box:
    a, b, c, d = (float(one) for one in _ONE.findall(text))
    return a, b, c, d


def _size(row: Row, facts: Facts) -> tuple[int, int] | None:
    """The picture's size in pixels, where the row has one picture or pictures of one size."""
    given = row.get("image_size", row.get("image_sizes"))
    if isinstance(given, list) and len(given) == 2 and all(isinstance(n, int) for n in given):
        return given[0], given[1]
    if isinstance(given, list) and given and all(_is_size(one) for one in given):
        return tuple(given[0]) if all(one == given[0] for one in given) else None
    if isinstance(row.get("width"), int) and isinstance(row.get("height"), int):
        return row["width"], row["height"]
    known = {facts.size(name) for name in pictures(row)}
    return known.pop() if len(known) == 1 else None


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(n, int) for n in value)


def _sound(boxes: Sequence[Box]) -> bool:
    return all(0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 for x1, y1, x2, y2 in boxes)


def _flat(boxes: Sequence[Box]) -> bool:
    return any(x1 == x2 or y1 == y2 for x1, y1, x2, y2 in boxes)


def _near(one: Sequence[Box], two: Sequence[Box], within: float = _CLOSE) -> bool:
    return all(
        abs(a - b) <= within
        for p, q in zip(one, two, strict=True)
        for a, b in zip(p, q, strict=True)
    )


def _readings(boxes: Sequence[Box], size: tuple[int, int] | None) -> Iterator[_Reading]:
    """Every way to read boxes that gives boxes in [0, 1] with an area."""
    most, least = max(map(max, boxes)), min(map(min, boxes))
    if least < 0:
        return
    scales: dict[str, tuple[float, float]] = {}
    if most <= 1:
        scales["unit"] = (1, 1)
    else:
        if size and most > 1.5:
            scales["pixels"] = size
        if most <= 1000 and most > 1.5:
            scales["thousandths"] = (1000, 1000)
        if most <= 100 and most > 1.5:
            scales["hundredths"] = (100, 100)
    for scale, (width, height) in scales.items():
        scaled = [(a / width, b / height, c / width, d / height) for a, b, c, d in boxes]
        forms = {
            "corners": scaled,
            "swapped": [(c, d, a, b) for a, b, c, d in scaled],
            "size": [(a, b, a + c, b + d) for a, b, c, d in scaled],
        }
        for form, read in forms.items():
            if _sound([(a, b, min(c, 1.0) if c < 1.0006 else c, min(d, 1.0) if d < 1.0006 else d)
                       for a, b, c, d in read]):  # fmt: skip
                yield _Reading(scale, form, [_rounded(one) for one in read])


def _rounded(box: Box) -> Box:
    a, b, c, d = (min(round(value, COORDINATE_DECIMALS), 1.0) for value in box)
    return a, b, c, d


def _both(
    row: Row,
    gold: list[Box],
    said: list[Box],
    found: Sequence[re.Match[str]],
    size: tuple[int, int] | None,
    asked: list[str],
) -> Result:
    """Gold and, where it states as many boxes, the reply."""
    told = "answer.gold"
    if _sound(gold):
        if not said or _near(gold, said):
            return Result(row)
        if not _sound(said):
            return Result(row) if asked else _by_gold(row, gold, said, found, size)
        # Both may be boxes: one of them as corner and size, if that makes them equal.
        if _near([_corners(one) for one in said], gold) and "size" not in asked:
            return _reply_as(row, gold, said, found)
        if _near([_corners(one) for one in gold], said):
            return _gold_as(row, _finer([_corners(one) for one in gold], said, found))
        return Result(row)
    readings = list(_readings(gold, size))
    if said and _sound(said):
        fits = [one for one in readings if _near(one.boxes, said, _CLOSE + 0.01 * _coarse(one))]
        if fits:
            best = min(fits, key=lambda one: _distance(one.boxes, said))
            return _gold_as(row, _finer(best.boxes, said, found))
        return Result(row, (), (Doubt("is in no convention that gives the reply's box", told),))
    only = _only(readings, size, asked, _flat(gold))
    if only is None:
        return Result(row, (), (Doubt(_open(readings), told),))
    result = _gold_as(row, only.boxes)
    if said and _near(said, gold, 1e-9) and not asked:
        replied = _reply_as(result.row, only.boxes, said, found)
        return Result(replied.row, result.edits + replied.edits)
    return result


def _coarse(reading: _Reading) -> float:
    """How much a reading's own rounding may move a box, in hundredths."""
    return {"hundredths": 1.0, "pixels": 0.6, "thousandths": 0.1}.get(reading.scale, 0.0)


def _distance(one: Sequence[Box], two: Sequence[Box]) -> float:
    return sum(abs(a - b) for p, q in zip(one, two, strict=True) for a, b in zip(p, q, strict=True))


def _corners(box: Box) -> Box:
    return _rounded((box[0], box[1], box[0] + box[2], box[1] + box[3]))


def _finer(read: list[Box], said: list[Box], found: Sequence[re.Match[str]]) -> list[Box]:
    """The reply's own digits where it has all of them."""
    decimals = min(len(n.partition(".")[2]) for one in found for n in _ONE.findall(one[0]))
    return said if decimals >= COORDINATE_DECIMALS else read


def _only(
    readings: list[_Reading], size: tuple[int, int] | None, asked: list[str], flat: bool
) -> _Reading | None:
    """The one reading that is possible, or far likelier than the others; None when open.

    A box that is `flat` as corners is hardly one of corner and size: two of its numbers are equal.
    """
    scales = list(dict.fromkeys(one.scale for one in readings))
    named = [scale for scale in scales if scale in asked]
    if len(named) == 1:
        scales = named
    elif "thousandths" in scales and not size:
        return None
    elif size and "pixels" in scales and len(scales) > 1:
        side = 100 if "hundredths" in scales else 1000
        scales = ["pixels"] if size[0] * size[1] <= _SMALL * side**2 else []
    if len(scales) != 1:
        return None
    left = [one for one in readings if one.scale == scales[0]]
    straight = [one for one in left if one.form == ("size" if "size" in asked else "corners")]
    left = straight or left
    return left[0] if len(left) == 1 and not (flat and left[0].form == "size") else None


def _open(readings: list[_Reading]) -> str:
    if not readings:
        return "is out of range in every convention"
    ways = " or ".join(dict.fromkeys(f"{one.scale} ({one.form})" for one in readings))
    return f"may be in {ways}"


def _by_gold(
    row: Row,
    gold: list[Box],
    said: list[Box],
    found: Sequence[re.Match[str]],
    size: tuple[int, int] | None,
) -> Result:
    """The reply's boxes by the gold's, where a reading makes them the same."""
    for reading in _readings(said, size):
        if _near(reading.boxes, gold, _CLOSE + 0.01 * _coarse(reading)):
            return _reply_as(row, gold, said, found)
    replied = last_reply(row)
    where = at(replied[0]) if replied else "conversations"
    return Result(row, (), (Doubt("states a box in no convention that gives the gold", where),))


def _gold_as(row: Row, boxes: list[Box]) -> Result:
    """The row with these boxes for gold, in the JSON type that its gold has."""
    given = dict(answer(row))
    before = given["gold"]
    if isinstance(before, str):
        texts = [_text(one) for one in boxes]
        after: Any = "[" + ", ".join(texts) + "]" if given["kind"] == "boxes" else texts[0]
    else:
        after = [list(one) for one in boxes]
        after = after if given["kind"] == "boxes" else after[0]
    if before == after:
        return Result(row)
    edit = Edit(before, after, "answer.gold")
    return Result({**row, "answer": {**given, "gold": after}}, (edit,))


def _text(box: Box, decimals: int = COORDINATE_DECIMALS) -> str:
    return "[" + ", ".join(f"{value:.{decimals}f}" for value in box) + "]"


def _reply_as(
    row: Row, boxes: list[Box], said: list[Box], found: Sequence[re.Match[str]]
) -> Result:
    """The row with these boxes in its last reply, wherever the reply says them."""
    replied = last_reply(row)
    if replied is None:
        return Result(row)
    before = text = replied[1].head + replied[1].answer
    for box, match in zip(boxes, found, strict=True):
        text = text.replace(match[0], _text(box, _decimals(match[0], said)))
    if text == before:
        return Result(row)
    return Result(with_text(row, replied[0], text), (Edit(before, text, at(replied[0])),))


def _decimals(text: str, said: list[Box]) -> int:
    """Decimals of a box that is written anew: its own where it has some, else the store's."""
    given = [len(number.partition(".")[2]) for number in _ONE.findall(text)]
    unit = all(value <= 1 for box in said for value in box)
    return max(given) if unit and min(given) >= 2 else COORDINATE_DECIMALS


def _reply_alone(
    row: Row, index: int, found: re.Match[str], size: tuple[int, int] | None, sure: bool
) -> Result:
    """A reply that is a box and has no gold beside it."""
    said = [_values(found[0])]
    if _sound(said):
        return Result(row)
    readings = list(_readings(said, size))
    only = _only(readings, size, [], _flat(said))
    if only is None or not sure:
        return Result(row, (), (Doubt(_open(readings), at(index)),))
    return _reply_as(row, only.boxes, said, [found])


COORDINATES = Operator(
    "coordinates",
    1,
    "mend",
    "boxes in pixels, 0-1000, 0-100, as x y w h, corners swapped",
    coordinates,
)
