"""An artifact: a finished folder with a manifest. Its files never change.

`timing/` is the one place for what differs from run to run (seconds, memory); it is listed in the
manifest but stays outside the content hash, so two runs of one recipe agree on everything else.
The labels of a store stand in neither: they may come later, and a mix that reads one has its hash
in the mix's own key. So looking at data trains nothing anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
TIMING = "timing"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of an artifact."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an artifact is, where it came from, what it holds."""

    type: str
    """Kind of job: data, mix, init, train, rl, eval, release."""
    name: str
    """The job's name within its run, e.g. `train.align`."""
    key: str
    """type + name + slice of the recipe + parents' content hashes + VERSION."""
    content_hash: str
    """Hash of every file outside `timing/`."""
    version: int
    slice: Mapping[str, Any]
    """The part of the resolved recipe that the job read."""
    parents: Mapping[str, str]
    """Job name -> content hash."""
    files: Mapping[str, FileEntry]
    commit: str = ""
    dirty: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    """Versions of what the bits depend on besides our code, and the number of threads."""
    timing: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished folder and its manifest."""

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """The job's name."""
        return self.manifest.name

    @property
    def hash(self) -> str:
        """The content hash."""
        return self.manifest.content_hash
