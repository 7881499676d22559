"""Examples side by side in one sequence: what a step's micro-batch is.

    ids        a b c | d e          segments (3, 2)
    supervised . . x | . x          targets  c at position 1, e at position 3

Position t predicts t + 1. The targets are picked here, once, so nothing downstream shifts a mask:
position 2 would predict `d`, a stranger, and is never a source. Leaves out on purpose: padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pellucid.model.processor import Example


@dataclass(frozen=True, slots=True)
class Batch:
    """One packed sequence of T tokens with n supervised targets, on one device."""

    input_ids: Int64[Tensor, "1 T"]
    segments: tuple[int, ...]
    """Length of each example, in order; they sum to T."""
    patches: Float[Tensor, "P c"]
    """Patches of all images, in the order of their placeholders."""
    grids: Int64[Tensor, "I g"]
    """What `Example.grids` says of each view, on the CPU."""
    sources: Int64[Tensor, " n"]
    """Positions that predict a supervised token."""
    targets: Int64[Tensor, " n"]
    """The supervised token that follows each source."""
    owners: Int64[Tensor, " n"]
    """Which example each target belongs to, from 0."""
    tower: Float[Tensor, "f d"] | None = None
    """What the tower makes of the patches, where it was kept; there are no patches then."""


def collate(
    examples: Sequence[Example], device: str, tower: Float[Tensor, "f d"] | None = None
) -> Batch:
    """Pack examples, in order, into one batch; `tower` is what was kept of their images."""
    lengths = [len(example.ids) for example in examples]
    ids = np.concatenate([example.ids for example in examples])
    flags = np.concatenate([example.supervised for example in examples])
    starts = np.cumsum(lengths) - lengths
    assert not flags[starts].any(), "the first token of an example is supervised: nothing sees it"
    found = np.flatnonzero(flags)
    owners = np.repeat(np.arange(len(examples)), lengths)

    def place(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    return Batch(
        input_ids=place(ids)[None],
        segments=tuple(lengths),
        patches=place(np.concatenate([example.patches for example in examples])),
        grids=torch.from_numpy(np.concatenate([example.grids for example in examples])),
        sources=place(found - 1),
        targets=place(ids[found]),
        owners=place(owners[found]),
        tower=tower,
    )
