"""What every objective takes and gives: log-probabilities of whole rollouts, one loss piece.

An objective sees a micro-batch of an update. Its piece is already divided by the denominator of
the whole update, so pieces add up to the update's loss however the rollouts are split.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.recipe.base import Options

O_contra = TypeVar("O_contra", bound=Options, contravariant=True)


class Piece(NamedTuple):
    """One micro-batch's part of an update; s = its rollouts."""

    loss: Float[Tensor, ""]
    """To be minimised; divided by the update's denominator."""
    ratios: Float[Tensor, " s"]
    """New over old policy, one per rollout, detached."""
    clipped: Bool[Tensor, " s"]
    """Rollouts whose clipped branch is active: they give no gradient."""


class Objective(Protocol[O_contra]):
    """A policy objective; t = generated tokens of a micro-batch's rollouts, end to end."""

    def __call__(
        self,
        new: Float[Tensor, " t"],
        old: Float[Tensor, " t"],
        lengths: Sequence[int],
        advantages: Float[Tensor, " s"],
        denominator: int,
        options: O_contra,
    ) -> Piece:
        """The loss piece.

        Args:
            new: log-probability of each generated token under the policy being trained.
            old: the same under the policy that generated it; no gradient.
            lengths: generated tokens of each rollout, all at least 1; they sum to t.
            advantages: one per rollout.
            denominator: rollouts of the whole update that count, over all micro-batches and ranks.
            options: the objective's slice of the recipe.
        """
        ...
