"""Who is trained by what, at which rate: parameter groups per module, AdamW and Muon, clipping.

AdamW is the library's. Muon (see `muon`) takes hidden matrices as the checkpoint stores them: a
fused matrix (Phi-3's `qkv_proj`) is orthogonalised as one. Shared out over ranks (ZeRO-1), whole
tensors go to one rank each, by torch's `ZeroRedundancyOptimizer`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, final

import torch
from torch import Tensor, nn

from pellucid.recipe.train import Modules, Optimizer
from pellucid.train.muon import Muon
from pellucid.train.ranks import ALONE, Ranks

Method = Literal["adamw", "muon"]

_NOT_HIDDEN = ("embed", "head", "lora_")
"""Name parts of linear layers that touch pixels or tokens, or are half of a matrix; Muon is for
whole ones that lie between."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One trained tensor."""

    name: str
    """`<module>.<path in the module>`, the key of its state in a checkpoint."""
    tensor: nn.Parameter
    module: str
    method: Method
    decayed: bool


def freeze(modules: Mapping[str, nn.Module], rates: Modules) -> None:
    """Require gradients of exactly the modules that have a rate."""
    for name, module in modules.items():
        module.requires_grad_(_rate(rates, name) is not None)


def parameters(modules: Mapping[str, nn.Module], rates: Modules, kind: Method) -> list[Parameter]:
    """Every trained tensor once, in the order of the modules.

    Args:
        modules: name -> module; the names are the fields of `Modules`.
        rates: peak rate per module; frozen modules are left out.
        kind: "muon" gives hidden matrices to Muon and the rest to AdamW.
    """
    found = []
    for module_name, module in modules.items():
        if _rate(rates, module_name) is None:
            continue
        hidden = set(hidden_matrices(module)) if kind == "muon" else set()
        for name, tensor in module.named_parameters():
            if not tensor.requires_grad:  # what has adapters
                continue
            method: Method = "muon" if name in hidden else "adamw"
            found.append(
                Parameter(f"{module_name}.{name}", tensor, module_name, method, tensor.ndim >= 2)
            )
    return found


class Norms(NamedTuple):
    """Gradient norms before clipping."""

    total: float
    by_module: dict[str, float]


@final
class Optimizers:
    """The optimizers of one stage behind one `step`, with a state of plain tensors."""

    def __init__(
        self,
        trained: list[Parameter],
        rates: Modules,
        options: Optimizer,
        dtype: str,
        ranks: Ranks = ALONE,
        sharded: bool = False,
    ) -> None:
        """Make the optimizers.

        Args:
            trained: what they update.
            rates: peak rate per module.
            options: which optimizers, and their constants.
            dtype: "float32" or "bfloat16", of the stage; Muon's products follow it.
            ranks: that make the same steps.
            sharded: each rank holds the state of a share of the tensors and updates these alone.
        """
        self._ranks, self._sharded = ranks, sharded and ranks.size > 1
        self._by_name = {parameter.name: parameter for parameter in trained}
        self._peaks = {name: _rate(rates, name) or 0.0 for name in _in_order(trained)}
        self._modules = {
            name: [parameter.tensor for parameter in trained if parameter.module == name]
            for name in self._peaks
        }
        self._optimizers: dict[Method, torch.optim.Optimizer] = {}
        if groups := self._groups(trained, "adamw", options.weight_decay):
            betas = (options.beta1, options.beta2)
            self._optimizers["adamw"] = self._made(
                torch.optim.AdamW, groups, betas=betas, eps=options.eps, fused=True
            )
        if options.kind == "muon" and (
            groups := self._groups(trained, "muon", options.weight_decay)
        ):
            products = torch.bfloat16 if dtype == "bfloat16" else torch.float32
            self._optimizers["muon"] = self._made(
                Muon, groups, momentum=options.momentum, products=products
            )

    def set_factor(self, factor: float) -> dict[str, float]:
        """Set every module's rate to `factor` times its peak; return the rates."""
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self._peaks[group["module"]] * factor
        return {name: peak * factor for name, peak in self._peaks.items()}

    def zero(self) -> None:
        """Forget the gradients."""
        for optimizer in self._optimizers.values():
            optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """One update of every trained tensor that has a gradient."""
        for optimizer in self._optimizers.values():
            optimizer.step()

    def sum_gradients(self) -> None:
        """Give every rank the sum of all ranks' gradients; what no rank reached stays without."""
        ranks = self._ranks
        if ranks.size == 1:
            return
        tensors = [parameter.tensor for parameter in self._by_name.values()]
        reached = torch.tensor([float(tensor.grad is not None) for tensor in tensors])
        ranks.add([reached])
        gradients = []
        for tensor, count in zip(tensors, reached.tolist(), strict=True):
            if count:
                if tensor.grad is None:
                    tensor.grad = torch.zeros_like(tensor)
                gradients.append(tensor.grad)
        ranks.add(gradients)

    def clip(self, max_norm: float) -> Norms:
        """Scale the gradients so that their global norm is at most `max_norm`.

        Returns:
            The norms before scaling; non-finite gradients are left as they are.
        """
        norms = {name: _norm(tensors) for name, tensors in self._modules.items()}
        total = torch.stack(list(norms.values())).norm()
        if bool(torch.isfinite(total)):
            everything = [tensor for tensors in self._modules.values() for tensor in tensors]
            torch.nn.utils.clip_grads_with_norm_(everything, max_norm, total)
        return Norms(float(total), {name: float(norm) for name, norm in norms.items()})

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on: `<method>/<field>/<parameter>`.

        All ranks call it; of a sharded state the leader gets the whole, on the CPU.
        """
        found = {}
        for name, parameter in self._by_name.items():
            fields = self._local(parameter.method).state.get(parameter.tensor, {})
            for field, value in fields.items():
                found[f"{parameter.method}/{field}/{name}"] = value
        if self._sharded:
            shares = self._ranks.gathered({key: value.cpu() for key, value in found.items()})
            found = {key: value for share in shares for key, value in share.items()}
        return found

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; a rank takes what it has to update."""
        own = {
            tensor
            for method in self._optimizers
            for group in self._local(method).param_groups
            for tensor in group["params"]
        }
        for key, value in state.items():
            method, field, name = key.split("/", 2)
            parameter = self._by_name[name]
            assert method == parameter.method, f"{name} was trained by {method}"
            if parameter.tensor in own:
                fields = self._local(parameter.method).state[parameter.tensor]
                fields[field] = value.to(parameter.tensor.device)

    def _made(
        self, kind: type[torch.optim.Optimizer], groups: list[dict[str, object]], **options: Any
    ) -> torch.optim.Optimizer:
        if not self._sharded:
            return kind(groups, **options)
        from torch.distributed.optim import ZeroRedundancyOptimizer  # warns when it is imported

        return ZeroRedundancyOptimizer(groups, optimizer_class=kind, **options)

    def _local(self, method: Method) -> torch.optim.Optimizer:
        """What holds this rank's state."""
        made: Any = self._optimizers[method]
        return made.optim if self._sharded else made

    def _groups(
        self, trained: list[Parameter], method: Method, weight_decay: float
    ) -> list[dict[str, object]]:
        """One group per module and decay; the rate is set at each step."""
        groups = []
        for module in self._peaks:
            for decayed in (True, False):
                members = [
                    parameter.tensor
                    for parameter in trained
                    if (parameter.module, parameter.method, parameter.decayed)
                    == (module, method, decayed)
                ]
                if members:
                    decay = weight_decay if decayed else 0.0
                    groups.append(
                        {"params": members, "module": module, "weight_decay": decay, "lr": 0.0}
                    )
        return groups


def _norm(tensors: list[nn.Parameter]) -> Tensor:
    """Norm of the gradients; 0 for a module that the step did not reach (no images)."""
    gradients = [tensor.grad for tensor in tensors if tensor.grad is not None]
    if not gradients:
        return tensors[0].new_zeros(())
    return torch.nn.utils.get_total_norm(gradients)


def hidden_matrices(module: nn.Module) -> Iterator[str]:
    """Names of the weights of linear layers between embedding and head."""
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear) and not any(word in name for word in _NOT_HIDDEN):
            yield f"{name}.weight".removeprefix(".")


def _rate(rates: Modules, name: str) -> float | None:
    known = rates.model_dump()
    assert name in known, f"the recipe has no rate for module {name!r}"
    rate = known[name]
    return float(rate) if rate is not None else None


def _in_order(trained: list[Parameter]) -> list[str]:
    return list(dict.fromkeys(parameter.module for parameter in trained))
