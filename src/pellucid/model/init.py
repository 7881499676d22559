"""Random weights of a new model: a function of (seed, parameter name), of nothing else.

Every parameter has its own generator, so a change of one part changes no other part's weights, and
neither PyTorch's global random state nor the order of construction matters.

    matrices            N(0, 1 / fan_in): unit variance in, unit variance out
    into the residual   the same, divided by sqrt(2 * layers): depth does not inflate the stream
    token embedding     N(0, 0.02^2), also an untied head: first logits are near uniform
    patch embedding     every filter sums to zero, so an evenly grey or white patch is no news
    position table      N(0, 0.4^2): as loud as content, so that place is known from the first step
    projector's last    shrunk so that image features start about as large as token embeddings
    norms, biases       1 and 0
"""

import re

import torch
from torch import Tensor, nn

from pellucid.base.seeds import derive
from pellucid.model.vlm import PellucidForConditionalGeneration

EMBEDDING_STD = 0.02
POSITION_STD = 0.4
PROJECTOR_SHRINK = 0.04

_EMBEDDING = re.compile(r"embed_tokens|lm_head")
_TO_RESIDUAL = re.compile(r"(o_proj|out_proj|down_proj|fc2)\.weight$")


def init_weights(
    model: PellucidForConditionalGeneration, seed: int, module: str | None = None
) -> None:
    """Overwrite every parameter, or those of one module.

    Args:
        model: in fp32.
        seed: the recipe's seed.
        module: "vision", "projector" or "decoder": it alone gets the weights that a new model of
            this seed has, the others keep theirs; all when None.
    """
    layers = {
        "vision": model.vision.depth,
        "decoder": model.config.text_config.num_hidden_layers,
    }
    last = [name for name, _ in model.projector.named_parameters() if name.endswith("weight")][-1]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if module not in (None, name.partition(".")[0]):
                continue
            if parameter.ndim == 1:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)  # norms, biases
                continue
            std = _std(name, parameter)
            if _TO_RESIDUAL.search(name):
                std /= (2 * layers[name.partition(".")[0]]) ** 0.5
            if name == f"projector.{last}":
                std *= PROJECTOR_SHRINK
            generator = torch.Generator().manual_seed(derive(seed, "weights", name))
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)
            if "patch_embedding" in name:
                parameter.sub_(parameter.flatten(1).mean(1).view(-1, *[1] * (parameter.ndim - 1)))
        if module in (None, "decoder"):
            _clear_padding(model.get_input_embeddings())


def _std(name: str, parameter: Tensor) -> float:
    if _EMBEDDING.search(name):
        return EMBEDDING_STD
    if "position_embedding" in name:
        return POSITION_STD
    return float(parameter.shape[1] ** -0.5)


def _clear_padding(embedding: nn.Embedding) -> None:
    """PyTorch never trains the padding row; zero is what it holds by its own rule."""
    if embedding.padding_idx is not None:
        embedding.weight[embedding.padding_idx].zero_()
