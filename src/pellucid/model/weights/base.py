"""What a published layout has to say, so that its checkpoints are read and written as they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.model.config import PellucidConfig
from pellucid.prompt.render import Renderer


def _nothing(renderer: Renderer, folder: Path) -> None:
    """The published files say all of it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A row of the table of layouts."""

    config: Callable[[Mapping[str, Any], int], PellucidConfig]
    """(fields of the published `config.json`, id of the image placeholder) -> our configuration;
    raises `KeyError`, `ValueError` or `TypeError` where they say something else."""
    ours: Callable[[str, PellucidConfig], str | None]
    """Published name of a weight -> our name; None for a weight that our model never runs."""
    renderer: Callable[[Path, Mapping[str, Any]], Renderer]
    """The conversation format of a published folder, given the fields of its `config.json`."""
    told: Callable[[Renderer, Path], None] = _nothing
    """Writes what a renderer says otherwise than the published files that were copied."""
