"""The learning rate over the steps, as a factor of each module's peak rate.

Leaves out on purpose: restarts and rates that depend on the loss; a factor is a pure function of
the step, so nothing of it is checkpointed.
"""

import math

from pellucid.base.errors import Problem, UserError
from pellucid.recipe.train import Schedule


def warmup(schedule: Schedule, total: int) -> int:
    """Steps of warm-up; a share is rounded down.

    Raises:
        UserError: the warm-up is as long as the stage, so the peak would never be reached.
    """
    if schedule.warmup_share is not None:
        return math.floor(schedule.warmup_share * total)
    steps = schedule.warmup_steps or 0
    if 0 < total <= steps:
        raise UserError(
            Problem(
                "schedule.warmup_steps",
                steps,
                f"is not under the {total} steps of the stage, so the peak is never reached",
                "lower it, or train for longer",
            )
        )
    return steps


def factor(schedule: Schedule, step: int, total: int) -> float:
    """Rate over peak rate of one step.

    Warm-up of w steps climbs linearly and step w stands at the peak; then the curve falls so that
    it would meet `min_ratio` at step `total`, one after the last.

    Args:
        schedule: shape, warm-up and floor.
        step: from 0 to total - 1.
        total: steps of the stage.

    >>> shape = Schedule(kind="linear", warmup_steps=1, min_ratio=0.1)
    >>> [round(factor(shape, step, 4), 2) for step in range(4)]
    [0.5, 1.0, 0.7, 0.4]
    """
    assert 0 <= step < total, f"step {step} is outside the {total} steps of the stage"
    climb = warmup(schedule, total)
    if step < climb:
        return (step + 1) / (climb + 1)
    fallen = (step - climb) / (total - climb)
    if schedule.kind == "constant":
        return 1.0
    share = 1 - fallen if schedule.kind == "linear" else (1 + math.cos(math.pi * fallen)) / 2
    return schedule.min_ratio + (1 - schedule.min_ratio) * share
