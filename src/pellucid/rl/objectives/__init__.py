"""The objectives, by the `kind` of their options. One file each; siblings import only `base`."""

from collections.abc import Mapping
from typing import Any

from pellucid.rl.objectives.base import Objective, Piece
from pellucid.rl.objectives.gspo import gspo

OBJECTIVES: Mapping[str, Objective[Any]] = {"gspo": gspo}

__all__ = ["OBJECTIVES", "Objective", "Piece"]
