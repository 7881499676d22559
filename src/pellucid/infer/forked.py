"""One engine's work, shared out over forked processes: how a small model uses every core of a CPU.

    requests  ->  the process with the least to do  ->  rollouts, in the order of the requests

A small model gains little from a second thread, and everything from a second process: each has one
thread, the weights as they are when `generate` is called, and slots of its own. An answer depends
on its own request alone (see `slots`), so which process gives it changes nothing.

Left out on purpose: accelerators, other systems than Linux (a fork is not safe there), and single
requests, which a stream of the engine answers.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import final

import torch

from pellucid.base.errors import Problem, UserError
from pellucid.infer.engine import Engine
from pellucid.schema.ports import Generator
from pellucid.schema.rollout import Request, Rollout

MOST_CACHE_BYTES = 2**30
"""Keys and values that all processes may hold together; there are as many processes as fit."""

_AHEAD = 3
"""Requests per slot that a process is given. Its engine takes two before it answers one, and with a
third it never waits for the parent."""


def spread(engine: Engine) -> Generator:
    """The engine itself, or its work shared out over as many processes as torch has threads."""
    fitting = MOST_CACHE_BYTES // max(1, engine.cache_bytes)
    processes = min(torch.get_num_threads(), fitting)
    able = sys.platform == "linux" and engine.device == "cpu"
    return Forked(engine, processes) if able and processes > 1 else engine


@final
class Forked:
    """Answers lists of requests in processes that end with the list. Implements `Generator`."""

    def __init__(self, engine: Engine, processes: int) -> None:
        """Nothing is started yet.

        Args:
            engine: on the CPU; idle whenever `generate` is called.
            processes: of one thread each.
        """
        self._engine, self._processes = engine, processes

    @property
    def model_id(self) -> str:
        """The engine's."""
        return self._engine.model_id

    def generate(self, requests: Iterable[Request]) -> Iterator[Rollout]:
        """Yield one rollout per request, in the order of the requests.

        Requests of one `group` should stand together: they go to one process and share a prefill.

        Raises:
            UserError: a process was ended from outside.
        """
        groups = _numbered(_groups(requests))
        answers: dict[int, Rollout] = {}
        given, more = 0, True
        with _children(self._engine, self._processes) as children:
            while more or any(child.unanswered for child in children):
                more = more and _deal(groups, children, _AHEAD * self._engine.slots)
                answers.update(_collect(children))
                while given in answers:
                    yield answers.pop(given)
                    given += 1


@final
class _Child:
    """The parent's side of one process."""

    def __init__(self, engine: Engine, open_before: Sequence[Connection]) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        inherited = [*open_before, self.connection]
        self.process = context.Process(target=_work, args=(engine, theirs, inherited), daemon=True)
        self.process.start()
        theirs.close()
        self._numbers: deque[int] = deque()

    @property
    def unanswered(self) -> int:
        """Requests that it has not answered."""
        return len(self._numbers)

    def ask(self, first: int, group: Sequence[Request]) -> None:
        """Send requests, whose answers are numbered from `first`."""
        for number, request in enumerate(group, first):
            self.send(request)
            self._numbers.append(number)

    def send(self, request: Request | None) -> None:
        """One request, or the end of them; never blocks for long, as a thread there reads."""
        try:
            self.connection.send(request)
        except OSError as error:
            raise self._gone() from error

    def take(self) -> tuple[int, Rollout]:
        """Its next answer and that answer's number."""
        try:
            told = self.connection.recv()
        except (EOFError, OSError) as error:
            raise self._gone() from error
        if isinstance(told, str):
            raise _fault(told)
        return self._numbers.popleft(), told

    def _gone(self) -> Exception:
        """Why it no longer reads or writes: what it said last, or that it was ended."""
        with suppress(EOFError, OSError):
            while self.connection.poll():
                if isinstance(told := self.connection.recv(), str):
                    return _fault(told)
        self.process.join()
        rule = "was ended while it generated answers"
        fix = "free some memory, ask for fewer slots, or set OMP_NUM_THREADS=1; then run it again"
        return UserError(Problem("process", f"exit code {self.process.exitcode}", rule, fix))


def _fault(told: str) -> RuntimeError:
    return RuntimeError(f"a generating process failed:\n{told}")


@contextmanager
def _children(engine: Engine, count: int) -> Iterator[list[_Child]]:
    """Processes that end when the body does, whatever ends that."""
    children: list[_Child] = []
    try:
        for _ in range(count):
            children.append(_Child(engine, [child.connection for child in children]))
        yield children
    finally:
        for child in children:
            child.connection.close()
            child.process.terminate()
        for child in children:
            child.process.join()
            child.process.close()


def _deal(
    groups: Iterator[tuple[int, list[Request]]], children: Sequence[_Child], most: int
) -> bool:
    """Keep every child busy, the one with the least to do first; False when that was all."""
    while (child := min(children, key=lambda each: each.unanswered)).unanswered < most:
        first, group = next(groups, (0, None))
        if group is None:
            for each in children:
                each.send(None)
            return False
        child.ask(first, group)
    return True


def _collect(children: Sequence[_Child]) -> Iterator[tuple[int, Rollout]]:
    """Wait for an answer; an answer of every child that has one."""
    busy = [child.connection for child in children if child.unanswered]
    ready = set(wait(busy)) if busy else set()
    return (child.take() for child in children if child.connection in ready)


def _numbered(groups: Iterable[list[Request]]) -> Iterator[tuple[int, list[Request]]]:
    """Each group after the number of its first request."""
    first = 0
    for group in groups:
        yield first, group
        first += len(group)


def _groups(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """Runs of requests that share a prefill; a request without a group stands alone."""
    for group, members in groupby(requests, key=lambda request: request.group):
        if group:
            yield list(members)
        else:
            yield from ([member] for member in members)


def _work(engine: Engine, connection: Connection, inherited: Sequence[Connection]) -> None:
    """What a child does until its requests end, or its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to act on
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for one in inherited:  # else no pipe of the parent's would end with the parent
        one.close()
    torch.set_num_threads(1)  # more would wait for threads that were not forked
    asked: SimpleQueue[Request | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, asked), daemon=True).start()
    with suppress(OSError):  # the parent has gone
        try:
            for rollout in engine.generate(iter(asked.get, None)):
                connection.send(rollout)
        except Exception:  # noqa: BLE001 - the parent raises it
            connection.send(traceback.format_exc())
    os._exit(0)  # nothing of the parent's is flushed or cleaned up twice


def _receive(connection: Connection, asked: "SimpleQueue[Request | None]") -> None:
    """Read what is asked as it comes, so that the parent never waits for this process's answers."""
    try:
        while (request := connection.recv()) is not None:
            asked.put(request)
    except (EOFError, OSError):
        os._exit(1)
    asked.put(None)
