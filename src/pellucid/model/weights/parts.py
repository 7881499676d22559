"""Published weights of a tower or a decoder alone, put into a new model.

Layers that the model does not run, pooling heads and text towers are left on disk. Sizes are the
recipe's; weights of other sizes are refused.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pellucid.base.errors import Problem, UserError
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.model.weights.shards import Shards

_BEGINS = {"vision": ("vision_model.", ""), "decoder": ("",)}
"""What stands before a part's own names: of a SigLIP2 whole or its tower alone, of a Phi-3."""


def fill(model: PellucidForConditionalGeneration, part: str, folder: Path) -> None:
    """Copy published weights into one part of a model.

    Args:
        model: of the sizes of the weights.
        part: "vision" or "decoder".
        folder: holds the weights.

    Raises:
        UserError: a weight is not there, or of another shape.
        DiskError: a file cannot be read.
    """
    held = Shards(folder)
    wanted = dict(model.modules_by_name()[part].named_parameters())
    begin = next((one for one in _BEGINS[part] if any(one + name in held for name in wanted)), "")
    for name, parameter in wanted.items():
        found = _found(held, begin + name, f"model.{part}.weights", folder)
        if found.shape != parameter.shape:
            got, rule = tuple(found.shape), f"is {tuple(parameter.shape)} by the recipe"
            fix = f"give model.{part} the sizes of its weights"
            raise UserError(Problem(f"model.{part}.weights: {begin + name}", got, rule, fix))
        with torch.no_grad():
            parameter.copy_(found)


def _found(held: Mapping[str, Tensor], name: str, at: str, folder: Path) -> Tensor:
    if name not in held:
        rule = f"has no {name}"
        fix = "give the folder of a model of this architecture, with as many layers or more"
        raise UserError(Problem(at, str(folder), rule, fix))
    return held[name]
