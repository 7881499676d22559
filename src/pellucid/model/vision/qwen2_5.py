"""Qwen2.5-VL's tower over packed patches, window attention in one call per distinct window size.

The layers are transformers' own, under their own names; attention over the pieces of a row is ours
(`packed_attention`), because the stock path calls the kernel once per window. What comes out are
the patches square by square, in the order in which they came in; the merger that makes one token of
a square is the projector.

Left out on purpose: video.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as stock
from transformers.vision_utils import get_vision_position_ids, get_vision_window_index

from pellucid.model.attention import packed_attention
from pellucid.model.fused import replace_norms, rotated


class Attention(stock.Qwen2_5_VLVisionAttention):
    """Each piece of a row over itself."""

    def forward(
        self,
        hidden_states: Float[Tensor, "p d"],
        cu_seqlens: Any,
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        **kwargs: Any,
    ) -> Float[Tensor, "p d"]:
        """Attention within pieces.

        Args:
            hidden_states: of all patches.
            cu_seqlens: lengths of the pieces (not their borders, as the stock class has them).
            position_embeddings: cosines and sines of every patch.
            kwargs: what the stock layer hands on; not used.
        """
        assert position_embeddings is not None, "every patch has a position"
        shape = (len(hidden_states), 3, self.num_heads, -1)
        query, key, value = self.qkv(hidden_states).reshape(shape).unbind(1)
        query, key = (rotated(part, *position_embeddings) for part in (query, key))
        mixed = packed_attention(query, key, value, cu_seqlens, causal=False, scale=self.scaling)
        out: Tensor = self.proj(mixed.flatten(1))
        return out


class QwenTower(nn.Module):
    """Qwen2.5-VL's vision transformer without its merger."""

    def __init__(self, config: Any, feature_layer: int) -> None:
        """Build the layers.

        Args:
            config: a `Qwen2_5_VLVisionConfig`.
            feature_layer: -1, the last layer's output; this family has no other.
        """
        super().__init__()
        assert feature_layer == -1, f"{feature_layer=}: the merger reads the last layer"
        self.config = config
        self.patch_embed = stock.Qwen2_5_VisionPatchEmbed(
            config.patch_size, config.temporal_patch_size, config.in_channels, config.hidden_size
        )
        self.rotary_pos_emb = stock.Qwen2_5_VLVisionRotaryEmbedding(config)
        self.blocks = nn.ModuleList(
            [stock.Qwen2_5_VLVisionBlock(config) for _ in range(config.depth)]
        )
        for block in self.blocks:
            block.attn = Attention(config)
        replace_norms(self.blocks, stock.Qwen2_5_VLRMSNorm)

    def layers(self) -> Iterator[nn.Module]:
        """The layers that are run."""
        yield from self.blocks

    @property
    def depth(self) -> int:
        """Layers."""
        return len(self.blocks)

    def forward(
        self, patches: Float[Tensor, "p c"], grids: Int64[Tensor, "n 2"]
    ) -> Float[Tensor, "p d"]:
        """Features of every patch, in the order of the patches.

        Args:
            patches: of all images, square by square (see `squares`).
            grids: rows and columns of each image, multiples of the square's side.
        """
        sizes = grids.prod(1).sum()
        assert int(sizes) == len(patches), f"grids promise {sizes} patches, {len(patches)=}"
        wanted = _layout(tuple(map(tuple, grids.tolist())), self._windows())
        turned = wanted.order.to(patches.device)
        hidden = self._embedded(patches).index_select(0, turned)
        places = wanted.places.to(patches.device)
        turns = tuple(part.index_select(0, turned) for part in self.rotary_pos_emb(hidden, places))
        for index, block in enumerate(self.blocks):
            whole = index in self.config.fullatt_block_indexes
            hidden = block(
                hidden,
                cu_seqlens=wanted.images if whole else wanted.windows,
                position_embeddings=turns,
            )
        return hidden.index_select(0, turned.argsort())

    def _embedded(self, patches: Float[Tensor, "p c"]) -> Float[Tensor, "p d"]:
        """Every patch as a video of equal frames, which is what the weights were trained on.

        Equal frames are seen by the sum of their weights, and a convolution that takes a whole
        patch is a product: half the work of the stock class, and far faster on a CPU.
        """
        weights: Tensor = self.patch_embed.proj.weight  # (d, colours, frames, y, x)
        return F.linear(patches.to(weights.dtype), weights.sum(2).flatten(1))

    def _windows(self) -> tuple[int, int, int]:
        config = self.config
        return config.spatial_merge_size, config.window_size, config.patch_size


class Layout:
    """How the patches of a batch of images are grouped into windows."""

    def __init__(self, sizes: tuple[tuple[int, int], ...], windows: tuple[int, int, int]) -> None:
        merge, window_px, patch_px = windows
        grids = torch.tensor([(1, *size) for size in sizes])
        squares, borders = get_vision_window_index(grids, merge, window_px, patch_px)
        within = torch.arange(merge**2)
        self.order = (squares[:, None] * merge**2 + within).flatten()
        """Which patch stands at each place once those of a window stand together."""
        self.windows = tuple(length for length in borders.diff().tolist() if length)
        """Patches of each window, in order."""
        self.images = tuple(rows * cols for rows, cols in sizes)
        """Patches of each image, in order."""
        self.places = get_vision_position_ids(grids, merge)
        """Row and column of every patch, in the order in which they come in."""


@lru_cache(maxsize=256)
def _layout(sizes: tuple[tuple[int, int], ...], windows: tuple[int, int, int]) -> Layout:
    with torch.inference_mode(False):  # a training step may be the next to use it
        return Layout(sizes, windows)
