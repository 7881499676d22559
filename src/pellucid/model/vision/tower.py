"""The packed NaFlex tower: SigLIP2's vision transformer over all images of a batch as one row.

No image is padded. Linear layers, norms and position embeddings see one sequence of patches; only
attention looks at one image at a time, in one call per distinct patch count.

Left out on purpose: the pooling head, the final norm, and every layer after `feature_layer`. Their
weights would get no gradient, yet be decayed, counted and saved, and they break data-parallel
training; so they are not built, and a checkpoint of ours does not hold them. Parameter names are
those of `Siglip2VisionModel`, so what is left of a published tower loads by name.
"""

from collections.abc import Iterator, Sequence

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from transformers import Siglip2VisionConfig

from pellucid.model.attention import packed_attention
from pellucid.model.vision.positions import positions


def run_layers(config: Siglip2VisionConfig, feature_layer: int) -> int:
    """How many layers are run: hidden state -1 is after all of them, -2 after all but one."""
    layers = int(config.num_hidden_layers) + 1 + feature_layer
    assert feature_layer < 0 < layers, f"{feature_layer=} of {config.num_hidden_layers} layers"
    return layers


class Embeddings(nn.Module):
    """Patches to hidden states: a linear map plus resized position embeddings."""

    def __init__(self, config: Siglip2VisionConfig) -> None:
        super().__init__()
        channels = config.num_channels * config.patch_size**2
        self.patch_embedding = nn.Linear(channels, config.hidden_size)
        self.position_embedding = nn.Embedding(config.num_patches, config.hidden_size)

    def forward(
        self, patches: Float[Tensor, "p c"], grids: Int64[Tensor, "n 2"]
    ) -> Float[Tensor, "p d"]:
        """Embed all patches of a batch."""
        table = self.position_embedding.weight
        # In the table's dtype, not the product's: under autocast the residual stream stays fp32.
        return self.patch_embedding(patches.to(table.dtype)) + positions(table, grids).to(
            table.dtype
        )


class Attention(nn.Module):
    """Bidirectional attention within each image."""

    def __init__(self, config: Siglip2VisionConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(width, width) for _ in range(4)
        )

    def forward(self, hidden: Float[Tensor, "p d"], sizes: Sequence[int]) -> Float[Tensor, "p d"]:
        """Attend; `sizes` are the images' patch counts."""
        query, key, value = (
            projection(hidden).unflatten(-1, (self.heads, -1))  # (p, heads, d / heads)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = packed_attention(query, key, value, sizes, causal=False)
        return self.out_proj(mixed.flatten(1))


class Mlp(nn.Module):
    """The feed-forward part, with tanh-approximated GELU."""

    def __init__(self, config: Siglip2VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden: Float[Tensor, "p d"]) -> Float[Tensor, "p d"]:
        """Apply to each patch."""
        return self.fc2(F.gelu(self.fc1(hidden), approximate="tanh"))


class Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, config: Siglip2VisionConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.self_attn = Attention(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = Mlp(config)

    def forward(self, hidden: Float[Tensor, "p d"], sizes: Sequence[int]) -> Float[Tensor, "p d"]:
        """Attention, then feed-forward, each around a residual."""
        hidden = hidden + self.self_attn(self.layer_norm1(hidden), sizes)
        return hidden + self.mlp(self.layer_norm2(hidden))


class Encoder(nn.Module):
    """The layers that are run."""

    def __init__(self, config: Siglip2VisionConfig, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(layers))


class VisionTower(nn.Module):
    """SigLIP2 NaFlex up to `feature_layer`."""

    def __init__(self, config: Siglip2VisionConfig, feature_layer: int) -> None:
        super().__init__()
        assert config.hidden_act == "gelu_pytorch_tanh", f"unknown {config.hidden_act=}"
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config, run_layers(config, feature_layer))

    def layers(self) -> Iterator[nn.Module]:
        """The layers that are run."""
        yield from self.encoder.layers

    @property
    def depth(self) -> int:
        """Layers that are run."""
        return len(self.encoder.layers)

    def forward(
        self, patches: Float[Tensor, "p c"], grids: Int64[Tensor, "n 2"]
    ) -> Float[Tensor, "p d"]:
        """Features of every patch of every image, in the order of the patches.

        Args:
            patches: all images' patches, one image after the other, row-major within an image;
                values of a patch are ordered (y, x, channel).
            grids: rows and columns of each image; their products add up to `p`.
        """
        grids = grids.cpu()
        sizes = grids.prod(1).tolist()
        assert sum(sizes) == len(patches), f"grids promise {sum(sizes)} patches, {len(patches)=}"
        hidden = self.embeddings(patches, grids)
        for layer in self.encoder.layers:
            hidden = layer(hidden, sizes)
        return hidden
