"""Layouts of packed rows: every token once, padding bounded, boundaries kept."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.model import segments
from pellucid.model.attention import packed_attention

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(LENGTHS, st.sampled_from([0.0, 0.25, 0.5]), st.sampled_from([1, 32]))
def test_layout_is_a_permutation_with_bounded_padding(lengths, waste, multiple):
    plan = segments.layout(lengths, waste, torch.device("cpu"), multiple)
    assert torch.equal(plan.gather[plan.scatter], torch.arange(sum(lengths)))
    padded = sum(count * longest for count, longest in plan.shapes)
    assert len(plan.gather) == padded
    assert all(longest % multiple == 0 for _, longest in plan.shapes)
    spare = sum(count * (multiple - 1) for count, _ in plan.shapes)
    assert sum(lengths) >= (1 - waste) * (padded - spare)
    assert sum(count for count, _ in plan.shapes) == len(lengths)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.sampled_from([0.0, 0.5]), st.sampled_from([1, 32]), st.integers(1, 3))
def test_heads_stand_where_attention_reads_them_and_come_back(lengths, waste, multiple, heads):
    plan, total = segments.layout(lengths, waste, torch.device("cpu"), multiple), sum(lengths)
    found = segments.by_head(plan, heads)
    rows = torch.arange(total * heads).double()[:, None].requires_grad_()
    spread = segments.spread(rows, found)
    start = 0
    for count, longest in plan.shapes:
        batch = spread[start * heads : (start + count * longest) * heads].detach().long()
        token, head = batch.view(count, heads, longest).div(heads, rounding_mode="floor"), batch
        assert torch.equal(
            token[:, 0].flatten(), plan.gather[start : start + count * longest]
        ) and bool((token == token[:, :1]).all())
        assert bool(
            (head.view(count, heads, longest) % heads == torch.arange(heads)[:, None]).all()
        )
        start += count * longest
    back = segments.gathered(spread, found)
    assert torch.equal(back, rows)
    told = torch.rand(total * heads, 1).double()
    padded = torch.autograd.grad(back, spread, told, retain_graph=True)[0]
    assert torch.equal(padded[found.scatter], told) and not padded[found.spare].any()
    assert len(found.spare) == (start - total) * heads
    back.backward(told)
    assert torch.equal(rows.grad, told)


@settings(max_examples=30, deadline=None)
@given(LENGTHS, st.booleans(), st.sampled_from([1, 2, 4]))
def test_attention_is_softmax_within_each_segment(lengths, causal, kv_heads):
    generator = torch.Generator().manual_seed(sum(lengths))
    query = torch.randn(sum(lengths), 4, 8, generator=generator)
    key, value = torch.randn(2, sum(lengths), kv_heads, 8, generator=generator)
    ours = packed_attention(query, key, value, lengths, causal=causal, scale=0.3)
    start = 0
    for length in lengths:
        part = slice(start, start + length)
        shared = [each[part].repeat_interleave(4 // kv_heads, dim=1) for each in (key, value)]
        scores = 0.3 * torch.einsum("qhd,khd->hqk", query[part], shared[0])
        if causal:
            scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -torch.inf)
        expected = torch.einsum("hqk,khd->qhd", scores.softmax(-1), shared[1])
        torch.testing.assert_close(ours[part], expected, rtol=1e-5, atol=1e-5)
        start += length


def test_bf16_training_on_a_cpu_agrees_with_fp32():
    parts = torch.randn(3, 60, 4, 8, generator=torch.Generator().manual_seed(0))
    exact = packed_attention(*parts, [20, 30, 10], causal=True)
    rough = packed_attention(*parts.bfloat16().requires_grad_(), [20, 30, 10], causal=True)
    assert (exact - rough.float()).abs().max() < 0.05
    with torch.autocast("cpu", torch.bfloat16):
        cast = packed_attention(*parts.clone().requires_grad_(), [20, 30, 10], causal=True)
    assert torch.equal(cast, rough)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_bf16_training_is_attention_by_its_definition_and_so_are_its_gradients(causal, kv_heads):
    """bf16 on a CPU, against softmax by its definition in float64."""
    lengths, generator = [513, 3, 90, 64, 1], torch.Generator().manual_seed(kv_heads)
    total = sum(lengths)
    given = [torch.randn(total, heads, 8, generator=generator) for heads in (4, kv_heads, kv_heads)]
    upper = torch.randn(total, 4, 8, generator=generator)
    exact = [part.double().requires_grad_() for part in given]
    wanted = _by_definition(exact[0], exact[1], exact[2], lengths, causal)
    (wanted * upper).sum().backward()
    rough = [part.clone().requires_grad_() for part in given]
    with torch.autocast("cpu", torch.bfloat16):
        found = packed_attention(*rough, lengths, causal=causal)
    (found.float() * upper).sum().backward()
    pairs = [
        (found.float(), wanted),
        *((a.grad, b.grad) for a, b in zip(rough, exact, strict=True)),
    ]
    for mine, right in pairs:
        assert (mine.double() - right).norm() / right.norm() < 0.01


def _by_definition(query, key, value, lengths, causal):
    parts, groups = [], query.shape[1] // key.shape[1]
    for q, k, v in zip(query.split(lengths), key.split(lengths), value.split(lengths), strict=True):
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        scores = torch.einsum("qhd,khd->hqk", q, k) * q.shape[-1] ** -0.5
        if causal:
            scores = scores.masked_fill(torch.ones(len(q), len(q)).triu(1).bool(), -torch.inf)
        parts.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), v))
    return torch.cat(parts)
