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


def compiles_per_shape(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether products of this dtype on this device are compiled for each shape.

    Args:
        device: where they run.
        dtype: of the operands; under autocast, that of autocast counts.
    """
    if torch.is_autocast_enabled(device.type):
        dtype = torch.get_autocast_dtype(device.type)
    return bool(device.type == "cpu" and dtype == torch.bfloat16)


def missing(size: int, multiple: int) -> int:
    """What is missing to the next multiple.

    >>> missing(130, 128), missing(128, 128)
    (126, 0)
    """
    return -size % multiple
