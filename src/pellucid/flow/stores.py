"""The record stores among artifacts by source, kept open: an artifact never changes."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pellucid import store
from pellucid.schema.artifact import Artifact
from pellucid.store import Store

Places = tuple[tuple[Path, str], ...]
"""Folder and content hash of each store."""


def stores_of(artifacts: Mapping[str, Artifact]) -> dict[str, Store]:
    """Every record store by the name of its source."""
    return {
        name.removeprefix("data."): _opened(artifact.path, artifact.hash)
        for name, artifact in artifacts.items()
        if artifact.manifest.type == "data"
    }


def store_of(artifacts: Mapping[str, Artifact]) -> Store:
    """All record stores as one."""
    return open_at(places(artifacts))


def places(artifacts: Mapping[str, Artifact]) -> Places:
    """Where the record stores lie, and what they hold."""
    stores = [one for one in artifacts.values() if one.manifest.type == "data"]
    return tuple((one.path, one.hash) for one in stores)


@lru_cache(maxsize=2)
def open_at(stores: Places) -> Store:
    """Stores at their places as one."""
    return store.open(*(path for path, _ in stores))


@lru_cache(maxsize=64)
def _opened(path: Path, content_hash: str) -> Store:
    return store.open(path)
