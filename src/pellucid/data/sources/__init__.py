"""Importers, one format per file."""

from pellucid.data.sources import llava_json, python, scenes
from pellucid.data.sources.base import SourceKind

SOURCES: dict[str, SourceKind] = {
    "scenes": SourceKind(scenes.version, scenes.build, scenes.input_hashes),
    "llava_json": SourceKind(llava_json.version, llava_json.build, llava_json.input_hashes),
    "python": SourceKind(python.version, python.build, python.input_hashes),
}
"""By the `kind` of the source's options."""

__all__ = ["SOURCES", "SourceKind"]
