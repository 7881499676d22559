"""Fill the report of a run from its artifacts and write it beside the run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid import store
from pellucid.eval.page import render_page
from pellucid.eval.page_input import (
    CatalogLine,
    JobLine,
    MixLine,
    PageInput,
    Sample,
    TaskKind,
    TaskLine,
    TrainingLog,
)
from pellucid.eval.reinforcement import TABLES, log_metrics, pass_rate_metrics, probe_metrics
from pellucid.eval.report import load_report, load_rows
from pellucid.flow.gate import judged_of, verdict_of
from pellucid.flow.names import checkpoint_job, checkpoint_name
from pellucid.flow.provenance import code_version
from pellucid.flow.samples import samples
from pellucid.recipe import Recipe, dump
from pellucid.recipe.eval import AskingTask
from pellucid.release import Entry
from pellucid.schema.artifact import Artifact
from pellucid.schema.report import Metric
from pellucid.store import arrow

LOG = "log.jsonl"
SUMMARY = "summary.json"


def write_report(
    recipe: Recipe, folder: Path, artifacts: Mapping[str, Artifact], entry: Entry | None
) -> None:
    """Write `index.html` and `report.json`.

    Args:
        recipe: of the run.
        folder: where the report goes.
        artifacts: of all jobs, by name.
        entry: the model's entry in the catalog, if it was released.
    """
    release = artifacts.get("release")
    commit, dirty = code_version()
    page = PageInput(
        name=recipe.name,
        recipe=dump(recipe),
        commit=commit,
        dirty=dirty,
        seed=recipe.seed,
        jobs=[_job(artifact) for artifact in artifacts.values()],
        mixes=[_mix(artifact) for artifact in _of_type(artifacts, "mix")],
        logs=[_log(artifact) for artifact in _of_type(artifacts, "train")],
        rl=_log(artifacts["rl"]) if "rl" in artifacts else None,
        reports=[load_report(artifact.path) for artifact in _of_type(artifacts, "eval")],
        verdict=verdict_of(release) if release else None,
        samples=_samples(recipe, artifacts),
        entry=_entry(entry) if entry else None,
        tasks=task_lines(recipe),
        judged=judged_of(release) if release else (),
        reinforced=_reinforced(artifacts["rl"], recipe.eval.seed) if "rl" in artifacts else (),
    )
    render_page(page, folder)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def _of_type(artifacts: Mapping[str, Artifact], type: str) -> list[Artifact]:
    return [artifact for artifact in artifacts.values() if artifact.manifest.type == type]


def _job(artifact: Artifact) -> JobLine:
    manifest = artifact.manifest
    return JobLine(
        manifest.name,
        manifest.type,
        manifest.key,
        manifest.content_hash,
        manifest.parents,
        manifest.timing["seconds"],
    )


def _mix(artifact: Artifact) -> MixLine:
    summary = json.loads((artifact.path / SUMMARY).read_text(encoding="utf-8"))
    return MixLine(artifact.name.removeprefix("mix."), artifact.name, summary)


def rl_rows(artifact: Artifact, table: str) -> list[dict[str, Any]]:
    """Rows of one of an RL job's tables; none when its recipe did not ask for it."""
    path = artifact.path / TABLES[table]
    return arrow.read_table(path).to_pylist() if path.is_file() else []


def _reinforced(artifact: Artifact, seed: int) -> list[Metric]:
    return [
        *probe_metrics(artifact.name, rl_rows(artifact, "probe"), seed),
        *log_metrics(artifact.name, read_lines(artifact.path / LOG), seed),
        *pass_rate_metrics(artifact.name, rl_rows(artifact, "pass_rate")),
    ]


def _log(artifact: Artifact) -> TrainingLog:
    return TrainingLog(
        checkpoint_name(artifact.name), artifact.name, read_lines(artifact.path / LOG)
    )


def task_lines(recipe: Recipe) -> list[TaskLine]:
    """What each task is; one over blank pictures stands with the task that it is a baseline of."""
    told = recipe.eval.asking
    plain = [name for name, task in told.items() if task.picture == "as_is"]
    blank = {name: _blank_of(name, told) for name in plain}
    kinds = {name: _kind(recipe, name) for name in told}
    lines = [
        TaskLine(name, kinds[name], blank=blank.get(name, ""))
        for name in told
        if name in plain or name not in blank.values()
    ]
    for pool, members in recipe.eval.pools.items():
        found = {kinds.get(name, "shown") for name in members}
        lines.append(TaskLine(pool, found.pop() if len(found) == 1 else "shown", pool=True))
    return lines


def _kind(recipe: Recipe, name: str) -> TaskKind:
    task = recipe.eval.asking[name]
    source = recipe.data.sources[task.source]
    if not task.floor or task.split != "test" or task.picture == "blank":
        return "shown"
    return "withheld" if source.kind == "scenes" and source.scene.withheld else "family"


def _blank_of(name: str, told: Mapping[str, AskingTask]) -> str:
    """The task that asks the same records over blank pictures; empty when there is none."""
    asked = _questions(told[name])
    for other, task in told.items():
        if task.picture == "blank" and _questions(task) == asked:
            return other
    return ""


def _questions(task: AskingTask) -> dict[str, Any]:
    """What decides which questions a task asks."""
    return task.model_dump(include={"kind", "source", "split", "tasks", "path", "options"})


def _samples(recipe: Recipe, artifacts: Mapping[str, Artifact]) -> list[Sample]:
    """Samples of the last evaluated checkpoint; none over blank pictures."""
    job = checkpoint_job(recipe, recipe.eval.checkpoints[-1])
    name = checkpoint_name(job)
    stores = {
        task: store.open(artifacts[f"data.{options.source}"].path)
        for task, options in recipe.eval.asking.items()
        if options.picture == "as_is"
    }
    rows = [row for row in load_rows(artifacts[f"eval.{name}"].path) if row["task"] in stores]
    return samples(rows, name, stores, recipe.eval.seed)


def _entry(entry: Entry) -> CatalogLine:
    return CatalogLine(
        entry.reference, entry.version, entry.outcome, entry.aliases, entry.evidence_hash
    )
