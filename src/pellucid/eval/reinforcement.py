"""What an RL job says of itself, as metrics: what it gained, how it moved, what it was asked.

    <job>.probe.before, .after, .gain       accuracy on held-out prompts
    <job>.clipped.mean                      of the updates after the first of a batch
    <job>.truncated.mean                    of all rollouts
    <job>.pass_rate.<decision>              prompts of RL's mix

An item of the probe is a prompt, with the mean of its answers. `Metric.rows` selects rows of
`probe.parquet`, of the log, or of `pass_rates.parquet`. Leaves out on purpose: the curves, which
`page_numbers` makes.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pellucid.base.hashing import canonical_json
from pellucid.base.interval import Interval
from pellucid.base.seeds import derive
from pellucid.eval.pairs import METHOD, Pairs, of_pairs
from pellucid.eval.rows import Row, select
from pellucid.eval.stats import bootstrap_mean, bootstrap_ratio
from pellucid.schema.report import Metric

TABLES = {"probe": "probe.parquet", "pass_rate": "pass_rates.parquet"}
"""File of an RL job by the second part of a metric's id; the log where there is none."""

Prompts = Mapping[tuple[str, str], Sequence[Row]]
"""Answers to each prompt, by record and mode."""


def probe_metrics(job: str, rows: Sequence[Row], seed: int) -> Iterator[Metric]:
    """Accuracy before and after, and the gain prompt by prompt.

    Args:
        job: name of the RL job.
        rows: of its probe; none gives no metric.
        seed: of the intervals.
    """
    if not rows:
        return
    before, after = (_prompts(select(rows, {"when": when})) for when in ("before", "after"))
    assert before.keys() == after.keys(), "a probe asks the same prompts twice"
    for when, prompts in (("before", before), ("after", after)):
        found = _pairs(prompts, [_mean(answers) for answers in prompts.values()])
        yield _measured(f"{job}.probe.{when}", found, seed, {"when": when}, "cluster-bootstrap")
    sides = zip(before.values(), after.values(), strict=True)
    gains = [_difference(_mean(new), _mean(old)) for old, new in sides]
    yield _measured(f"{job}.probe.gain", _pairs(before, gains), seed, {}, METHOD)


def log_metrics(job: str, lines: Sequence[Row], seed: int) -> Iterator[Metric]:
    """Clipped fraction and truncation over the whole job, with rollout batches as clusters.

    Args:
        job: name of the RL job.
        lines: its log.
        seed: of the intervals.
    """
    where = {"first": False}
    later = [line for line in select(lines, where) if line["clipped"] is not None]
    if later:
        id, values = f"{job}.clipped.mean", [line["clipped"] for line in later]
        bounds = bootstrap_mean(values, _batches(later), derive(seed, id))
        mean = math.fsum(values) / len(values)
        yield _metric(id, mean, bounds, (len(later), len(later)), seed, where)
    if lines:
        id, counts = f"{job}.truncated.mean", [line["rollouts"] for line in lines]
        cut = [line["truncated"] * line["rollouts"] for line in lines]
        bounds = bootstrap_ratio(cut, counts, _batches(lines), derive(seed, id))
        total = sum(counts)
        yield _metric(id, math.fsum(cut) / total, bounds, (total, total), seed, {})


def pass_rate_metrics(job: str, rows: Sequence[Row]) -> Iterator[Metric]:
    """How many prompts were kept, and how many left out for which reason."""
    for decision, count in sorted(Counter(row["decision"] for row in rows).items()):
        where = canonical_json({"decision": decision}).decode()
        yield Metric(
            f"{job}.pass_rate.{decision}", count, count, count, len(rows), len(rows), 0, 0,
            "count", 0, "prompts", rows=where,
        )  # fmt: skip


def _prompts(rows: Sequence[Row]) -> Prompts:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["record"], row["mode"]), []).append(row)
    return dict(sorted(found.items()))


def _pairs(prompts: Prompts, values: Sequence[float | None]) -> Pairs:
    """One value per prompt; None where no answer was scored."""
    failed = [all(row["outcome"] == "failed" for row in answers) for answers in prompts.values()]
    return Pairs(
        tuple("/".join(key) for key in prompts),
        tuple(answers[0]["cluster"] for answers in prompts.values()),
        tuple(values),
        sum(lost and value is None for lost, value in zip(failed, values, strict=True)),
    )


def _measured(id: str, pairs: Pairs, seed: int, where: Mapping[str, Any], method: str) -> Metric:
    found = of_pairs(id, pairs, derive(seed, id))
    counts = (found.n, found.scored, found.failed)
    bounds = None if found.low is None or found.high is None else Interval(found.low, found.high)
    return _metric(id, found.value, bounds, counts, seed, where, method)


def _metric(
    id: str,
    value: float | None,
    bounds: Interval | None,
    counts: tuple[int, ...],
    seed: int,
    where: Mapping[str, Any],
    method: str = "cluster-bootstrap",
) -> Metric:
    """A metric; `counts` are n, scored, and failed where some are."""
    n, scored, failed = (*counts, 0)[:3]
    return Metric(
        id=id,
        value=value,
        low=None if bounds is None else bounds.low,
        high=None if bounds is None else bounds.high,
        n=n,
        scored=scored,
        unscored=n - scored - failed,
        failed=failed,
        method=method,
        seed=seed,
        rows=canonical_json(where).decode(),
    )


def _mean(answers: Sequence[Row]) -> float | None:
    scores = [row["accuracy"] for row in answers if row["accuracy"] is not None]
    return math.fsum(scores) / len(scores) if scores else None


def _difference(new: float | None, old: float | None) -> float | None:
    return None if new is None or old is None else new - old


def _batches(lines: Sequence[Row]) -> list[str]:
    return [str(line["batch"]) for line in lines]
