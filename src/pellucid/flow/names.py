"""Names inside a run: jobs, checkpoints, and where an artifact holds its model."""

from pathlib import Path

from pellucid.base.errors import boundary
from pellucid.base.hashing import hash_file
from pellucid.base.own import trust
from pellucid.prompt.plan.own import FILE
from pellucid.recipe.recipe import Recipe
from pellucid.schema.artifact import Artifact

CHECKPOINT = "checkpoint"
"""Folder of the model inside an artifact that makes one."""


def checkpoint_folder(artifact: Artifact) -> Path:
    """Where an artifact of type init, train or rl holds its model, which is the user's own."""
    trust_strategy(artifact.path / CHECKPOINT)
    return artifact.path / CHECKPOINT


def trust_strategy(folder: Path) -> None:
    """Let the image strategy beside a checkpoint of the user's own runs be run."""
    if (folder / FILE).is_file():
        with boundary("reading the checkpoint"):
            trust(hash_file(folder / FILE))


def checkpoint_name(job: str) -> str:
    """A checkpoint's short name (`align`) from its job's name (`train.align`)."""
    return job.removeprefix("train.")


def checkpoint_job(recipe: Recipe, name: str) -> str:
    """Name of the job that makes a checkpoint; `final` is the last."""
    name = recipe.checkpoints[-1] if name == "final" else name
    return name if name in ("init", "rl") else f"train.{name}"


def checkpoint_names(recipe: Recipe, job: str) -> set[str]:
    """Every name that a recipe may call the checkpoint of a job: the last one is `final` too."""
    name = checkpoint_name(job)
    return {name, "final"} if name == recipe.checkpoints[-1] else {name}
