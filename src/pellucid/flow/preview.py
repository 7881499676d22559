"""What a run would do: each job's state, without doing any; and what its stages would take."""

from pathlib import Path
from typing import NamedTuple

from pellucid.flow.estimate import (
    ACCELERATED,
    Estimate,
    Measured,
    estimates,
    missing_rows,
    tried,
)
from pellucid.flow.plan import Choices, plan_jobs, warn_idle
from pellucid.flow.replies import Replies, too_long
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


class Preview(NamedTuple):
    """A recipe before it is run."""

    jobs: list[Row]
    """None while rows are missing."""
    missing: dict[str, str]
    """Sources whose rows are not here yet, and the data card that speaks of them."""
    stages: list[Estimate]
    measured: dict[str, Measured]
    """Time and memory of the stages on this machine, if they were asked for."""
    replies: Replies | None
    """What is learnt and an evaluation would cut off; None where all is well, and before the mixes
    and the first weights are there."""


def preview(
    recipe: Recipe,
    home: Path,
    devices: int = 1,
    measure: bool = False,
    accelerated: bool = False,
) -> Preview:
    """The jobs of a recipe, what a run would do with each, and what its stages would take.

    A job behind one that would run is shown as `would run` too; it is still skipped if its parent
    comes out with content that it has seen before.

    Args:
        recipe: what would be run.
        home: the workspace.
        devices: that would train together.
        measure: whether to do the first steps of every stage, and forget them.
        accelerated: whether they are some of `estimate.DEVICES`, and not what a run here would
            choose.

    Raises:
        UserError: an input cannot be read, or there is nothing to measure with.
    """
    warn_idle(recipe)
    workspace = Workspace(home)
    choices = _choices(recipe, workspace)
    missing = missing_rows(recipe)
    done: dict[str, Artifact] = {}
    rows = []
    for job in () if missing else plan_jobs(recipe, choices):
        state = "would run"
        if all(parent in done for parent in job.parents):
            artifact = workspace.find(job, done)
            if artifact:
                done[job.name] = artifact
                state = "done"
            elif workspace.partial(job, done).is_dir():
                state = "would go on"
        rows.append(Row(job.name, state, job.parents))
    where = choices.device, choices.dtype
    there = ("cuda", ACCELERATED if recipe.dtype == "auto" else recipe.dtype)
    stages = estimates(recipe, done, *(there if accelerated else where), devices)
    measured = {one.stage: tried(recipe, one, done, *where) for one in stages if measure}
    replies = too_long(recipe, done) if "init" in done else None
    return Preview(rows, missing, stages, measured, replies)


def _choices(recipe: Recipe, workspace: Workspace) -> Choices:
    """What a run would choose; measured here when `auto` was never resolved, and not kept."""
    return choose(recipe, workspace.run_folder(recipe.name), keep=False)
