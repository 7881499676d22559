"""Attention in blocks against softmax by its definition in double precision."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.model.blocked import blocked_attention


def by_definition(query, key, value, causal, scale):
    scores = scale * torch.einsum("ngqd,nkd->ngqk", query, key)
    if causal:
        length = query.shape[2]
        scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -torch.inf)
    return torch.einsum("ngqk,nkd->ngqd", scores.softmax(-1), value)


def compared(shape, causal, scale, cells, dtype):
    """Relative distances of the output and of the three gradients."""
    count, group, length, wide = shape
    generator = torch.Generator().manual_seed(length)
    drawn = [
        torch.randn(*size, generator=generator).to(dtype)
        for size in (shape, (count, length, wide), (count, length, wide), shape)
    ]
    mine = [part.clone().requires_grad_() for part in drawn[:3]]
    exact = [part.double().requires_grad_() for part in drawn[:3]]
    found = blocked_attention(*mine, causal=causal, scale=scale, cells=cells)
    wanted = by_definition(*exact, causal=causal, scale=scale)
    found.backward(drawn[3])
    wanted.backward(drawn[3].double())
    pairs = [
        (found.detach(), wanted.detach()),
        *((a.grad, b.grad) for a, b in zip(mine, exact, strict=True)),
    ]
    return [float((a.double() - b).norm() / b.norm().clamp(min=1e-9)) for a, b in pairs]


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(2, 200), st.just(8)),
    st.booleans(),
    st.sampled_from([1, 500, 5_000, 2**20]),
)
def test_blocks_of_any_size_are_attention_and_so_are_their_gradients(shape, causal, cells):
    """In single precision, so that nothing hides behind rounding."""
    assert max(compared(shape, causal, 0.4, cells, torch.float32)) < 1e-5


@pytest.mark.parametrize("causal", [True, False])
def test_bfloat16_is_right_to_its_precision(causal):
    assert max(compared((3, 2, 300, 16), causal, 0.25, 2**14, torch.bfloat16)) < 0.01


def test_autocast_around_it_changes_nothing():
    parts = [torch.randn(2, 2, 40, 8).bfloat16(), *torch.randn(2, 2, 40, 8).bfloat16()]
    plain = blocked_attention(*parts, causal=True, scale=0.3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(blocked_attention(*parts, causal=True, scale=0.3), plain)


def test_what_is_kept_for_the_backward_pass_does_not_grow_with_the_square():
    kept = []

    def keep(tensor):
        kept.append(tensor.numel())
        return tensor

    parts = [torch.randn(1, 1, 700, 4).requires_grad_(), *torch.randn(2, 1, 700, 4)]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        blocked_attention(*parts, causal=True, scale=0.5)
    assert sum(kept) == 3 * 700 * 4
