"""The checks of a gate: one pure function each, over metrics that are already measured.

A check passes only when the whole interval lies on the right side of its line, and fails only when
the whole interval lies on the wrong side; everything between, and everything missing, is
INCONCLUSIVE with the number of items that would probably decide it.

Leaves out on purpose: making intervals. Paired differences (paired by item, resampled by cluster)
and the count of known records are measured where the rows are and handed in as metrics.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pellucid.recipe.release import (
    BetterCheck,
    CeilingCheck,
    FloorCheck,
    NoOverlapCheck,
    NoRegressionCheck,
)
from pellucid.schema.report import Metric
from pellucid.schema.verdict import CheckResult, Outcome

Metrics = Mapping[str, Metric]
Pairs = Mapping[tuple[str, str], Metric]
"""(new metric id, baseline metric id) -> metric of the difference new minus baseline."""
CheckFunction = Callable[[str, Any, Metrics, Pairs], CheckResult]

OVERLAP = "release.overlap"
"""Id of the number of test records that the model learnt from; measured for the gate alone."""
MAX_UNSCORED_SHARE = 0.05
"""With more unscored and failed items than this, the rest may not speak for all."""
TAIL = 0.025
"""Probability on either side of a 95 % interval."""
TOUCHING = 1e-9
"""A value this near to a line lies on it."""


def floor(name: str, options: FloorCheck, metrics: Metrics, pairs: Pairs) -> CheckResult:
    """PASS when the interval's lower bound reaches the floor.

    Args:
        name: of the check in the policy.
        options: which metric, how high the floor is.
        metrics: all that was measured, by id.
        pairs: not read.
    """
    metric = metrics.get(options.metric)
    fault = _fault(metric, options.metric)
    if metric is None or fault:
        return _undecided(name, options.kind, fault, (options.metric,))
    low, high = _interval(metric)
    outcome = _above(low, high, options.at_least)
    why = f"{_numbers(metric, low, high)}; the floor is {_short(options.at_least)}"
    return _result(name, options.kind, outcome, why, metric, options.at_least)


def ceiling(name: str, options: CeilingCheck, metrics: Metrics, pairs: Pairs) -> CheckResult:
    """PASS when the interval's upper bound stays at or under the ceiling.

    Args:
        name: of the check in the policy.
        options: which metric, how low the ceiling is.
        metrics: all that was measured, by id.
        pairs: not read.
    """
    metric = metrics.get(options.metric)
    fault = _fault(metric, options.metric)
    if metric is None or fault:
        return _undecided(name, options.kind, fault, (options.metric,))
    low, high = _interval(metric)
    outcome = _above(-high, -low, -options.at_most)
    why = f"{_numbers(metric, low, high)}; the ceiling is {_short(options.at_most)}"
    return _result(name, options.kind, outcome, why, metric, options.at_most)


def no_regression(
    name: str, options: NoRegressionCheck, metrics: Metrics, pairs: Pairs
) -> CheckResult:
    """PASS when the paired difference, new minus baseline, is surely no worse than -margin.

    Both metrics and their difference must cover the same items under one scorer hash.

    Args:
        name: of the check in the policy.
        options: the two metrics and the margin.
        metrics: all that was measured, by id.
        pairs: paired differences by (new id, baseline id).
    """
    told = f"the margin is {_short(options.margin)}"
    sides = (options.metric, options.baseline)
    return _paired((name, options.kind), sides, -options.margin, told, metrics, pairs)


def better(name: str, options: BetterCheck, metrics: Metrics, pairs: Pairs) -> CheckResult:
    """PASS when the paired difference, metric minus `than`, surely reaches `by`.

    Both metrics and their difference must cover the same items under one scorer hash.

    Args:
        name: of the check in the policy.
        options: the two metrics and the smallest difference.
        metrics: all that was measured, by id.
        pairs: paired differences by (id, other id).
    """
    told = f"it must be better by {_short(options.by)}"
    sides = (options.metric, options.than)
    return _paired((name, options.kind), sides, options.by, told, metrics, pairs)


def no_overlap(name: str, options: NoOverlapCheck, metrics: Metrics, pairs: Pairs) -> CheckResult:
    """PASS when no test record stands in what the model learnt from. The count is exact.

    Args:
        name: of the check in the policy.
        options: nothing to set.
        metrics: all that was measured; the count stands under `OVERLAP`.
        pairs: not read.
    """
    metric = metrics.get(OVERLAP)
    if metric is None or metric.n <= 0:
        fault = f"{OVERLAP} was not measured" if metric is None else "there is no test record"
        return _undecided(name, options.kind, fault, (OVERLAP,))
    if metric.value is None or metric.scored != metric.n:
        fault = "what the first checkpoint was trained on is not known: it lists no pictures"
        return _undecided(name, options.kind, fault, (OVERLAP,))
    outcome: Outcome = "PASS" if metric.value == 0 else "FAIL"
    why = f"{_short(metric.value)} of {metric.n} test records stand in what the model learnt from"
    return CheckResult(name, options.kind, outcome, why, (OVERLAP,))


CHECKS: dict[str, CheckFunction] = {
    "floor": floor,
    "ceiling": ceiling,
    "no_regression": no_regression,
    "better": better,
    "no_overlap": no_overlap,
}


def needed_items(n: int, value: float, line: float, low: float, high: float) -> int | None:
    """Items that would probably bring the whole interval to one side of the line.

    Width falls with the square root of n; the value is taken to stay where it is.

    >>> needed_items(100, value=0.6, line=0.5, low=0.4, high=0.8)
    400

    Returns:
        None when the value lies on the line: no number of items would decide it.
    """
    distance = abs(value - line)
    half = value - low if value >= line else high - value
    if distance < TOUCHING or half <= 0:
        return None
    return max(n + 1, math.ceil(n * (half / distance) ** 2 - 1e-9))


def _paired(
    check: tuple[str, str],
    sides: tuple[str, str],
    line: float,
    told: str,
    metrics: Metrics,
    pairs: Pairs,
) -> CheckResult:
    """A check of a paired difference against a line.

    Args:
        check: its name and kind.
        sides: ids of the new metric and of the other.
        line: what the lower bound must reach.
        told: the line in words.
        metrics: all that was measured, by id.
        pairs: paired differences.
    """
    new, old = metrics.get(sides[0]), metrics.get(sides[1])
    difference = pairs.get(sides)
    fault = (
        _fault(new, sides[0])
        or _fault(old, sides[1])
        or _fault(difference, f"the paired difference of {sides[0]} and {sides[1]}")
    )
    if new is None or old is None or difference is None or fault:
        return _undecided(*check, fault, sides)
    fault = _unpaired(new, old, difference)
    if fault:
        return _undecided(*check, fault, sides)
    low, high = _interval(difference)
    outcome = _above(low, high, line)
    why = (
        f"{_short(new.value)} against {_short(old.value)}: "
        f"{_numbers(difference, low, high)}; {told}"
    )
    result = _result(*check, outcome, why, difference, line)
    return replace(result, evidence=sides)


def _above(low: float, high: float, line: float) -> Outcome:
    if low >= line:
        return "PASS"
    return "FAIL" if high < line else "INCONCLUSIVE"


def _fault(metric: Metric | None, name: str) -> str:
    """Why a metric cannot be judged; empty when it can."""
    if metric is None:
        return f"{name} was not measured"
    if metric.scored <= 0 or metric.value is None:
        return f"{name} has no scored item (n={metric.n})"
    if metric.low is None or metric.high is None:
        return f"{name} has no interval"
    numbers = (metric.low, metric.value, metric.high)
    # A bootstrap interval may leave out its own mean; it may not end before it begins.
    if not all(math.isfinite(number) for number in numbers) or metric.low > metric.high:
        return f"{name} has an impossible interval {numbers}"
    lost = metric.n - metric.scored
    if lost > MAX_UNSCORED_SHARE * metric.n:
        return (
            f"{name} lacks a score for {lost} of {metric.n} items "
            f"({metric.unscored} unscored, {metric.failed} failed); "
            f"at most {MAX_UNSCORED_SHARE:.0%} may"
        )
    return ""


def _unpaired(new: Metric, old: Metric, difference: Metric) -> str:
    """Why two metrics are no pair; empty when they are."""
    hashes = {new.scorer_hash, old.scorer_hash, difference.scorer_hash}
    if len(hashes) > 1:
        shown = ", ".join(sorted(value[:12] or "none" for value in hashes))
        return f"the two sides were scored by different rules ({shown})"
    if not new.n == old.n == difference.n:
        return (
            f"the two sides do not cover the same items "
            f"(new n={new.n}, baseline n={old.n}, paired n={difference.n})"
        )
    return ""


def _interval(metric: Metric) -> tuple[float, float]:
    """The metric's bounds; a bootstrapped share's are widened to what n items can show at best.

    Resampling items that all agree gives a width of 0, however few they are. With n items alike, a
    share of up to 1 - 0.025 ** (1 / n) that differs stays possible (Clopper-Pearson).
    """
    assert metric.value is not None and metric.low is not None and metric.high is not None
    if not _resampled(metric):
        return metric.low, metric.high
    slack = 1 - TAIL ** (1 / metric.scored)
    return min(metric.low, metric.value - slack), max(metric.high, metric.value + slack)


def _resampled(metric: Metric) -> bool:
    return metric.unit == "share" and "bootstrap" in metric.method


def _numbers(metric: Metric, low: float, high: float) -> str:
    return (
        f"{_short(metric.value)} [{_short(low)}, {_short(high)}] "
        f"over {metric.scored} items ({metric.method}, seed {metric.seed})"
    )


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _result(
    name: str,
    kind: str,
    outcome: Outcome,
    why: str,
    metric: Metric,
    line: float,
) -> CheckResult:
    needed = None
    if outcome == "INCONCLUSIVE":
        needed = _needed(metric, line)
        why += f"; about {needed} items would decide it" if needed else "; no count would decide it"
    return CheckResult(name, kind, outcome, why, (metric.id,), needed)


def _needed(metric: Metric, line: float) -> int | None:
    """Items after which neither the interval's own width nor the widening reaches the line."""
    assert metric.value is not None and metric.low is not None and metric.high is not None
    distance = abs(metric.value - line)
    if distance < TOUCHING:
        return None
    wide = needed_items(metric.scored, metric.value, line, metric.low, metric.high)
    # 1 - TAIL ** (1 / n) shrinks with n, not with its root.
    alike = math.log(TAIL) / math.log1p(-distance) if _resampled(metric) and distance < 1 else 0
    return max(metric.scored + 1, wide or 0, math.ceil(alike))


def _undecided(name: str, kind: str, fault: str, evidence: tuple[str, ...]) -> CheckResult:
    return CheckResult(name, kind, "INCONCLUSIVE", fault, evidence)
