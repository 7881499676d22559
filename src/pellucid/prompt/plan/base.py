"""What an image plan says, and what a strategy has to be."""

from collections.abc import Callable
from dataclasses import dataclass

from pellucid.recipe.model import DynamicImages


@dataclass(frozen=True, slots=True)
class View:
    """A grid of patches that the tower sees as one picture."""

    rows: int
    cols: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of an image."""

    width: int
    """Pixels after resizing."""
    height: int
    """Pixels after resizing."""
    views: tuple[View, ...]
    """What the tower sees, in order."""
    tokens: int
    """Placeholders in the text, and features that replace them."""
    patches: int
    """Patches that the tower reads."""


Planner = Callable[[DynamicImages, int, int, int], Plan]
"""(options, patch_px, width, height) -> Plan, for sides of at least one pixel."""
