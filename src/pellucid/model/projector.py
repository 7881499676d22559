"""From the tower's width to the decoder's.

A projector is chosen by name in the recipe, or comes with a checkpoint.
"""

from collections.abc import Callable, Mapping

from torch import nn
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLPatchMerger


def mlp2x_gelu(vision_width: int, decoder_width: int) -> nn.Module:
    """Two linear layers with biases, an exact GELU between (LLaVA-1.5, arXiv 2310.03744).

    It never mixes features, so one patch stays one token.
    """
    return nn.Sequential(
        nn.Linear(vision_width, decoder_width), nn.GELU(), nn.Linear(decoder_width, decoder_width)
    )


def patch_merger(vision_width: int, decoder_width: int) -> nn.Module:
    """Qwen2.5-VL's: features normed, four of a square side by side, then two linear layers."""
    return Qwen2_5_VLPatchMerger(decoder_width, vision_width, spatial_merge_size=2)


PROJECTORS: Mapping[str, Callable[[int, int], nn.Module]] = {
    "mlp2x_gelu": mlp2x_gelu,
    "patch_merger": patch_merger,
}
