"""Norm and rotation against transformers' own classes, values and gradients."""

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from transformers.models.phi3 import modeling_phi3 as phi3
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as qwen

from pellucid.model.fused import RMSNorm, replace_norms, rms_norm, rotated


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("stock", [phi3.Phi3RMSNorm, qwen.Qwen2_5_VLRMSNorm])
@pytest.mark.parametrize("shape", [(7, 16), (1, 5, 16)])
def test_a_norm_is_that_of_transformers_and_so_is_its_gradient(stock, shape):
    theirs, told = stock(16, eps=1e-3), drawn(*shape).flip(0)
    theirs.weight.data.copy_(drawn(16))
    weight = theirs.weight.detach().clone().requires_grad_()
    first, second = (drawn(*shape).mul(3).requires_grad_() for _ in range(2))
    wanted, found = theirs(first), rms_norm(second, weight, 1e-3)
    torch.testing.assert_close(found, wanted)
    wanted.backward(told)
    found.backward(told)
    torch.testing.assert_close(second.grad, first.grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(weight.grad, theirs.weight.grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_under_autocast_a_norm_comes_out_as_the_next_product_reads_it(dtype):
    rows, weight = drawn(9, 32).to(dtype).requires_grad_(), drawn(32).requires_grad_()
    exact = rows.detach().double().requires_grad_(), weight.detach().double().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = rms_norm(rows, weight, 1e-6)
    wanted = exact[0] * (exact[0].square().mean(-1, keepdim=True) + 1e-6).rsqrt() * exact[1]
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, wanted.bfloat16()) or (found - wanted).abs().max() < 0.02
    told = drawn(9, 32).bfloat16()
    found.backward(told)
    wanted.backward(told.double())
    assert (rows.grad.dtype, weight.grad.dtype) == (dtype, torch.float32)
    near = 1e-5 if dtype == torch.float32 else 1e-2
    for mine, right in ((rows.grad, exact[0].grad), (weight.grad, exact[1].grad)):
        assert (mine.double() - right).norm() / right.norm() < near


class RoundedAsOnAGPU(TorchFunctionMode):
    """Under autocast a GPU rounds the operands of `mv`, which a CPU leaves as they are."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.mv and torch.is_autocast_enabled("cpu"):
            args = [one.bfloat16().to(one.dtype) for one in args]
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_the_same_to_the_bit_inside_and_outside_of_autocast(dtype):
    """Whoever calls backward under autocast gets no product rounded."""
    told, turned = drawn(9, 64).bfloat16(), drawn(9, 3, 8).flip(0)
    angles, found = drawn(9, 4).repeat(1, 2), []
    for inside in (False, True):
        rows, weight = drawn(9, 64).to(dtype).requires_grad_(), drawn(64).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            normed = rms_norm(rows, weight, 1e-6)
        spun = rotated(drawn(9, 3, 8).requires_grad_(), angles.cos(), angles.sin())
        with torch.autocast("cpu", torch.bfloat16, enabled=inside), RoundedAsOnAGPU():
            found.append((*normed.grad_fn.apply(told)[:2], spun.grad_fn.apply(turned)[0]))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_frozen_norm_gives_its_input_a_gradient_and_none_to_its_weight():
    rows, weight = drawn(3, 8).requires_grad_(), drawn(8)
    rms_norm(rows, weight, 1e-6).sum().backward()
    assert rows.grad is not None and weight.grad is None


@pytest.mark.parametrize("places", [8, 4])
def test_a_rotation_is_that_of_transformers_and_so_is_its_gradient(places):
    """All places of a head, and half of them, as Phi-3's partial rotation has it."""
    angles = drawn(6, places // 2).repeat(1, 2)
    cos, sin = angles.cos(), angles.sin()
    first, second = (drawn(6, 3, 8).requires_grad_() for _ in range(2))
    heads = first.transpose(0, 1)[None]
    wanted = phi3.apply_rotary_pos_emb(heads, heads, cos[None], sin[None])[0][0].transpose(0, 1)
    found = rotated(second, cos, sin)
    torch.testing.assert_close(found, wanted)
    told = drawn(6, 3, 8).flip(0)
    wanted.backward(told)
    found.backward(told)
    torch.testing.assert_close(second.grad, first.grad)


def test_a_rotation_rounds_once():
    angles = drawn(5, 4).repeat(1, 2)
    heads = drawn(5, 2, 8).bfloat16()
    found = rotated(heads, angles.cos(), angles.sin())
    wanted = rotated(heads.float(), angles.cos(), angles.sin())
    assert torch.equal(found, wanted.bfloat16())


def test_norms_are_replaced_at_any_depth_with_their_weights_and_names():
    inner = nn.ModuleDict({"norm": phi3.Phi3RMSNorm(4, eps=0.5), "other": nn.Linear(4, 4)})
    outer = nn.ModuleDict({"inner": inner, "norm": phi3.Phi3RMSNorm(4)})
    before = dict(outer.named_parameters())
    replace_norms(outer, phi3.Phi3RMSNorm)
    after = dict(outer.named_parameters())
    assert list(before) == list(after) and all(before[name] is after[name] for name in before)
    assert isinstance(inner["norm"], RMSNorm) and inner["norm"].eps == 0.5
    assert isinstance(outer["norm"], RMSNorm) and isinstance(inner["other"], nn.Linear)
