"""Paired comparisons: two sets of answers to the same items, item by item.

What both sides find easy or hard cancels out, so a pair of runs tells more than two intervals do.
When all differences agree the bootstrap has no width; whoever decides on it has to widen it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import pick
from pellucid.base.seeds import derive
from pellucid.eval.metrics import MEASURES, Measure, measured
from pellucid.eval.rows import Row, select
from pellucid.eval.stats import bootstrap_mean
from pellucid.schema.report import Metric

METHOD = "paired-cluster-bootstrap"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Differences, new minus old, by item; items sorted."""

    items: tuple[str, ...]
    clusters: tuple[str, ...]
    differences: tuple[float | None, ...]
    """None where one side does not count."""
    failed: int
    """Items that the generator could not finish on one side or both."""


def paired(
    new: Sequence[Row], old: Sequence[Row], measure: Measure = MEASURES["accuracy"]
) -> Pairs:
    """Differences of a measure on the same items, whatever their order.

    Args:
        new: rows of one mode, one for each item.
        old: rows of one mode, for the same items.
        measure: of a row; one that depends on the scorer asks for equal scorers.

    Raises:
        UserError: the items differ, one stands twice, or scorers differ.
    """
    ours, theirs = _by_item(new, "new"), _by_item(old, "old")
    lone = sorted(set(ours) ^ set(theirs))
    if lone:
        rule = f"stands on one side only ({len(lone)} such items)"
        raise UserError(Problem("item", lone[0], rule, "evaluate both on the same items"))
    items = tuple(sorted(ours))
    changed = [item for item in items if ours[item]["scorer_hash"] != theirs[item]["scorer_hash"]]
    if measure.judged and changed:
        rule = f"was scored by different rules ({len(changed)} such items)"
        raise UserError(Problem("item", changed[0], rule, "rescore both with the same scorers"))
    sides = [[side[item] for item in items] for side in (ours, theirs)]
    differences = tuple(
        None if after is None or before is None else after - before
        for after, before in zip(*(measured(rows, measure) for rows in sides), strict=True)
    )
    failed = sum("failed" in (a["outcome"], b["outcome"]) for a, b in zip(*sides, strict=True))
    return Pairs(items, tuple(row["cluster"] for row in sides[0]), differences, failed)


def difference(
    new: Metric, old: Metric, new_rows: Sequence[Row], old_rows: Sequence[Row], seed: int
) -> Metric:
    """The difference of one measure between two checkpoints or modes, new minus old.

    Args:
        new: metric of the one; its name is one of `MEASURES`.
        old: metric of the other, of the same name.
        new_rows: rows of the evaluation that `new` comes from.
        old_rows: rows of the evaluation that `old` comes from.
        seed: of the interval.

    Returns:
        A metric with the unit, scorer hash and row columns of `new`.

    Raises:
        UserError: the two are not the same measure, or their rows are no pairs.
    """
    name, other = (metric.id.rpartition(".")[2] for metric in (new, old))
    if name != other:
        rule = f"and {old.id} are not the same measure"
        raise UserError(Problem("metric", new.id, rule, "compare metrics of one name"))
    measure = pick(MEASURES, name, "metric")
    pairs = paired(select(new_rows, new.rows), select(old_rows, old.rows), measure)
    draw_seed = derive(seed, new.id, old.id)
    found = of_pairs(f"{new.id} - {old.id}", pairs, draw_seed, measure.unit)
    return replace(found, seed=seed, scorer_hash=new.scorer_hash, rows=new.rows)


def of_pairs(id: str, pairs: Pairs, draw_seed: int, unit: str = "share") -> Metric:
    """The mean difference, with an interval from drawing whole clusters of items.

    Args:
        id: of the metric.
        pairs: at least one.
        draw_seed: of the draws.
        unit: of the differences.
    """
    kept = [
        (value, cluster)
        for value, cluster in zip(pairs.differences, pairs.clusters, strict=True)
        if value is not None
    ]
    numbers = [value for value, _ in kept]
    bounds = bootstrap_mean(numbers, [cluster for _, cluster in kept], draw_seed)
    return Metric(
        id=id,
        value=math.fsum(numbers) / len(numbers) if numbers else None,
        low=None if bounds is None else bounds.low,
        high=None if bounds is None else bounds.high,
        n=len(pairs.items),
        scored=len(numbers),
        unscored=len(pairs.items) - len(numbers) - pairs.failed,
        failed=pairs.failed,
        method=METHOD,
        seed=draw_seed,
        unit=unit,
    )


def _by_item(rows: Sequence[Row], side: str) -> dict[str, Row]:
    found = {row["item"]: row for row in rows}
    if len(found) != len(rows):
        rule = f"has {len(rows)} rows for {len(found)} items"
        raise UserError(Problem(f"{side} rows", len(rows), rule, "choose one mode"))
    return found
