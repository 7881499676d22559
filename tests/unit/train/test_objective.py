"""The loss by hand, against the model's own, and its gradient under every split of a step."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.unit.train.conftest import TINY

from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.prompt.render import Renderer
from pellucid.recipe.model import DynamicImages, DynamicS2Images
from pellucid.schema.record import Source, assistant, make_record, user
from pellucid.train.batch import collate
from pellucid.train.objective import Objective, chunked_losses, sums


@pytest.fixture(scope="module")
def loaded(world):
    return checkpoint.load(world.model)


@pytest.fixture(scope="module")
def examples(world, loaded):
    """Eight examples of different lengths, with none, one and two images."""
    stores, processor = world.stores, Processor(loaded.renderer)
    return [
        processor.example(one, [stores.image(image.sha256) for image in record.images])
        for record in world.records[:7]
        for one in loaded.renderer.examples(record)
    ]


def gradients(model, batches) -> dict[str, torch.Tensor]:
    """Of the token mean over all batches."""
    count = sum(len(batch.targets) for batch in batches)
    model.zero_grad()
    for batch in batches:
        (sums(Objective(model, "float32")(batch), batch).loss / count).backward()
    return {name: one.grad.clone() for name, one in model.named_parameters()}


def furthest(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> float:
    """Largest relative distance of any parameter's gradient.

    A key's bias adds the same to all scores of a query, so its gradient is 0 but for rounding.
    """
    return max(
        float((left[name] - right[name]).norm() / left[name].norm())
        for name in left
        if not name.endswith("k_proj.bias")
    )


def test_cross_entropy_by_hand() -> None:
    """Logits (0, ln 3): the second has probability 3/4, the first 1/4."""
    hidden = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    losses = chunked_losses(lambda rows: rows, hidden, torch.tensor([1, 0]))
    assert losses.tolist() == pytest.approx([math.log(4 / 3), math.log(4)], abs=1e-6)


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_chunks_change_neither_loss_nor_gradient(chunk: int) -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(7, 4), torch.randn(5, 4)
    found = []
    for size in (100, chunk):
        rows, head = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        losses = chunked_losses(lambda x, h=head: x @ h.T, rows, torch.arange(7) % 5, size)
        (losses * torch.arange(1, 8)).sum().backward()
        found.append((losses.detach(), rows.grad, head.grad))
    for whole, split in zip(*found, strict=True):
        torch.testing.assert_close(whole, split, rtol=1e-6, atol=1e-6)


def test_it_is_the_loss_of_the_whole_logits(loaded, examples) -> None:
    """The model's own forward makes all logits and shifts labels itself."""
    batch = collate(examples, "cpu")
    flags = torch.from_numpy(np.concatenate([one.supervised for one in examples]))
    labels = batch.input_ids.masked_fill(~flags[None], -100)
    with torch.no_grad():
        output = loaded.model(
            batch.input_ids, batch.patches, batch.grids, segments=batch.segments, labels=labels
        )
        losses = Objective(loaded.model, "float32")(batch)
    assert len(losses) == int(flags.sum())
    assert losses.mean().item() == pytest.approx(output.loss.item(), rel=1e-6)


def test_gradient_does_not_depend_on_packing_or_micro_batches(loaded, examples) -> None:
    whole = gradients(loaded.model, [collate(examples, "cpu")])
    alone = gradients(loaded.model, [collate([one], "cpu") for one in examples])
    dealt = gradients(
        loaded.model, [collate(examples[5:] + examples[:2], "cpu"), collate(examples[2:5], "cpu")]
    )
    assert furthest(whole, alone) < 1e-5
    assert furthest(whole, dealt) < 1e-5


def test_a_leak_of_one_boundary_is_noticed(loaded, examples) -> None:
    """Negative control: two examples joined to one segment."""
    batch = collate(examples, "cpu")
    first, second, *rest = batch.segments
    owners = (batch.owners - 1).clamp(min=0)
    leaking = replace(batch, segments=(first + second, *rest), owners=owners)
    clean = gradients(loaded.model, [batch])
    assert furthest(clean, gradients(loaded.model, [leaking])) > 1e-3


def test_a_mean_of_micro_batch_means_is_noticed(loaded, examples) -> None:
    """Negative control: dividing by each micro-batch's own count gives another gradient."""
    batches = [collate(examples[:2], "cpu"), collate(examples[2:], "cpu")]
    right = gradients(loaded.model, batches)
    loaded.model.zero_grad()
    for batch in batches:
        (Objective(loaded.model, "float32")(batch).mean() / len(batches)).backward()
    wrong = {name: one.grad.clone() for name, one in loaded.model.named_parameters()}
    assert furthest(right, wrong) > 1e-3


def test_sums_by_example(loaded, examples) -> None:
    batch = collate(examples, "cpu")
    with torch.no_grad():
        found = sums(Objective(loaded.model, "float32")(batch), batch)
        alone = [Objective(loaded.model, "float32")(collate([one], "cpu")) for one in examples]
    expected = [float(losses.sum()) for losses in alone]
    assert found.by_example.tolist() == pytest.approx(expected, rel=1e-5)
    assert found.loss.item() == pytest.approx(sum(expected), rel=1e-5)


def test_the_loss_of_the_mode_is_that_of_its_token(loaded, examples) -> None:
    """By hand: the losses of targets that are `<think>` or `<nothink>`, example by example."""
    batch, ids = collate(examples, "cpu"), loaded.renderer.choice_ids
    with torch.no_grad():
        losses = Objective(loaded.model, "float32")(batch)
        found = sums(losses, batch, ids)
    wanted, count = [0.0] * len(examples), [0] * len(examples)
    for loss, target, owner in zip(losses, batch.targets, batch.owners, strict=True):
        if int(target) in ids:
            wanted[int(owner)] += float(loss)
            count[int(owner)] += 1
    assert found.chosen.tolist() == pytest.approx(wanted) and found.choices.tolist() == count
    assert sum(count) >= len(examples) and float(found.chosen.sum()) > 0
    assert not sums(losses, batch).choices.any()


def test_bfloat16_computes_the_forward_pass_and_keeps_float32_gradients(loaded, examples) -> None:
    batch = collate(examples, "cpu")
    loaded.model.zero_grad()
    exact = Objective(loaded.model, "float32")(batch).detach()
    rough = Objective(loaded.model, "bfloat16")(batch)
    assert rough.dtype == torch.float32
    assert 1e-5 < (rough.detach() - exact).abs().max() < 0.1
    rough.sum().backward()
    assert {one.grad.dtype for one in loaded.model.parameters()} == {torch.float32}


@pytest.mark.parametrize(("dtype", "rounded"), [("bfloat16", True), ("float32", False)])
def test_few_sizes_are_compiled_in_bfloat16_and_none_is_padded_in_float32(
    loaded, examples, dtype: str, rounded: bool
) -> None:
    """What the decoder's layers and the head are given, for packs of every size."""
    rows = set[int]()

    def seen(module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        rows.add(given[0].shape[-2])

    parts = [loaded.model.decoder.model.layers[0].mlp, loaded.model.get_output_embeddings()]
    hooks = [part.register_forward_pre_hook(seen) for part in parts]
    wanted = set[int]()
    for count in range(1, len(examples) + 1):
        batch = collate(examples[:count], "cpu")
        wanted |= {batch.input_ids.shape[1], len(batch.targets)}
        found = Objective(loaded.model, dtype)(batch)
        assert len(found) == len(batch.targets)
    for hook in hooks:
        hook.remove()
    assert any(size % 128 for size in wanted), "the sizes are not round by themselves"
    assert rows == ({-(-size // 128) * 128 for size in wanted} if rounded else wanted)


@pytest.mark.parametrize("images", [DynamicImages(), DynamicS2Images()], ids=["one", "several"])
def test_a_blank_image_runs_the_tower_and_counts_nothing(images) -> None:
    options = TINY.model_copy(update={"images": images})
    renderer = Renderer.build(options)
    model = checkpoint.build(options, 0, renderer)
    said = (user("1 + 1?"), assistant("2"))
    source = Source("toy", "train", 0, "CC0-1.0")
    record = make_record(
        messages=said, images=(), answer=None, task="sums", domain="toy", source=source
    )
    (text,) = renderer.examples(record)
    batch = collate([Processor(renderer).example(text, [])], "cpu")
    found = {}
    for blank in (False, True):
        model.zero_grad()
        losses = Objective(model, "float32")(batch, blank)
        losses.sum().backward()
        gradients = {name: one.grad for name, one in model.named_parameters()}
        found[blank] = losses.detach(), gradients
    assert torch.equal(found[False][0], found[True][0])
    for name, gradient in found[True][1].items():
        before = found[False][1][name]
        assert gradient is not None, f"{name} was not reached"
        assert not gradient.any() if before is None else torch.equal(gradient, before)
    assert any(one is None for one in found[False][1].values()), "the tower was run without it"
