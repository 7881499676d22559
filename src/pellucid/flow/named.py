"""What a user may call a store: its folder, a run, or a run and one of its sources."""

from collections.abc import Sequence
from pathlib import Path

from pellucid import store
from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import did_you_mean
from pellucid.flow.run import RUN
from pellucid.flow.runs import open_run
from pellucid.schema.artifact import Artifact


def named(home: Path, reference: str) -> dict[str, Path]:
    """Folders of the stores that a user names, by source.

    Args:
        home: the workspace.
        reference: a folder that holds a finished store, `RUN` for all sources of a run, or
            `RUN:SOURCE`.

    Raises:
        UserError: there is no such store, run or source.
    """
    found = sources_of(home, reference)
    if found is None:
        folder = Path(reference).expanduser()
        return {folder.resolve().name: folder}
    return {name: artifact.path for name, artifact in found.items()}


def folders_of(home: Path, references: Sequence[str]) -> list[Path]:
    """Folders of all stores that a user names, in order.

    Raises:
        UserError: there is no such store, run or source.
    """
    return [folder for one in references for folder in named(home, one).values()]


def sources_of(home: Path, reference: str) -> dict[str, Artifact] | None:
    """The data artifacts that a user names, by source; None for a folder that is no run's.

    Raises:
        UserError: there is no such store, run or source.
    """
    folder = Path(reference).expanduser()
    if folder.is_dir() and not (home / reference / RUN).is_file():
        store.check(folder)
        return None
    if folder.is_file():
        fix = f"import it first: pellucid data import {reference} --to STORE --licence WHICH"
        raise UserError(Problem("store", reference, "is a file, and no folder of a store", fix))
    if "/" in reference:
        raise UserError(Problem("store", reference, "does not exist", "check the path"))
    run, colon, source = reference.partition(":")
    if not colon and not (home / run / RUN).is_file():
        known = [path.parent.name for path in home.glob(f"*/{RUN}")]
        fix = did_you_mean(run, known) if known else "check the path"
        rule = f"is no folder of a store and no run in {home}"
        raise UserError(Problem("store", reference, rule, fix))
    found = {
        name.removeprefix("data."): artifact
        for name, artifact in open_run(home, run).items()
        if artifact.manifest.type == "data"
    }
    if not found:
        fix = "run it with --only data first"
        raise UserError(Problem("run", run, "has no data yet", fix))
    if colon and source not in found:
        fix = did_you_mean(source, found)
        raise UserError(Problem("source", source, f"is not in run {run}", fix))
    return {source: found[source]} if colon else found


def one_store(home: Path, reference: str) -> tuple[str, Path]:
    """Name and folder of the one store that a user names.

    Raises:
        UserError: there is no such store, or the run has several.
    """
    found = named(home, reference)
    if len(found) > 1:
        told = ", ".join(f"{reference}:{name}" for name in found)
        raise UserError(Problem("store", reference, "has several stores", f"name one: {told}"))
    return next(iter(found.items()))
