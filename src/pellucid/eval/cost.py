"""What answers cost: quantiles of tokens and seconds, and the share of tokens spent on thinking.

Quantiles are nearest ranks. Only over all items of a task and mode: small groups have no 95th of a
hundred. Means of tokens stand among the measures of `metrics`.

Leaves out on purpose: prices and energy, which depend on where a model runs.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from pellucid.eval.metrics import Cell
from pellucid.eval.rows import Row
from pellucid.eval.stats import bootstrap_quantile, bootstrap_ratio, quantile
from pellucid.schema.report import Metric

METHOD = "cluster-bootstrap"

QUANTILES = {"p50": 0.5, "p95": 0.95}


def cost_metrics(found: Iterable[Cell]) -> Iterator[Metric]:
    """`tokens_p50`, `tokens_p95` and `thinking_share` of every task and mode."""
    for cell in found:
        if cell.group == "all":
            yield from _quantiles(cell, "tokens", "tokens", "")
            yield _thinking_share(cell)


def latency_metrics(timed: Sequence[Row], checkpoint: str, seed: int) -> Iterator[Metric]:
    """`latency_p50_s` and `latency_p95_s` of every task and mode, in seconds.

    Args:
        timed: lines of `timing/latency.jsonl`.
        checkpoint: name that metric ids carry.
        seed: of the intervals.
    """
    for task, mode in sorted({(row["task"], row["mode"]) for row in timed}):
        where = {"task": task, "mode": mode}
        inside = [row for row in timed if (row["task"], row["mode"]) == (task, mode)]
        cell = Cell(checkpoint, task, mode, "all", where, inside, seed)
        yield from _quantiles(cell, "seconds", "latency", "_s")


def _quantiles(cell: Cell, column: str, name: str, suffix: str) -> Iterator[Metric]:
    """Quantiles of a column over the rows that did not fail.

    Args:
        cell: the rows.
        column: tokens or seconds.
        name: first part of the metric's name.
        suffix: last part of it: "_s" for seconds, else empty.
    """
    values = [None if row["outcome"] == "failed" else float(row[column]) for row in cell.rows]
    kept = [(value, row["cluster"]) for value, row in zip(values, cell.rows, strict=True)
            if value is not None]  # fmt: skip
    numbers, clusters = [value for value, _ in kept], [cluster for _, cluster in kept]
    unit = "s" if suffix == "_s" else column
    for label, share in QUANTILES.items():
        full = f"{name}_{label}{suffix}"
        bounds = bootstrap_quantile(numbers, share, clusters, cell.draw_seed(full))
        value = quantile(numbers, share) if numbers else None
        yield cell.metric(full, values, unit, (bounds, METHOD), value)


def _thinking_share(cell: Cell) -> Metric:
    """Thinking tokens over all tokens: a ratio of sums, so long answers weigh more."""
    name = "thinking_share"
    # An answer without tokens has no share to speak of.
    kept = [row for row in cell.rows if row["outcome"] != "failed" and row["tokens"]]
    above = [float(row["thinking_tokens"]) for row in kept]
    below = [float(row["tokens"]) for row in kept]
    clusters = [row["cluster"] for row in kept]
    bounds = bootstrap_ratio(above, below, clusters, cell.draw_seed(name))
    value = math.fsum(above) / math.fsum(below) if kept else None
    values = [
        None if row["outcome"] == "failed" or not row["tokens"]
        else row["thinking_tokens"] / row["tokens"]
        for row in cell.rows
    ]  # fmt: skip
    return cell.metric(name, values, "share", (bounds, METHOD), value)
