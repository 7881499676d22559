"""Forked processes against the engine that they share, and against what may happen to them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pellucid.base.errors import UserError
from pellucid.infer.forked import Forked, spread
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.schema.rollout import Request, Rollout

from .conftest import CONTEXT, MakeEngine, ask

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")

MIXED = [
    ask(number, images=number % 3, mode=("auto", "think", "nothink")[number % 3], tokens=3 + number)
    for number in range(16)
]
GROUPED = [
    replace(ask(group, images=group % 2, group=f"g{group}"), id=f"{group}-{member}", seed=member)
    for group in range(5)
    for member in range(1 + group)
]


def timeless(rollouts: Iterator[Rollout]) -> list[Rollout]:
    return [replace(rollout, latency_s=0.0) for rollout in rollouts]


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("requests", [MIXED, GROUPED, [*GROUPED, *MIXED], MIXED[:1], []])
def test_processes_answer_as_the_engine_does_and_in_order(
    make: MakeEngine, requests: list[Request], processes: int
) -> None:
    expected = timeless(make(2).generate(requests))
    assert timeless(Forked(make(2), processes).generate(iter(requests))) == expected
    assert [rollout.request_id for rollout in expected] == [request.id for request in requests]
    assert not multiprocessing.active_children()


def test_weights_are_those_of_the_call(
    make: MakeEngine, model: PellucidForConditionalGeneration
) -> None:
    engine = make()
    forked = Forked(engine, 2)
    before = timeless(forked.generate(MIXED))
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(-1)
    after = timeless(forked.generate(MIXED))
    assert after != before and after == timeless(engine.generate(MIXED))


def test_requests_are_taken_as_they_are_needed(make: MakeEngine) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Request]:
        for number in range(10_000):
            taken.append(number)
            yield ask(number, tokens=2)

    slots, processes = 2, 2
    answers = Forked(make(slots), processes).generate(endless())
    given = [next(answers).request_id for _ in range(20)]
    assert given == [f"r{number}" for number in range(20)]
    assert len(taken) <= 20 + 2 * 3 * slots * processes
    answers.close()
    assert not multiprocessing.active_children()


def test_a_refused_request_is_a_rollout(make: MakeEngine) -> None:
    bad = replace(ask(1, images=1), images=(b"no picture",))
    (rollout,) = Forked(make(), 2).generate([bad])
    assert rollout.outcome == "failed" and "images.0" in rollout.error


def test_a_process_that_is_killed_is_told_and_takes_the_others_along(make: MakeEngine) -> None:
    answers = Forked(make(2), 2).generate(ask(number, tokens=40) for number in range(1000))
    next(answers)
    victim = multiprocessing.active_children()[0]
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    with pytest.raises(UserError, match="exit code -9.*was ended.*OMP_NUM_THREADS=1"):
        list(answers)
    assert not multiprocessing.active_children()


def test_a_fault_of_the_program_is_raised_with_where_it_lies(
    make: MakeEngine, model: PellucidForConditionalGeneration
) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError("a kernel that broke")

    with (
        model.projector.register_forward_hook(fail),
        pytest.raises(RuntimeError, match="(?s)Traceback.*ArithmeticError: a kernel that broke"),
    ):
        list(Forked(make(), 2).generate(MIXED))
    assert not multiprocessing.active_children()


def test_a_fault_is_told_also_to_a_parent_that_was_busy(
    make: MakeEngine, model: PellucidForConditionalGeneration
) -> None:
    """The parent meets a pipe that nobody reads before it reads what was said last."""
    prefills = 0

    def fail(*_: object) -> None:
        nonlocal prefills
        prefills += 1
        if prefills > 6:
            raise ArithmeticError("a kernel that broke")

    requests = (ask(number, images=1, tokens=2) for number in range(10_000))
    with (
        model.projector.register_forward_hook(fail),
        pytest.raises(RuntimeError, match="(?s)Traceback.*a kernel that broke"),
    ):
        for _ in Forked(make(1), 2).generate(requests):
            time.sleep(0.3)
    assert not multiprocessing.active_children()


def test_a_ctrl_c_is_the_parents_to_act_on(make: MakeEngine) -> None:
    engine = make(2)
    requests = [ask(number, tokens=20) for number in range(60)]
    answers = Forked(engine, 2).generate(requests)
    first = next(answers)
    for child in multiprocessing.active_children():
        assert child.pid is not None
        os.kill(child.pid, signal.SIGINT)
    assert timeless(iter([first, *answers])) == timeless(engine.generate(requests))


def test_small_caches_are_spread_and_large_ones_are_not(make: MakeEngine) -> None:
    engine, before = make(2), torch.get_num_threads()
    kept = 2 * 2 * 2 * 2 * CONTEXT * 16 * 4  # keys, values; layers; slots; kv heads; width; bytes
    assert engine.cache_bytes == kept
    assert spread(engine) is engine, "there is one thread"
    torch.set_num_threads(2)
    try:
        assert isinstance(spread(engine), Forked)
        assert spread(make(2**30 // kept * 2)) is not engine
        large = make(1 + 2**30 // kept)
        assert spread(large) is large
    finally:
        torch.set_num_threads(before)


ORPHANS = """
import multiprocessing
import torch
from pellucid.infer.engine import Engine
from pellucid.infer.forked import Forked
from pellucid.base.paths import ASSETS
from pellucid.schema.record import user
from pellucid.schema.rollout import Request
torch.set_num_threads(1)
engine = Engine.load(ASSETS / "backbone", slots=2, context_tokens=200)
asked = (Request(str(n), (user("What?"),), (), max_new_tokens=100) for n in range(100_000))
answers = Forked(engine, 2).generate(asked)
next(answers)
print(*[child.pid for child in multiprocessing.active_children()], flush=True)
list(answers)
"""


def test_processes_end_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 60
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, "orphans go on"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
