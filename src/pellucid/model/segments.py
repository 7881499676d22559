"""Packed sequences: how segments of one long row are laid out as a few padded batches.

A row of T tokens holds segments that must not see each other. Attention over it runs as a few
batched calls, each over segments of similar length. This file plans that layout; it computes no
attention and builds no mask, so nothing grows with T x T.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Int64
from torch import Tensor

from pellucid.model.rounding import missing


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each token of a packed row goes, and where it is found again."""

    shapes: tuple[tuple[int, int], ...]
    """(segments, longest) of each padded batch."""
    gather: Int64[Tensor, " padded"]
    """Row position of each place of the padded batches; a spare place repeats its segment's first
    token."""
    scatter: Int64[Tensor, " t"]
    """Place of each row position."""


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
