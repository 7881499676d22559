"""Rows to metrics: how right, how long, how often cut off, for each task, mode and group of items.

Ids are `eval.<checkpoint>.<task>.<mode>.<group>.<name>`. A group is `all`, `domain-<domain>`, or
`task-<the records' task>`; what is not a letter, digit, `_` or `-` in it is written `%2E`. A pool
counts the rows of its members again, in the modes that all of them were asked in.

Counts of every metric: n = scored + unscored + failed. `scored` rows are what the value is made of,
`failed` rows are those that the generator could not finish, `unscored` the rest (for an accuracy:
unscored and undecided ones). Nothing that is unscored counts as 0.

Shares get Wilson's interval, with the effective number of items where items share a cluster
("wilson-clustered"); means get a cluster bootstrap.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from pellucid.base.hashing import canonical_json, hash_json
from pellucid.base.interval import Interval, wilson
from pellucid.base.seeds import derive
from pellucid.eval.rows import Row
from pellucid.eval.stats import bootstrap_mean, effective_n
from pellucid.schema.report import Metric


class Measure(NamedTuple):
    """One number of a row."""

    of: Callable[[Row], float | None]
    """None when the row does not count."""
    unit: str = "share"
    judged: bool = False
    """Whether it depends on the scorer."""


MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure(lambda row: row["score"], judged=True),
    "majority": Measure(lambda row: row["majority"], judged=True),
    "truncated": Measure(lambda row: float(row["outcome"] == "truncated")),
    "malformed": Measure(lambda row: float(row["outcome"] == "malformed")),
    "chose_think": Measure(lambda row: float(row["chosen"] == "think")),
    "undecided": Measure(lambda row: float(row["status"] == "undecided"), judged=True),
    "unscored": Measure(lambda row: float(row["status"] == "unscored"), judged=True),
    "tokens": Measure(lambda row: float(row["tokens"]), "tokens"),
    "thinking_tokens": Measure(lambda row: float(row["thinking_tokens"]), "tokens"),
}
"""Measures of a row by the last part of the metric's id."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Rows of one task or pool, mode and group of one checkpoint."""

    checkpoint: str
    task: str
    mode: str
    group: str
    where: Mapping[str, Any]
    """Columns and values that select `rows`."""
    rows: Sequence[Row]
    seed: int
    members: tuple[str, ...] = ()
    """Tasks of a pool; empty for a task."""

    def metric(
        self,
        name: str,
        values: Sequence[float | None],
        unit: str,
        interval: tuple[Interval | None, str],
        value: float | None,
        judged: bool = False,
    ) -> Metric:
        """A metric with its counts.

        Args:
            name: last part of the id.
            values: one per row; None does not count.
            unit: of the value.
            interval: bounds, and the method in words.
            value: the aggregate.
            judged: whether it depends on the scorers.
        """
        scored = sum(value is not None for value in values)
        failed = sum(row["outcome"] == "failed" for row in self.rows)
        bounds, method = interval
        return Metric(
            id=f"eval.{self.checkpoint}.{self.task}.{self.mode}.{self.group}.{name}",
            value=value,
            low=None if bounds is None else bounds.low,
            high=None if bounds is None else bounds.high,
            n=len(self.rows),
            scored=scored,
            unscored=len(self.rows) - scored - failed,
            failed=failed,
            method=method,
            seed=self.seed,
            unit=unit,
            scorer_hash=scorer_hashes(self.rows) if judged else "",
            rows=canonical_json(self.where).decode(),
        )

    def draw_seed(self, name: str) -> int:
        """Seed of a bootstrap; the same for every checkpoint."""
        return derive(self.seed, self.task, self.mode, self.group, name)


def row_metrics(found: Iterable[Cell]) -> Iterator[Metric]:
    """Every measure of `MEASURES` for every cell."""
    for cell in found:
        for name, measure in MEASURES.items():
            yield mean_metric(cell, name, measure)


def cells(
    rows: Sequence[Row],
    checkpoint: str,
    seed: int,
    pools: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Cell]:
    """Rows by task or pool, mode and group, in sorted order; groups overlap.

    Args:
        rows: of one checkpoint.
        checkpoint: name that metric ids carry.
        seed: of the intervals.
        pools: sorted tasks of each pool, by the pool's name.
    """
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        parts.setdefault((row["task"], row["mode"]), []).append(row)
    names: dict[str, tuple[str, ...]] = {task: (task,) for task, _ in parts}
    names |= {pool: tuple(tasks) for pool, tasks in (pools or {}).items()}
    modes = sorted({mode for _, mode in parts})
    for name, mode in ((name, mode) for name in sorted(names) for mode in modes):
        tasks = names[name]
        if any((task, mode) not in parts for task in tasks):
            continue
        chosen = [row for task in tasks for row in parts[task, mode]]
        pooled = name in (pools or {})
        for group, where in groups(chosen):
            inside = [row for row in chosen if all(row[k] == v for k, v in where.items())]
            columns = {"task": list(tasks) if pooled else name, "mode": mode, **where}
            members = tasks if pooled else ()
            yield Cell(checkpoint, name, mode, group, columns, inside, seed, members)


def groups(rows: Sequence[Row]) -> list[tuple[str, dict[str, str]]]:
    """Names of the groups of some rows, each with the columns that select it.

    >>> groups([{"domain": "charts", "record_task": "sum.v2"}])[1:]
    [('domain-charts', {'domain': 'charts'}), ('task-sum%2Ev2', {'record_task': 'sum.v2'})]
    """
    found: list[tuple[str, dict[str, str]]] = [("all", {})]
    for prefix, column in (("domain", "domain"), ("task", "record_task")):
        for value in sorted({row[column] for row in rows}):
            label = quote(value, safe="").replace(".", "%2E").replace("~", "%7E")
            found.append((f"{prefix}-{label}", {column: value}))
    return found


def mean_metric(cell: Cell, name: str, measure: Measure) -> Metric:
    """The mean of a measure over the rows that did not fail."""
    values = measured(cell.rows, measure)
    kept = [(value, row["cluster"]) for value, row in zip(values, cell.rows, strict=True)
            if value is not None]  # fmt: skip
    numbers, clusters = [value for value, _ in kept], [cluster for _, cluster in kept]
    mean = math.fsum(numbers) / len(numbers) if numbers else None
    interval = mean_interval(numbers, clusters, measure.unit, cell.draw_seed(name))
    return cell.metric(name, values, measure.unit, interval, mean, measure.judged)


def measured(rows: Sequence[Row], measure: Measure) -> list[float | None]:
    """A measure of every row; None for rows that failed or do not count."""
    return [None if row["outcome"] == "failed" else measure.of(row) for row in rows]


def scorer_hashes(rows: Sequence[Row]) -> str:
    """The rows' scorer hash; the hash of the sorted hashes where they have several."""
    found = sorted({row["scorer_hash"] for row in rows})
    return found[0] if len(found) == 1 else hash_json(found)


def mean_interval(
    numbers: Sequence[float], clusters: Sequence[str], unit: str, seed: int
) -> tuple[Interval | None, str]:
    """The interval of a mean and its method: Wilson's for shares, else a cluster bootstrap."""
    if unit != "share":
        return (bootstrap_mean(numbers, clusters, seed) if numbers else None), "cluster-bootstrap"
    method = "wilson" if len(set(clusters)) == len(numbers) else "wilson-clustered"
    if not numbers:
        return None, method
    mean = math.fsum(numbers) / len(numbers)
    return wilson(mean, effective_n(numbers, clusters)), method
