"""Groups, one update by hand, clipping by hand, and a state that continues to the last bit."""

import pytest
import torch
from torch import nn

from pellucid.recipe.train import AdamW, Modules, Muon
from pellucid.train import muon
from pellucid.train.optim import Optimizers, freeze, parameters


class Decoder(nn.Module):
    """Names and roles as in a real decoder, with the head tied to the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(8, 4)
        self.mlp = nn.Linear(4, 6)
        self.norm = nn.LayerNorm(6)
        self.lm_head = nn.Linear(4, 8, bias=False)
        self.lm_head.weight = self.embed_tokens.weight


def modules() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    vision = nn.ModuleDict({"patch_embedding": nn.Linear(3, 4), "fc": nn.Linear(4, 4)})
    return {"vision": vision, "projector": nn.Linear(4, 4), "decoder": Decoder()}


def one(value: float, rows: int = 1) -> dict[str, nn.Module]:
    """A projector of `rows` x 1 weights, all `value`, and as many biases."""
    layer = nn.Linear(1, rows)
    nn.init.constant_(layer.weight, value)
    nn.init.constant_(layer.bias, value)
    return {"projector": layer}


def build(parts, rates: Modules, options) -> Optimizers:
    freeze(parts, rates)
    return Optimizers(parameters(parts, rates, options.kind), rates, options, "float32")


def test_muon_gets_hidden_matrices_and_adamw_the_rest() -> None:
    rates = Modules(vision=1e-4, decoder=1e-3)
    found = parameters(modules(), rates, "muon")
    assert {p.name: (p.method, p.decayed) for p in found} == {
        "vision.patch_embedding.weight": ("adamw", True),
        "vision.patch_embedding.bias": ("adamw", False),
        "vision.fc.weight": ("muon", True),
        "vision.fc.bias": ("adamw", False),
        "decoder.embed_tokens.weight": ("adamw", True),
        "decoder.mlp.weight": ("muon", True),
        "decoder.mlp.bias": ("adamw", False),
        "decoder.norm.weight": ("adamw", False),
        "decoder.norm.bias": ("adamw", False),
    }
    assert {p.method for p in parameters(modules(), rates, "adamw")} == {"adamw"}


def test_frozen_modules_require_no_gradient() -> None:
    parts = modules()
    freeze(parts, Modules(projector=1e-3))
    wanting = {
        name: any(p.requires_grad for p in part.parameters()) for name, part in parts.items()
    }
    assert wanting == {"vision": False, "projector": True, "decoder": False}
    freeze(parts, Modules(vision=1e-3))
    assert all(p.requires_grad for p in parts["vision"].parameters())
    assert not any(p.requires_grad for p in parts["projector"].parameters())


def test_adamw_by_hand() -> None:
    """First step: both moments are the gradient's own, so the update is rate x sign.

    Matrix: 2 * (1 - 0.1 * 0.5) - 0.1 = 1.8. Vector (not decayed): 2 - 0.1 = 1.9.
    """
    parts = one(2.0)
    optimizers = build(parts, Modules(projector=0.2), AdamW(weight_decay=0.5))
    assert optimizers.set_factor(0.5) == {"projector": 0.1}
    parts["projector"].weight.grad = torch.tensor([[0.3]])
    parts["projector"].bias.grad = torch.tensor([0.3])
    optimizers.step()
    assert parts["projector"].weight.item() == pytest.approx(1.8, abs=1e-6)
    assert parts["projector"].bias.item() == pytest.approx(1.9, abs=1e-6)


def test_muon_moves_a_matrix_by_the_rms_of_adamw() -> None:
    """A rank-one gradient has one singular value, which Newton-Schulz takes to about 1 (0.7-1.2).

    16 x 1 of norm 1 has entries of 1/4; scaled by 0.2 * sqrt(16) that is 0.2 per entry and rate.
    """
    parts = one(0.0, rows=16)
    optimizers = build(parts, Modules(projector=0.1), Muon())
    optimizers.set_factor(1.0)
    parts["projector"].weight.grad = torch.full((16, 1), 7.0)
    parts["projector"].bias.grad = torch.full((16,), 7.0)
    optimizers.step()
    moved = parts["projector"].weight.detach() / -(0.1 * 0.2)
    assert bool(((moved > 0.65) & (moved < 1.25)).all())
    assert parts["projector"].bias.detach().tolist() == pytest.approx([-0.1] * 16, abs=1e-6)


@pytest.mark.parametrize("products", [torch.float32, torch.bfloat16])
def test_muon_is_the_librarys_in_either_precision(products: torch.dtype) -> None:
    """The library orthogonalises in bfloat16: its update is ours to about one part in a hundred."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((8, 24), (24, 8), (8, 8), (8, 24))
    start = [torch.randn(shape, generator=generator) for shape in shapes]
    ours, theirs = ([nn.Parameter(one.clone()) for one in start] for _ in range(2))
    group = {"params": ours, "lr": 0.02, "weight_decay": 0.1}
    optimizers = (
        muon.Muon([group], 0.9, products),
        torch.optim.Muon(
            theirs, lr=0.02, momentum=0.9, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
        ),
    )
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for mine, other, first in zip(ours, theirs, start, strict=True):
        moved = (other - first).detach().norm()
        assert float((mine - other).detach().norm() / moved) < 0.03


def test_muons_products_follow_the_dtype_of_the_stage() -> None:
    """In bfloat16 the update differs from float32's, by about one part in a hundred."""
    moved = {}
    for dtype in ("float32", "bfloat16"):
        parts, rates = one(1.0, rows=8), Modules(projector=0.1)
        freeze(parts, rates)
        found = Optimizers(parameters(parts, rates, "muon"), rates, Muon(), dtype)
        parts["projector"].weight.grad = torch.arange(8.0)[:, None] + 1
        parts["projector"].bias.grad = torch.zeros(8)
        found.set_factor(1.0)
        found.step()
        moved[dtype] = parts["projector"].weight.detach() - 1
    apart = (moved["float32"] - moved["bfloat16"]).norm() / moved["float32"].norm()
    assert 1e-5 < float(apart) < 0.03


def test_decay_alone_moves_matrices_only() -> None:
    for options in (AdamW(weight_decay=0.5), Muon(weight_decay=0.5)):
        parts = one(2.0, rows=2)
        optimizers = build(parts, Modules(projector=0.1), options)
        optimizers.set_factor(1.0)
        for tensor in parts["projector"].parameters():
            tensor.grad = torch.zeros_like(tensor)
        optimizers.step()
        assert parts["projector"].weight.tolist() == [[pytest.approx(1.9)]] * 2  # 2 - 2 * 0.05
        assert parts["projector"].bias.tolist() == [2.0, 2.0]


def test_each_module_has_its_own_rate() -> None:
    parts = {"vision": one(1.0)["projector"], "decoder": one(1.0)["projector"]}
    optimizers = build(parts, Modules(vision=0.01, decoder=0.1), AdamW())
    assert optimizers.set_factor(1.0) == {"vision": 0.01, "decoder": 0.1}
    for part in parts.values():
        part.bias.grad = torch.ones(1)
    optimizers.step()
    assert parts["vision"].bias.item() == pytest.approx(0.99, abs=1e-6)
    assert parts["decoder"].bias.item() == pytest.approx(0.9, abs=1e-6)


def test_clip_by_hand() -> None:
    """Norms 3 and 4 make 5; clipped to 1 they become 0.6 and 0.8; under 10 they stay."""
    for limit, expected in ((1.0, (0.6, 0.8)), (10.0, (3.0, 4.0))):
        parts = {"vision": one(1.0)["projector"], "decoder": one(1.0)["projector"]}
        optimizers = build(parts, Modules(vision=0.1, decoder=0.1), AdamW())
        parts["vision"].bias.grad = torch.tensor([3.0])
        parts["decoder"].weight.grad = torch.tensor([[-4.0]])
        norms = optimizers.clip(limit)
        assert norms.total == pytest.approx(5.0)
        assert norms.by_module == {"vision": 3.0, "decoder": 4.0}
        assert parts["vision"].bias.grad.item() == pytest.approx(expected[0], rel=1e-5)
        assert parts["decoder"].weight.grad.item() == pytest.approx(-expected[1], rel=1e-5)


def test_a_module_that_got_no_gradient_has_norm_zero() -> None:
    parts = {"vision": one(1.0)["projector"], "decoder": one(1.0)["projector"]}
    optimizers = build(parts, Modules(vision=0.1, decoder=0.1), AdamW())
    parts["decoder"].bias.grad = torch.tensor([0.5])
    assert optimizers.clip(1.0).by_module == {"vision": 0.0, "decoder": 0.5}


def test_a_non_finite_gradient_is_reported_and_left_alone() -> None:
    parts = one(1.0)
    optimizers = build(parts, Modules(projector=0.1), AdamW())
    parts["projector"].weight.grad = torch.tensor([[float("inf")]])
    parts["projector"].bias.grad = torch.tensor([2.0])
    assert optimizers.clip(1.0).total == float("inf")
    assert parts["projector"].bias.grad.item() == 2.0


@pytest.mark.parametrize("options", [AdamW(weight_decay=0.1), Muon(weight_decay=0.1)])
def test_a_loaded_state_continues_to_the_last_bit(options) -> None:
    def run(parts, optimizers, steps) -> None:
        optimizers.set_factor(0.7)
        for step in steps:
            torch.manual_seed(step)
            for part in parts.values():
                for tensor in part.parameters():
                    tensor.grad = torch.randn_like(tensor) if tensor.requires_grad else None
            optimizers.step()

    rates = Modules(vision=0.01, decoder=0.02)
    whole, first, second = modules(), modules(), modules()
    run(whole, build(whole, rates, options), range(6))
    early = build(first, rates, options)
    run(first, early, range(3))
    late = build(second, rates, options)
    for name, part in second.items():
        part.load_state_dict(first[name].state_dict())
    late.load({key: value.clone() for key, value in early.state().items()})
    run(second, late, range(3, 6))
    for name, part in whole.items():
        for key, value in part.state_dict().items():
            assert torch.equal(value, second[name].state_dict()[key]), f"{name}.{key}"
    fields = {key.split("/")[0] + "/" + key.split("/")[1] for key in late.state()}
    adamw = {"adamw/step", "adamw/exp_avg", "adamw/exp_avg_sq"}
    assert fields == (adamw | {"muon/momentum_buffer"} if options.kind == "muon" else adamw)
