"""Group Sequence Policy Optimization (arXiv 2507.18071): one ratio and one clip per answer.

    s_i  = exp( mean over t of (log pi_new - log pi_old) )          length-normalised
    loss = - (1 / N) sum over i of min( s_i A_i, clip(s_i, 1 - low, 1 + high) A_i )

N is the number of counted rollouts of the whole update (the paper writes it per group; groups are
of equal size, so the two agree unless rollouts are left out). A rollout with A = 0 gives exactly
zero gradient. Left out on purpose: GSPO-token (equal to this while A is constant over an answer)
and a KL term (the paper trains without).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.recipe.rl import Gspo
from pellucid.rl.objectives.base import Piece


def gspo(
    new: Float[Tensor, " t"],
    old: Float[Tensor, " t"],
    lengths: Sequence[int],
    advantages: Float[Tensor, " s"],
    denominator: int,
    options: Gspo,
) -> Piece:
    """See `Objective` for the arguments."""
    assert min(lengths) >= 1 and sum(lengths) == len(new), f"lengths {lengths}, {len(new)} tokens"
    gaps = (new - old).split(list(lengths))
    ratios = torch.stack([gap.mean() for gap in gaps]).exp()  # (s,)
    low, high = 1 - options.clip_low, 1 + options.clip_high
    free = ratios * advantages
    held = ratios.clamp(low, high) * advantages
    loss = -torch.minimum(free, held).sum() / denominator
    with torch.no_grad():
        clipped = ((advantages > 0) & (ratios > high)) | ((advantages < 0) & (ratios < low))
    return Piece(loss, ratios.detach(), clipped)
