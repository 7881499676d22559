"""A job: one node of the flow, and the key that decides whether it has been done before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.base.hashing import hash_json
from pellucid.schema.artifact import Artifact


@dataclass(frozen=True, slots=True)
class Work:
    """What a job is given when it runs."""

    folder: Path
    """Where it writes; may already hold the finished units of a killed run."""
    parents: Mapping[str, Artifact]
    """The artifacts it builds on, by job name."""


@dataclass(frozen=True, slots=True)
class Job:
    """One node of the flow."""

    name: str
    """Unique in a run, e.g. `data.charts`, `train.align`."""
    type: str
    """Kind of job: data, mix, init, train, rl, eval, release."""
    version: int
    """Of the code; a changed meaning raises it, and the job runs again."""
    slice: Mapping[str, Any]
    """The part of the resolved recipe that it reads."""
    parents: tuple[str, ...]
    """Names of the jobs it builds on."""
    work: Callable[[Work], None]
    """Fills the folder."""
    beside: Callable[[Mapping[str, Artifact]], Mapping[str, str]] | None = None
    """Hashes of what it reads beside what its parents made: labels that came later."""

    def told(self, parents: Mapping[str, Artifact]) -> Mapping[str, Any]:
        """The slice, with the hashes of what is read beside the parents."""
        return {**self.slice, "labels": self.beside(parents)} if self.beside else self.slice

    def key(self, parents: Mapping[str, Artifact]) -> str:
        """Hash of everything that decides the result."""
        return hash_json(
            {
                "type": self.type,
                "name": self.name,
                "slice": self.told(parents),
                "version": self.version,
                "parents": {name: parents[name].hash for name in self.parents},
            }
        )
