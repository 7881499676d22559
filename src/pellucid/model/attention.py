"""Attention over packed rows, and its place in transformers' attention interface.

Under the name `pellucid` the decoder's layers get one function that serves packed segments (causal
within a segment, blind across) and hands everything else to the stock SDPA path: plain generation,
padded batches, and slots, whose mask is given (see `cache`).

Segments run as padded batches of similar length: padding stands to the right, where no real query
looks under a causal mask, so the fused kernel needs no mask. This per-segment SDPA is the reference
on every device, but for bf16 training on a CPU (`blocked`, checked against it); fused
variable-length kernels are to be checked against it too.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from pellucid.model.blocked import blocked_attention
from pellucid.model.rounding import LONGEST, compiles_per_shape, computed_in
from pellucid.model.segments import by_head, gathered, layout, spread

NAME = "pellucid"
"""Name of our function in transformers' attention interface."""

CAUSAL_WASTE = 0.25
"""Largest share of padding in a batch of causal segments, before its length is rounded."""


def register() -> None:
    """Put our function in transformers' attention interface; calling it twice is harmless."""
    AttentionInterface.register(NAME, decoder_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def decoder_attention(
    module: nn.Module,
    query: Float[Tensor, "b h q d"],
    key: Float[Tensor, "b kv k d"],
    value: Float[Tensor, "b kv k d"],
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    segments: Sequence[int] | None = None,
    images: Int64[Tensor, " q"] | None = None,
    **kwargs: Any,
) -> tuple[Float[Tensor, "b q h d"], None]:
    """What the attention interface calls in every layer of the decoder.

    With `segments` the mask is not looked at: the segments, and `images`, say it all.
    """
    if segments is None:
        stock, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return stock, None
    packed = packed_attention(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        segments,
        causal=True,
        scale=scaling,
        dropout=dropout,
        images=images,
    )
    return packed[None], None


def packed_attention(
    query: Float[Tensor, "t h d"],
    key: Float[Tensor, "t kv d"],
    value: Float[Tensor, "t kv d"],
    segments: Sequence[int],
    *,
    causal: bool,
    scale: float | None = None,
    dropout: float = 0.0,
    images: Int64[Tensor, " t"] | None = None,
) -> Float[Tensor, "t h d"]:
    """Softmax attention of each segment of a packed row over itself.

    Args:
        query: one row of tokens; `h` is a multiple of `kv` (grouped queries).
        key: keys of the same tokens.
        value: values of the same tokens.
        segments: lengths of the segments, in order; they add up to `t`.
        causal: whether a token sees only itself and what stands before it.
        scale: factor of the scores; `d ** -0.5` when None.
        dropout: probability of dropping an attention weight.
        images: which image each token is of, 0 for text; tokens of one see each other.
    """
    assert sum(segments) == query.shape[0], f"{sum(segments)} != {query.shape[0]} tokens"
    if causal and images is None:
        multiple = LONGEST if compiles_per_shape(query.device, query.dtype) else 1
        plan = layout(segments, CAUSAL_WASTE, query.device, multiple)
    else:  # no mask: no padding
        plan = layout(segments, 0.0, query.device)
    own, shared = by_head(plan, query.shape[1]), by_head(plan, key.shape[1])
    rows = [
        spread(part.flatten(0, 1), heads).split(
            [n * longest * part.shape[1] for n, longest in plan.shapes]
        )
        for part, heads in ((query, own), (key, shared), (value, shared))
    ]
    places = None if images is None else images.index_select(0, plan.gather)
    outputs, start = [], 0
    for (count, longest), *parts in zip(plan.shapes, *rows, strict=True):
        stop = start + count * longest
        q, k, v = (part.view(count, -1, longest, part.shape[-1]) for part in parts)
        if places is not None:
            mask = seen(places[start:stop].view(count, longest))
            out = F.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, dropout_p=dropout, scale=scale,
                enable_gqa=query.shape[1] != key.shape[1],
            )  # fmt: skip
        elif dropout == 0 and _slow(q):
            out = _in_blocks(q, k, v, causal, q.shape[-1] ** -0.5 if scale is None else scale)
        else:
            out = F.scaled_dot_product_attention(
                q,
                k,
                v,
                dropout_p=dropout,
                is_causal=causal,
                scale=scale,
                enable_gqa=query.shape[1] != key.shape[1],
            )
        outputs.append(out.flatten(0, 2))
        start = stop
    return gathered(torch.cat(outputs), own).view(query.shape)


def seen(
    images: Int64[Tensor, "b t"], base: Bool[Tensor, "*b 1 t t"] | None = None
) -> Bool[Tensor, "b 1 t t"]:
    """Who sees whom where tokens of one image see each other.

    Args:
        images: which image each token is of; 0 for text.
        base: who sees whom otherwise; what stands before when None.
    """
    tokens = images.shape[1]
    if base is None:
        base = torch.ones(1, 1, tokens, tokens, dtype=torch.bool, device=images.device).tril()
    same = (images[:, :, None] == images[:, None, :]) & (images > 0)[:, :, None]
    return base | same[:, None]


def _slow(query: Tensor) -> bool:
    """Whether the fused kernel's backward pass takes several times as long as plain products."""
    return compiles_per_shape(query.device, query.dtype) and query.requires_grad


def _in_blocks(
    query: Float[Tensor, "n h l d"],
    key: Float[Tensor, "n kv l d"],
    value: Float[Tensor, "n kv l d"],
    causal: bool,
    scale: float,
) -> Float[Tensor, "n h l d"]:
    """The same in blocks; keys and values that heads share are not repeated."""
    dtype, shared = computed_in(query.device, query.dtype), key.shape[1]
    groups = query.to(dtype).unflatten(1, (shared, -1)).flatten(0, 1)
    keys, values = (part.to(dtype).flatten(0, 1) for part in (key, value))
    return blocked_attention(groups, keys, values, causal, scale).view(query.shape)
