"""What a run would do: each job's state, without doing any."""

from pathlib import Path
from typing import NamedTuple

from pellucid.flow.plan import Choices, plan_jobs, warn_idle
from pellucid.flow.run import choose
from pellucid.flow.workspace import Workspace
from pellucid.recipe import Recipe
from pellucid.schema.artifact import Artifact


class Row(NamedTuple):
    """One job."""

    name: str
    state: str
    """`done`, `would run`, or `would go on` where a killed run left finished units."""
    parents: tuple[str, ...]


def preview(recipe: Recipe, home: Path) -> list[Row]:
    """The jobs of a recipe and what a run would do with each.

    A job behind one that would run is shown as `would run` too; it is still skipped if its parent
    comes out with content that it has seen before.
    """
    warn_idle(recipe)
    workspace = Workspace(home)
    choices = _choices(recipe, workspace)
    done: dict[str, Artifact] = {}
    rows = []
    for job in plan_jobs(recipe, choices):
        state = "would run"
        if all(parent in done for parent in job.parents):
            artifact = workspace.find(job, done)
            if artifact:
                done[job.name] = artifact
                state = "done"
            elif workspace.partial(job, done).is_dir():
                state = "would go on"
        rows.append(Row(job.name, state, job.parents))
    return rows


def _choices(recipe: Recipe, workspace: Workspace) -> Choices:
    """What a run would choose; measured here when `auto` was never resolved, and not kept."""
    return choose(recipe, workspace.run_folder(recipe.name), keep=False)
