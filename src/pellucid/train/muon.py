"""Muon (arXiv 2502.16982) with its products in the dtype of the run, equal shapes side by side.

The library's Muon orthogonalises in bfloat16, one matrix after the other. A CPU without bfloat16
units computes that several times slower than float32, and small matrices leave it idle: for a model
of four million parameters it took a third of a training step. Here a run in float32 stays in
float32, and one in bfloat16 does as the library does. Same update, same scale as the library's
(`match_rms_adamw`): one rate serves Muon and AdamW.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributed.tensor import DTensor, Replicate

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration; its slope at zero is steep, its fixed points lie around 1."""
ITERATIONS = 5
EPS = 1e-7


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; for matrices only.

    Args:
        groups: parameter groups with `params`, `lr` and `weight_decay` each.
        momentum: decay of the running mean of the gradients; looked ahead by one step (Nesterov).
        products: dtype of the products; states and weights keep theirs.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        momentum: float,
        products: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0, "momentum": momentum})
        self._products = products

    def step(self, closure: Callable[[], float] | None = None) -> None:
        """One update of every matrix that has a gradient."""
        assert closure is None, "a step is not repeated"
        with torch.no_grad():
            for group in self.param_groups:
                self._update(group)

    def _update(self, group: dict[str, Any]) -> None:
        by_shape: dict[torch.Size, list[Tensor]] = {}
        for tensor in group["params"]:
            if tensor.grad is not None:
                by_shape.setdefault(tensor.shape, []).append(tensor)
        for shape, tensors in by_shape.items():
            scale = 0.2 * max(shape) ** 0.5
            ahead = torch.stack([_whole(self._ahead(one, group)) for one in tensors])
            updates = orthogonal(ahead, self._products)
            for tensor, update in zip(tensors, updates, strict=True):
                tensor.mul_(1 - group["lr"] * group["weight_decay"])
                tensor.add_(_part(update, tensor), alpha=-group["lr"] * scale)

    def _ahead(self, tensor: Tensor, group: dict[str, Any]) -> Tensor:
        """The gradient, moved towards its running mean."""
        state, momentum = self.state[tensor], group["momentum"]
        assert tensor.grad is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(tensor.grad)
        mean = state["momentum_buffer"].lerp_(tensor.grad, 1 - momentum)
        return tensor.grad.lerp(mean, momentum)


def _whole(tensor: Tensor) -> Tensor:
    """A matrix of which ranks hold parts; every rank gets all of it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _part(whole: Tensor, like: Tensor) -> Tensor:
    """What a rank holds of a matrix, if it holds a part of `like`."""
    if not isinstance(like, DTensor):
        return whole
    mesh = like.device_mesh
    replicated = DTensor.from_local(whole, mesh, [Replicate()] * mesh.ndim, run_check=False)
    return replicated.redistribute(placements=like.placements)


def orthogonal(
    matrices: Float[Tensor, "k n m"], products: torch.dtype = torch.float32
) -> Float[Tensor, "k n m"]:
    """The matrices with their singular values brought near 1 (about 0.7 to 1.2).

    Args:
        matrices: any, in float32.
        products: what they are multiplied in.
    """
    wide = matrices.shape[1] <= matrices.shape[2]
    found = matrices if wide else matrices.mT
    found = (found / found.norm(dim=(1, 2), keepdim=True).clamp(min=EPS)).to(products)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = found @ found.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        found = torch.baddbmm(found, polynomial, found, beta=a)
    return (found if wide else found.mT).to(matrices.dtype)
