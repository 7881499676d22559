"""Norm and rotation, each as one operation with a backward pass of its own.

They compute little and move much memory, and there are many of them: written out, as transformers
has them, each makes and keeps several copies of an activation. The numbers are those of the stock
classes but for roundings; under autocast a result comes out as the product that reads it would
round it.

Leaves out on purpose: kernels in another language than PyTorch's, and gradients of gradients.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function


def rms_norm(
    rows: Float[Tensor, "*rows d"], weight: Float[Tensor, " d"], eps: float
) -> Float[Tensor, "*rows d"]:
    """Each row over the root of its mean square, times the weights (arXiv 1910.07467).

    >>> rms_norm(torch.tensor([[3.0, 4.0]]), torch.tensor([1.0, 10.0]), 0.0)
    tensor([[ 0.8485, 11.3137]])
    """
    found: Tensor = _RmsNorm.apply(rows, weight, eps)
    return found


def rotated(
    heads: Float[Tensor, "t h d"], cos: Float[Tensor, "t r"], sin: Float[Tensor, "t r"]
) -> Float[Tensor, "t h d"]:
    """Rotary position embedding (arXiv 2104.09864): place i of a head turns with place i + r / 2.

    Args:
        heads: of every token; what is behind the first `r` places stays as it is.
        cos: cosines of the angles, the second half as the first.
        sin: their sines.

    >>> quarter = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    >>> rotated(torch.tensor([[[1.0, 2.0]]]), *quarter)
    tensor([[[-2.,  1.]]])
    """
    found: Tensor = _Rotated.apply(heads, cos[:, None].float(), sin[:, None].float())
    return found


class RMSNorm(nn.Module):
    """The norm of Phi-3 and Qwen2.5."""

    def __init__(self, weight: nn.Parameter, eps: float) -> None:
        """Norm with these weights."""
        super().__init__()
        self.weight, self.eps = weight, eps

    def forward(self, rows: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows d"]:
        """Norm each row."""
        return rms_norm(rows, self.weight, self.eps)


def replace_norms(module: nn.Module, stock: type[nn.Module]) -> None:
    """Put ours in place of transformers' norms, with their weights and under their names.

    Args:
        module: what they stand in, at any depth.
        stock: their class, which has `weight` and `variance_epsilon`.
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, stock):
                held: Any = child
                setattr(parent, name, RMSNorm(held.weight, float(held.variance_epsilon)))


class _RmsNorm(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = rows.float()
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        inverse = length.square_().div_(rows.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(rows, weight, inverse)
        kind = rows.device.type
        half = torch.is_autocast_enabled(kind)
        plain = torch.promote_types(rows.dtype, weight.dtype)
        return (wide * inverse).mul_(weight).to(torch.get_autocast_dtype(kind) if half else plain)

    @staticmethod
    def backward(ctx: Any, told: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, inverse = ctx.saved_tensors
        normed, wide = rows.float() * inverse, weight.float()
        found = told.to(torch.float32, copy=True)
        product = found * normed
        with torch.autocast(rows.device.type, enabled=False):  # which rounds operands on a GPU
            along = torch.mv(product.flatten(0, -2), wide).div_(rows.shape[-1])
        found.mul_(wide).addcmul_(normed, along.view(inverse.shape), value=-1).mul_(inverse)
        of_weight = product.flatten(0, -2).sum(0) if ctx.needs_input_grad[1] else None
        return found.to(rows.dtype), of_weight, None


class _Rotated(Function):
    @staticmethod
    def forward(ctx: Any, heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(heads, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, told: Tensor) -> tuple[Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        return _turn(told, cos, sin, -1), None, None


def _turn(heads: Tensor, cos: Tensor, sin: Tensor, way: int) -> Tensor:
    """Rotate in single precision, round once."""
    places = cos.shape[-1]
    wide = heads[..., :places].float()
    first, second = wide.chunk(2, -1)
    turned = wide * cos
    low, high = turned.chunk(2, -1)
    low.addcmul_(second, sin.chunk(2, -1)[0], value=-way)
    high.addcmul_(first, sin.chunk(2, -1)[1], value=way)
    if places == heads.shape[-1]:
        return turned.to(heads.dtype)
    return torch.cat([turned.to(heads.dtype), heads[..., places:]], -1)
