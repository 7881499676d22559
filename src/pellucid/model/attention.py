"""Attention over packed rows, and its place in transformers' attention interface.

Under the name `pellucid` the decoder's layers get one function that serves packed segments (causal
within a segment, blind across) and hands everything else to the stock SDPA path: plain generation,
padded batches, and slots, whose mask is given (see `cache`).

Segments run as padded batches of similar length: padding stands to the right, where no real query
looks under a causal mask, so no mask is built. This per-segment SDPA is the reference on every
device; fused variable-length kernels are to be checked against it.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from pellucid.model.rounding import LONGEST, compiles_per_shape
from pellucid.model.segments import layout

NAME = "pellucid"
"""Name of our function in transformers' attention interface."""

CAUSAL_WASTE = 0.25
"""Largest share of padding in a batch of causal segments."""

SHORT = 256
"""Tokens up to which bf16 training on a CPU takes the unfused path."""


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
    **kwargs: Any,
) -> tuple[Float[Tensor, "b q h d"], None]:
    """What the attention interface calls in every layer of the decoder.

    With `segments` the mask is not looked at: the segments say it all.
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
    """
    assert sum(segments) == query.shape[0], f"{sum(segments)} != {query.shape[0]} tokens"
    if causal:
        multiple = LONGEST if compiles_per_shape(query.device, query.dtype) else 1
        plan = layout(segments, CAUSAL_WASTE, query.device, multiple)
    else:  # no mask: no padding
        plan = layout(segments, 0.0, query.device)
    rows = [part.index_select(0, plan.gather) for part in (query, key, value)]
    outputs, start = [], 0
    for count, longest in plan.shapes:
        stop = start + count * longest
        q, k, v = (
            row[start:stop].unflatten(0, (count, longest)).transpose(1, 2) for row in rows
        )  # (count, heads, longest, d)
        with _kernel(q, longest):
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


def _kernel(query: Tensor, longest: int) -> AbstractContextManager[None]:
    """PyTorch's choice, but for short segments trained in bf16 on a CPU.

    There the fused kernel's backward pass takes several times as long as plain products with a
    (longest, longest) score matrix per segment and head.
    """
    slow = compiles_per_shape(query.device, query.dtype) and query.requires_grad
    return sdpa_kernel(SDPBackend.MATH) if slow and longest <= SHORT else nullcontext()
