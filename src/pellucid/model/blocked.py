"""Softmax attention in blocks of bounded memory, for bfloat16 training on a CPU.

The fused kernel of PyTorch's CPU build takes 1.3 to 2.5 times as long, and more for short windows
(`benchmarks/attention.py`). Here each block of scores is made by a product into memory that is used
again and again, turned into weights, and used; none is kept, so the backward pass makes it anew.
Queries that share keys stand below each other, and a causal block reads no key behind its last
query.

Leaves out on purpose: dropout, and devices that have fused kernels worth their name.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

from pellucid.model.rounding import missing

CELLS = 2**22
"""Scores in a block: 8 MB of bfloat16. Smaller ones are hardly faster, and where other programs use
the cores each of many short calls waits for the slower thread."""
ROWS = 32
"""Rows of a block are a multiple of this, so that few shapes occur."""
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
        self.rows, heads = _sides(query, causal, cells)
        self.size = heads * group * self.rows * length
        self.like, self.causal = query, causal
        self.mask = torch.full((self.rows, self.rows), -torch.inf, dtype=query.dtype).triu_(1)

    def room(self) -> Tensor:
        """For one block, shaped by `part`."""
        return self.like.new_empty(self.size)

    def part(self, room: Tensor, block: _Block) -> Float[Tensor, "m rows keys"]:
        """As much of it as a block takes, the queries of a group below each other."""
        heads, rows, keys = (side.stop - side.start for side in block)
        height = self.like.shape[1] * rows
        return room[: heads * height * keys].view(heads, height, keys)

    def weights(
        self, query: Tensor, key: Tensor, scale: float, block: _Block, scores: Tensor, out: Tensor
    ) -> None:
        """Softmax of the scores of a block, into `out`; `scores` is overwritten."""
        torch.baddbmm(scores, query, key.mT, beta=0, alpha=scale, out=scores)
        if self.causal:
            rows = block.rows.stop - block.rows.start
            own = scores.unflatten(1, (-1, rows))[..., block.rows.start :]
            own += self.mask[:rows, :rows]
        torch.softmax(scores, -1, out=out)


def _tall(part: Float[Tensor, "n g l d"], block: _Block) -> Float[Tensor, "m rows d"]:
    """The queries of a block, or what belongs to them, those of a group below each other."""
    return part[block.heads, :, block.rows].flatten(1, 2)


class _Blocked(Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, causal: bool, scale: float, cells: int
    ) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.causal, ctx.scale, ctx.cells = causal, scale, cells
        out, memory = torch.empty_like(query), _Memory(query, cells, causal)
        held, other = memory.room(), memory.room()
        with torch.autocast(query.device.type, enabled=False):
            for block in _blocks(query, causal, cells):
                heads, rows, keys = block
                scores, weights = memory.part(held, block), memory.part(other, block)
                tall = _tall(query, block)
                memory.weights(tall, key[heads, keys], scale, block, scores, weights)
                mixed = torch.bmm(weights, value[heads, keys])
                out[heads, :, rows] = mixed.unflatten(1, (query.shape[1], -1))
        return out

    @staticmethod
    def backward(ctx: Any, told: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value = ctx.saved_tensors
        memory = _Memory(query, ctx.cells, ctx.causal)
        of_query = torch.empty_like(query)
        of_key, of_value = (torch.zeros_like(one, dtype=torch.float32) for one in (key, value))
        rooms = [memory.room() for _ in range(3)]
        for block in _blocks(query, ctx.causal, ctx.cells):
            heads, rows, keys = block
            scores, weights, upper = (memory.part(room, block) for room in rooms)
            tall, above = _tall(query, block), _tall(told, block)
            memory.weights(tall, key[heads, keys], ctx.scale, block, scores, weights)
            torch.bmm(above, value[heads, keys].mT, out=upper)
            torch.ops.aten._softmax_backward_data.out(
                upper, weights, -1, query.dtype, grad_input=scores
            )
            of_value[heads, keys] += torch.bmm(weights.mT, above)
            of_key[heads, keys] += torch.bmm(scores.mT, tall)
            turned = torch.bmm(scores, key[heads, keys]).mul_(ctx.scale)
            of_query[heads, :, rows] = turned.unflatten(1, (query.shape[1], -1))
        of_key *= ctx.scale
        return of_query, of_key.to(key.dtype), of_value.to(value.dtype), None, None, None
