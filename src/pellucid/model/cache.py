"""Keys and values of a fixed number of slots, each holding one conversation.

Every tensor has its final shape from the start: a decoding step is always S queries against S rows
of L places, masked by each slot's own length. Shapes never depend on what is being answered, so an
answer does not depend on its neighbours, to the last bit.

Used as `past_key_values` of `PellucidForConditionalGeneration.hidden`: what `cache.prefill` returns
to write one whole prompt, `cache` itself for a step of all slots. Left out: paging, prefix reuse
across prompts, quantisation.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, final

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from pellucid.model.config import PellucidConfig


class View(NamedTuple):
    """How the decoder sees the tokens of one call."""

    position_ids: Int64[Tensor, "*axes b t"]
    attention_mask: Bool[Tensor, "b 1 t k"] | None
    segments: Sequence[int] | None


class Kept(NamedTuple):
    """What a slot holds, apart from it."""

    keys: Float[Tensor, "layers kv t d"]
    values: Float[Tensor, "layers kv t d"]
    shift: int
    """See `SlotCache.shifts`."""


class Slots(ABC):
    """What the decoder's layers write to and read from."""

    @abstractmethod
    def view(self) -> View:
        """Positions and mask of the next call."""

    @abstractmethod
    def update(
        self,
        key: Float[Tensor, "b kv t d"],
        value: Float[Tensor, "b kv t d"],
        layer: int,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Float[Tensor, "b kv k d"], Float[Tensor, "b kv k d"]]:
        """Store a layer's new keys and values; return those to attend to."""


@final
class SlotCache(Slots):
    """S slots of L tokens. A step writes one token per slot at the slot's length."""

    def __init__(
        self,
        config: PellucidConfig,
        slots: int,
        length: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Allocate everything.

        Args:
            config: the model's configuration.
            slots: conversations held at once (S).
            length: most tokens of one conversation, answer included (L).
            device: where the tensors live.
            dtype: type of keys and values; the model's.
        """
        text = config.text_config
        head = text.hidden_size // text.num_attention_heads
        shape = (text.num_hidden_layers, slots, text.num_key_value_heads, length, head)
        # Zeros, not uninitialised memory: a masked place is multiplied by 0, and 0 * NaN is NaN.
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.lengths = torch.zeros(slots, device=device, dtype=torch.int64)
        self.shifts = torch.zeros(slots, device=device, dtype=torch.int64)
        """How far the next token stands from the number of tokens: images may count for less."""
        self.length = length
        self._used = [0] * slots
        self._rows = torch.arange(slots, device=device)
        self._places = torch.arange(length, device=device)

    def used(self, slot: int) -> int:
        """Tokens that a slot holds; known without asking the device."""
        return self._used[slot]

    def reset(self, slot: int) -> None:
        """Empty a slot. Its old keys and values stay, out of sight."""
        self._set(slot, 0)

    def prefill(self, slot: int, positions: Int64[Tensor, "*axes 1 t"]) -> "Prefill":
        """What to pass as `past_key_values` to write a prompt into a slot.

        Args:
            slot: which.
            positions: of the prompt's tokens, from `PellucidForConditionalGeneration.positions`, on
                any device; the prompt ends with text.

        Raises:
            ValueError: the prompt is empty or longer than a slot.
        """
        tokens = positions.shape[-1]
        if not 0 < tokens <= self.length:
            raise ValueError(f"a prompt of {tokens} tokens does not fit a slot of {self.length}")
        self._set(slot, tokens)
        self.shifts[slot] = int(positions.flatten()[-1]) + 1 - tokens
        return Prefill(self, slot, positions.to(self.lengths.device))

    def keep(self, slot: int) -> Kept:
        """A copy of what a slot holds."""
        held = slice(None), slot, slice(None), slice(self._used[slot])
        return Kept(self.keys[held].clone(), self.values[held].clone(), int(self.shifts[slot]))

    def restore(self, slot: int, kept: Kept) -> None:
        """Write what was kept into a slot."""
        held = slice(None), slot, slice(None), slice(kept.keys.shape[2])
        self.keys[held], self.values[held] = kept.keys, kept.values
        self._set(slot, kept.keys.shape[2])
        self.shifts[slot] = kept.shift

    def advance(self, slots: Sequence[int]) -> None:
        """Keep the token that the last step wrote, in these slots only.

        A slot that is not named forgets it: the next step writes over it.
        """
        for slot in slots:
            assert self._used[slot] < self.length, f"slot {slot} is full ({self.length} tokens)"
            self._set(slot, self._used[slot] + 1)

    def view(self) -> View:
        """One token per slot, at the slot's length, seeing what its slot holds and itself."""
        mask = self._places <= self.lengths[:, None]
        places = self.lengths + self.shifts
        return View(places[:, None], mask[:, None, None, :], None)

    def update(
        self,
        key: Float[Tensor, "s kv 1 d"],
        value: Float[Tensor, "s kv 1 d"],
        layer: int,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Float[Tensor, "s kv l d"], Float[Tensor, "s kv l d"]]:
        """Write one token per slot; a slot that is full and idle writes over its last."""
        at = self.lengths.clamp(max=self.length - 1)
        # Under autocast the rotary part comes in fp32, whatever is stored.
        self.keys[layer][self._rows, :, at] = key[:, :, 0].to(self.keys.dtype)
        self.values[layer][self._rows, :, at] = value[:, :, 0].to(self.values.dtype)
        return self.keys[layer], self.values[layer]

    def _set(self, slot: int, tokens: int) -> None:
        self._used[slot] = tokens
        self.lengths[slot] = tokens


@final
class Prefill(Slots):
    """Writes one whole prompt, alone in its row, into one slot."""

    def __init__(self, cache: SlotCache, slot: int, positions: Int64[Tensor, "*axes 1 t"]) -> None:
        self.cache, self.slot, self.positions = cache, slot, positions
        self.tokens = positions.shape[-1]

    def view(self) -> View:
        """One segment."""
        return View(self.positions, None, (self.tokens,))

    def update(
        self,
        key: Float[Tensor, "1 kv t d"],
        value: Float[Tensor, "1 kv t d"],
        layer: int,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Float[Tensor, "1 kv t d"], Float[Tensor, "1 kv t d"]]:
        """Store the prompt's keys and values; the prompt attends to itself only."""
        self.cache.keys[layer, self.slot, :, : self.tokens] = key[0]
        self.cache.values[layer, self.slot, :, : self.tokens] = value[0]
        return key, value
