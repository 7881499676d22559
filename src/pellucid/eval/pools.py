"""What only a pool of tasks has: the mean over its tasks, each weighing the same, and the lowest.

    mean_accuracy  unweighted mean of the members' accuracies
    min_accuracy   the lowest of them; its bounds are the lowest of the members' bounds, so that its
                   lower bound holds whichever member is truly the lowest

Groups that only one member has items of have neither. A member whose items were all left unscored
leaves both without a value: a mean over the others would be another number.
"""

from collections.abc import Iterable, Iterator

from pellucid.base.interval import Interval
from pellucid.eval.metrics import MEASURES, Cell, mean_interval, measured
from pellucid.eval.stats import bootstrap_mean_of_means
from pellucid.schema.report import Metric

ACCURACY = MEASURES["accuracy"]
METHOD, LEAST = "cluster-bootstrap", "least-wilson"


def pool_metrics(found: Iterable[Cell]) -> Iterator[Metric]:
    """Mean and lowest accuracy of the members, for every cell of a pool."""
    for cell in found:
        present = {row["task"] for row in cell.rows}
        if len(present) < 2:
            continue
        values = measured(cell.rows, ACCURACY)
        kept = [
            (value, row["cluster"], row["task"])
            for value, row in zip(values, cell.rows, strict=True)
            if value is not None
        ]
        parts = {
            task: [(value, cluster) for value, cluster, of in kept if of == task]
            for task in sorted(present)
        }
        whole = all(parts.values())
        means = [sum(value for value, _ in part) / len(part) for part in parts.values() if part]
        bounds = None
        if whole:
            bounds = bootstrap_mean_of_means(
                [value for value, _, _ in kept],
                [cluster for _, cluster, _ in kept],
                [task for _, _, task in kept],
                cell.draw_seed("mean_accuracy"),
            )
        mean = sum(means) / len(means) if whole else None
        yield cell.metric("mean_accuracy", values, "share", (bounds, METHOD), mean, judged=True)
        lowest = _lowest(parts) if whole else None
        least = min(means) if whole else None
        yield cell.metric("min_accuracy", values, "share", (lowest, LEAST), least, judged=True)


def _lowest(parts: dict[str, list[tuple[float, str]]]) -> Interval:
    """The lowest of the bounds of some shares."""
    found = []
    for part in parts.values():
        numbers, clusters = [value for value, _ in part], [cluster for _, cluster in part]
        bounds, _ = mean_interval(numbers, clusters, "share", 0)
        assert bounds is not None, "a share of some items has an interval"
        found.append(bounds)
    return Interval(min(bounds.low for bounds in found), min(bounds.high for bounds in found))
