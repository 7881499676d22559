"""The page itself: numbers laid out for `page.html.jinja`, plots and pictures as data URIs.

Every text of a model or a data set goes through Jinja's escaping; nothing is marked safe but our
own plots and pictures, which are base64.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from pellucid.base.hashing import SHORT
from pellucid.eval.page_input import PageInput, Sample
from pellucid.eval.page_numbers import bars
from pellucid.eval.page_stages import family_tasks, stage_plot, stages
from pellucid.eval.plots import COLOURS, Point, accuracy_against_tokens, curves
from pellucid.schema.report import Metric, Report

TEMPLATE = "page.html.jinja"
COLUMNS = ("accuracy", "tokens", "truncated", "malformed")
"""Metrics of the accuracy table, those that a report has."""
UNJUDGED = ("undecided", "unscored")
"""Shares of answers that count in no accuracy; columns where there is one."""
CHOICES = (
    ("gain of thinking", "think", "gain"),
    ("auto thinks", "auto", "chose_think"),
    ("gain of auto", "auto", "auto_gain"),
    ("tokens auto / think", "auto", "token_ratio"),
    ("tokens nothink / think", "nothink", "token_ratio"),
)
"""Columns of the table about modes: label, mode and name of the metric."""
SHOWN_PX = 480
"""Larger pictures are shown scaled down to this side."""


class Picture(NamedTuple):
    """An image of the page."""

    uri: str
    alt: str
    caption: str = ""


class Row(NamedTuple):
    """One line of the accuracy table."""

    task: str
    mode: str
    cells: tuple[Metric | None, ...]


class Choice(NamedTuple):
    """What thinking and choosing brought on some items of a task, and what they cost."""

    task: str
    group: str
    """`all`, or a domain."""
    cells: tuple[Metric | None, ...]
    """As in `CHOICES`."""


class Table(NamedTuple):
    """What is shown of one checkpoint."""

    report: Report
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    """Over all items."""
    choices: tuple[Choice, ...]
    modes: tuple[str, ...]
    groups: tuple[tuple[str, str, tuple[Metric | None, ...]], ...]
    """(task, group, accuracy in each of `modes`)."""


class Bar(NamedTuple):
    """One stacked bar of a mix."""

    title: str
    total: int
    parts: tuple[tuple[str, int, float, str], ...]
    """(name, count, percent of the bar, colour)."""


def html(run: PageInput, tree: Mapping[str, Any]) -> bytes:
    """The page, UTF-8.

    Args:
        run: what to show.
        tree: the tree of `report.json` (see `page_numbers.report_tree`).
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(["jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(short=short, hash=lambda text: text[:SHORT], count="{:,}".format)
    page = environment.get_template(TEMPLATE).render(
        run=run,
        # The last checkpoint is what the verdict is about.
        tables=[table(report) for report in reversed(run.reports)],
        stages=stages(run),
        stage_picture=stage_picture(run),
        choices=[label for label, _, _ in CHOICES],
        cost=cost_picture(run),
        losses=loss_pictures(run, tree),
        rl=rl_pictures(run, tree),
        mixes=[(mix, [_bar(*bar) for bar in bars(mix)]) for mix in run.mixes],
        samples=[(sample, pictures(sample)) for sample in run.samples],
        example=_example(run),
        timing=tree["timing"],
    )
    return page.encode("utf-8")


def short(value: float | None, unit: str = "") -> str:
    """A number for people.

    >>> short(0.5, "share"), short(12.345), short(1200.4), short(3e-5), short(None)
    ('0.500', '12.3', '1,200', '3e-05', 'none')
    """
    if value is None:
        return "none"
    if unit == "share":
        return f"{value:.3f}"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.3g}"


def table(report: Report) -> Table:
    """A report's metrics laid out; rows and groups in the report's order."""
    found: dict[tuple[str, str, str], dict[str, Metric]] = {}
    for metric in report.metrics:
        _, _, task, mode, group, name = metric.id.split(".")
        found.setdefault((task, group, mode), {})[name] = metric
    tasks = dict.fromkeys(task for task, _, _ in found)
    modes = tuple(dict.fromkeys(mode for _, _, mode in found))
    columns = tuple(name for name in COLUMNS if any(name in cell for cell in found.values()))
    columns += tuple(
        name
        for name in UNJUDGED
        if any(name in cell and cell[name].value for cell in found.values())
    )

    def pick(task: str, group: str, mode: str, name: str) -> Metric | None:
        return found.get((task, group, mode), {}).get(name)

    choices = [
        Choice(task, group, tuple(pick(task, group, mode, name) for _, mode, name in CHOICES))
        for task, group in dict.fromkeys((task, group) for task, group, _ in found)
        if group == "all" or group.startswith("domain-")
    ]
    rows = [
        Row(task, mode, tuple(pick(task, "all", mode, name) for name in columns))
        for task in tasks
        for mode in modes
    ]
    return Table(
        report,
        columns,
        tuple(row for row in rows if any(row.cells)),
        tuple(choice for choice in choices if any(choice.cells)),
        modes,
        tuple(
            (task, group, tuple(pick(task, group, mode, "accuracy") for mode in modes))
            for task, group in dict.fromkeys((task, group) for task, group, _ in found)
            if group != "all"
        ),
    )


def cost_picture(run: PageInput) -> Picture | None:
    """Accuracy against tokens of the last report; None when nothing has both."""
    if not run.reports:
        return None
    report, families = run.reports[-1], family_tasks(run)
    points = [point for point in _points(table(report)) if not families or point.task in families]
    if not points:
        return None
    told = ", ".join(
        f"{point.task} {point.mode} {point.accuracy[1]:.2f} at {point.tokens[1]:.0f} tokens"
        for point in points
    )
    return Picture(
        _uri(accuracy_against_tokens(points), "image/svg+xml"),
        f"Scatter plot of accuracy against generated tokens: {told}.",
        f"Checkpoint {report.checkpoint}; bars are 95 % intervals, a grey line joins the modes of "
        "a task that no cheaper one equals.",
    )


def stage_picture(run: PageInput) -> Picture | None:
    """What each stage gave the families, in one mode; None with fewer than two checkpoints."""
    drawn = stage_plot(run)
    if drawn is None:
        return None
    svg, mode = drawn
    names = [report.checkpoint for report in run.reports]
    return Picture(
        _uri(svg, "image/svg+xml"),
        f"Line plot of accuracy in mode {mode} after each checkpoint: {', '.join(names)}.",
        f"Mode {mode}, all items; intervals stand in the table.",
    )


def loss_pictures(run: PageInput, tree: Mapping[str, Any]) -> list[Picture]:
    """One loss curve per stage."""
    found = []
    for log in run.logs:
        curve = tree["curves"].get(f"{log.job}.loss")
        held_out = tree["curves"].get(f"{log.job}.validation.loss")
        if curve:
            found.append(_curve_picture(f"Stage {log.name}", "step", curve, held_out))
    return found


def rl_pictures(run: PageInput, tree: Mapping[str, Any]) -> list[Picture]:
    """Reward, clipped fraction and the terms of the reward over the updates."""
    if run.rl is None:
        return []
    return [
        _curve_picture("Reinforcement learning", "update", curve)
        for name, curve in tree["curves"].items()
        if name.startswith(f"{run.rl.job}.")
    ]


def pictures(sample: Sample) -> list[Picture]:
    """A sample's pictures, scaled down where they are large."""
    total = len(sample.images)
    return [
        Picture(_shown(data), f"Picture {index} of {total} of the question: {sample.question}")
        for index, data in enumerate(sample.images, start=1)
    ]


def _example(run: PageInput) -> str | None:
    """The first accuracy on the page."""
    metrics = run.reports[-1].metrics if run.reports else ()
    return next((metric.id for metric in metrics if metric.id.endswith(".all.accuracy")), None)


def _points(shown: Table) -> Iterator[Point]:
    if not {"accuracy", "tokens"} <= set(shown.columns):
        return
    for row in shown.rows:
        pair = [row.cells[shown.columns.index(name)] for name in ("accuracy", "tokens")]
        ranges = [_range(metric) for metric in pair if metric is not None]
        if len(ranges) == 2 and ranges[0] and ranges[1]:
            yield Point(row.task, row.mode, ranges[0], ranges[1])


def _range(metric: Metric) -> tuple[float, float, float] | None:
    if metric.value is None or metric.low is None or metric.high is None:
        return None
    return metric.low, metric.value, metric.high


def _curve_picture(
    title: str, x: str, curve: Mapping[str, Any], beside: Mapping[str, Any] | None = None
) -> Picture:
    """A curve, and another of the same unit in the same picture where there is one."""
    points: Sequence[tuple[float, float]] = curve["points"]
    label, (start, first), (end, last) = curve["label"], points[0], points[-1]
    lines, also = {label: points}, ""
    if beside:
        lines[beside["label"]] = beside["points"]
        also = f"; {beside['label']} {short(beside['points'][-1][1])} at the end"
    y = f"{label}, {curve['unit']}" if not beside else curve["unit"]
    plot = curves(lines, x, y, curve["unit"] == "share")
    return Picture(
        _uri(plot, "image/svg+xml"),
        f"Line plot of {label}, {title.lower()}: from {short(first)} at {x} {start} "
        f"to {short(last)} at {x} {end}{also}.",
        f"{title}: {label} {short(first)} → {short(last)} over {len(points)} points{also}.",
    )


def _bar(title: str, parts: Mapping[str, int]) -> Bar:
    total = sum(parts.values())
    return Bar(
        title,
        total,
        tuple(
            (name, count, 100 * count / total if total else 0.0, COLOURS[index % len(COLOURS)])
            for index, (name, count) in enumerate(parts.items())
        ),
    )


def _shown(data: bytes) -> str:
    """A picture as a data URI, scaled down to `SHOWN_PX` when it is larger."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        if image.format in ("PNG", "JPEG") and max(image.size) <= SHOWN_PX:
            return _uri(data, f"image/{image.format.lower()}")
        scaled = image.convert("RGB")
    scaled.thumbnail((SHOWN_PX, SHOWN_PX))
    target = io.BytesIO()
    scaled.save(target, "JPEG", quality=88)
    return _uri(target.getvalue(), "image/jpeg")


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
