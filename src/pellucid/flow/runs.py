"""The runs of a workspace, and the artifacts that none of them uses."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.lookup import did_you_mean
from pellucid.base.paths import remove_tree
from pellucid.flow.run import REPORT, RUN
from pellucid.flow.workspace import Workspace, read_artifact
from pellucid.schema.artifact import Artifact


class RunRow(NamedTuple):
    """One run, for a listing."""

    name: str
    jobs: int
    verdict: str
    megabytes: float
    report: str


def open_run(home: Path, name: str) -> dict[str, Artifact]:
    """The artifacts of a run, by job name.

    Raises:
        UserError: there is no such run, or one of its artifacts is gone.
    """
    known = [path.parent.name for path in home.glob(f"*/{RUN}")]
    if name not in known:
        fix = did_you_mean(name, known) if known else "run a recipe first: pellucid run smoke"
        raise UserError(Problem("run", name, f"is not in {home}", fix))
    with boundary("reading"):
        tree = json.loads((home / name / RUN).read_text(encoding="utf-8"))
    workspace = Workspace(home)
    return {
        job["name"]: read_artifact(workspace.artifacts / job["artifact"]) for job in tree["jobs"]
    }


def list_runs(home: Path) -> list[RunRow]:
    """Every run of a workspace, by name."""
    rows = []
    for path in sorted(home.glob(f"*/{RUN}")):
        folder = path.parent
        artifacts = open_run(home, folder.name)
        size = sum(
            entry.bytes for item in artifacts.values() for entry in item.manifest.files.values()
        )
        page = folder / REPORT / "index.html"
        rows.append(
            RunRow(
                folder.name,
                len(artifacts),
                _verdict(artifacts),
                size / 1e6,
                str(page) if page.is_file() else "",
            )
        )
    return rows


def clean(home: Path, forget: Sequence[str], dry_run: bool) -> list[str]:
    """Remove artifacts that no run uses and what killed runs left; return their names.

    Args:
        home: the workspace.
        forget: runs whose own folders go first; their artifacts go unless another run uses them.
        dry_run: only say what would go.
    """
    for name in forget:
        open_run(home, name)
    used = {
        artifact.path.name
        for path in home.glob(f"*/{RUN}")
        if path.parent.name not in forget
        for artifact in open_run(home, path.parent.name).values()
    }
    gone = [home / name for name in forget]
    folder = Workspace(home).artifacts
    if folder.is_dir():
        # A lock file may be held by a run that is starting; it is empty and stays.
        gone += [
            path
            for path in sorted(folder.iterdir())
            if path.name not in used and not path.name.startswith(".lock-")
        ]
    if not dry_run:
        with boundary("removing"):
            for path in gone:
                remove_tree(path)
    return [str(path.relative_to(home)) for path in gone]


def _verdict(artifacts: dict[str, Artifact]) -> str:
    release = artifacts.get("release")
    if release is None:
        return ""
    from pellucid.flow.gate import verdict_of

    return verdict_of(release).outcome
