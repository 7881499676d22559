"""Low-rank adapters: put around the hidden matrices of a module, and merged into them at the end.

The library is peft; what it draws at random we draw again, as a function of (seed, name). After
`merge` a module has the parameters that it had before, so nothing later knows of adapters. Leaves
out on purpose: dropout (nothing in training draws random numbers) and adapters as files.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from pellucid.base.errors import Problem, UserError
from pellucid.base.seeds import derive
from pellucid.recipe.train import Lora, LoraModules
from pellucid.train.optim import hidden_matrices

_OURS = "default"
"""Name of the one adapter."""


def adapt(modules: Mapping[str, nn.Module], lora: LoraModules | None, seed: int) -> None:
    """Freeze the modules that have adapters, and put these around every hidden matrix.

    The first forward pass gives what it gave before: one half of each adapter is zero.

    Args:
        modules: name -> module; the names are the fields of `LoraModules`.
        lora: which of them, and how wide; None for none.
        seed: of the other half.

    Raises:
        UserError: peft is not installed.
    """
    for name, options in lora or ():
        if options is not None:
            _adapt(modules[name], name, options, seed)


def _adapt(module: nn.Module, name: str, options: Lora, seed: int) -> None:
    peft = library()
    module.requires_grad_(False)
    targets = [matrix.removesuffix(".weight") for matrix in hidden_matrices(module)]
    config = peft.LoraConfig(
        r=options.rank, lora_alpha=options.alpha, lora_dropout=0.0, target_modules=targets
    )
    with torch.random.fork_rng(devices=[]):
        peft.inject_adapter_in_model(config, module, adapter_name=_OURS)
    found = {path: tensor for path, tensor in module.named_parameters() if "lora_" in path}
    assert len(found) == 2 * len(targets), f"{len(found)} adapter tensors for {len(targets)}"
    for path, tensor in found.items():
        tensor.requires_grad_(True)
        if "lora_A" in path:
            generator = torch.Generator().manual_seed(derive(seed, "lora", f"{name}.{path}"))
            drawn = 2 * torch.rand(tensor.shape, generator=generator) - 1
            with torch.no_grad():  # uniform, of the width that peft takes
                tensor.copy_(drawn / tensor.shape[1] ** 0.5)


def merge(modules: Mapping[str, nn.Module], lora: LoraModules | None) -> None:
    """Add every adapter to its matrix, and take it away."""
    for name, options in lora or ():
        if options is not None:
            _merge(modules[name])


def _merge(module: nn.Module) -> None:
    layers = library().tuners.lora.LoraLayer
    for path, layer in list(module.named_modules()):
        if isinstance(layer, layers):
            layer.merge(adapter_names=[_OURS])
            parent, _, last = path.rpartition(".")
            setattr(module.get_submodule(parent), last, layer.get_base_layer())


def library() -> Any:
    """peft, which is not among what every installation brings.

    Raises:
        UserError: it is not installed.
    """
    try:
        import peft
    except ImportError as error:
        fix = "pip install 'pellucid[lora]'"
        raise UserError(Problem("train.stages[].lora", "set", "needs peft", fix)) from error
    return peft
