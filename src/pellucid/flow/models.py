"""What a user calls a model: a checkpoint folder, or a name in the catalog."""

from pathlib import Path
from typing import NamedTuple

from pellucid.base.errors import Problem, UserError
from pellucid.flow.names import trust_strategy
from pellucid.release import Catalog

CONTEXT = 8192
"""Longest conversation where nobody says: every answer in the making reserves so much memory."""


class Model(NamedTuple):
    """A model to evaluate or serve."""

    name: str
    folder: Path
    lineage: str
    """Where it comes from, for people."""


def find_model(reference: str, home: Path) -> Model:
    """A checkpoint folder (or an artifact that holds one), else an entry of the catalog.

    An image strategy in the workspace is the user's own, and may be run.

    Raises:
        UserError: neither.
    """
    folder = Path(reference).expanduser()
    for candidate in (folder, folder / "checkpoint"):
        if (candidate / "config.json").is_file():
            if candidate.resolve().is_relative_to(home.resolve()):
                trust_strategy(candidate)
            return Model(folder.resolve().name, candidate, str(folder))
    if "/" in reference or not (home / "catalog").is_dir():
        rule = "is no checkpoint folder" if folder.exists() else "does not exist"
        fix = "give a folder with a config.json, or name@alias of a model that a run released"
        raise UserError(Problem("model", reference, rule, fix))
    entry = Catalog(home / "catalog").resolve(reference)
    trust_strategy(entry.path)
    return Model(entry.model, entry.path, entry.reference)
