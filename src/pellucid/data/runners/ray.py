"""One Ray task per shard: the same function on a cluster, or on a Ray of this machine.

The nodes must see the store under the same path. Without RAY_ADDRESS a local Ray is started and
stopped again. Usage statistics are switched off. Leaves out on purpose: Ray's own datasets and
checkpoints; a shard that is done is known by its file.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pellucid.base.errors import PellucidError, Problem, UserError
from pellucid.data.ops.base import Resources

T = TypeVar("T")
R = TypeVar("R")


def run(
    work: Callable[[T], R], tasks: Sequence[T], workers: int, resources: Resources
) -> Iterator[R]:
    """As `base.Runner`."""
    if not tasks:
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns
    try:
        import ray
    except ImportError:
        fix = "pip install 'pellucid[ray]', or leave --runner out"
        raise UserError(Problem("--runner", "ray", "is not installed", fix)) from None
    started = not ray.is_initialized()
    if started:
        here = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": max(1, workers)}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", **here)
    try:
        memory = resources.memory_mb * 2**20
        told = {"num_cpus": resources.cpus, "memory": memory, "max_retries": 3}
        remote = ray.remote(**told)(work)
        waiting = [remote.remote(task) for task in tasks]
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            for one in done:
                yield ray.get(one)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, PellucidError):
            raise error.cause from None
        raise
    finally:
        if started:
            ray.shutdown()
