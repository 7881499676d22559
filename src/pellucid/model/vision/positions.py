"""Position embeddings of images of any size, from one learned square table.

The stock class resizes the table once per image with `F.interpolate(bilinear, antialias=True)`.
That operation is linear and separable, E = A_h . T . A_w^T, so the embeddings of all patches of a
batch are one matrix product: row p of the weights is the outer product of two axis rows. The axis
matrices follow the definition in float64 and are cached; thin images (a side under the table's) are
antialiased like all others.

Differs from the stock class for grids of several rows and one column: there PyTorch's CPU kernel
(seen in 2.13) gives every row the weights of the first. Ours are the weights by definition.
"""

from functools import lru_cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@lru_cache(maxsize=4096)
def axis_matrix(size: int, table: int) -> Float[Tensor, "size table"]:
    """Weights that take a table's axis to `size` positions; each row adds up to 1.

    A triangle of half-width max(1, table / size), centred on each target, read at the centres of
    the table's cells and normalised: bilinear interpolation upwards, its antialiased form
    downwards.

    >>> axis_matrix(2, 4)[0].mul(16).round().tolist()
    [7.0, 7.0, 2.0, 0.0]
    """
    with torch.inference_mode(False):  # a training step may be the next to use it
        scale = table / size
        centres = (torch.arange(size, dtype=torch.float64) + 0.5) * scale
        cells = torch.arange(table, dtype=torch.float64) + 0.5
        away = (cells[None] - centres[:, None]).abs() / max(scale, 1.0)
        weights = (1.0 - away).clamp(min=0.0)
        return (weights / weights.sum(1, keepdim=True)).float()


def position_weights(grids: Int64[Tensor, "n 2"], table: int) -> Float[Tensor, "p cells"]:
    """Weights of the table's cells (its side squared) for every patch of a batch, on the CPU.

    Args:
        grids: rows and columns of each image.
        table: side of the learned table.
    """
    sizes = grids.unique()
    matrices = torch.cat([axis_matrix(size, table) for size in sizes.tolist()])
    offsets = sizes.cumsum(0) - sizes  # first row of each size in `matrices`
    first = offsets[torch.searchsorted(sizes, grids)]  # (n, 2)

    patches = grids.prod(1)
    image = torch.arange(len(grids)).repeat_interleave(patches)  # (p,)
    place = torch.arange(len(image)) - (patches.cumsum(0) - patches)[image]
    columns = grids[image, 1]
    rows_of = matrices[first[image, 0] + place // columns]  # (p, table)
    columns_of = matrices[first[image, 1] + place % columns]
    return (rows_of[:, :, None] * columns_of[:, None, :]).flatten(1)


def positions(table: Float[Tensor, "cells d"], grids: Int64[Tensor, "n 2"]) -> Float[Tensor, "p d"]:
    """Position embeddings of every patch of a packed batch, in fp32 whatever autocast says.

    Args:
        table: the learned table, row-major; `cells` is a square number.
        grids: rows and columns of each image, on the CPU.
    """
    weights = position_weights(grids, round(len(table) ** 0.5)).to(table.device)
    with torch.autocast(table.device.type, enabled=False):
        return weights @ table.float()
