"""Weights & Biases: a run of a project.

Where: the project; `pellucid` when empty. WANDB_MODE=offline keeps it on this machine, in the run's
folder. The client is told to send nothing about this machine or its own errors.
"""

import os
from typing import Any, final

from pellucid.flow.trackers.base import About, Tracker, Values, package

PROJECT = "pellucid"


@final
class _Wandb:
    def __init__(self, run: Any) -> None:
        self._run = run
        self._jobs: set[str] = set()

    def line(self, job: str, step: int, values: Values) -> None:
        if job not in self._jobs:
            # Each job counts its own steps.
            self._run.define_metric(f"{job}/*", step_metric=f"{job}/step")
            self._jobs.add(job)
        self._run.log({f"{job}/step": step, **{f"{job}/{name}": v for name, v in values.items()}})

    def numbers(self, values: Values) -> None:
        self._run.summary.update(dict(values))

    def close(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


def connect(about: About, where: str) -> Tracker:
    """A new run of the project.

    Raises:
        UserError: wandb is not installed.
    """
    os.environ["WANDB_ERROR_REPORTING"] = "false"  # before it is imported
    module = package("wandb", "wandb")
    quiet = module.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True,
        x_disable_meta=True, x_disable_machine_info=True,
        x_service_wait=120,  # seconds for its own process to start, on a machine that is busy
    )  # fmt: skip
    run = module.init(
        project=where or PROJECT,
        name=about.name,
        config=dict(about.settings),
        dir=str(about.folder),
        settings=quiet,
    )
    return _Wandb(run)
