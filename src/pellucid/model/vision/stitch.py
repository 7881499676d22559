"""Features of several scales to features of tokens: tiles put together, averaged, side by side.

    scale 0   1 x 1 tiles   a map of   24 x 24
    scale 1   2 x 2 tiles   a map of   48 x 48  -> averaged to 24 x 24
                                                     token: features of both, one after the other

Averaging is by area, as two matrix products, so that it is the same on every device; a smaller map
is spread the same way. Where one size divides the other, the published S2 code does the same.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def stitch(
    features: Float[Tensor, "p d"],
    views: Int64[Tensor, "n 4"],
    scales: int,
    merged: Literal["first", "last"],
) -> Float[Tensor, "t _"]:
    """Features of every token, `scales` times as wide.

    Args:
        features: of every patch, one view after the other.
        views: rows and columns of each view, then rows and columns of the tiles that it is one of;
            `scales` such sets of tiles, from scale 0, see the same pixels.
        scales: how many.
        merged: the scale whose patches are the tokens.
    """
    maps = _maps(features, views)
    stitched = []
    for seen in zip(*[maps] * scales, strict=True):
        size = seen[0 if merged == "first" else -1].shape[:2]
        beside = torch.cat([_averaged(one, size) for one in seen], dim=-1)
        stitched.append(beside.flatten(0, 1))
    return torch.cat(stitched)


def stitched_tokens(
    views: Int64[Tensor, "n 4"], scales: int, merged: Literal["first", "last"]
) -> list[int]:
    """Tokens of each set of scales."""
    sizes = [
        rows * cols * down * across for rows, cols, down, across in (row for row, _ in _sets(views))
    ]
    return sizes[0 if merged == "first" else scales - 1 :: scales]


def _sets(views: Int64[Tensor, "n 4"]) -> Iterator[tuple[list[int], int]]:
    """The first view of each set of tiles, and how many there are of them."""
    rows, at = views.tolist(), 0
    while at < len(rows):
        count = rows[at][2] * rows[at][3]
        yield rows[at], count
        at += count


def _maps(
    features: Float[Tensor, "p d"], views: Int64[Tensor, "n 4"]
) -> Iterator[Float[Tensor, "h w d"]]:
    """The map of each set of tiles."""
    start = 0
    for (rows, cols, down, across), count in _sets(views):
        stop = start + count * rows * cols
        tiles = features[start:stop].unflatten(0, (down, across, rows, cols))
        yield tiles.transpose(1, 2).flatten(2, 3).flatten(0, 1)  # (down * rows, across * cols, d)
        start = stop
    assert start == len(features), f"views promise {start} patches, {len(features)=}"


def _averaged(one: Float[Tensor, "h w d"], size: torch.Size) -> Float[Tensor, "y x d"]:
    if one.shape[:2] == size:
        return one
    down, across = (
        shares(new, old).to(one.device) for new, old in zip(size, one.shape[:2], strict=True)
    )
    with torch.autocast(one.device.type, enabled=False):
        return torch.einsum("yh,xw,hwd->yxd", down, across, one.float()).to(one.dtype)


@lru_cache(maxsize=1024)
def shares(new: int, old: int) -> Float[Tensor, "new old"]:
    """How much of each new cell along one side is covered by each old one.

    >>> shares(2, 3).tolist()
    [[0.6666666865348816, 0.3333333432674408, 0.0], [0.0, 0.3333333432674408, 0.6666666865348816]]
    """
    with torch.inference_mode(False):  # a training step may be the next to use it
        edges = torch.arange(new + 1, dtype=torch.float64) / new
        cells = torch.arange(old + 1, dtype=torch.float64) / old
        upper = torch.minimum(edges[1:, None], cells[None, 1:])
        lower = torch.maximum(edges[:-1, None], cells[None, :-1])
        return ((upper - lower).clamp(min=0.0) * new).float()
