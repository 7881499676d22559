"""A pool of processes on this machine; with one worker, this process.

Processes come from `base/processes.py`. They end when this one does, also when it is killed.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import parent_process
from threading import Thread
from time import perf_counter
from typing import TypeVar

from pellucid.base.errors import Problem, UserError
from pellucid.base.processes import collect_less, context
from pellucid.data.ops.base import Resources

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2
"""Tasks for each worker that wait or are done and not yet taken: all that a stream holds."""


def run(
    work: Callable[[T], R], tasks: Sequence[T], workers: int, resources: Resources
) -> Iterator[R]:
    """As `base.Runner`; a result is yielded as soon as it is there."""
    if workers <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield work(task)
        return
    pool = _kept.pool(workers) or _pool(min(workers, len(tasks)))
    futures = [pool.submit(work, task) for task in tasks]
    try:
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise _lost(workers) from None
    finally:
        for future in futures:
            future.cancel()
        if not _kept.holds(pool):
            pool.shutdown(cancel_futures=True)


class _Kept:
    """The pool that stays from one call of `run` to the next, inside `kept`."""

    def __init__(self) -> None:
        self._inside, self._workers = 0, 0
        self._held: ProcessPoolExecutor | None = None

    def pool(self, workers: int) -> ProcessPoolExecutor | None:
        """The pool of so many workers; none outside `kept`."""
        if not self._inside:
            return None
        if self._held is None or self._workers != workers:
            self.end()
            self._held, self._workers = _pool(workers), workers
        return self._held

    def holds(self, pool: ProcessPoolExecutor) -> bool:
        """Whether the pool stays."""
        return self._held is pool

    def end(self) -> None:
        """End its processes."""
        held, self._held = self._held, None
        if held is not None:
            held.shutdown(cancel_futures=True)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self.end()


kept = _kept = _Kept()
"""`with kept():` processes that `run` starts inside stay for its next call, until the block ends.

Starting one takes as long as comparing a hundred pictures.
"""


class Stream:
    """Work on tasks that come one by one, in their order; the processes stay for the next stream.

    Work is done here until it shows that what is left would take longer than starting processes,
    and goes on here while they start: little work starts none.
    """

    def __init__(self, workers: int, worth_s: float) -> None:
        """
        Args:
            workers: processes; with one, all is done here.
            worth_s: seconds that what is left of the tasks has to take, in one process, before
                others are started.
        """
        self._workers, self._worth_s = workers, worth_s
        self._starter = ThreadPoolExecutor(1)
        self._pool: ProcessPoolExecutor | None = None
        self._ready: Future[int] | None = None

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *raised: object) -> None:
        pool, ready = self._pool, self._ready
        if pool is not None and ready is not None:
            if ready.done():  # a task may be in the middle of what it writes
                pool.shutdown(cancel_futures=True)
            else:  # they have no task yet, so they end when they are there
                ready.add_done_callback(lambda _: pool.shutdown(wait=False))
        self._starter.shutdown(wait=False)

    def map(
        self, work: Callable[[T], R], tasks: Iterable[T], share: Callable[[T], float]
    ) -> Iterator[R]:
        """What `work` gives for each task, in order; few tasks are held at a time.

        Args:
            work: a function of a module (other processes import it).
            tasks: they.
            share: the share of all tasks that is done after one of them, 0 to 1.

        Raises:
            UserError: a process was killed.
        """
        waiting, before = deque[Future[R]](), 0.0
        try:
            for task in tasks:
                if self._pool and self._ready and self._ready.done():
                    self._ready.result()  # or why it could not start
                    waiting.append(self._pool.submit(work, task))
                    if len(waiting) >= _AHEAD * self._workers:
                        yield waiting.popleft().result()
                    continue
                began, at = perf_counter(), share(task)
                result = work(task)
                if self._pool is None and self._workers > 1:
                    self._consider(perf_counter() - began, at - before, 1 - at)
                before = at
                yield result
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise _lost(self._workers) from None

    def _consider(self, took_s: float, done: float, left: float) -> None:
        """Start the processes if what is left is worth it; they are not waited for."""
        if left > 0 and took_s * left >= self._worth_s * max(done, 0.0):
            pool = self._pool = _pool(self._workers)
            self._ready = self._starter.submit(lambda: pool.submit(int).result())


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, context("pellucid.data"), _start)


def _start() -> None:
    """What a process of a pool does first.

    It ends with its parent: one that is killed tells nobody, and its processes would wait for work
    for ever.
    """
    collect_less()
    parent = parent_process()
    assert parent is not None, "only processes of a pool call this"

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def _lost(workers: int) -> UserError:
    fix = "give fewer --workers; what is finished is kept, run it again to go on"
    rule = "lost a process, which the system may have ended for want of memory"
    return UserError(Problem("--workers", workers, rule, fix))
