"""Halves of a pack by hand and in general; a replica over the same memory; what threads change."""

import itertools
import time
from contextlib import ExitStack, suppress
from threading import Barrier

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.train.conftest import make_stage

from pellucid.base.errors import UserError
from pellucid.model import checkpoint
from pellucid.recipe.train import Pack
from pellucid.store import MixRow
from pellucid.train.cost import Work, flops, operations
from pellucid.train.feed import Feed
from pellucid.train.lengths import index_lengths
from pellucid.train.objective import Objective
from pellucid.train.optim import Optimizers, parameters
from pellucid.train.plan import Plan
from pellucid.train.recompute import recomputing
from pellucid.train.replica import Idle, Pair, halves, replica
from pellucid.train.step import Gradient, Stepper


@pytest.fixture
def threads():
    """Sets the number of threads; it is put back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def objective(world) -> Objective:
    return Objective(checkpoint.load(world.model).model, "float32")


@given(st.lists(st.floats(0.01, 1e15), min_size=1, max_size=8))
def test_halves_hold_every_example_once_and_neither_too_much(work: list[float]) -> None:
    """Beside the best of all splits: the largest first is at most 7/6 of it (Graham, 1969)."""
    found = halves(np.array(work))
    assert sorted(place for half in found for place in half) == list(range(len(work)))
    assert all(half == sorted(half) for half in found)
    splits = itertools.product([False, True], repeat=len(work))
    ones = (sum(one for one, side in zip(work, split, strict=True) if side) for split in splits)
    best = min(max(one, sum(work) - one) for one in ones) / sum(work)
    if len(found) == 2:
        most = max(sum(work[place] for place in half) for half in found) / sum(work)
        assert best * (1 - 1e-9) <= most <= min(0.6, best * 7 / 6) * (1 + 1e-9)
    else:
        assert best * 7 / 6 >= 0.6 * (1 - 1e-9)


def test_halves_by_hand() -> None:
    """6 | then 5, 5 + 2 = 7 | 6 + 1: 7 and 7. One of 7 beside 4 is more than 0.6 of them."""
    assert halves(np.array([5.0, 1.0, 6.0, 2.0])) == [[1, 2], [0, 3]]
    assert halves(np.array([7.0, 4.0])) == [[0, 1]]
    assert halves(np.array([6.0, 4.0])) == [[0], [1]]
    assert halves(np.array([1.0])) == [[0]]


def test_operations_are_those_of_each_example_alone(objective) -> None:
    tokens, supervised, patches = (np.array(one) for one in ([9, 30], [3, 7], [0, 16]))
    found = operations(objective.model, make_stage(), tokens, supervised, patches)
    alone = [
        flops(objective.model, make_stage(), Work(9.0, 3.0, 0.0, 40.5, 0.0)),
        flops(objective.model, make_stage(), Work(30.0, 7.0, 16.0, 450.0, 256.0)),
    ]
    assert found.tolist() == pytest.approx(alone)


def test_a_replica_has_the_weights_and_gradients_of_its_own(objective) -> None:
    objective.model.vision.requires_grad_(False)
    other = replica(objective)
    own, theirs = dict(objective.named_parameters()), dict(other.named_parameters())
    assert own.keys() == theirs.keys()
    for name, tensor in own.items():
        assert theirs[name] is not tensor and theirs[name].data_ptr() == tensor.data_ptr()
        assert theirs[name].requires_grad == tensor.requires_grad
    for one, more in zip(objective.buffers(), other.buffers(), strict=True):
        assert more.data_ptr() == one.data_ptr()
    assert len(list(other.model.modules())) == len(list(objective.model.modules()))
    head, table = other.model.get_output_embeddings(), other.model.get_input_embeddings()
    mine = objective.model
    tied = mine.get_output_embeddings().weight is mine.get_input_embeddings().weight
    assert (head.weight is table.weight) == tied


def test_layers_that_recompute_do_so_in_the_replica_by_its_own_weights(objective) -> None:
    with recomputing(objective.model, True):
        other = replica(objective)
        inside = {id(one) for one in other.modules()}
        for layer in other.model.layers():
            assert id(layer.forward.args[0].__self__) in inside


def test_idle_seconds_by_hand() -> None:
    """None before 3; one runs from 3 to 7, another from 5 to 10; one more from 14 to 20.

    That one ends by an error.
    """
    now = [0.0]
    idle = Idle(lambda: now[0])
    told, one, other = {}, ExitStack(), ExitStack()
    for second in range(23):
        now[0] = float(second)
        if second in (3, 14):
            one.enter_context(idle.interrupted())
        if second == 5:
            other.enter_context(idle.interrupted())
        if second == 7:
            one.close()
        if second == 10:
            other.close()
        if second == 20:
            with suppress(KeyError), one:
                raise KeyError("broken")
        told[second] = idle.seconds()
    assert (told[2], told[3], told[9], told[10], told[12]) == (2.0, 3.0, 3.0, 3.0, 5.0)
    assert (told[14], told[19], told[20], told[22]) == (7.0, 7.0, 7.0, 9.0)


def gradient(world, stage, pair: bool = True) -> tuple[Gradient, dict[str, torch.Tensor]]:
    """Of a stage's first step; with one model alone where no pair is asked for."""
    loaded = checkpoint.load(world.model)
    rows = [MixRow(record.id, 1, "as_is") for record in world.records]
    trained = parameters(loaded.model.modules_by_name(), stage.modules, "adamw")
    optimizers = Optimizers(trained, stage.modules, stage.optimizer, "float32")
    lengths = index_lengths(world.root, stage, rows, world.stores, loaded.renderer, 256, False)
    plan, feed = Plan(lengths, stage, 0), Feed(lengths, world.stores, loaded.renderer)
    objective = Objective(loaded.model, "float32")
    stepper = Stepper(
        stage, plan.total, objective, optimizers, lengths, feed, "cpu",
        choices=loaded.renderer.choice_ids,
    )  # fmt: skip
    if not pair:
        stepper._pair = None
    found = stepper.gradient(0, next(plan.steps(plan.start)))
    return found, {one.name: one.tensor.grad for one in trained}


def test_two_halves_are_the_whole(world) -> None:
    """The same losses of the same examples, and the same gradient but for rounding."""
    stage = make_stage()
    (paired, left), (alone, right) = gradient(world, stage), gradient(world, stage, pair=False)
    assert paired.log["packs"] == alone.log["packs"] and paired.log["examples"] > 4
    assert paired.losses == pytest.approx(alone.losses, rel=1e-5)
    assert paired.log["loss_by_mode"] == pytest.approx(alone.log["loss_by_mode"], rel=1e-5)
    assert paired.log["loss_of_choice"] == pytest.approx(alone.log["loss_of_choice"], rel=1e-5)
    for name, one in left.items():
        if not name.endswith("k_proj.bias"):  # rounding alone
            assert (one - right[name]).norm() < 1e-5 * right[name].norm(), name


def test_one_thread_or_two_make_the_same_bits(world, threads) -> None:
    stage = make_stage(  # one pack, halved; the norm is of all threads
        clip_norm=1e9, pack=Pack(max_tokens=250, max_patches=60, window_records=8)
    )
    found = []
    for count in (1, 2):
        threads(count)
        found.append(gradient(world, stage))
        assert torch.get_num_threads() == count, "as they were"
    assert found[0][0].losses == found[1][0].losses
    for name, one in found[0][1].items():
        assert torch.equal(one, found[1][1][name]), name


@pytest.mark.parametrize("count", [1, 2])
def test_who_runs_what(objective, threads, count: int) -> None:
    """A whole pack is the model's alone, with all threads, after the halves before it."""
    threads(count)
    told = []

    def one(name: str):
        return lambda model: told.append((name, model is objective, torch.get_num_threads()))

    with Pair(objective) as pair:
        for number in range(20):
            pair.half(0, one(f"a{number}"))
            pair.half(1, one(f"b{number}"))
        pair.whole(one("whole"))
    assert told[-1] == ("whole", True, count)
    for letter, first in (("a", True), ("b", False)):
        some = [entry for entry in told if entry[0].startswith(letter)]
        assert some == [(f"{letter}{number}", first, 1) for number in range(20)]


def test_gradients_are_added_once_also_where_one_has_none(objective) -> None:
    pair, names = Pair(objective), list(dict(objective.named_parameters()))

    def give(which: dict[int, float]):
        def work(model: Objective) -> None:
            for at, value in which.items():
                tensor = list(model.parameters())[at]
                tensor.grad = torch.full_like(tensor, value)

        return work

    with pair:
        pair.half(0, give({0: 1.0, 1: 2.0}))
        pair.half(1, give({1: 3.0, 2: 4.0}))
    with pair:
        pass  # nothing is left of the step before
    own = dict(objective.named_parameters())
    assert [float(own[name].grad.max()) for name in names[:3]] == [1.0, 5.0, 4.0]
    assert own[names[3]].grad is None


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("late", [False, True])
def test_what_a_half_raises_is_raised_and_nothing_of_the_step_is_left(
    objective, threads, count: int, late: bool
) -> None:
    threads(count)
    pair, done = Pair(objective), []

    def fails(model: Objective) -> None:
        for tensor in model.parameters():
            tensor.grad = torch.ones_like(tensor)
        raise KeyError("broken")

    def slow(model: Objective) -> None:
        time.sleep(0.1)
        done.append(model)

    with pytest.raises(KeyError, match="broken"), pair:
        pair.half(1, fails)
        pair.half(0, slow)
        if late:  # what feeds the passes fails while one runs
            raise KeyError("broken")
    assert torch.get_num_threads() == count
    assert done in ([], [objective]) if count == 1 else done == [objective], "nothing still runs"
    with pair:
        pair.whole(done.append)
    assert done[-1] is objective and all(one.grad is None for one in objective.parameters())


@pytest.mark.parametrize("count", [1, 2])
def test_only_examples_that_no_pass_runs_beside_are_waited_for(
    world, threads, monkeypatch, count: int
) -> None:
    """Each half makes its own; the first that has them lasts until the other begins.

    One thread makes examples between its passes: all are waited for.
    """
    threads(count)
    stage = make_stage(pack=Pack(max_tokens=250, max_patches=60, window_records=8))
    real, forward = Feed.example, Objective.forward
    made, begun, both = list[float](), list[float](), Barrier(count)

    def example(self, *given):
        start = time.perf_counter()
        time.sleep(0.01)
        found = real(self, *given)
        made.append(time.perf_counter() - start)
        return found

    def one_pass(self, *given):
        begun.append(time.perf_counter())
        both.wait(60)
        return forward(self, *given)

    monkeypatch.setattr(Feed, "example", example)
    monkeypatch.setattr(Objective, "forward", one_pass)
    start = time.perf_counter()
    found, _ = gradient(world, stage)
    assert found.log["packs"] == 1 and len(begun) == 2
    if count == 1:
        assert found.waited >= sum(made)
    else:
        assert 0.01 < found.waited <= begun[0] - start


@pytest.mark.parametrize("count", [1, 2])
def test_a_picture_that_cannot_be_read_ends_the_step_and_names_its_record(
    world, threads, monkeypatch, count: int
) -> None:
    """In whichever half it is; the other one ends, and nothing hangs."""
    threads(count)
    real, shown = type(world.stores).image, next(one for one in world.records if one.images)

    def image(self, sha256: str) -> bytes:
        data = real(self, sha256)
        return data[: len(data) // 2] if sha256 == shown.images[0].sha256 else data

    monkeypatch.setattr(type(world.stores), "image", image)
    stage = make_stage(pack=Pack(max_tokens=250, max_patches=60, window_records=8))
    with pytest.raises(UserError, match=rf"records\.{shown.id}\.images\.0=.*not a readable image"):
        gradient(world, stage)
    assert torch.get_num_threads() == count
