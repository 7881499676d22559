"""On a CPU, two halves of every pack at a time, each in a thread with a model of its own.

    pack 0 1 2 3 4      first half 0 3, by the model         second half 1 2 4, by its replica

A small model's step is many short calls. Threads that share each call wait for one another after
each; threads with half a pack each do not. The replica has the model's weights, the same memory,
and gradients of its own, which are added to the model's when the step is through. How a pack is
halved follows from the plan alone; one thread does one half after the other.

Leaves out on purpose: more than two, GPUs, and ranks that share out the weights.
"""

import copy
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import final

import numpy as np
import torch
from jaxtyping import Float64
from torch import nn

from pellucid.train.objective import Objective

_LOPSIDED = 0.6
"""Share of a pack's work from which on its larger half is too large for the smaller one's thread
to wait: such a pack is run whole, by all threads."""
_AHEAD = 4
"""Halves that wait for a thread, after which an error is noticed."""

Pass = Callable[[Objective], None]
"""Examples made, forward and backward, by the model or by its replica."""


def halves(work: Float64[np.ndarray, " n"]) -> list[list[int]]:
    """Places of a pack's examples in two halves of nearly equal work; in one where none are.

    Args:
        work: of each example, in any unit.

    The largest first, each to the half with less:

    >>> halves(np.array([5.0, 4.0, 3.0, 2.0]))
    [[0, 3], [1, 2]]
    >>> halves(np.array([8.0, 2.0]))
    [[0, 1]]
    """
    sums, found = [0.0, 0.0], [list[int](), list[int]()]
    for place in np.argsort(-work, kind="stable").tolist():
        lighter = int(sums[1] < sums[0])
        sums[lighter] += float(work[place])
        found[lighter].append(place)
    if max(sums) > _LOPSIDED * sum(sums):
        return [list(range(len(work)))]
    return [sorted(half) for half in found]


def replica(objective: Objective) -> Objective:
    """The same over the same memory; what learns in it has a gradient of its own."""
    shared: dict[int, object] = {id(one): one for one in objective.buffers()}
    for one in objective.parameters():
        shared[id(one)] = nn.Parameter(one.data, requires_grad=one.requires_grad)
    return copy.deepcopy(objective, shared)


@final
class Idle:
    """Counts the seconds in which nothing runs of what is counted, in any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Nothing runs yet.

        Args:
            clock: seconds from any time on.
        """
        self._clock, self._lock, self._running = clock, Lock(), 0
        self._before, self._dry = 0.0, clock()  # up to the last beginning; since when nothing runs

    @contextmanager
    def interrupted(self) -> Iterator[None]:
        """One more runs while the context lasts."""
        with self._lock:
            if not self._running:
                self._before += self._clock() - self._dry
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._dry = self._clock()

    def seconds(self) -> float:
        """All of them so far."""
        with self._lock:
            return self._before + (0.0 if self._running else self._clock() - self._dry)


@final
class Pair:
    """A model and its replica, and the threads that run them."""

    def __init__(self, objective: Objective) -> None:
        """Take a model; its replica is made when it is first needed."""
        self._models = [objective]
        self._threads = torch.get_num_threads()
        self._lanes = [ThreadPoolExecutor(1) for _ in range(2)] if self._threads > 1 else []
        self._waiting = deque[Future[None]]()

    def __enter__(self) -> "Pair":
        """Take the passes of one step."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Add the replica's gradients up; after an error nothing of the step is left running.

        Raises:
            Exception: what a pass raised.
        """
        errors = self._settle(stop=kind is not None)
        if kind is None and not errors:
            self._add_gradients()
        for model in self._models[1:]:
            model.zero_grad()
        if kind is None and errors:
            raise errors[0]

    def whole(self, work: Pass) -> None:
        """Run a pass by the model with all threads, after all that was begun."""
        self.settle()
        work(self._models[0])

    def half(self, which: int, work: Pass) -> None:
        """Begin a pass by the model (0) or its replica (1), after those that it has begun."""
        if len(self._models) == 1:
            self._models.append(replica(self._models[0]))
        model = self._models[which]
        if not self._lanes:
            work(model)
            return
        if len(self._waiting) >= _AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._lanes[which].submit(self._alone, work, model))

    def settle(self) -> None:
        """Wait until all that was begun is through; all threads are then the caller's.

        Raises:
            Exception: what a pass raised.
        """
        for error in self._settle():
            raise error

    def _alone(self, work: Pass, model: Objective) -> None:
        """With one half of the threads; set anew, since some libraries know one number for all."""
        torch.set_num_threads(self._threads // 2)
        work(model)

    def _settle(self, stop: bool = False) -> list[BaseException]:
        """Wait until all that was begun is through, or stopped; what went wrong."""
        if not self._waiting:
            return []
        for one in self._waiting if stop else ():
            one.cancel()
        found = [None if one.cancelled() else one.exception() for one in self._waiting]
        self._waiting.clear()
        torch.set_num_threads(self._threads)
        return [one for one in found if one]

    def _add_gradients(self) -> None:
        if len(self._models) == 1:
            return
        own, other = (list(model.parameters()) for model in self._models)
        for one, more in zip(own, other, strict=True):
            if more.grad is None:
                continue
            one.grad = more.grad if one.grad is None else one.grad.add_(more.grad)
