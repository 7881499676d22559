"""Adapters: nothing changes at first, only matrices move, by little rank, and merging adds up."""

import copy
import sys

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

import pellucid.hf  # noqa: F401 (registers)
from pellucid.base.errors import UserError
from pellucid.model import checkpoint
from pellucid.recipe import load
from pellucid.recipe.train import DecoderLora, Lora, LoraModules, Modules
from pellucid.train.lora import adapt, merge
from pellucid.train.optim import hidden_matrices
from pellucid.train.stage import train_stage

LORA = LoraModules(vision=Lora(rank=2), decoder=DecoderLora(rank=3, alpha=6.0))


@pytest.fixture
def model(world):
    return checkpoint.load(world.model).model


def said(model):
    ids = torch.arange(32, 72)[None]
    ids[0, 3:9] = model.config.image_token_id
    patches = torch.linspace(-1, 1, 6 * 768).reshape(6, 768).sin()
    return model(ids, patches, torch.tensor([(2, 3)])).logits


def adapters(model):
    return {name: one for name, one in model.named_parameters() if "lora_" in name}


@torch.no_grad()
def test_at_first_nothing_changes_and_merging_adds_the_product(model):
    modules = model.modules_by_name()
    before = {name: one.clone() for name, one in model.named_parameters()}
    unchanged = said(model)
    adapt(modules, LORA, seed=5)
    assert torch.equal(said(model), unchanged)
    found = adapters(model)
    for path, tensor in found.items():
        if "lora_B" in path:
            tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(1)) / 9)
    with_adapters = said(model)
    assert (with_adapters - unchanged).abs().max() > 0.01
    merge(modules, LORA)
    assert (said(model) - with_adapters).abs().max() <= 1e-5
    after = dict(model.named_parameters())
    assert after.keys() == before.keys()
    for name, tensor in after.items():
        low = f"{name.removesuffix('.weight')}.lora_A.default.weight"
        change = torch.zeros_like(tensor)
        if low in found:  # alpha / rank times B A; vision has alpha 32 and rank 2
            scale = 16.0 if name.startswith("vision") else 2.0
            change = scale * found[low.replace("lora_A", "lora_B")] @ found[low]
        assert torch.allclose(tensor, before[name] + change, atol=1e-6), name


def test_what_is_drawn_is_a_function_of_the_seed(world):
    def drawn(seed):
        torch.manual_seed(seed * 17)  # which must not matter
        model = checkpoint.load(world.model).model
        state = torch.random.get_rng_state()
        adapt(model.modules_by_name(), LORA, seed)
        assert torch.equal(torch.random.get_rng_state(), state)
        return adapters(model)

    one, again, other = drawn(1), drawn(1), drawn(2)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert all(torch.equal(one[name], other[name]) == ("lora_B" in name) for name in one)


def test_a_stage_moves_matrices_alone_and_by_little_rank(world, stage, tmp_path):
    made = stage(modules=Modules(decoder=3e-2), lora={"decoder": {"rank": 2}}, epochs=1)
    train_stage(made, world.mix, world.stores, world.model, tmp_path, 3, "cpu", "float32")
    before = load_file(world.model / "model.safetensors")
    after = load_file(tmp_path / "checkpoint/model.safetensors")
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    loaded = checkpoint.load(world.model)
    table = "decoder.model.embed_tokens.weight"
    matrices = {f"decoder.{name}" for name in hidden_matrices(loaded.model.decoder)}
    assert moved == matrices | {table}
    rows = (before[table] != after[table]).any(1).nonzero().flatten().tolist()
    assert rows == sorted(loaded.renderer.mode_ids), "of the embedding, the mode tokens alone"
    for name in matrices:
        change = (after[name] - before[name]).double()
        sizes = torch.linalg.svdvals(change)
        assert sizes[1] > 0 and sizes[2] < 1e-5 * sizes[0], name


def test_what_is_published_says_what_was_trained(world, stage, tmp_path, monkeypatch) -> None:
    """Logits with adapters, after they are merged, and of what transformers loads of the folder."""
    seen: list[torch.Tensor] = []

    def spied(modules, lora):
        (model,) = live
        with torch.no_grad():
            seen.append(said(model))
        merge(modules, lora)

    live, real = [], checkpoint.load

    def loading(folder, *args):
        loaded = real(folder, *args)
        live[:] = [loaded.model]
        return loaded

    monkeypatch.setattr("pellucid.train.stage.merge", spied)
    monkeypatch.setattr("pellucid.train.stage.models.load", loading)
    lora = {"vision": {"rank": 2}, "decoder": {"rank": 2}}
    made = stage(modules=Modules(vision=3e-2, decoder=3e-2), lora=lora, epochs=1)
    train_stage(made, world.mix, world.stores, world.model, tmp_path, 3, "cpu", "float32")
    held = {folder: load_file(folder / "model.safetensors")
            for folder in (world.model, tmp_path / "checkpoint")}  # fmt: skip
    one, other = held.values()
    assert one.keys() == other.keys(), "no weight is lost, of the tower neither"
    assert any(name.startswith("vision.") and (one[name] != other[name]).any() for name in one)
    with torch.no_grad():
        published = said(real(tmp_path / "checkpoint").model)
        theirs = said(AutoModelForImageTextToText.from_pretrained(tmp_path / "checkpoint"))
        before = said(real(world.model).model)
    assert len(seen) == 1 and (seen[0] - before).abs().max() > 0.01
    assert (published - seen[0]).abs().max() <= 1e-5
    assert torch.equal(theirs, published)


def test_mode_tokens_can_be_left_as_they_are(world, stage, tmp_path):
    lora = {"decoder": {"rank": 2, "mode_tokens": False}}
    made = stage(modules=Modules(decoder=3e-2), lora=lora, epochs=1)
    train_stage(made, world.mix, world.stores, world.model, tmp_path, 3, "cpu", "float32")
    before = load_file(world.model / "model.safetensors")
    after = load_file(tmp_path / "checkpoint/model.safetensors")
    table = "decoder.model.embed_tokens.weight"
    assert torch.equal(before[table], after[table])


@pytest.mark.parametrize("tied", [True, False])
def test_trained_rows_stand_for_those_of_the_table(model, tied):
    """Rows moved by hand: as the model with these rows written into its tables."""
    decoder, ids = model.decoder, [4, 5, 6]
    if not tied:
        decoder.lm_head.weight = torch.nn.Parameter(decoder.lm_head.weight.detach().clone() / 2)
    wanted = copy.deepcopy(model)
    modules = model.modules_by_name()
    adapt(modules, LoraModules(decoder=DecoderLora(rank=2)), 0, ids)
    rows = {name: one for name, one in decoder.named_parameters() if name.endswith("rows")}
    assert len(rows) == (1 if tied else 2)
    assert {name for name, one in decoder.named_parameters() if one.requires_grad} == {
        name for name, _ in decoder.named_parameters() if name in rows or "lora_" in name
    }
    tables = {"model.embed_tokens": wanted.decoder.model.embed_tokens}
    tables["lm_head"] = wanted.decoder.lm_head
    with torch.no_grad():
        for name, one in rows.items():
            one.add_(torch.randn(one.shape, generator=torch.Generator().manual_seed(3)))
            tables[name.removesuffix(".rows")].weight[ids] = one
    assert (said(model) - said(wanted)).abs().max() <= 1e-5
    merge(modules, LoraModules(decoder=DecoderLora(rank=2)))
    assert dict(model.named_parameters()).keys() == dict(wanted.named_parameters()).keys()
    for one, other in zip(model.parameters(), wanted.parameters(), strict=True):
        assert torch.equal(one, other)


def test_killed_and_resumed_equals_unbroken(world, stage, tmp_path, monkeypatch):
    made = stage(lora={"decoder": {"rank": 2}}, epochs=2, checkpoint_every=2)
    folders = tmp_path / "whole", tmp_path / "broken"
    where = world.mix, world.stores, world.model
    train_stage(made, *where, folders[0], 3, "cpu", "float32")
    with monkeypatch.context() as patch:
        patch.setattr("pellucid.train.stage.merge", lambda *_: 1 / 0)  # dies at its very end
        with pytest.raises(ZeroDivisionError):
            train_stage(made, *where, folders[1], 3, "cpu", "float32")
    assert not (folders[1] / "checkpoint").exists() and (folders[1] / "checkpoints").exists()
    train_stage(made, *where, folders[1], 3, "cpu", "float32")
    one, other = (folder / "checkpoint/model.safetensors" for folder in folders)
    assert one.read_bytes() == other.read_bytes()


def test_adapters_without_a_rate_are_refused():
    sets = ["train.stages.0.modules={projector: 1e-3}", "train.stages.0.lora={decoder: {}}"]
    with pytest.raises(UserError, match=r"lora\.decoder=.* has no rate: .*modules\.decoder"):
        load("smoke", sets)


def test_without_peft_one_is_told_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UserError, match=r"needs peft; pip install 'pellucid\[lora\]'"):
        adapt(model.modules_by_name(), LORA, seed=0)
