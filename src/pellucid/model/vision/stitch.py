"""Features of several scales to features of tokens: tiles put together, averaged, side by side.

    scale 0   1 x 1 tiles   a map of   24 x 24
    scale 1   2 x 2 tiles   a map of   48 x 48  -> averaged to 24 x 24
                                                     token: features of both, one after the other

Averaging is by area; a smaller map is spread the same way. Where one size divides the other, the
published S2 code does the same. All tokens of all images of a batch are made at once: a token is,
at each scale, a weighted sum of the patches that its cell covers, and which those are and how much
of each follows from the views in whole numbers.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
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
    maps = _maps(views)
    assert maps.patches == len(features), f"views promise {maps.patches}, {len(features)=}"
    parts = _parts(maps, scales, merged)
    dtype = torch.promote_types(features.dtype, torch.float32)
    with torch.autocast(features.device.type, enabled=False):
        sums = F.embedding_bag(
            parts.patch.to(features.device),
            features.to(dtype),
            parts.offsets.to(features.device),
            mode="sum",
            per_sample_weights=parts.share.to(features.device, dtype),
        )
    return sums.to(features.dtype).unflatten(0, (-1, scales)).flatten(1)


def stitched_tokens(
    views: Int64[Tensor, "n 4"], scales: int, merged: Literal["first", "last"]
) -> list[int]:
    """Tokens of each set of scales."""
    sizes = _maps(views).sizes.unflatten(0, (-1, scales))
    found: list[int] = sizes[:, _own(scales, merged)].prod(1).tolist()
    return found


class _Maps(NamedTuple):
    """The map of each set of tiles; all on the CPU."""

    tile: Int64[Tensor, "s 2"]
    """Rows and columns of one of its tiles."""
    across: Int64[Tensor, " s"]
    """Tiles side by side."""
    sizes: Int64[Tensor, "s 2"]
    """Rows and columns of the map."""
    start: Int64[Tensor, " s"]
    """Its first patch."""
    patches: int
    """Of all maps."""


class _Parts(NamedTuple):
    """What tokens are made of: token after token, scale after scale, row after row of a cell."""

    patch: Int64[Tensor, " e"]
    share: Float[Tensor, " e"]
    """How much of the cell the patch covers; these add up to 1 in every cell."""
    offsets: Int64[Tensor, " c"]
    """First part of each cell: of each token at each scale."""


def _maps(views: Int64[Tensor, "n 4"]) -> _Maps:
    """Sets of tiles among the views: a run of equal views is one set or several alike."""
    views = views.cpu()
    begins = torch.ones(len(views), dtype=torch.bool)
    begins[1:] = (views[1:] != views[:-1]).any(1)
    at = torch.arange(len(views))
    within = at - at[begins][begins.cumsum(0) - 1]  # place in its run
    first = within % views[:, 2:].prod(1) == 0
    patches = views[:, :2].prod(1)
    starts, sets = patches.cumsum(0) - patches, views[first]
    tiled = int(sets.prod(1).sum())
    assert tiled == int(patches.sum()), f"{len(views)} views are no whole sets of tiles"
    return _Maps(sets[:, :2], sets[:, 3], sets[:, :2] * sets[:, 2:], starts[first], tiled)


def _own(scales: int, merged: Literal["first", "last"]) -> int:
    """The scale whose patches are the tokens."""
    return 0 if merged == "first" else scales - 1


def _parts(maps: _Maps, scales: int, merged: Literal["first", "last"]) -> _Parts:
    """Patches and shares of every cell, in whole numbers until the last division."""
    new = maps.sizes.unflatten(0, (-1, scales))[:, _own(scales, merged)]  # (groups, 2)
    tokens = new.prod(1)
    group = torch.arange(len(new)).repeat_interleave(tokens)  # (t,)
    number = torch.arange(len(group)) - (tokens.cumsum(0) - tokens)[group]
    columns = new[group, 1]
    place = torch.stack([number // columns, number % columns], 1)  # (t, 2)

    cell = (group[:, None] * scales + torch.arange(scales)).flatten()  # (c,) the map of each cell
    place, new = (one.repeat_interleave(scales, 0) for one in (place, new[group]))
    old = maps.sizes[cell]
    # Along a side a new cell reaches from place * old to (place + 1) * old, an old one from
    # at * new to (at + 1) * new, of the same length old * new.
    low = place * old // new
    covered = -(-(place + 1) * old // new) - low  # (c, 2) old cells that a new one touches
    counts = covered.prod(1)
    of = torch.arange(len(cell)).repeat_interleave(counts)  # (e,)
    offsets = counts.cumsum(0) - counts
    number = torch.arange(len(of)) - offsets[of]
    wide = covered[of, 1]
    at = low[of] + torch.stack([number // wide, number % wide], 1)  # (e, 2)
    ends = torch.minimum((place[of] + 1) * old[of], (at + 1) * new[of])
    shared = ends - torch.maximum(place[of] * old[of], at * new[of])
    share = shared.prod(1).double() / old[of].prod(1)
    return _Parts(_patch(maps, cell[of], at), share, offsets)


def _patch(maps: _Maps, of: Int64[Tensor, " e"], at: Int64[Tensor, "e 2"]) -> Int64[Tensor, " e"]:
    """The patch at a row and column of a map: its tile's first, then row by row in the tile."""
    rows, cols = maps.tile[of].unbind(1)
    row, col = at.unbind(1)
    tile = row // rows * maps.across[of] + col // cols
    return maps.start[of] + (tile * rows + row % rows) * cols + col % cols
