"""Sizes that a CPU computes in bfloat16, rounded up so that few of them occur.

The CPU's bfloat16 kernels are compiled per shape and kept. Packed rows have a new length at nearly
every step, so without rounding each step compiles anew, and what is kept fills memory: a training
step took twice as long after a thousand steps as at the start (docs/LOG.md, 2026-11-22). Float32
kernels and other devices take every size as it is. Leaves out on purpose: patches, whose counts are
few where pictures have one size, and the engine, whose slots have one shape.
"""

import torch

TOKENS = 128
"""Rows of tokens and of targets are rounded up to a multiple of this."""
LONGEST = 32
"""The longest segment of a padded batch is rounded up to a multiple of this."""


def computed_in(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """The dtype of products of such operands: under autocast, that of autocast."""
    enabled = torch.is_autocast_enabled(device.type)
    return torch.get_autocast_dtype(device.type) if enabled else dtype


def compiles_per_shape(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether products of such operands on this device are compiled for each shape."""
    return bool(device.type == "cpu" and computed_in(device, dtype) == torch.bfloat16)


def missing(size: int, multiple: int) -> int:
    """What is missing to the next multiple.

    >>> missing(130, 128), missing(128, 128)
    (126, 0)
    """
    return -size % multiple


def spare(tokens: int, device: torch.device, dtype: torch.dtype) -> int:
    """How many rows to add to so many: up to a multiple of `TOKENS` where that saves compiling."""
    return missing(tokens, TOKENS) if compiles_per_shape(device, dtype) else 0
