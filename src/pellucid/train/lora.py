"""Low-rank adapters: put around the hidden matrices of a module, and merged into them at the end.

The library is peft; what it draws at random we draw again, as a function of (seed, name). Beside
them the rows of the mode tokens are trained, ours because peft's copy the whole table at every
step. After `merge` a module has the parameters that it had before, so nothing later knows of
adapters. Leaves out on purpose: dropout (nothing in training draws random numbers) and adapters as
files.
"""

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.base.errors import Problem, UserError
from pellucid.base.seeds import derive
from pellucid.recipe.train import DecoderLora, Lora, LoraModules
from pellucid.train.optim import hidden_matrices

_OURS = "default"
"""Name of the one adapter."""


@final
class TrainedRows(nn.Module):
    """An embedding or a head, frozen but for a few rows."""

    def __init__(self, base: nn.Embedding | nn.Linear, ids: Sequence[int], rows: nn.Parameter):
        """Put rows in place of those of `base`.

        Args:
            base: the frozen table.
            ids: of the rows.
            rows: what stands for them; may be shared with another table.
        """
        super().__init__()
        self.base, self.rows = base, rows
        self.ids = nn.Buffer(torch.tensor(ids, device=rows.device), persistent=False)

    @property
    def weight(self) -> Tensor:
        """The frozen table."""
        return self.base.weight

    def forward(self, seen: Tensor) -> Tensor:
        """What the table gives with its rows replaced: embeddings of ids, or logits."""
        out: Tensor = self.base(seen)
        if isinstance(self.base, nn.Linear):
            return out.index_copy(-1, self.ids, F.linear(seen, self.rows))
        same = seen[..., None] == self.ids  # (..., rows)
        own = self.rows[same.int().argmax(-1)].to(out.dtype)
        return torch.where(same.any(-1, keepdim=True), own, out)

    def merged(self) -> nn.Module:
        """The table with its rows."""
        with torch.no_grad():
            ids = self.ids.to(self.base.weight.device)
            self.base.weight[ids] = self.rows.to(self.base.weight.dtype)
        return self.base


def adapt(
    modules: Mapping[str, nn.Module],
    lora: LoraModules | None,
    seed: int,
    mode_ids: Sequence[int] = (),
) -> None:
    """Freeze the modules that have adapters, and put these around every hidden matrix.

    The first forward pass gives what it gave before: one half of each adapter is zero.

    Args:
        modules: name -> module; the names are the fields of `LoraModules`.
        lora: which of them, and how wide; None for none.
        seed: of the other half.
        mode_ids: rows of embedding and head that a decoder's adapters bring along.

    Raises:
        UserError: peft is not installed.
    """
    for name, options in lora or ():
        if options is not None:
            _adapt(modules[name], name, options, seed)
        if isinstance(options, DecoderLora) and options.mode_tokens and mode_ids:
            _train_rows(modules[name], mode_ids)


def _train_rows(decoder: Any, ids: Sequence[int]) -> None:
    """Put trained rows in embedding and head; the same ones where the two share a table."""
    tables = {"model.embed_tokens": decoder.get_input_embeddings(), "lm_head": decoder.lm_head}
    made: dict[int, nn.Parameter] = {}
    for path, base in tables.items():
        table = base.weight
        if id(table) not in made:
            made[id(table)] = nn.Parameter(table[list(ids)].detach().clone())
        _put(decoder, path, TrainedRows(base, ids, made[id(table)]))


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
            _put(module, path, layer.get_base_layer())
        elif isinstance(layer, TrainedRows):
            _put(module, path, layer.merged())


def _put(module: nn.Module, path: str, part: nn.Module) -> None:
    parent, _, last = path.rpartition(".")
    setattr(module.get_submodule(parent), last, part)


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
