"""Who is trained by what, at which rate: parameter groups per module, AdamW and Muon, clipping.

AdamW is the library's. Muon (see `muon`) takes hidden matrices as the checkpoint stores them: a
fused matrix (Phi-3's `qkv_proj`) is orthogonalised as one. Of a state that is shared out over ranks
(ZeRO-1) whole tensors go to one rank each, by torch's `ZeroRedundancyOptimizer`. Where the weights
are shared out (see `shard`), gradients and states are parts of tensors as the weights are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from pellucid.recipe.train import Modules, Optimizer, Sharding
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
        sharding: Sharding = "none",
    ) -> None:
        """Make the optimizers.

        Args:
            trained: what they update.
            rates: peak rate per module.
            options: which optimizers, and their constants.
            dtype: "float32" or "bfloat16", of the stage; Muon's products follow it.
            ranks: that make the same steps.
            sharding: what they share out. With "optimizer" each holds the state of a share of the
                tensors and updates these alone; with "weights" the tensors are shared out already.
        """
        self._ranks = ranks
        self.sharding: Sharding = sharding if ranks.size > 1 else "none"
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
        if ranks.size == 1 or self.sharding == "weights":  # summed in the backward pass
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
        held = {name: list(_gradients(tensors)) for name, tensors in self._modules.items()}
        norms = torch.stack([_norm(found, self._modules[name][0]) for name, found in held.items()])
        if self.sharding == "weights":  # each rank has seen its parts
            squares = norms.square()
            self._ranks.add([squares])
            norms = squares.sqrt()
        total = norms.norm()
        if bool(torch.isfinite(total)):
            factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
            for found in filter(None, held.values()):
                torch._foreach_mul_(found, factor)
        return Norms(float(total), dict(zip(held, norms.tolist(), strict=True)))

    def state(self) -> dict[str, Tensor]:
        """What this rank holds of what the next step depends on: `<method>/<field>/<parameter>`."""
        found = {}
        for name, parameter in self._by_name.items():
            fields = self._local(parameter.method).state.get(parameter.tensor, {})
            for field, value in fields.items():
                found[f"{parameter.method}/{field}/{name}"] = value
        return found

    def room(self, sizes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
        """Tensors to read a state into, for `load`.

        Args:
            sizes: of all that ranks together have to say in `state`, however many they were.
        """
        found, own = {}, self._own()
        for key, size in sizes.items():
            method, _, name = key.split("/", 2)
            parameter = self._by_name[name]
            assert method == parameter.method, f"{name} was trained by {method}"
            if parameter.tensor in own:
                like = parameter.tensor.detach()
                found[key] = torch.zeros_like(like) if size == like.shape else _number(like)
        return found

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned, of what this rank updates."""
        for key, value in state.items():
            method, field, name = key.split("/", 2)
            parameter = self._by_name[name]
            assert method == parameter.method, f"{name} was trained by {method}"
            self._local(parameter.method).state[parameter.tensor][field] = value

    def _own(self) -> set[Tensor]:
        """What this rank updates, or its parts of it."""
        return {
            tensor
            for method in self._optimizers
            for group in self._local(method).param_groups
            for tensor in group["params"]
        }

    def _made(
        self, kind: type[torch.optim.Optimizer], groups: list[dict[str, object]], **options: Any
    ) -> torch.optim.Optimizer:
        if self.sharding != "optimizer":
            return kind(groups, **options)
        from torch.distributed.optim import ZeroRedundancyOptimizer  # warns when it is imported

        return ZeroRedundancyOptimizer(groups, optimizer_class=kind, **options)

    def _local(self, method: Method) -> torch.optim.Optimizer:
        """What holds this rank's state."""
        made: Any = self._optimizers[method]
        return made.optim if self.sharding == "optimizer" else made

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


def _gradients(tensors: list[nn.Parameter]) -> Iterator[Tensor]:
    """Gradients that there are, or this rank's parts of them."""
    for tensor in tensors:
        if tensor.grad is not None:
            yield tensor.grad.to_local() if isinstance(tensor.grad, DTensor) else tensor.grad


def _norm(gradients: list[Tensor], like: Tensor) -> Tensor:
    """Their norm; 0 for a module that the step did not reach (no images)."""
    if not gradients:
        return torch.zeros((), device=like.device)
    return torch.nn.utils.get_total_norm(gradients)


def _number(like: Tensor) -> Tensor:
    """Room for one number where a tensor's state lies."""
    return torch.zeros((), device=like.device)


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
