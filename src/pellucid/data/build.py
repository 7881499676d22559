"""One source into a store: the calls that `flow` makes. The work is in `sources/`."""

from collections.abc import Mapping
from pathlib import Path

from pellucid.base.errors import boundary
from pellucid.base.lookup import pick
from pellucid.data.sources import SOURCES, SourceKind
from pellucid.recipe.data import SourceOptions


def build_source(name: str, options: SourceOptions, seed: int, folder: Path) -> None:
    """Fill a store folder from one source; a killed build goes on where it was.

    Args:
        name: name of the source in the recipe.
        options: the source's options.
        seed: seed of the splits.
        folder: the store; may hold the finished shards of a killed run of the same call.

    Raises:
        UserError: the input is missing, faulty or empty.
        DiskError: the disk refused.
    """
    with boundary(f"building source {name}"):
        _kind(options).build(name, options, seed, folder)


def input_hashes(options: SourceOptions) -> Mapping[str, str]:
    """SHA-256 of every input file, by name relative to its folder; empty for scenes.

    Raises:
        UserError: the input is missing, faulty or empty.
    """
    with boundary("reading the inputs"):
        return _kind(options).input_hashes(options)


def source_version(options: SourceOptions) -> int:
    """Version of the code that makes this source's records, its scene family included."""
    return _kind(options).version(options)


def _kind(options: SourceOptions) -> SourceKind:
    return pick(SOURCES, options.kind, "data.sources.*.kind")
