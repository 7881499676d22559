"""Weights, gradients and states shared out over ranks (FSDP2, arXiv 2304.11277).

Every rank holds a part of each tensor. A layer's matrices are fetched before it is run, forward and
backward, and let go after; their gradients are summed and cut up at once. All else (embeddings,
head, projector, norms) is fetched once a pass. Sums, not means, as everywhere here: denominators
come from the plan. Ranks have to run the same layers equally often; `deal` sees to that.

Leaves out on purpose: groups of machines that each hold all weights, and states on the host.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from pellucid.train.objective import Objective
from pellucid.train.ranks import Ranks


def shard(objective: Objective, ranks: Ranks, device: str) -> None:
    """Let every rank keep its part of the weights, on the device.

    In bfloat16 layers are fetched rounded, as their products would round them; gradients are summed
    in float32. Parameters are new tensors afterwards.

    Args:
        objective: whole, on the CPU.
        ranks: all of them call it.
        device: where the parts go.
    """
    mesh = init_device_mesh(device, (ranks.size,))
    half = torch.bfloat16 if objective.dtype == "bfloat16" else None
    layers = MixedPrecisionPolicy(half, torch.float32, cast_forward_inputs=False)
    for layer in objective.model.layers():
        fully_shard(list(matrices(layer)), mesh=mesh, mp_policy=layers)
    rest = MixedPrecisionPolicy(cast_forward_inputs=False)
    fully_shard(objective, mesh=mesh, mp_policy=rest)
    objective.to(device)  # buffers
    for module in objective.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def release(objective: Objective) -> None:
    """Let go of what a forward pass fetched and no backward pass gave back.

    What stands outside the layers stays fetched after a pass without gradients (a reading, text
    alone under a frozen decoder); the next pass would take it for the weights of its own step.
    """
    if isinstance(objective, FSDPModule):
        objective.reshard()


def matrices(layer: nn.Module) -> Iterator[nn.Module]:
    """The parts of a layer that multiply. Its norms, which are small and want float32, stay out."""
    for part in layer.children():
        if any(isinstance(inner, nn.Linear) for inner in part.modules()):
            yield part


def gather(objective: Objective, ranks: Ranks) -> None:
    """Put the weights together again on the first rank's CPU; the others are left with nothing."""
    release(objective)
    made = dict[int, nn.Parameter]()  # a tied tensor stays one
    for module in objective.modules():
        for name, tensor in list(module.named_parameters(recurse=False)):
            assert isinstance(tensor, DTensor), f"{name} is fetched"
            if id(tensor) not in made:
                made[id(tensor)] = _gathered(tensor, ranks)
            setattr(module, name, made[id(tensor)])


def _gathered(tensor: DTensor, ranks: Ranks) -> nn.Parameter:
    whole: Tensor = tensor.detach().full_tensor()
    kept = whole.cpu() if ranks.leads else whole.new_empty(0)
    return nn.Parameter(kept, requires_grad=tensor.requires_grad)
