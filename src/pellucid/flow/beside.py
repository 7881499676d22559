"""A second process that draws scenes from the end of a run's list while the run draws from its top.

It makes the same artifacts under the same locks, so what comes is the same whoever was first, and
it ends with the run, whatever ends that. Leaves out on purpose: sources that read files or run code
of the user's, and everything after the data.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pellucid.flow.job import Job
from pellucid.flow.lines import say
from pellucid.flow.plan import plan_jobs
from pellucid.flow.workspace import Workspace
from pellucid.recipe import Recipe, load

LEAST_SCENES = 4000
"""Scenes that are still to be drawn for a second process to pay: twenty seconds of work for one."""


@contextmanager
def drawing_beside(
    recipe: Recipe, file: Path, workspace: Workspace, jobs: Iterable[Job]
) -> Iterator[None]:
    """Let a second process draw while the body runs, where that pays.

    Args:
        recipe: of the run.
        file: the resolved recipe, beside which the run's choices lie.
        workspace: where artifacts go.
        jobs: those that the run is to do.
    """
    names = {job.name for job in jobs if workspace.find(job, {}) is None}
    waiting = [
        source.scenes
        for name, source in recipe.data.sources.items()
        if source.kind == "scenes" and f"data.{name}" in names
    ]
    if sum(waiting) < LEAST_SCENES or len(waiting) < 2 or (os.cpu_count() or 1) < 2:
        yield
        return
    say("  a second process draws from the end of the list")
    command = [sys.executable, "-m", "pellucid.flow.beside", str(file), str(workspace.home)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        process.communicate()  # closes its input, which ends it


def draw(file: Path, home: Path) -> None:
    """Draw every scene source of a run that is not drawn yet, the last one first."""
    from pellucid.flow.run import choose

    recipe, workspace = load(str(file)), Workspace(home)
    drawn = {
        f"data.{name}" for name, source in recipe.data.sources.items() if source.kind == "scenes"
    }
    for job in reversed(plan_jobs(recipe, choose(recipe, file.parent, keep=False))):
        if job.name in drawn and workspace.find(job, {}) is None:
            workspace.build(job, {})


def _end_with_input() -> None:
    """End at once when whoever started this process has gone."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
