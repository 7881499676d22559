"""The report's plots as SVG: equal data, equal bytes.

Sized for a phone: 4.6 inches wide, so that text stays readable when a page scales it to 360 px.
Leaves out on purpose: interaction, and any plot that needs a legend longer than itself.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0b5394", "#b45309", "#047857", "#9d174d", "#5b21b6", "#374151", "#0e7490", "#7f1d1d")
"""Dark enough on white (contrast over 4.5), apart for most colour-blind readers."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_WIDTH, _HEIGHT = 4.6, 2.9
_FEW = 40
"""Up to this many points a line shows each of them."""


class Point(NamedTuple):
    """One task in one mode: what it costs and what it brings, with 95 % intervals."""

    task: str
    mode: str
    accuracy: tuple[float, float, float]
    """Low, value, high; shares."""
    tokens: tuple[float, float, float]
    """Low, value, high; generated tokens per answer."""


def front(points: Sequence[Point], task: str) -> list[Point]:
    """A task's modes that no cheaper one equals, cheapest first: what more tokens buy."""
    found: list[Point] = []
    own = [point for point in points if point.task == task]
    for point in sorted(own, key=lambda one: (one.tokens[1], -one.accuracy[1])):
        if not found or point.accuracy[1] > found[-1].accuracy[1]:
            found.append(point)
    return found


def accuracy_against_tokens(points: Sequence[Point]) -> bytes:
    """Scatter with both intervals: colour is the mode, shape is the task; SVG.

    A line per task joins its front.
    """
    modes = list(dict.fromkeys(point.mode for point in points))
    tasks = list(dict.fromkeys(point.task for point in points))
    with _style():
        figure, axes = _canvas("generated tokens per answer", "accuracy", height=3.4)
        for point in points:
            low, value, high = point.accuracy
            cheap, cost, dear = point.tokens
            axes.errorbar(
                cost,
                value,
                # A bootstrap interval may leave out its own mean.
                xerr=[[max(0.0, cost - cheap)], [max(0.0, dear - cost)]],
                yerr=[[max(0.0, value - low)], [max(0.0, high - value)]],
                color=_pick(COLOURS, modes.index(point.mode)),
                marker=_pick(MARKERS, tasks.index(point.task)),
                markersize=6,
                linewidth=1,
                capsize=2,
            )
        for task in tasks:
            line = [(point.tokens[1], point.accuracy[1]) for point in front(points, task)]
            axes.plot(*zip(*line, strict=True), color="#9ca3af", linewidth=1, zorder=0)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(left=0)
        # The legend lists each mode and each task once, not every pair of them.
        for index, mode in enumerate(modes):
            axes.plot([], [], color=_pick(COLOURS, index), linewidth=4, label=mode)
        for index, task in enumerate(tasks):
            shape = _pick(MARKERS, index)
            axes.plot([], [], color="#444444", marker=shape, linestyle="none", label=task)
        _legend(figure)
        return _svg(figure)


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str, from_zero: bool = False
) -> bytes:
    """Lines over a common axis; SVG.

    Args:
        series: (x, y) points by name; a single one gets no legend.
        x: label of the horizontal axis.
        y: label of the vertical axis.
        from_zero: whether the vertical axis starts at 0, as a share's should.
    """
    from matplotlib.ticker import MaxNLocator

    with _style():
        figure, axes = _canvas(x, y)
        for index, (name, points) in enumerate(series.items()):
            axes.plot(
                [point[0] for point in points],
                [point[1] for point in points],
                color=_pick(COLOURS, index),
                marker=_pick(MARKERS, index) if len(points) <= _FEW else None,
                markersize=3.5,
                linewidth=1.6,
                label=name,
            )
        axes.margins(x=0.03)
        if from_zero:
            top = max(point[1] for points in series.values() for point in points)
            axes.set_ylim(-0.02 * (top or 0.1), 1.1 * (top or 0.1))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        if len(series) > 1:
            _legend(figure)
        return _svg(figure)


def stages(series: Mapping[str, Sequence[float | None]], labels: Sequence[str], y: str) -> bytes:
    """Shares over named steps, one line each; SVG.

    Args:
        series: a share for each label, by name; None where it was not measured.
        labels: of the horizontal axis, in order.
        y: label of the vertical axis.
    """
    with _style():
        figure, axes = _canvas("", y, height=3.2)
        for index, (name, shares) in enumerate(series.items()):
            points = [(at, share) for at, share in enumerate(shares) if share is not None]
            axes.plot(
                [at for at, _ in points],
                [share for _, share in points],
                color=_pick(COLOURS, index),
                marker=_pick(MARKERS, index),
                markersize=5,
                linewidth=1.6,
                label=name,
            )
        axes.set_xticks(range(len(labels)), labels)
        axes.set_ylim(-0.03, 1.03)
        axes.margins(x=0.05)
        _legend(figure)
        return _svg(figure)


@contextmanager
def _style() -> Iterator[None]:
    from matplotlib import rc_context

    settings = {
        "svg.hashsalt": "pellucid",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
    }
    with rc_context(settings):
        yield


def _canvas(x: str, y: str, height: float = _HEIGHT) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _legend(figure: "Figure") -> None:
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)


def _pick(table: Sequence[str], index: int) -> str:
    return table[index % len(table)]


def _svg(figure: "Figure") -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()
