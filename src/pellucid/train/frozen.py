"""What of a model a stage trains, and how the rest of it is held.

Under bfloat16 matrices that nobody trains are held as their products round them: half the bytes,
nothing to round at every pack, and not a bit of a step changes. What is published has them as they
were: they are read again from the checkpoint that the stage started from.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from pellucid.model import checkpoint as models
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.recipe.train import Stage
from pellucid.train.lora import adapt
from pellucid.train.optim import freeze, hidden_matrices

_ADAPTED = ".base_layer"
"""In the names of matrices that have adapters around them."""


def choose(
    modules: Mapping[str, nn.Module], stage: Stage, seed: int, mode_ids: Sequence[int], dtype: str
) -> None:
    """Freeze what has no rate, put adapters where they are asked for, round what nobody trains.

    Args:
        modules: name -> module; the names are the fields of `Modules`.
        stage: what is trained.
        seed: of the adapters.
        mode_ids: see `lora.adapt`.
        dtype: "float32" or "bfloat16".
    """
    freeze(modules, stage.modules)
    adapt(modules, stage.lora, seed, mode_ids)
    if dtype == "bfloat16":
        for module in modules.values():
            parts = dict(module.named_parameters())
            for name in hidden_matrices(module):
                if not parts[name].requires_grad:
                    parts[name].data = parts[name].data.to(torch.bfloat16)


def restore(model: PellucidForConditionalGeneration, checkpoint: Path) -> None:
    """Put rounded matrices back as they are in a checkpoint; everything goes to the CPU."""
    for one in (*model.parameters(), *model.buffers()):
        one.data = one.data.cpu()
    rounded = [name for name, one in model.named_parameters() if one.dtype != torch.float32]
    if not rounded:
        return
    held = dict(models.load(checkpoint).model.named_parameters())
    for name in rounded:
        model.get_parameter(name).data = held[name.replace(_ADAPTED, "")].data
