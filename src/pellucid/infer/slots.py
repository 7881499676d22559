"""The model at work on a fixed number of slots: one prompt into one slot, one token for all.

    prefill   one prompt alone: its images once through the tower, its tokens once through the
              decoder; the shape depends on the prompt only
    decode    always `slots` rows of one token; idle rows run on a pad token and are forgotten

So what a slot computes depends on its own conversation and on the number of slots, never on what
the others hold. Left out on purpose: prefill in pieces, and paging.
"""

from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.infer.sampling import banned, forbid
from pellucid.model.cache import Kept, SlotCache
from pellucid.model.processor import Example
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.prompt.render import Renderer


class Prefilled(NamedTuple):
    """A prompt after its prefill, kept so that equal prompts need no second one."""

    kept: Kept
    logits: Float[Tensor, "1 v"]


@final
class Slots:
    """A model with its key-value slots. Not safe for two threads at once."""

    def __init__(
        self,
        model: PellucidForConditionalGeneration,
        renderer: Renderer,
        slots: int,
        context_tokens: int,
        device: str,
        dtype: str,
    ) -> None:
        """Allocate the slots.

        Args:
            model: used as it is, so that a trainer's updates are seen at once.
            renderer: its conversation format.
            slots: conversations held at once.
            context_tokens: longest conversation, answer included.
            device: where the model lies.
            dtype: "bfloat16" runs under autocast, as training does; "float32" does not.
        """
        self.count = slots
        self._model, self._device, self._dtype = model, device, dtype
        kept = torch.bfloat16 if dtype == "bfloat16" else torch.float32
        self._cache = SlotCache(model.config, slots, context_tokens, device, kept)
        self._idle = renderer.pad_id
        vocabulary = model.get_output_embeddings().weight.shape[0]
        self._banned = torch.tensor(banned(renderer, vocabulary), device=device)

    @property
    def cache_bytes(self) -> int:
        """Memory of all keys and values."""
        return int(self._cache.keys.nbytes + self._cache.values.nbytes)

    def prefill(self, slot: int, example: Example) -> Float[Tensor, "1 v"]:
        """Write a prompt into a slot; the logits of its first answer token."""
        prompt, grids = torch.from_numpy(example.ids)[None], torch.from_numpy(example.grids)
        positions = self._model.positions(prompt, grids, prompt.shape[1:])
        ids, patches = prompt.to(self._device), torch.from_numpy(example.patches).to(self._device)
        with self._arithmetic():
            embedded = self._model.embed(ids, patches, grids)  # (1, t, d)
            place = self._cache.prefill(slot, positions)
            images = self._model.images(ids)
            hidden = self._model.hidden(embedded, images=images, past_key_values=place)
            return self._logits(hidden[:, -1])

    def keep(self, slot: int, logits: Float[Tensor, "1 v"]) -> Prefilled:
        """A copy of a slot that was just prefilled."""
        return Prefilled(self._cache.keep(slot), logits)

    def restore(self, slot: int, kept: Prefilled) -> Float[Tensor, "1 v"]:
        """Write a kept prefill into a slot, to the bit what `prefill` would have written."""
        self._cache.restore(slot, kept.kept)
        return kept.logits

    def decode(self, last: Sequence[int | None]) -> Float[Tensor, "s v"]:
        """One step of all slots; the logits that follow each slot's last token.

        Args:
            last: newest token of each slot; None for an idle slot, whose logits mean nothing.
        """
        tokens = [self._idle if token is None else token for token in last]
        ids = torch.tensor(tokens, device=self._device)[:, None]  # (s, 1)
        with self._arithmetic():
            hidden = self._model.hidden(self._model.embed(ids), past_key_values=self._cache)
            logits = self._logits(hidden[:, 0])
        self._cache.advance([slot for slot, token in enumerate(last) if token is not None])
        return logits

    def free(self, slot: int) -> None:
        """Empty a slot."""
        self._cache.reset(slot)

    def scrub(self, slot: int) -> None:
        """Zero a slot that may hold NaN, which no mask would hide from its next conversation."""
        self._cache.keys[:, slot] = 0
        self._cache.values[:, slot] = 0

    def _logits(self, hidden: Float[Tensor, "n d"]) -> Float[Tensor, "n v"]:
        return forbid(self._model.head(hidden).float(), self._banned)

    def _arithmetic(self) -> torch.autocast:
        device = torch.device(self._device).type
        return torch.autocast(device, torch.bfloat16, enabled=self._dtype == "bfloat16")
