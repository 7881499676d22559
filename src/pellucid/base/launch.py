"""Which of several processes this is, where torchrun started them.

Schedulers set some of the same variables for purposes of their own, so nothing is believed without
torchrun's mark.
"""

import os
from typing import NamedTuple


class Place(NamedTuple):
    """A process among those that were started together."""

    rank: int
    size: int
    local_rank: int
    """Among those of this machine."""


def place() -> Place:
    """Where this process stands; alone without torchrun."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Place(0, 1, 0)
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    return Place(*(int(os.environ[name]) for name in names))
