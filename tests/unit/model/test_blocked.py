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


def compared(shape, causal, scale, cells, dtype, off=(0.0, 0.0), least=1e-9):
    """Relative distances of the output and of the three gradients.

    `off` is added to what is drawn of keys and values; smaller numbers count as `least`.
    """
    count, group, length, wide = shape
    generator = torch.Generator().manual_seed(length)
    sizes = (shape, (count, length, wide), (count, length, wide), shape)
    drawn = [
        (torch.randn(*size, generator=generator) + more).to(dtype)
        for size, more in zip(sizes, (0.0, *off, 0.0), strict=True)
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
    return [float((a.double() - b).norm() / b.norm().clamp(min=least)) for a, b in pairs]


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


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(2, 300), st.just(8)),
    st.booleans(),
    st.sampled_from([500, 2**20]),
    st.floats(4.0, 20.0),
)
def test_scores_that_are_large_are_attention_too(shape, causal, cells, scale):
    """Beyond what a power of 2 could be of, so that a row's greatest score has to be taken off.

    Gradients vanish where one key has all of a row's weight: they are held against the output's.
    """
    assert max(compared(shape, causal, scale, cells, torch.float32, least=1.0)) < 1e-4


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("scale", [0.25, 2.0])
def test_keys_and_values_far_from_nothing_cost_no_precision(causal, scale):
    """A row's gradients of scores add up to nothing; what rounding leaves of their sum is
    multiplied by what all keys have in common. The fused kernel is 0.1 to 0.2 off here.
    """
    shape = (2, 2, 600, 64)
    found = compared(shape, causal, scale / 8, 2**18, torch.bfloat16, off=(3.0, 5.0))
    assert max(found) < 0.05


def test_one_coordinate_that_all_keys_have_costs_no_precision():
    """It moves all scores of a row alike; left in, those of 200 would be rounded to whole ones."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(2, 1, 300, 64, generator=generator) for _ in range(4)]
    query, key, value, told = drawn[0], drawn[1][:, 0], drawn[2][:, 0], drawn[3]
    query[..., 3] += 20
    key[..., 3] += 100
    mine = [part.bfloat16().requires_grad_() for part in (query, key, value)]
    exact = [part.detach().double().requires_grad_() for part in mine]
    found = blocked_attention(*mine, causal=True, scale=64**-0.5)
    wanted = by_definition(*exact, causal=True, scale=64**-0.5)
    found.backward(told.bfloat16())
    wanted.backward(told.bfloat16().double())
    assert (found - wanted).norm() < 0.02 * wanted.norm()
    for one, other in zip(mine[1:], exact[1:], strict=True):
        assert (one.grad - other.grad).norm() < 0.03 * other.grad.norm()


@pytest.mark.parametrize("length", [40, 300])
@pytest.mark.parametrize("causal", [True, False])
def test_parts_that_do_not_lie_in_order(causal, length):
    """Heads that were cut out of one product, or that are one head several times."""
    whole = torch.randn(length, 3, 2, 8).bfloat16()
    parts = [whole[:, at].transpose(0, 1) for at in range(3)]
    query, key, value = parts[0][:, None], parts[1], parts[2][:1].expand(2, length, 8)
    given = [part.detach().requires_grad_() for part in (query, key, value)]
    tidy = [part.detach().clone(memory_format=torch.contiguous_format) for part in given]
    found = blocked_attention(*given, causal=causal, scale=0.3)
    wanted = blocked_attention(*(p.requires_grad_() for p in tidy), causal=causal, scale=0.3)
    told = torch.randn(length, 2, 8).bfloat16().transpose(0, 1)[:, None]
    found.backward(told)
    wanted.backward(told.contiguous())
    assert torch.equal(found, wanted)
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(given, tidy, strict=True))


@pytest.mark.parametrize("scale", [5.0, 50.0, 500.0])
def test_both_passes_have_the_same_scores(scale):
    """In double precision, from rounded scores: a row's weights add up to 1 in the backward pass,
    too, however coarse a score's steps are. The gradient of values sums up to what was told.
    """
    drawn = [torch.randn(2, 1, 100, 64).bfloat16(), *torch.randn(2, 2, 100, 64).bfloat16()]
    parts = [part.requires_grad_() for part in drawn]
    told = torch.randn(2, 1, 100, 64).bfloat16()
    blocked_attention(*parts, causal=False, scale=scale).backward(told)
    wanted = told.double().sum((1, 2))
    assert (parts[2].grad.double().sum(1) - wanted).norm() < 0.02 * told.double().norm()


@pytest.mark.parametrize("scale", [1e3, 1e4])
def test_no_score_is_too_large(scale):
    parts = [torch.randn(2, 1, 70, 8).bfloat16(), *torch.randn(2, 2, 70, 8).bfloat16()]
    parts = [part.requires_grad_() for part in parts]
    found = blocked_attention(*parts, causal=False, scale=scale)
    found.sum().backward()
    assert all(torch.isfinite(one).all() for one in (found, *(part.grad for part in parts)))


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
    of_queries, of_rows = 2 * 700 * 4, 700  # the output too; what a row's weights add up to
    assert sum(kept) == of_queries + 2 * 700 * 4 + of_rows + 1  # and whether scores are near
