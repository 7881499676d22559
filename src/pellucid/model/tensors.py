"""Tensors in a safetensors file: written whole, readable by whoever may read its folder.

The library makes files that only their owner can read, and hides what the disk refused in an error
of its own; both are put right here.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a new file.

    Raises:
        OSError: the disk refused; with the number and the name that the system gave.
    """
    path.touch()
    mode = path.stat().st_mode
    stored = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(stored, path, metadata={"format": "pt"})
    except SafetensorError as error:
        found = re.search(r"os error (\d+)", str(error))
        if found is None:
            raise
        number = int(found.group(1))
        raise OSError(number, os.strerror(number), str(path)) from error
    path.chmod(mode)
