"""Every number of the report under a stable id: the tree of `report.json`.

    numbers   id -> value, interval, counts, method, seed, and the job whose artifact it came from
    curves    id -> points (step, value) and the job
    timing    seconds and latencies: the only part that differs from run to run

Ids: a metric keeps its own; `release.<check>.difference` and `release.overlap` for what the gate
measured; `mix.<name>.<count>`, `<job>.<series>` for curves, and `<job>.<series>.last` for where a
curve ends.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from pellucid.base.hashing import hash_bytes
from pellucid.eval.page_input import MixLine, PageInput, Sample, TrainingLog
from pellucid.schema.report import Metric

FORMAT = 1


class Series(NamedTuple):
    """One key of a step log that is worth a curve."""

    key: str
    """Dotted where it stands inside another."""
    label: str
    unit: str


TRAINING = (
    Series("loss", "training loss", "nats per token"),
    Series("validation.loss", "validation loss", "nats per token"),
)
REINFORCEMENT = (
    Series("reward", "mean reward", "score"),
    Series("clipped", "clipped fraction", "share"),
)


def report_tree(run: PageInput) -> dict[str, Any]:
    """Plain values for `report.json`."""
    return {
        "format": FORMAT,
        "run": {"name": run.name, "commit": run.commit, "dirty": run.dirty, "seed": run.seed},
        "verdict": asdict(run.verdict) if run.verdict else None,
        "numbers": dict(numbers(run)),
        "curves": dict(all_curves(run)),
        "samples": [_sample(sample) for sample in run.samples],
        "jobs": [
            {
                "name": job.name,
                "type": job.type,
                "key": job.key,
                "content_hash": job.content_hash,
                "parents": dict(job.parents),
            }
            for job in run.jobs
        ],
        "catalog": asdict(run.entry) if run.entry else None,
        "timing": {
            "jobs": {job.name: job.seconds for job in run.jobs if job.seconds is not None},
            "numbers": {
                metric.id: number(metric, f"eval.{report.checkpoint}")
                for report in run.reports
                for metric in report.timing
            },
        },
    }


def numbers(run: PageInput) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every number that is the same in every run: metrics, counts, ends of curves."""
    for report in run.reports:
        for metric in report.metrics:
            yield metric.id, number(metric, f"eval.{report.checkpoint}")
    for judged in run.judged:
        yield judged.id, {**number(judged.metric, "release"), "sides": dict(judged.sides)}
    for metric in run.reinforced:
        yield metric.id, number(metric, metric.id.partition(".")[0])
    for mix in run.mixes:
        for path, count in counts(mix):
            unit, n = ("items", count) if isinstance(count, int) else ("share", 1)
            yield f"{mix.job}.{'.'.join(path)}", _exact(count, int(n), "count", mix.job, unit)
    for name, curve in all_curves(run):
        step, last = curve["points"][-1]
        told = _exact(last, 1, "last step", curve["job"], curve["unit"])
        yield f"{name}.last", {**told, "step": step}


def number(metric: Metric, job: str) -> dict[str, Any]:
    """A metric as plain values, with the job that measured it."""
    tree = asdict(metric)
    del tree["id"]
    return {**tree, "job": job}


def counts(mix: MixLine) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every number of a mix's summary, by its path, sorted; counts are int."""
    yield from _leaves((), mix.summary)


def bars(mix: MixLine) -> list[tuple[str, dict[str, int]]]:
    """The mappings of names to counts inside a summary: (title, counts), largest count first."""
    found: dict[str, dict[str, int]] = {}
    for path, count in counts(mix):
        if len(path) > 1 and isinstance(count, int):
            title = " ".join(path[:-1]).replace("_", " ")
            found.setdefault(title, {})[path[-1]] = count
    return [
        (title, dict(sorted(part.items(), key=lambda pair: (-pair[1], pair[0]))))
        for title, part in found.items()
    ]


def all_curves(run: PageInput) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every curve by id: its job, unit and points (step, value)."""
    for log in run.logs:
        yield from _curves(log, TRAINING)
    if run.rl:
        yield from _curves(run.rl, (*REINFORCEMENT, *_terms(run.rl)))


def _terms(log: TrainingLog) -> list[Series]:
    """A curve for each term of the reward, unweighted."""
    named = dict.fromkeys(name for step in log.steps for name in step.get("scores", ()))
    return [Series(f"scores.{name}", f"mean score of {name}", "score") for name in named]


def _curves(log: TrainingLog, wanted: Sequence[Series]) -> Iterator[tuple[str, dict[str, Any]]]:
    for series in wanted:
        found = ((step.get("step"), _at(step, series.key)) for step in log.steps)
        points = [[step, value] for step, value in found if _is_number(step) and _is_number(value)]
        if points:
            told = {"job": log.job, "label": series.label, "unit": series.unit, "points": points}
            yield f"{log.job}.{series.key}", told


def _at(step: Mapping[str, Any], key: str) -> Any:
    """The value under a dotted key; None where it is not there."""
    value: Any = step
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _leaves(
    path: tuple[str, ...], tree: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], float]]:
    for name in sorted(tree):
        value = tree[name]
        if isinstance(value, Mapping):
            yield from _leaves((*path, name), value)
        elif _is_number(value):
            yield (*path, name), value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _exact(value: float, n: int, method: str, job: str, unit: str) -> dict[str, Any]:
    """A number that was read off, not estimated: its interval is itself, no seed is in it."""
    return {
        "value": value,
        "low": value,
        "high": value,
        "n": n,
        "scored": n,
        "unscored": 0,
        "failed": 0,
        "method": method,
        "seed": 0,
        "unit": unit,
        "scorer_hash": "",
        "rows": "",
        "job": job,
    }


def _sample(sample: Sample) -> dict[str, Any]:
    tree = asdict(sample)
    return {**tree, "images": [hash_bytes(data) for data in sample.images]}
