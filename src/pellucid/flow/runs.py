"""The runs of a workspace, and the artifacts that none of them uses."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.lookup import did_you_mean
from pellucid.base.paths import remove_tree
from pellucid.flow.run import REPORT, RUN, recorded
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
    jobs = recorded(home / name)
    if not jobs:
        rule = f"has a {RUN} that cannot be read"
        raise UserError(Problem("run", name, rule, "run its recipe again"))
    workspace = Workspace(home)
    return {
        name: read_artifact(workspace.artifacts / job["artifact"]) for name, job in jobs.items()
    }


def list_runs(home: Path) -> list[RunRow]:
    """Every run of a workspace, by name; one that is damaged is listed as such."""
    rows = []
    for path in sorted(home.glob(f"*/{RUN}")):
        folder = path.parent
        page = folder / REPORT / "index.html"
        report = str(page) if page.is_file() else ""
        try:
            artifacts = open_run(home, folder.name)
            verdict = _verdict(artifacts)
        except UserError:
            rows.append(RunRow(folder.name, 0, "damaged", 0.0, report))
            continue
        size = sum(
            entry.bytes for item in artifacts.values() for entry in item.manifest.files.values()
        )
        rows.append(RunRow(folder.name, len(artifacts), verdict, size / 1e6, report))
    return rows


def clean(home: Path, forget: Sequence[str], dry_run: bool) -> list[str]:
    """Remove artifacts that no run uses and what killed runs left; return their names.

    What a running process builds stays. Results of `pellucid eval` belong to no run and go.

    Args:
        home: the workspace.
        forget: runs whose own folders go first; their artifacts go unless another run uses them.
        dry_run: only say what would go.
    """
    known = {path.parent.name: recorded(path.parent) for path in home.glob(f"*/{RUN}")}
    for name in forget:
        if name not in known:
            raise UserError(Problem("--run", name, f"is not in {home}", did_you_mean(name, known)))
    used = {
        job["artifact"] for name, jobs in known.items() if name not in forget
        for job in jobs.values()
    }  # fmt: skip
    workspace = Workspace(home)
    gone = [home / name for name in forget]
    if workspace.artifacts.is_dir():
        for path in sorted(workspace.artifacts.iterdir()):
            plain = re.sub(r"^\.(?:partial|leaving)-(\w+-[0-9a-f]{24}).*", r"\1", path.name)
            # A lock file may be held by a run that is starting; it is empty and stays.
            if path.name not in used and not plain.startswith(".lock-"):
                gone += [] if workspace.held(plain) else [path]
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
