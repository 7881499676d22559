"""Matrices that nobody trains: held rounded under bfloat16, and given back as they were."""

import pytest
import torch

from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.recipe.train import DecoderLora, LoraModules, Modules
from pellucid.train.batch import collate
from pellucid.train.frozen import choose, restore
from pellucid.train.objective import Objective
from pellucid.train.optim import freeze, hidden_matrices
from pellucid.train.stage import train_stage


@pytest.fixture
def batch(world):
    loaded = checkpoint.load(world.model)
    processor, stores = Processor(loaded.renderer), world.stores
    examples = [
        processor.example(one, [stores.image(image.sha256) for image in record.images])
        for record in world.records[:5]
        for one in loaded.renderer.examples(record)
    ]
    return collate(examples, "cpu")


def gradients(model, batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    losses = Objective(model, "bfloat16")(batch)
    losses.sum().backward()
    found = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    return losses.detach(), found


@pytest.mark.parametrize("trained", ["vision", "projector", "decoder"])
def test_not_a_bit_of_a_step_changes(world, stage, batch, trained: str) -> None:
    made = stage(modules=Modules(**{trained: 1e-3}))
    plain, rounded = (checkpoint.load(world.model).model for _ in range(2))
    freeze(plain.modules_by_name(), made.modules)
    choose(rounded.modules_by_name(), made, 0, (), "bfloat16")
    (losses, found), (again, others) = gradients(plain, batch), gradients(rounded, batch)
    assert torch.equal(losses, again) and found.keys() == others.keys() and found
    assert all(torch.equal(found[name], others[name]) for name in found)


def test_only_what_nobody_trains_is_rounded(world, stage) -> None:
    made = stage(modules=Modules(decoder=1e-3))
    modules = (model := checkpoint.load(world.model).model).modules_by_name()
    choose(modules, made, 0, (), "bfloat16")
    halved = {name for name, one in model.named_parameters() if one.dtype == torch.bfloat16}
    frozen = ("vision", "projector")
    assert halved == {f"{at}.{name}" for at in frozen for name in hidden_matrices(modules[at])}
    restore(model, world.model)
    held = checkpoint.load(world.model).model.named_parameters()
    assert all(torch.equal(one, model.get_parameter(name)) for name, one in held)
    choose(modules, made, 0, (), "float32")
    assert all(one.dtype == torch.float32 for one in model.parameters())


@pytest.mark.parametrize("lora", [None, LoraModules(decoder=DecoderLora(rank=2))])
def test_what_is_published_has_them_as_they_were(world, stage, tmp_path, lora) -> None:
    made = stage(modules=Modules(projector=1e-3, decoder=1e-3 if lora else None), lora=lora)
    start = (world.mix, world.stores, world.model)
    train_stage(made, *start, tmp_path, 3, "cpu", "bfloat16")
    before = dict(checkpoint.load(world.model).model.named_parameters())
    after = dict(checkpoint.load(tmp_path / "checkpoint").model.named_parameters())
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert all(one.dtype == torch.float32 for one in after.values())
    assert not any(name.startswith("vision.") for name in moved)
    if lora is None:
        assert moved and all(name.startswith("projector.") for name in moved)
    else:  # an update of rank 2 upon the matrix as it was, not as it was held
        name = next(one for one in moved if one.startswith("decoder.") and "gate_up" in one)
        update = torch.linalg.svdvals((after[name] - before[name]).double())
        assert update[2] < 1e-4 * update[0]
