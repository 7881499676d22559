"""What each stage gave: accuracy after every evaluated checkpoint, with the baselines beside it.

Families come first; withheld combinations and what is only shown stand in tables of their own. A
pool shows its members' mean and lowest. A baseline needs no stage: `majority` always gives the most
frequent training answer of a record task, `blank` is the last checkpoint's answer over grey
pictures.

Leaves out on purpose: costs and comparisons of modes, which stand with each checkpoint.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pellucid.eval.page_input import PageInput, TaskLine
from pellucid.eval.plots import stages as plot
from pellucid.schema.report import Metric

_KINDS = ("family", "withheld", "shown")
_POOLED = {"mean_accuracy": "mean of tasks", "min_accuracy": "lowest task"}

Found = Mapping[tuple[str, str, str, str], Metric]
"""(checkpoint, task, mode, name) -> metric over all items."""


class StageRow(NamedTuple):
    """One line of a table of stages."""

    task: str
    mode: str
    note: str
    """What the number is, where it is no plain accuracy."""
    cells: tuple[Metric | None, ...]
    """After each checkpoint."""
    majority: Metric | None
    blank: Metric | None


class Stages(NamedTuple):
    """Tables of stages by kind of task."""

    checkpoints: tuple[str, ...]
    tables: tuple[tuple[str, tuple[StageRow, ...]], ...]
    """(kind, rows); kinds without rows are left out."""


def stages(run: PageInput) -> Stages:
    """The tables of a run; empty where no task is told of or nothing was evaluated."""
    found = _found(run)
    checkpoints = tuple(report.checkpoint for report in run.reports)
    tables = [
        (kind, tuple(row for line in _lines(run, kind) for row in _rows(line, checkpoints, found)))
        for kind in _KINDS
    ]
    return Stages(checkpoints, tuple((kind, rows) for kind, rows in tables if rows))


def stage_plot(run: PageInput) -> tuple[bytes, str] | None:
    """Accuracy of every family over the checkpoints in one mode (`auto` where it was asked).

    Returns:
        The SVG and the mode; None with fewer than two checkpoints.
    """
    shown = stages(run)
    rows = next((rows for kind, rows in shown.tables if kind == "family"), ())
    if not rows or len(shown.checkpoints) < 2:
        return None
    modes = sorted({row.mode for row in rows})
    series = {
        f"{row.task} ({row.note})" if row.note else row.task: [
            None if cell is None else cell.value for cell in row.cells
        ]
        for row in rows
        if row.mode == modes[0] and row.note != _POOLED["min_accuracy"]
    }
    return plot(series, shown.checkpoints, "accuracy"), modes[0]


def family_tasks(run: PageInput) -> set[str]:
    """Names of the tasks that are families, pools left out."""
    return {line.name for line in run.tasks if line.kind == "family" and not line.pool}


def _found(run: PageInput) -> Found:
    found = {}
    for report in run.reports:
        for metric in report.metrics:
            _, _, task, mode, group, name = metric.id.split(".")
            if group == "all":
                found[report.checkpoint, task, mode, name] = metric
    return found


def _lines(run: PageInput, kind: str) -> list[TaskLine]:
    """Tasks of a kind, pools last."""
    return sorted((line for line in run.tasks if line.kind == kind), key=lambda line: line.pool)


def _rows(line: TaskLine, checkpoints: Sequence[str], found: Found) -> Iterator[StageRow]:
    """One row for each mode; two for each mode of a pool."""
    modes = sorted({mode for _, task, mode, _ in found if task == line.name})
    for name in _POOLED if line.pool else ("accuracy",):
        for mode in modes:
            cells = tuple(found.get((one, line.name, mode, name)) for one in checkpoints)
            told = _last(checkpoints, found, line.name, mode, "majority")
            blank = _last(checkpoints, found, line.blank, mode, "accuracy")
            note = _POOLED.get(name, "")
            yield StageRow(line.name, mode, note, cells, None if line.pool else told, blank)


def _last(
    checkpoints: Sequence[str], found: Found, task: str, mode: str, name: str
) -> Metric | None:
    """A metric after the last checkpoint that has it."""
    told = [found.get((checkpoint, task, mode, name)) for checkpoint in checkpoints]
    return next((metric for metric in reversed(told) if metric is not None), None)
