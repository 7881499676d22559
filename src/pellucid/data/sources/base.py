"""What every source gives: a version, a build, and the hashes of what it reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class SourceKind:
    """A row of the table of sources."""

    version: Callable[[Any], int]
    """options -> a number that is raised when equal inputs would give other records."""
    build: Callable[[str, Any, int, Path], None]
    """(name, options, seed, folder): fill a store folder; a killed build goes on."""
    input_hashes: Callable[[Any], Mapping[str, str]]
    """options -> SHA-256 of every file that `build` reads, by name relative to its folder."""
