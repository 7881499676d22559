"""The workspace: a folder with artifacts, runs and the catalog.

    <home>/artifacts/<type>-<key>/    finished; never changes
    <home>/artifacts/.partial-*/      being built; a killed job resumes in it
    <home>/catalog/                   released models
    <home>/<run>/                     recipe.yaml, run.json, report/

A folder is given its final name by one rename, so a finished artifact is always whole.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import SHORT, hash_file, hash_json
from pellucid.base.paths import publish, remove_tree, sweep_temporaries, sync_folder, write_json
from pellucid.flow.job import Job, Work
from pellucid.flow.lines import say
from pellucid.flow.provenance import RANKS, code_version, environment
from pellucid.schema.artifact import MANIFEST, TIMING, Artifact, FileEntry, Manifest
from pellucid.store.layout import LABELS

HASH_ALWAYS_BYTES = 64 * 2**20
"""Files up to this size are hashed again before an artifact is reused; larger ones are sized."""


class Workspace:
    """Artifacts by key; opening one creates nothing."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.artifacts = home / "artifacts"
        self.catalog = home / "catalog"

    def run_folder(self, name: str) -> Path:
        """Folder of a run's own files."""
        return self.home / name

    def find(self, job: Job, parents: Mapping[str, Artifact]) -> Artifact | None:
        """The finished artifact of a job, checked, or None.

        Raises:
            UserError: the artifact exists but its files are not what its manifest says.
        """
        folder = self._folder(job, parents)
        return check(read_artifact(folder)) if folder.is_dir() else None

    def build(self, job: Job, parents: Mapping[str, Artifact], fresh: bool = False) -> Artifact:
        """Run a job in its partial folder and give the result its final name.

        Args:
            job: what to do.
            parents: its finished parents.
            fresh: throw away an existing result and whatever a killed run left.
        """
        target = self._folder(job, parents)
        partial = self.partial(job, parents)
        with boundary(f"building {job.name} in"), self._lock(target.name):
            if fresh:
                self._discard(partial)
            elif target.is_dir():
                return check(read_artifact(target))
            self._tell_others(target.name, partial)
            partial.mkdir(parents=True, exist_ok=True)
            sweep_temporaries(partial)
            start = time.perf_counter()
            job.work(Work(partial, parents))
            _write_manifest(job, parents, partial, time.perf_counter() - start)
            self._discard(target)  # only now: until the new result is whole, the old one stays
            publish(partial, target)
            return read_artifact(target)

    def _tell_others(self, name: str, partial: Path) -> None:
        """Say so when work was begun under another environment, as it is not continued."""
        others = list(self.artifacts.glob(f".partial-{name}-*"))
        if others and partial not in others:
            told = "under other libraries or with another number of threads"
            say(f"  begun before {told}: that is not continued")

    def _discard(self, folder: Path) -> None:
        """Remove a folder; it loses its name first, so that half of it is never taken for it."""
        if folder.is_dir():
            leaving = folder.with_name(f".leaving-{folder.name.lstrip('.')}")
            remove_tree(leaving)
            os.replace(folder, leaving)
            remove_tree(leaving)

    def partial(self, job: Job, parents: Mapping[str, Artifact]) -> Path:
        """Where a job that was killed left its finished units.

        Its name holds the environment: work begun under other libraries is not continued. With
        another number of ranks it is.
        """
        target = self._folder(job, parents)
        known = {name: value for name, value in environment().items() if name != RANKS}
        return target.with_name(f".partial-{target.name}-{hash_json(known)[:8]}")

    def _folder(self, job: Job, parents: Mapping[str, Artifact]) -> Path:
        return self.artifacts / f"{job.type}-{job.key(parents)[: 2 * SHORT]}"

    def held(self, name: str) -> bool:
        """Whether some process is building the artifact with this folder name."""
        path = self.artifacts / f".lock-{name}"
        if not path.is_file():
            return False
        with path.open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """One builder per artifact; the lock goes with the process that holds it."""
        if self.held(name):
            say("  another process is building this; waiting for it")
        self.artifacts.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.artifacts / f".lock-{name}", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def read_artifact(folder: Path) -> Artifact:
    """A finished artifact's manifest.

    Raises:
        UserError: there is no manifest, or it cannot be read.
    """
    path = folder / MANIFEST
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        files = {name: FileEntry(**entry) for name, entry in tree.pop("files").items()}
        return Artifact(folder, Manifest(files=files, **tree))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            Problem(
                "artifact", str(folder), f"has no readable {MANIFEST} ({error})",
                "remove this folder and run again",
            )
        ) from None  # fmt: skip


def check(artifact: Artifact) -> Artifact:
    """The artifact, if its files are what its manifest says.

    Raises:
        UserError: a file is missing, or has another size or hash.
    """
    for name, entry in artifact.manifest.files.items():
        path = artifact.path / name
        size = path.stat().st_size if path.is_file() else None
        if size == entry.bytes and (size > HASH_ALWAYS_BYTES or hash_file(path) == entry.sha256):
            continue
        what = "is missing" if size is None else "is not the file that was written"
        raise UserError(
            Problem(
                f"artifact {artifact.name}", str(path), what,
                f"build it again with --only {artifact.name} --force",
            )
        )  # fmt: skip
    return artifact


def _is_label(job: Job, path: Path, folder: Path) -> bool:
    """Whether a file of a store is a label; what reads labels names their hashes itself."""
    return job.type == "data" and path.relative_to(folder).parts[0] == LABELS


def _write_manifest(
    job: Job, parents: Mapping[str, Artifact], folder: Path, seconds: float
) -> None:
    files = {
        str(path.relative_to(folder)): FileEntry(hash_file(path), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST and not _is_label(job, path, folder)
    }
    stable = {
        name: entry.sha256 for name, entry in files.items() if not name.startswith(f"{TIMING}/")
    }
    commit, dirty = code_version()
    manifest = Manifest(
        type=job.type,
        name=job.name,
        key=job.key(parents),
        content_hash=hash_json(stable),
        version=job.version,
        slice=job.told(parents),
        parents={name: parents[name].hash for name in job.parents},
        files=files,
        commit=commit,
        dirty=dirty,
        environment=environment(),
        timing={"seconds": round(seconds, 3)},
    )
    write_json(folder / MANIFEST, asdict(manifest))
    sync_folder(folder)
