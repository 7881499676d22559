"""The first steps of a stage, timed and forgotten: what a step takes on this machine.

The steps are those that the stage itself would do first, by the same code. Nothing is kept.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from pellucid.model import checkpoint as models
from pellucid.recipe.train import Stage
from pellucid.store import MixRow, Store
from pellucid.train.feed import Feed
from pellucid.train.folder import peak_rss_bytes, rss_bytes
from pellucid.train.frozen import choose
from pellucid.train.lengths import index_lengths
from pellucid.train.objective import Objective
from pellucid.train.optim import Optimizers, parameters
from pellucid.train.plan import Plan
from pellucid.train.precision import deterministic
from pellucid.train.recompute import recomputing
from pellucid.train.step import Stepper

WARM_UP = (2, 10.0)
"""At least so many steps, and so many seconds, are not timed: kernels are compiled and chosen."""
TIMED = (4, 20.0)
"""At least so many steps, and so many seconds, are."""


class Trial(NamedTuple):
    """What a few steps took."""

    seconds_per_token: float
    bytes: int
    """By which the process grew: memory of the model and of a step, on a CPU."""
    steps: int


def trial(
    stage: Stage,
    rows: Sequence[MixRow],
    stores: Store,
    checkpoint: Path,
    seed: int,
    device: str,
    dtype: str,
    recompute: bool = False,
) -> Trial:
    """Do the first steps of a stage.

    Args:
        stage: its slice of the recipe.
        rows: of its mix.
        stores: hold their records.
        checkpoint: a model of the sizes that are trained.
        seed: of the record order.
        device: "cpu", "cuda" or "mps".
        dtype: "float32" or "bfloat16".
        recompute: see `train_stage`.
    """
    before = rss_bytes()
    loaded = models.load(checkpoint, device)
    modules = loaded.model.modules_by_name()
    choose(modules, stage, seed, loaded.renderer.mode_ids, dtype)
    trained = parameters(modules, stage.modules, stage.optimizer.kind)
    optimizers = Optimizers(trained, stage.modules, stage.optimizer, dtype)
    context = int(loaded.model.config.text_config.max_position_embeddings)
    with tempfile.TemporaryDirectory() as name, deterministic(device):
        folder = Path(name)
        lengths = index_lengths(folder, stage, rows, stores, loaded.renderer, context, False)
        plan, feed = Plan(lengths, stage, seed), Feed(lengths, stores, loaded.renderer)
        objective = Objective(loaded.model, dtype)
        stepper = Stepper(stage, plan.total, objective, optimizers, lengths, feed, device)
        with recomputing(loaded.model, recompute):
            took = list(_timed(stepper, plan, device))
    warm = _warm(took)
    seconds, tokens = (sum(column) for column in zip(*took[warm:], strict=True))
    return Trial(seconds / tokens, peak_rss_bytes() - before, len(took) - warm)


def _timed(stepper: Stepper, plan: Plan, device: str) -> Iterator[tuple[float, int]]:
    """Seconds and tokens of one step after the other, until there are enough."""
    warm, timed = (0, 0.0), (0, 0.0)
    for number, step in enumerate(plan.steps(plan.start)):
        start = time.perf_counter()
        tokens = stepper.step(number, step).log["tokens"]
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        yield seconds, tokens
        if not _enough(warm, WARM_UP):
            warm = warm[0] + 1, warm[1] + seconds
        elif _enough(timed := (timed[0] + 1, timed[1] + seconds), TIMED):
            return


def _enough(done: tuple[int, float], wanted: tuple[int, float]) -> bool:
    return done[0] >= wanted[0] and done[1] >= wanted[1]


def _warm(took: Sequence[tuple[float, int]]) -> int:
    """How many of the steps are not timed; half of them in a stage that is over before."""
    done, seconds = 0, 0.0
    for one, _ in took:
        if _enough((done, seconds), WARM_UP):
            return done
        done, seconds = done + 1, seconds + one
    return len(took) // 2
