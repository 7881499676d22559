"""Training checkpoints: exact, whole or absent, two kept, the disk's refusals as they are."""

import errno
import json
import resource

import pytest
import torch
from torch import nn

from pellucid.recipe.train import AdamW, Modules, Muon
from pellucid.train.checkpoint import FOLDER, State, keep_best, remove_all, resume, save, take_best
from pellucid.train.optim import Optimizers, parameters

RATES = Modules(projector=1e-2, decoder=1e-2)


def state(step: int, run: str = "run") -> State:
    return State(run, step, epoch=1, window=2, pack=3, log_bytes=40, timing_bytes=50)


def names(folder) -> list[str]:
    return sorted(path.name for path in (folder / FOLDER).iterdir())


class Trained:
    """A few parameters of odd shapes, and what trains them."""

    def __init__(self, options=None, seed: int = 0, wide: int = 3) -> None:
        torch.manual_seed(seed)
        modules = {"projector": nn.Linear(wide, 5), "decoder": nn.Sequential(nn.Linear(5, 1))}
        options = options or AdamW(weight_decay=0.1)
        self.parameters = parameters(modules, RATES, options.kind)
        self.optimizers = Optimizers(self.parameters, RATES, options, "float32")
        self.modules = modules

    def step(self, seed: int) -> None:
        torch.manual_seed(seed)
        inside = self.modules["projector"]
        self.optimizers.zero()
        self.modules["decoder"](
            inside(torch.randn(4, inside.in_features))
        ).square().sum().backward()
        self.optimizers.set_factor(1.0)
        self.optimizers.step()

    def tensors(self) -> list[torch.Tensor]:
        return [one.tensor.detach().clone() for one in self.parameters]

    def save(self, folder, at: State) -> None:
        save(folder, at, self.parameters, self.optimizers)

    def resume(self, folder, run: str = "run") -> State:
        return resume(folder, run, self.parameters, self.optimizers)


def equal(one: Trained, two: Trained) -> bool:
    return all(map(torch.equal, one.tensors(), two.tensors()))


@pytest.mark.parametrize("options", [AdamW(weight_decay=0.1), Muon()], ids=["adamw", "muon"])
def test_what_is_saved_comes_back_exactly(tmp_path, options) -> None:
    one, two = Trained(options), Trained(options, seed=1)
    one.step(1)
    one.save(tmp_path, state(100))
    assert two.resume(tmp_path) == state(100)
    assert equal(one, two)
    kept, found = one.optimizers.state(), two.optimizers.state()
    assert kept.keys() == found.keys() and all(
        torch.equal(kept[name], found[name]) for name in kept
    )
    for seed in (2, 3):  # the next steps depend on the state
        one.step(seed)
        two.step(seed)
    assert equal(one, two)


def test_a_checkpoint_before_any_step_and_one_of_values_that_are_no_numbers(tmp_path) -> None:
    one, two = Trained(), Trained(seed=1)
    with torch.no_grad():
        one.parameters[0].tensor[0, 0] = float("inf")
        one.parameters[1].tensor[0] = float("nan")
    one.save(tmp_path, state(1))
    two.resume(tmp_path)
    assert two.parameters[0].tensor[0, 0] == float("inf") and two.parameters[1].tensor[0].isnan()
    assert not two.optimizers.state()


def test_only_the_newest_two_stay(tmp_path) -> None:
    one = Trained()
    for step in (9, 90, 100, 1_000_000):
        one.save(tmp_path, state(step))
    assert names(tmp_path) == ["step-000100", "step-1000000"]
    assert one.resume(tmp_path).step == 1_000_000
    remove_all(tmp_path)
    assert one.resume(tmp_path).step == 0 and not (tmp_path / FOLDER).exists()


def test_as_many_stay_as_were_asked_for(tmp_path) -> None:
    one = Trained()
    for step in (1, 2, 3, 4):
        save(tmp_path, state(step), one.parameters, one.optimizers, kept=3)
    assert names(tmp_path) == ["step-000002", "step-000003", "step-000004"]
    save(tmp_path, state(5), one.parameters, one.optimizers, kept=1)
    assert names(tmp_path) == ["step-000005"]


def test_nothing_in_it_is_pickled(tmp_path) -> None:
    one = Trained()
    one.step(1)
    one.save(tmp_path, state(1))
    files = sorted(path.name for path in (tmp_path / FOLDER / "step-000001").iterdir())
    assert files == ["shard-00001-model-00001-of-00001.safetensors", "state.json"]


def test_an_unfinished_folder_is_never_read(tmp_path) -> None:
    one = Trained()
    one.save(tmp_path, state(1))
    unfinished = tmp_path / FOLDER / ".step-000002.tmp"
    unfinished.mkdir()
    (unfinished / "shard-00001-model-00001-of-00001.safetensors").write_bytes(b"half")
    assert one.resume(tmp_path).step == 1
    one.save(tmp_path, state(2))
    assert names(tmp_path) == ["step-000001", "step-000002"]


def test_another_run_is_not_resumed(tmp_path) -> None:
    one = Trained()
    one.save(tmp_path, state(3, "theirs"))
    assert one.resume(tmp_path, "ours").step == 0
    assert names(tmp_path) == []


def test_a_refusal_of_the_disk_is_an_os_error(tmp_path) -> None:
    """A file-size limit stands in for a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = Trained(wide=10_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError) as caught:
            large.save(tmp_path, state(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert large.resume(tmp_path).step == 0


def test_the_best_weights_are_kept_and_taken(tmp_path) -> None:
    one, seen = Trained(), {}
    for step, loss in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 1.0)):
        one.step(step)
        seen[step] = one.tensors()
        keep_best(tmp_path, "run", step, loss, one.parameters)
    assert names(tmp_path) == ["best-000002"], "the first of equals, and no other"
    told = json.loads((tmp_path / FOLDER / "best-000002" / "state.json").read_bytes())
    assert told == {"run": "run", "step": 2, "loss": 1.0}
    assert take_best(tmp_path, "run", one.parameters) == 2
    assert all(map(torch.equal, one.tensors(), seen[2]))
    keep_best(tmp_path, "run", 2, 0.999, one.parameters)  # read again after a kill, on other ranks
    keep_best(tmp_path, "run", 5, float("nan"), one.parameters)
    assert names(tmp_path) == ["best-000002"]
    keep_best(tmp_path, "another", 9, 5.0, one.parameters)
    assert names(tmp_path) == ["best-000009"], "another run's best is nobody's"
