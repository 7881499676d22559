"""The report of one checkpoint: all metrics of its rows, as JSON that depends on the rows alone.

    report.json         metrics, sorted by id
    timing/report.json  latencies, which differ from run to run

Leaves out on purpose: the page that people look at (`page`), which shows several of these.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pellucid.base.errors import boundary
from pellucid.base.paths import write_text
from pellucid.eval.cost import cost_metrics, latency_metrics
from pellucid.eval.latency import LATENCY
from pellucid.eval.metrics import cells, row_metrics
from pellucid.eval.modes import mode_metrics
from pellucid.eval.pools import pool_metrics
from pellucid.eval.rows import HEAD, load_rows, read_lines
from pellucid.recipe.eval import EvalOptions
from pellucid.schema.artifact import TIMING
from pellucid.schema.report import Metric, Report

REPORT = "report.json"
TIMING_REPORT = f"{TIMING}/{REPORT}"

__all__ = ["REPORT", "TIMING_REPORT", "build_report", "load_report", "load_rows"]


def build_report(folder: Path) -> Report:
    """Aggregate the rows of an evaluation folder and write its reports.

    Args:
        folder: holds `eval.json` and all rows; latencies if they were measured.
    """
    with boundary("writing the report"):
        head = json.loads((folder / HEAD).read_text(encoding="utf-8"))
        checkpoint, seed = head["checkpoint"], head["options"]["seed"]
        pools = EvalOptions.model_validate(head["options"]).pools
        found = list(cells(load_rows(folder), checkpoint, seed, pools))
        metrics = [
            *row_metrics(found),
            *pool_metrics(found),
            *mode_metrics(found),
            *cost_metrics(found),
        ]
        told = {"checkpoint": checkpoint, "checkpoint_hash": head["checkpoint_hash"]}
        _write(folder / REPORT, {**told, "metrics": _plain(metrics)})
        if (folder / LATENCY).exists():
            timed = latency_metrics(read_lines(folder / LATENCY), checkpoint, seed)
            _write(folder / TIMING_REPORT, {**told, "metrics": _plain(list(timed))})
    return load_report(folder)


def load_report(folder: Path) -> Report:
    """The report of an evaluation folder."""
    with boundary("reading the report"):
        tree = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        timing = folder / TIMING_REPORT
        timed = json.loads(timing.read_text(encoding="utf-8")) if timing.exists() else {}
    return Report(
        tree["checkpoint"],
        tree["checkpoint_hash"],
        tuple(Metric(**metric) for metric in tree["metrics"]),
        tuple(Metric(**metric) for metric in timed.get("metrics", ())),
    )


def _plain(metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    ids = [metric.id for metric in metrics]
    assert len(set(ids)) == len(ids), "two metrics have one id"
    return [asdict(metric) for metric in sorted(metrics, key=lambda metric: metric.id)]


def _write(path: Path, tree: dict[str, Any]) -> None:
    write_text(path, json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
