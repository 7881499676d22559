"""Packed sequences: how segments of one long row are laid out as a few padded batches.

A row of T tokens holds segments that must not see each other. Attention over it runs as a few
batched calls, each over segments of similar length. This file plans that layout; it computes no
attention and builds no mask, so nothing grows with T x T.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.autograd import Function

from pellucid.model.rounding import missing


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where each token of a packed row goes, and where it is found again."""

    shapes: tuple[tuple[int, int], ...]
    """(segments, longest) of each padded batch."""
    gather: Int64[Tensor, " padded"]
    """Row position of each place of the padded batches; a spare place repeats its segment's first
    token."""
    scatter: Int64[Tensor, " t"]
    """Place of each row position."""


class Heads(NamedTuple):
    """The same for the heads of a row's tokens, token by token, as places of (segment, head, token)
    in each batch: what attention reads.
    """

    gather: Int64[Tensor, " padded_heads"]
    """Which head of which token stands at each place."""
    scatter: Int64[Tensor, " t_heads"]
    """Place of each."""
    spare: Int64[Tensor, " spare"]
    """Places of padding."""


def layout(lengths: Sequence[int], waste: float, device: torch.device, multiple: int = 1) -> Layout:
    """The padded batches of a packed row.

    Segments are sorted by length and share a batch while the shortest is at least `1 - waste` of
    the longest. With `waste=0` a batch holds equal lengths only, as bidirectional attention without
    a mask needs. At most that share of a batch is padding, before its longest segment is rounded up
    to the multiple.

    >>> plan = layout([2, 3, 1], 0.5, torch.device("cpu"))
    >>> plan.shapes
    ((2, 3), (1, 1))
    >>> plan.gather.tolist()
    [2, 3, 4, 0, 1, 0, 5]
    >>> plan.scatter.tolist()
    [3, 4, 0, 1, 2, 6]
    """
    return _layout(tuple(lengths), waste, device, multiple)


@lru_cache(maxsize=8)
def by_head(plan: Layout, heads: int) -> Heads:
    """A layout for every head of every token.

    >>> plan = layout([1, 2], 0.0, torch.device("cpu"))
    >>> by_head(plan, 2).gather.tolist()
    [2, 4, 3, 5, 0, 1]
    """
    with torch.inference_mode(False):  # a training step may be the next to use them
        device, start, order = plan.gather.device, 0, []
        for count, longest in plan.shapes:
            places = torch.arange(start, start + count * longest, device=device)
            order.append(places.view(count, 1, longest).expand(-1, heads, -1).flatten())
            start += count * longest
        place = torch.cat(order)  # in the layout of tokens, of each place of this one
        head = torch.cat(
            [
                torch.arange(heads, device=device).repeat_interleave(longest).repeat(count)
                for count, longest in plan.shapes
            ]
        )
        gather = plan.gather[place] * heads + head
        used = torch.zeros(start, dtype=torch.bool, device=device)
        used[plan.scatter] = True
        real = used[place].nonzero()[:, 0]
        scatter = torch.empty(len(plan.scatter) * heads, dtype=torch.int64, device=device)
        scatter[gather[real]] = real
        return Heads(gather, scatter, (~used[place]).nonzero()[:, 0])


class _Reordered(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, to: Tensor, back: Tensor, spare: Tensor) -> Tensor:
        ctx.save_for_backward(back, spare)
        return rows.index_select(0, to)

    @staticmethod
    def backward(ctx: Any, told: Tensor) -> tuple[Tensor | None, ...]:
        back, spare = ctx.saved_tensors
        found = told.index_select(0, back)
        return found.index_fill_(0, spare, 0) if len(spare) else found, None, None, None


def spread(rows: Float[Tensor, "t_heads d"], heads: Heads) -> Float[Tensor, "padded_heads d"]:
    """Rows where attention reads them; padding has to get no gradient."""
    found: Tensor = _Reordered.apply(rows, heads.gather, heads.scatter, heads.spare[:0])
    return found


def gathered(rows: Float[Tensor, "padded_heads d"], heads: Heads) -> Float[Tensor, "t_heads d"]:
    """Rows back where they came from."""
    found: Tensor = _Reordered.apply(rows, heads.scatter, heads.gather, heads.spare)
    return found


def segment_positions(segments: Sequence[int], device: torch.device) -> Int64[Tensor, "1 t"]:
    """Position of each token within its own segment.

    >>> segment_positions([2, 3], torch.device("cpu")).tolist()
    [[0, 1, 0, 1, 2]]
    """
    return torch.cat([torch.arange(length, device=device) for length in segments])[None]


@lru_cache(maxsize=16)
def _layout(lengths: tuple[int, ...], waste: float, device: torch.device, multiple: int) -> Layout:
    """Cached, because every layer of a step asks for the same layout."""
    starts, total = [], 0
    for length in lengths:
        assert length > 0, f"empty segment in {lengths}"
        starts.append(total)
        total += length
    shapes: list[tuple[int, int]] = []
    gather: list[int] = []
    scatter = [0] * total
    for batch in _batches(lengths, waste):
        longest = lengths[batch[0]] + missing(lengths[batch[0]], multiple)
        shapes.append((len(batch), longest))
        for index in batch:
            start, length = starts[index], lengths[index]
            scatter[start : start + length] = range(len(gather), len(gather) + length)
            gather.extend(range(start, start + length))
            gather.extend([start] * (longest - length))
    with torch.inference_mode(False):  # a training step may be the next to use them
        return Layout(
            tuple(shapes),
            torch.tensor(gather, dtype=torch.int64, device=device),
            torch.tensor(scatter, dtype=torch.int64, device=device),
        )


def _batches(lengths: tuple[int, ...], waste: float) -> list[list[int]]:
    """Indices of the segments of each batch, longest first; ties keep their order."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batches and lengths[index] >= (1 - waste) * lengths[batches[-1][0]]:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
