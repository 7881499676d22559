"""Importers, one format per file."""

from collections.abc import Callable, Mapping
from typing import Any

from pellucid.data.rows import Rows
from pellucid.data.sources import llava_json, python, scenes
from pellucid.data.sources.base import SourceKind

SOURCES: dict[str, SourceKind] = {
    "scenes": SourceKind(scenes.version, scenes.build, scenes.input_hashes),
    "llava_json": SourceKind(llava_json.version, llava_json.build, llava_json.input_hashes),
    "python": SourceKind(python.version, python.build, python.input_hashes),
}
"""By the `kind` of the source's options."""

ROWS: Mapping[str, Callable[[Any], Rows]] = {
    "llava_json": llava_json.rows_of,
    "python": python.rows_of,
}
"""What gives the rows of those kinds that are rows, not yet checked."""

__all__ = ["ROWS", "SOURCES", "SourceKind"]
