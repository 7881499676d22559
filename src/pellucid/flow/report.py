"""Fill the report of a run from its artifacts and write it beside the run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid import store
from pellucid.eval.page import render_page
from pellucid.eval.page_input import CatalogLine, JobLine, MixLine, PageInput, Sample, TrainingLog
from pellucid.eval.report import load_report, load_rows
from pellucid.flow.gate import verdict_of
from pellucid.flow.names import checkpoint_job, checkpoint_name
from pellucid.flow.provenance import code_version
from pellucid.flow.samples import samples
from pellucid.recipe import Recipe, dump
from pellucid.release import Entry
from pellucid.schema.artifact import Artifact

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


def _log(artifact: Artifact) -> TrainingLog:
    return TrainingLog(
        checkpoint_name(artifact.name), artifact.name, read_lines(artifact.path / LOG)
    )


def _samples(recipe: Recipe, artifacts: Mapping[str, Artifact]) -> list[Sample]:
    """Samples of the last evaluated checkpoint."""
    job = checkpoint_job(recipe, recipe.eval.checkpoints[-1])
    name = checkpoint_name(job)
    stores = {
        task: store.open(artifacts[f"data.{options.source}"].path)
        for task, options in recipe.eval.tasks.items()
    }
    rows = load_rows(artifacts[f"eval.{name}"].path)
    return samples(rows, name, stores, recipe.eval.seed)


def _entry(entry: Entry) -> CatalogLine:
    return CatalogLine(
        entry.reference, entry.version, entry.outcome, entry.aliases, entry.evidence_hash
    )
