"""Cross-entropy of supervised tokens: selected before the head, in chunks, summed.

Images and prompts are most of a pack, and their logits are never needed: the head, and the last
layer behind its attention, run on the selected positions only. Sums, not means, leave here; the
caller divides by the number of supervised tokens of the whole optimizer step, so splitting a step
differently changes nothing.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pellucid.model.rounding import spare
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.train.batch import Batch

CHUNK = 4096
"""Targets whose logits exist at the same time."""

Head = Callable[[Tensor], Tensor]
"""Hidden states (n, d) to logits (n, v)."""


class Sums(NamedTuple):
    """Losses of one micro-batch, in nats."""

    loss: Float[Tensor, ""]
    """Over all targets; differentiable."""
    by_example: Float[Tensor, " e"]
    """Over the targets of each example; detached."""
    chosen: Float[Tensor, " e"]
    """Over the tokens that choose a mode, of each example; detached."""
    choices: Float[Tensor, " e"]
    """How many of these there are."""


@final
class Objective(nn.Module):
    """A model under the loss that it is trained by, in one forward pass."""

    def __init__(self, model: PellucidForConditionalGeneration, dtype: str) -> None:
        """Take a model.

        Args:
            model: gradients flow to what requires them.
            dtype: "bfloat16" runs the forward pass under autocast; "float32" does not.
        """
        super().__init__()
        self.model, self.dtype = model, dtype

    def forward(self, batch: Batch, blank: bool = False) -> Float[Tensor, " n"]:
        """Negative log-probability of each target, float32, differentiable.

        Args:
            batch: one packed sequence.
            blank: a blank image goes through the tower and counts nothing: every layer is run, as
                on ranks that do have images.
        """
        model, device = self.model, batch.input_ids.device.type
        # Kept casts are of the process, and a replica's pass lets go of them at any time (see
        # `replica`): whether two chunks of a head share one would be chance.
        half = torch.autocast(
            device, torch.bfloat16, self.dtype == "bfloat16", cache_enabled=device != "cpu"
        )
        with half:
            embedded = model.embed(batch.input_ids, batch.patches, batch.grids, batch.tower)
            if blank:
                embedded = embedded + 0.0 * model.features(*self._blank(batch)).sum()
            places = model.positions(batch.input_ids, batch.grids, batch.segments)
            hidden = model.hidden(
                embedded, images=model.images(batch.input_ids), segments=batch.segments,
                position_ids=places, rows=batch.sources,
            )  # fmt: skip
            losses = chunked_losses(model.head, hidden[0], batch.targets)
        return losses.clone()  # no view of another tensor: `shard` hooks into it

    def tower(
        self, patches: Float[Tensor, "p c"], grids: Int64[Tensor, "n g"]
    ) -> Float[Tensor, "_ w"]:
        """What the tower makes of images, without gradients: `Batch.tower`."""
        half = torch.autocast(
            patches.device.type, dtype=torch.bfloat16, enabled=self.dtype == "bfloat16"
        )
        with half, torch.no_grad():
            found: Tensor = self.model.vision(patches, grids[:, :2].contiguous())
        return found

    def _blank(self, batch: Batch) -> tuple[Float[Tensor, "p c"], Int64[Tensor, "n g"]]:
        """Patches and views of the smallest image that this model can look at."""
        config = self.model.config
        side, scales = config.square, config.feature_scales
        view = [side, side] if scales == 1 else [side, side, 1, 1]
        patches = batch.patches.new_zeros(scales * side * side, batch.patches.shape[1])
        return patches, torch.tensor([view] * scales)


def chunked_losses(
    head: Head,
    hidden: Float[Tensor, "n d"],
    targets: Int64[Tensor, " n"],
    chunk: int = CHUNK,
) -> Float[Tensor, " n"]:
    """Negative log-probabilities; beyond one chunk, logits are made again in the backward pass."""
    pairs = list(zip(hidden.split(chunk), targets.split(chunk), strict=True))
    if len(pairs) == 1:
        return _rounded_losses(head, *pairs[0])
    return torch.cat(
        [
            checkpoint(_rounded_losses, head, *pair, use_reentrant=False, preserve_rng_state=False)
            for pair in pairs
        ]
    )


def sums(losses: Float[Tensor, " n"], batch: Batch, choices: Sequence[int] = ()) -> Sums:
    """Add the losses of one micro-batch up.

    Args:
        losses: of every target.
        batch: whose targets they are.
        choices: ids of the tokens that choose a mode, which stand nowhere else.
    """
    apart = losses.detach()
    by_example = losses.new_zeros(len(batch.segments)).index_add(0, batch.owners, apart)
    ids = torch.tensor(choices, dtype=torch.int64, device=batch.targets.device)
    chooses = torch.isin(batch.targets, ids)
    chosen, count = (
        torch.zeros_like(by_example).index_add(0, batch.owners[chooses], one[chooses])
        for one in (apart, torch.ones_like(apart))
    )
    return Sums(losses.sum(), by_example, chosen, count)


def _rounded_losses(
    head: Head, hidden: Float[Tensor, "n d"], targets: Int64[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """The same, on a rounded number of rows where that saves compiling."""
    count = len(targets)
    if more := spare(count, hidden.device, hidden.dtype):
        hidden, targets = F.pad(hidden, (0, 0, 0, more)), F.pad(targets, (0, more))
    return _losses(head, hidden, targets)[:count]


def _losses(
    head: Head, hidden: Float[Tensor, "n d"], targets: Int64[Tensor, " n"]
) -> Float[Tensor, " n"]:
    return F.cross_entropy(head(hidden).float(), targets, reduction="none")
