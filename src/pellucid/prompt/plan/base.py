"""What an image plan says, and what a strategy has to be."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

OptionsT = TypeVar("OptionsT", contravariant=True)


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


class Planner(Protocol[OptionsT]):
    """The plan of an image from its size alone; pure."""

    def __call__(self, options: OptionsT, patch_px: int, width: int, height: int, /) -> Plan:
        """The plan, for sides of at least one pixel."""
        ...
