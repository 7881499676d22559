"""From the tower's width to the decoder's, feature by feature.

A projector is chosen by name in the recipe; it never mixes features, so one patch stays one token.
"""

from collections.abc import Callable, Mapping

from torch import nn


def mlp2x_gelu(vision_width: int, decoder_width: int) -> nn.Module:
    """Two linear layers with biases, an exact GELU between (LLaVA-1.5, arXiv 2310.03744)."""
    return nn.Sequential(
        nn.Linear(vision_width, decoder_width), nn.GELU(), nn.Linear(decoder_width, decoder_width)
    )


PROJECTORS: Mapping[str, Callable[[int, int], nn.Module]] = {"mlp2x_gelu": mlp2x_gelu}
