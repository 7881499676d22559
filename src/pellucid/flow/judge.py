"""Evaluate any model on a recipe's tasks, outside a run."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pellucid.base.hashing import hash_file
from pellucid.eval.report import load_report
from pellucid.flow import steps
from pellucid.flow.job import Job
from pellucid.flow.lines import say
from pellucid.flow.models import find_model
from pellucid.flow.names import checkpoint_job, checkpoint_names
from pellucid.flow.plan import Choices, plan_jobs
from pellucid.flow.run import choose
from pellucid.flow.workspace import Workspace
from pellucid.recipe import Recipe
from pellucid.schema.artifact import Artifact
from pellucid.schema.report import Report


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A report and the artifact that holds its rows."""

    report: Report
    artifact: Artifact

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"artifact": str(self.artifact.path), "report": asdict(self.report)}


def evaluate_model(reference: str, recipe: Recipe, home: Path) -> Evaluation:
    """Evaluate a checkpoint folder or catalog entry; the result is an artifact like any other.

    It is asked what the recipe asks its last checkpoint.

    Raises:
        UserError: there is no such model, or the recipe's data cannot be read.
    """
    model = find_model(reference, home)
    workspace = Workspace(home)
    choices = choose(recipe, workspace.run_folder(recipe.name), keep=False)
    last = checkpoint_names(recipe, checkpoint_job(recipe, "final"))
    recipe = recipe.model_copy(update={"eval": recipe.eval.for_checkpoint(last)})
    needed = {f"data.{task.source}" for task in recipe.eval.asking.values()}
    artifacts: dict[str, Artifact] = {}
    for job in [job for job in plan_jobs(recipe, choices) if job.name in needed]:
        artifacts[job.name] = workspace.find(job, artifacts) or workspace.build(job, artifacts)
    job = _job(model.folder, recipe, choices, tuple(sorted(needed)))
    say(f"{reference} on {', '.join(recipe.eval.tasks)}")
    artifact = workspace.find(job, artifacts) or workspace.build(job, artifacts)
    return Evaluation(load_report(artifact.path), artifact)


def _job(folder: Path, recipe: Recipe, choices: Choices, sources: tuple[str, ...]) -> Job:
    hashes = {path.name: hash_file(path) for path in sorted(folder.iterdir()) if path.is_file()}
    device, dtype = choices.device, choices.dtype
    told = steps.eval_slice(recipe.eval, device, dtype)
    return Job(
        name="eval.model",
        type="eval",
        version=steps.eval_version(),
        slice={**told, "model": hashes},
        parents=sources,
        work=steps.EvaluateFolder(
            recipe.eval,
            folder,
            hashes,
            device,
            dtype,
            told["scorers"],
            told.get("own_tasks", {}),
        ),
    )
