"""Softmax attention in blocks of bounded memory, for bfloat16 training on a CPU.

The fused kernel of PyTorch's CPU build takes twice to three times as long, and more for short
windows (`benchmarks/attention.py`). Here each block of scores is made by a product into memory that
is used again and again, turned into weights, and used; none is kept, so the backward pass makes it
anew. Queries that share keys stand below each other, and a causal block reads no key behind its
last query.

Weights are powers of 2 of scores in base 2, and what they add up to divides the output and its
gradient, which are narrow, in their place. A row's greatest score is found and subtracted only
where lengths of queries and keys do not rule out that it is large. What all keys of a sequence have
in common moves all scores of a row alike, which no softmax sees: it is taken off first. The
backward pass makes scores by the very same products, so that they are the same to the last bit.

Leaves out on purpose: dropout, and devices that have fused kernels worth their name.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd import Function

from pellucid.model.rounding import missing

CELLS = 2**22
"""Scores in a block: 8 MB of bfloat16. Smaller ones are hardly faster, and where other programs use
the cores each of many short calls waits for the slower thread."""
ROWS = 32
"""Rows of a block are a multiple of this, so that few shapes occur."""
LOG2_E = 1 / math.log(2)
RANGE = 64.0
"""2 to such a power and its inverse leave room in bfloat16 for values and gradients."""
ROOM = 1024
"""Rows that are in single precision at a time, so that nothing large is made for a moment."""
STRETCH = 128
"""Weights that are added up before their sum is rounded."""
STEPS, LEAST = 4, 128
"""A causal square is cut into so many blocks, of no fewer rows: half of it need not be made."""


def blocked_attention(
    query: Float[Tensor, "n g l d"],
    key: Float[Tensor, "n l d"],
    value: Float[Tensor, "n l d"],
    causal: bool,
    scale: float,
    cells: int = CELLS,
) -> Float[Tensor, "n g l d"]:
    """Attention of each of `n` sequences over itself, in the dtype of the operands.

    Args:
        query: of `g` heads that share their keys and values.
        key: one for every query.
        value: the same.
        causal: whether a token sees only itself and what stands before it.
        scale: factor of the scores.
        cells: scores that are made at a time.
    """
    found: Tensor = _Blocked.apply(query, key, value, causal, scale, cells)
    return found


class _Block(NamedTuple):
    """Which scores are made together."""

    heads: slice
    """Of the sequences."""
    rows: slice
    """Of the queries."""
    keys: slice


def _blocks(query: Tensor, causal: bool, cells: int) -> Iterator[_Block]:
    """All scores, block by block."""
    count, group, length, _ = query.shape
    rows, heads = _sides(query, causal, cells)
    for first in range(0, count, heads):
        for start in range(0, length, rows):
            stop = min(start + rows, length)
            across = slice(first, min(first + heads, count))
            yield _Block(across, slice(start, stop), slice(0, stop if causal else length))


def _sides(query: Tensor, causal: bool, cells: int) -> tuple[int, int]:
    """Rows and sequences of a block."""
    count, group, length, _ = query.shape
    wanted = max(-(-length // STEPS), LEAST) if causal else length
    fit = cells // (group * length)
    rows = min(wanted + missing(wanted, ROWS), max(fit // ROWS * ROWS, ROWS), length)
    return rows, min(max(cells // (rows * group * length), 1), count)


class _Memory:
    """Room for blocks, used by one after the other."""

    def __init__(self, query: Tensor, cells: int, causal: bool) -> None:
        group, length = query.shape[1:3]
        rows, heads = _sides(query, causal, cells)
        self.size, self.like = heads * group * rows * length, query
        self.whole = rows == length
        """Whether a block has all queries of its sequences, and all keys."""
        side = rows if causal else 0
        self.later = torch.full((side, side), -torch.inf, dtype=query.dtype).triu_(1)

    def room(self) -> Tensor:
        """For one block, shaped by `_products`."""
        return self.like.new_empty(self.size)

    def scores(
        self, query: Tensor, key: Tensor, scale: float, block: _Block, room: Tensor
    ) -> Float[Tensor, "m rows keys"]:
        """In base 2, of the queries of a group below each other; none with a later key."""
        scores = _products(query, key, scale * LOG2_E, room)
        if len(self.later):
            side = block.rows.stop - block.rows.start
            own = scores.unflatten(1, (-1, side))[..., block.rows]
            own += self.later[:side, :side]
        return scores


def _products(
    one: Float[Tensor, "m a d"], other: Float[Tensor, "m b d"], scale: float, room: Tensor
) -> Float[Tensor, "m a b"]:
    """Of all rows of two parts, times `scale`, in as much of a room as they take."""
    shape = (*one.shape[:2], other.shape[1])
    out = room[: math.prod(shape)].view(shape)
    return torch.baddbmm(out, one, other.mT, beta=0, alpha=scale, out=out)


def _tall(part: Float[Tensor, "n g l d"], block: _Block) -> Float[Tensor, "m rows d"]:
    """The queries of a block, or what belongs to them, those of a group below each other."""
    return part[block.heads, :, block.rows].flatten(1, 2)


def _near(query: Tensor, key: Tensor, scale: float) -> Bool[Tensor, " n"]:
    """Of which sequences no score is further than `RANGE` from 0: none exceeds both lengths."""
    query_length, key_length = (
        torch.linalg.vector_norm(part, dim=-1, dtype=torch.float32).flatten(1).amax(1)
        for part in (query, key)
    )
    return query_length * key_length * abs(scale) * LOG2_E <= RANGE


def _summed(weights: Float[Tensor, "m rows keys"]) -> Float[Tensor, "m rows 1"]:
    """Sums over keys in single precision; `sum` with a dtype would copy all weights to it first."""
    whole = weights.shape[-1] // STRETCH * STRETCH
    total = weights[..., whole:].sum(-1, keepdim=True).float()
    if whole:
        parts = weights[..., :whole].unflatten(-1, (-1, STRETCH)).sum(-1)
        total += parts.float().sum(-1, keepdim=True)
    return total


def _divide(mixed: Float[Tensor, "m rows d"], total: Float[Tensor, "m rows 1"]) -> None:
    """In place and in single precision, some rows at a time."""
    pairs = (part.flatten(0, 1).split(ROOM) for part in (mixed, total))
    for part, by in zip(*pairs, strict=True):
        part /= by


def _minus_mean(told: Float[Tensor, "n g l d"], out: Tensor) -> Float[Tensor, "n g l d+2"]:
    """Gradients with two columns more, so that products with `_beside` are less by a row's mean.

    The mean of a row's gradients under its weights is the gradient's product with the output. Two
    numbers hold it in single precision: it is taken from others that may be nearly the same.
    """
    mean = told.new_empty(told.shape[:-1], dtype=torch.float32)
    rows = zip(*(part.flatten(0, 2).split(ROOM) for part in (told, out)), strict=True)
    for place, (one, other) in zip(mean.view(-1).split(ROOM), rows, strict=True):
        torch.sum(one.float() * other, -1, out=place)
    mean = mean.neg_()[..., None]
    high = mean.to(told.dtype)
    return torch.cat((told, high, (mean - high).to(told.dtype)), -1)


def _beside(value: Float[Tensor, "n l d"]) -> Float[Tensor, "n l d+2"]:
    """What gradients with `_minus_mean` are multiplied by."""
    return torch.cat((value, torch.ones_like(value[..., :2])), -1)


class _Blocked(Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, causal: bool, scale: float, cells: int
    ) -> Tensor:
        key, group = key - key.mean(1, keepdim=True), query.shape[1]
        memory, out = _Memory(query, cells, causal), query.new_empty(query.shape)
        near, room = _near(query, key, scale), memory.room()
        totals = torch.empty_like(query[..., :1], dtype=torch.float32)
        peaks = None if near.all() else torch.zeros_like(query[..., :1])
        with torch.autocast(query.device.type, enabled=False):
            for block in _blocks(query, causal, cells):
                heads, rows, keys = block
                tall = _tall(query, block)
                weights = memory.scores(tall, key[heads, keys], scale, block, room)
                if peaks is not None and not near[heads].all():
                    peak = weights.amax(-1, keepdim=True)
                    weights -= peak
                    peaks[heads, :, rows] = peak.unflatten(1, (group, -1))
                total = _summed(weights.exp2_())
                mixed = out[heads].flatten(1, 2) if memory.whole else tall.new_empty(tall.shape)
                torch.bmm(weights, value[heads, keys], out=mixed)
                _divide(mixed, total)
                if not memory.whole:
                    out[heads, :, rows] = mixed.unflatten(1, (group, -1))
                totals[heads, :, rows] = total.unflatten(1, (group, -1))
        ctx.save_for_backward(query, key, value, out, totals, near, peaks)
        ctx.causal, ctx.scale, ctx.cells = causal, scale, cells
        return out

    @staticmethod
    def backward(ctx: Any, told: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, totals, near, peaks = ctx.saved_tensors
        memory, group = _Memory(query, ctx.cells, ctx.causal), query.shape[1]
        of_query = query.new_empty(query.shape)
        of_key, of_value = (
            part.new_empty(part.shape)
            if memory.whole
            else torch.zeros_like(part, dtype=torch.float32)
            for part in (key, value)
        )
        told = told * totals.reciprocal().to(told.dtype)
        wide, beside = _minus_mean(told, out), _beside(value)
        rooms = memory.room(), memory.room()
        for block in _blocks(query, ctx.causal, ctx.cells):
            heads, rows, keys = block
            tall, above = _tall(query, block), _tall(told, block)
            weights = memory.scores(tall, key[heads, keys], ctx.scale, block, rooms[0])
            if peaks is not None and not near[heads].all():
                weights -= _tall(peaks, block)
            weights.exp2_()
            slopes = _products(_tall(wide, block), beside[heads, keys], ctx.scale, rooms[1])
            slopes *= weights
            if memory.whole:
                torch.bmm(slopes.mT, tall, out=of_key[heads])
                torch.bmm(weights.mT, above, out=of_value[heads])
                torch.bmm(slopes, key[heads], out=of_query[heads].flatten(1, 2))
            else:
                of_key[heads, keys] += torch.bmm(slopes.mT, tall)
                of_value[heads, keys] += torch.bmm(weights.mT, above)
                turned = torch.bmm(slopes, key[heads, keys])
                of_query[heads, :, rows] = turned.unflatten(1, (group, -1))
        return of_query, of_key.to(key.dtype), of_value.to(value.dtype), None, None, None
