"""Texts drawn over other texts or across the edge of a figure, where the evidence has their boxes.

Value: the largest share of a text's box that lies where it should not. A box of a text is any
`..._box` and the `box` of whatever has a `text`; the other boxes are figures. A text inside a
figure (a value in its bar) or outside is fine; one that its edge cuts is not. Of `figures` (plane
figures) only texts are compared: their boxes are larger than they are.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind
from pellucid.recipe.triage import OverlapSignal
from pellucid.schema.record import Record

Box = tuple[float, float, float, float]
_LOOSE = frozenset(("figures", "shapes"))
"""Parts of the evidence whose boxes are not edges that can be seen."""


def make(context: Context, options: OverlapSignal) -> Look:
    """A look at the boxes in a record's evidence."""

    def look(record: Record) -> Found | None:
        texts, figures = list[Box](), list[Box]()
        _collect(record.evidence, True, texts, figures)
        if not texts:
            return None
        over = max((_over(a, b) for a, b in combinations(texts, 2)), default=0.0)
        cut = max((_cut(text, figure) for text in texts for figure in figures), default=0.0)
        if over >= options.least_share:
            return Found(over, "low_quality_images", f"{over:.0%} of a text lies under another")
        if cut >= options.least_share:
            return Found(cut, "low_quality_images", f"an edge cuts off {cut:.0%} of a text")
        return Found(max(over, cut))

    return look


def _collect(value: Any, edges: bool, texts: list[Box], figures: list[Box]) -> None:
    """Boxes of texts and of figures, anywhere in the evidence."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "box" and _is_box(inner):
                (texts if "text" in value else figures if edges else []).append(tuple(inner))
            elif key.endswith("_box") and _is_box(inner):
                texts.append(tuple(inner))
            elif key != "after":  # another picture
                _collect(inner, edges and key not in _LOOSE, texts, figures)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, edges, texts, figures)


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(one, int | float) for one in value)
    )


def _over(a: Box, b: Box) -> float:
    """Shared area, as a share of the smaller box."""
    return _shared(a, b) / max(min(_area(a), _area(b)), 1e-9)


def _cut(text: Box, figure: Box) -> float:
    """The smaller part of a text that a figure's edge cuts in two, as a share of the text."""
    share = _shared(text, figure) / max(_area(text), 1e-9)
    return min(share, 1 - share)


def _shared(a: Box, b: Box) -> float:
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0.0) * max(tall, 0.0)


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


SIGNAL = SignalKind(1, make)
