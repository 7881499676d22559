"""Attention over packed rows, and its place in transformers' attention interface.

Under the name `pellucid` the decoder's layers get one function that serves packed segments (causal
within a segment, blind across) and hands everything else to the stock SDPA path: plain generation,
padded batches, and slots, whose mask is given (see `cache`).

Segments run as padded batches of similar length: padding stands to the right, where no real query
looks under a causal mask, so the fused kernel needs no mask. This per-segment SDPA is the reference
on every device, but for short segments trained in bf16 on a CPU (`_products`, checked against it);
fused variable-length kernels are to be checked against it too.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from pellucid.model.rounding import LONGEST, compiles_per_shape, computed_in
from pellucid.model.segments import layout

NAME = "pellucid"
"""Name of our function in transformers' attention interface."""

CAUSAL_WASTE = 0.25
"""Largest share of padding in a batch of causal segments, before its length is rounded."""

SHORT = 512
"""Tokens up to which bf16 training on a CPU takes the unfused path."""
MEDIUM, SCORES = 1024, 2**23
"""The same, where all scores of a call together are no more than so many: they are kept."""


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
    rows = [part.index_select(0, plan.gather) for part in (query, key, value)]
    places = None if images is None else images.index_select(0, plan.gather)
    outputs, start = [], 0
    for count, longest in plan.shapes:
        stop = start + count * longest
        q, k, v = (
            row[start:stop].unflatten(0, (count, longest)).transpose(1, 2) for row in rows
        )  # (count, heads, longest, d)
        if places is not None:
            mask = seen(places[start:stop].view(count, longest))
            out = F.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, dropout_p=dropout, scale=scale,
                enable_gqa=query.shape[1] != key.shape[1],
            )  # fmt: skip
        elif dropout == 0 and _short(q) and _slow(q):
            out = _products(q, k, v, causal, q.shape[-1] ** -0.5 if scale is None else scale)
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
        outputs.append(out.transpose(1, 2).flatten(0, 1))
        start = stop
    return torch.cat(outputs).index_select(0, plan.scatter)


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


def _short(query: Float[Tensor, "n h l d"]) -> bool:
    """Whether so many scores may be kept."""
    count, heads, longest, _ = query.shape
    few = count * heads * longest**2 <= SCORES
    return bool(longest <= SHORT or (longest <= MEDIUM and few))


def _slow(query: Tensor) -> bool:
    """Whether the fused kernel's backward pass takes several times as long as plain products."""
    return compiles_per_shape(query.device, query.dtype) and query.requires_grad


def _products(
    query: Float[Tensor, "n h l d"],
    key: Float[Tensor, "n kv l d"],
    value: Float[Tensor, "n kv l d"],
    causal: bool,
    scale: float,
) -> Float[Tensor, "n h l d"]:
    """Attention as two products and a softmax, queries of one group below each other.

    Keys and values are not repeated, the mask is added by the product and made once per length, and
    every causal row sees itself, so no row needs the stock path's guard against seeing nothing.
    """
    (count, heads, longest, _), shared = query.shape, key.shape[1]
    device = query.device.type
    dtype = computed_in(query.device, query.dtype)
    with torch.autocast(device, enabled=False):
        tall = query.to(dtype).reshape(count * shared, -1, query.shape[-1])
        wide = key.to(dtype).flatten(0, 1).mT
        if causal:
            mask = _mask(longest, heads // shared, dtype, query.device)
            scores = torch.baddbmm(mask, tall, wide, alpha=scale)
        else:
            scores = torch.bmm(tall * scale, wide)
        mixed = scores.softmax(-1) @ value.to(dtype).flatten(0, 1)
    return mixed.reshape(count, heads, longest, -1)


@lru_cache(maxsize=16)
def _mask(
    longest: int, groups: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "rows l"]:
    """0 where a query may look and -inf where not, for the queries of one group."""
    with torch.inference_mode(False):
        above = torch.full((longest, longest), -torch.inf, dtype=dtype, device=device).triu(1)
        return above.repeat(groups, 1)
