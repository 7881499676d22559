"""A run on several ranks: the first one does the jobs, the others train whenever it does.

    torchrun --nproc-per-node 2 --no-python pellucid run smoke

All ranks see the workspace. Leaves out on purpose: sharing out any other job; drawing, RL and
evaluation are the first rank's.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pellucid.base.errors import UserError
from pellucid.flow.stores import Places
from pellucid.recipe.train import Stage

_GRACE_S = 3.0
"""A rank that was refused something lets the first one speak, which mostly met the same."""


@dataclass(frozen=True, slots=True)
class Training:
    """What every rank is told of a stage."""

    stage: Stage
    mix_folder: Path
    stores: Places
    checkpoint: Path
    folder: Path
    seed: int
    device: str
    dtype: str
    validation_folder: Path | None
    sharded: bool


def several() -> bool:
    """Whether torchrun started more than this process."""
    return os.environ.get("WORLD_SIZE", "1") != "1"


def first() -> bool:
    """Whether this rank does the jobs."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def leading() -> Iterator[None]:
    """Do the jobs in the body; at its end the others are sent home."""
    if not several():
        yield
        return
    from pellucid.train.ranks import joined, leave

    ranks = joined()
    try:
        yield
    except BaseException:
        with suppress(RuntimeError):  # they may have gone for the same reason
            ranks.told(None)
        raise
    ranks.told(None)
    leave()


def follow() -> None:
    """Train whenever the first rank does, until it says that there is nothing more.

    Raises:
        UserError: training was refused; the first rank has said why, if it met the same.
    """
    from pellucid.train.ranks import joined, leave

    ranks = joined()
    while (training := ranks.told(None)) is not None:
        try:
            _train(training)
        except UserError:
            time.sleep(_GRACE_S)
            raise
    leave()


def train(training: Training) -> None:
    """Train a stage on all ranks; called by the first."""
    if several():
        from pellucid.train.ranks import joined

        joined().told(training)
    _train(training)


def _train(training: Training) -> None:
    from pellucid.flow.stores import open_at
    from pellucid.train.ranks import joined
    from pellucid.train.stage import train_stage

    train_stage(
        training.stage,
        mix_folder=training.mix_folder,
        stores=open_at(training.stores),
        checkpoint=training.checkpoint,
        folder=training.folder,
        seed=training.seed,
        device=training.device,
        dtype=training.dtype,
        validation_folder=training.validation_folder,
        ranks=joined(),
        sharded=training.sharded,
    )
