"""Bars, histograms and a grid as SVG: equal counts, equal bytes.

Sized for a phone: 4.6 inches wide, so that text stays readable when a page scales it to 360 px.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE = "#0b5394"
_WIDTH = 4.6
_NAME_CHARS = 26
"""Longer names are cut in the middle; the table beside the picture has them whole."""


def bars(counts: Mapping[str, int], x: str) -> bytes:
    """Horizontal bars, the first on top, each with its number; SVG."""
    names = [_short(name) for name in counts]
    with _style():
        figure, axes = _canvas(height=0.9 + 0.27 * len(counts))
        places = range(len(names))
        axes.barh(places, list(counts.values()), color=_BLUE, height=0.7)
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlabel(x)
        most = max(counts.values(), default=1)
        axes.set_xlim(0, most * 1.18)
        for place, count in zip(places, counts.values(), strict=True):
            axes.text(count + most * 0.015, place, f"{count:,}", va="center", fontsize=9)
        axes.grid(visible=False, axis="y")
        _whole(axes.xaxis)
        return _svg(figure)


def histogram(bins: Mapping[str, int], x: str, y: str) -> bytes:
    """Upright bars side by side in the given order; SVG."""
    with _style():
        figure, axes = _canvas(height=2.7)
        axes.bar(range(len(bins)), list(bins.values()), width=0.92, color=_BLUE)
        turned = 40 if len(bins) > 5 else 0
        axes.set_xticks(
            range(len(bins)), list(bins), rotation=turned, ha="right" if turned else "center"
        )
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.grid(visible=False, axis="x")
        _whole(axes.yaxis)
        return _svg(figure)


def grid(cells: Sequence[tuple[int, int, int]], x: str, y: str) -> bytes:
    """Numbers in a grid of powers of two, darker for more; SVG.

    Args:
        cells: (column, row, count).
        x: label of the columns.
        y: label of the rows.
    """
    from matplotlib.colors import LinearSegmentedColormap

    columns = _powers([cell[0] for cell in cells])
    rows = _powers([cell[1] for cell in cells])
    found = {(column, row): count for column, row, count in cells}
    most = max(found.values(), default=1)
    table = [[found.get((column, row), 0) / most for column in columns] for row in rows]
    shades = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#8fb4d9", _BLUE])
    with _style():
        figure, axes = _canvas(height=1.2 + 0.33 * len(rows))
        axes.pcolormesh(table, cmap=shades, vmin=0, vmax=1, edgecolors="#e5e7eb", linewidth=0.8)
        axes.set_xticks([at + 0.5 for at in range(len(columns))], [f"{one}+" for one in columns])
        axes.set_yticks([at + 0.5 for at in range(len(rows))], [f"{one}+" for one in rows])
        for (column, row), count in found.items():
            place = (columns.index(column) + 0.5, rows.index(row) + 0.5)
            colour = "#ffffff" if count / most > 0.55 else "#1a1c20"
            axes.text(*place, f"{count:,}", ha="center", va="center", fontsize=9, color=colour)
        axes.grid(visible=False)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        return _svg(figure)


def _powers(values: Sequence[int]) -> list[int]:
    """Every power of two from the least to the most.

    >>> _powers([64, 512])
    [64, 128, 256, 512]
    """
    found = [min(values, default=1)]
    while found[-1] < max(values, default=1):
        found.append(2 * found[-1])
    return found


def _short(name: str) -> str:
    if len(name) <= _NAME_CHARS:
        return name
    half = _NAME_CHARS // 2
    return f"{name[: half - 1]}…{name[-half:]}"


def _whole(axis: object) -> None:
    """Ticks at whole numbers, with separators."""
    from matplotlib.axis import Axis
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    assert isinstance(axis, Axis)
    axis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


@contextmanager
def _style() -> Iterator[None]:
    from matplotlib import rc_context

    settings = {
        "svg.hashsalt": "pellucid",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        # A dollar sign in a name is a dollar sign.
        "text.parse_math": False,
    }
    with rc_context(settings):
        yield


def _canvas(height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: "Figure") -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()
