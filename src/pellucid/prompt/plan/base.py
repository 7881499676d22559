"""What an image plan says, and what a strategy has to be."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

OptionsT = TypeVar("OptionsT", contravariant=True)


@dataclass(frozen=True, slots=True)
class View:
    """A grid of patches that the tower sees as one picture.

    Views that are tiles of one larger square or grid stand together, row by row.
    """

    rows: int
    cols: int
    down: int = 1
    """Rows of tiles that this one and its neighbours make up."""
    across: int = 1
    """Columns of those tiles."""


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

    def grids(self, scales: int) -> list[tuple[int, ...]]:
        """What the model is told of each view.

        Rows and columns of patches; with several scales, then those of the tiles around it.
        """
        if scales == 1:
            return [(view.rows, view.cols) for view in self.views]
        return [(view.rows, view.cols, view.down, view.across) for view in self.views]


class Planner(Protocol[OptionsT]):
    """The plan of an image from its size alone; pure."""

    def __call__(self, options: OptionsT, patch_px: int, width: int, height: int, /) -> Plan:
        """The plan, for sides of at least one pixel."""
        ...
