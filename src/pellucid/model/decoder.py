"""Language models behind the image features, and where their tokens stand.

Both are transformers' own, but for attention over packed rows and norms, which are fused under the
same names. Phi-3 counts tokens; Qwen2.5-VL gives an image token three positions
(time, row, column), and what follows an image stands behind its longer side (mRoPE). Their last
layer may be asked for some rows: what comes behind its attention is done for these alone.

Leaves out on purpose: video, whose time axis would run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from transformers import Phi3Config, Phi3ForCausalLM, PreTrainedModel
from transformers.models.phi3.modeling_phi3 import (
    Phi3Attention,
    Phi3DecoderLayer,
    Phi3RMSNorm,
)
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLTextConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VLAttention,
    Qwen2_5_VLDecoderLayer,
    Qwen2_5_VLPreTrainedModel,
    Qwen2_5_VLRMSNorm,
    Qwen2_5_VLTextModel,
)

from pellucid.model.attention import packed_attention
from pellucid.model.fused import replace_norms, rotated
from pellucid.model.segments import segment_positions


class QwenAttention(Qwen2_5_VLAttention):
    """Over packed rows without a cache; the stock class over others."""

    def forward(
        self,
        hidden_states: Float[Tensor, "b t d"],
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        past_key_values: Any = None,
        segments: Sequence[int] | None = None,
        rows: Int64[Tensor, " n"] | None = None,
        **kwargs: Any,
    ) -> tuple[Float[Tensor, "b n d"], Tensor | None]:
        """What a layer calls; see `decoder_attention`. With `rows` for these alone."""
        if segments is None or past_key_values is not None:
            stock: tuple[Tensor, Tensor | None] = super().forward(
                hidden_states, position_embeddings=position_embeddings, segments=segments,
                past_key_values=past_key_values, **kwargs,
            )  # fmt: skip
            return _chosen(stock[0], rows), stock[1]
        tokens = hidden_states[0]
        parts = self.q_proj(tokens), self.k_proj(tokens), self.v_proj(tokens)
        mixed = _mixed(self, parts, position_embeddings, segments, kwargs)
        return self.o_proj(_chosen(mixed, rows)), None


class PhiAttention(Phi3Attention):
    """The same for Phi-3."""

    def forward(
        self,
        hidden_states: Float[Tensor, "b t d"],
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        segments: Sequence[int] | None = None,
        rows: Int64[Tensor, " n"] | None = None,
        **kwargs: Any,
    ) -> tuple[Float[Tensor, "b n d"], Tensor | None]:
        """What a layer calls; see `decoder_attention`. With `rows` for these alone."""
        if segments is None or past_key_values is not None:
            stock: tuple[Tensor, Tensor | None] = super().forward(
                hidden_states, position_embeddings, attention_mask, past_key_values,
                segments=segments, **kwargs,
            )  # fmt: skip
            return _chosen(stock[0], rows), stock[1]
        shared = self.num_key_value_heads * self.head_dim
        sizes = [self.config.num_attention_heads * self.head_dim, shared, shared]
        parts = self.qkv_proj(hidden_states[0]).split(sizes, -1)
        mixed = _mixed(self, parts, position_embeddings, segments, kwargs)
        return self.o_proj(_chosen(mixed, rows)), None


def _chosen(
    states: Float[Tensor, "b t d"], rows: Int64[Tensor, " n"] | None
) -> Float[Tensor, "b n d"]:
    """Those at `rows`; all when None."""
    return states if rows is None else states.index_select(1, rows)


def _mixed(
    module: Any,
    parts: Sequence[Float[Tensor, "t _"]],
    turns: tuple[Tensor, Tensor] | None,
    segments: Sequence[int],
    kwargs: Mapping[str, Any],
) -> Float[Tensor, "1 t d"]:
    """Attention of a packed row, from its queries, keys and values."""
    assert turns is not None, "every token has a position"
    query, key, value = (part.unflatten(-1, (-1, module.head_dim)) for part in parts)
    query, key = (rotated(part, *(turn[0] for turn in turns)) for part in (query, key))
    mixed = packed_attention(
        query, key, value, segments, causal=True, scale=module.scaling,
        dropout=module.attention_dropout if module.training else 0.0, images=kwargs.get("images"),
    )  # fmt: skip
    return mixed.flatten(1)[None]


class _Last(nn.Module):
    """The last layer of a decoder, before its stock class among the bases."""

    def forward(
        self,
        hidden_states: Float[Tensor, "b t d"],
        wanted: Int64[Tensor, " n"] | None = None,
        **kwargs: Any,
    ) -> Float[Tensor, "b n d"]:
        """What the stock class gives at the rows `wanted`; all when None."""
        layer: Any = self
        normed = layer.input_layernorm(hidden_states)
        mixed, _ = layer.self_attn(hidden_states=normed, rows=wanted, **kwargs)
        states = _chosen(hidden_states, wanted) + layer.resid_attn_dropout(mixed)
        found = layer.mlp(layer.post_attention_layernorm(states))
        return states + layer.resid_mlp_dropout(found)


class QwenLast(_Last, Qwen2_5_VLDecoderLayer):
    """That of Qwen2.5-VL, which drops nothing out."""

    resid_attn_dropout = resid_mlp_dropout = nn.Identity()


class PhiLast(_Last, Phi3DecoderLayer):
    """That of Phi-3."""


class PhiDecoder(Phi3ForCausalLM):
    """Phi-3 with its head."""

    def __init__(self, config: Phi3Config) -> None:
        super().__init__(config)
        self.model.layers[-1] = PhiLast(config, len(self.model.layers) - 1)
        for index, layer in enumerate(self.model.layers):
            layer.self_attn = PhiAttention(config, index)
        replace_norms(self.model, Phi3RMSNorm)


class QwenDecoder(Qwen2_5_VLPreTrainedModel):
    """Qwen2.5-VL's language model with its head, under the names that Phi-3's class has."""

    config_class = Qwen2_5_VLTextConfig
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: Qwen2_5_VLTextConfig) -> None:
        super().__init__(config)
        self.model = Qwen2_5_VLTextModel(config)
        self.model.layers[-1] = QwenLast(config, len(self.model.layers) - 1)
        for index, layer in enumerate(self.model.layers):
            layer.self_attn = QwenAttention(config, index)
        replace_norms(self.model, Qwen2_5_VLRMSNorm)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()


DECODERS: Mapping[str, type[PreTrainedModel]] = {
    "phi3": PhiDecoder,
    "qwen2_5_vl_text": QwenDecoder,
}
"""Decoder classes by the `model_type` of their configuration."""

MROPE = frozenset({"qwen2_5_vl_text"})
"""Decoders whose tokens have three positions."""


def mrope_positions(
    images: Bool[Tensor, "1 t"],
    grids: Sequence[tuple[int, int]],
    segments: Sequence[int],
) -> Int64[Tensor, "3 1 t"]:
    """Time, row and column of every token of a packed row, counted from 0 in each segment.

    Args:
        images: which tokens stand for images, those of one image side by side.
        grids: rows and columns of tokens of each image, in order.
        segments: lengths of the sequences in the row.

    >>> row = torch.tensor([[False, True, True, True, True, False]])
    >>> mrope_positions(row, [(2, 2)], [6])[:, 0].tolist()
    [[0, 1, 1, 1, 1, 3], [0, 1, 1, 2, 2, 3], [0, 1, 2, 1, 2, 3]]
    """
    device = images.device
    down, across, ends = _within(grids, device)
    zeros = torch.zeros_like(images, dtype=torch.int64)
    moved = torch.ones_like(zeros).masked_scatter(images, ends)  # how far each token moves the next
    before = (moved.cumsum(1) - moved)[0]
    lengths = torch.tensor(segments, device=device)
    starts = lengths.cumsum(0) - lengths
    time = before - before[starts].repeat_interleave(lengths, output_size=images.shape[1])
    offsets = [zeros, zeros.masked_scatter(images, down), zeros.masked_scatter(images, across)]
    return torch.stack([time[None] + offset for offset in offsets])


def _within(
    grids: Sequence[tuple[int, int]], device: torch.device
) -> tuple[Int64[Tensor, " n"], ...]:
    """Row and column of each image token in its image; and how far it moves the next token."""
    down, across, ends = [], [], []
    for rows, cols in grids:
        down.append(torch.arange(rows).repeat_interleave(cols))
        across.append(torch.arange(cols).repeat(rows))
        last = torch.zeros(rows * cols, dtype=torch.int64)
        last[-1] = max(rows, cols)
        ends.append(last)
    empty = torch.zeros(0, dtype=torch.int64)
    return tuple(torch.cat([empty, *parts]).to(device) for parts in (down, across, ends))


def positions(
    config: Any,
    input_ids: Int64[Tensor, "1 t"],
    image_grids: Int64[Tensor, "n g"] | None,
    segments: Sequence[int],
) -> Int64[Tensor, "*axes 1 t"]:
    """Positions of a packed row, as the decoder of a `PellucidConfig` counts them."""
    if config.text_config.model_type not in MROPE:
        return segment_positions(segments, input_ids.device)
    grids = [] if image_grids is None else image_grids.tolist()
    side = config.square
    tokens = [(rows // side, cols // side) for rows, cols in grids]
    return mrope_positions(input_ids == config.image_token_id, tokens, segments)
