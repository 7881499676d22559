"""Folders that are named by what they hold: hash them, keep a copy that is whole or absent."""

import errno
import os
import shutil
from pathlib import Path

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import hash_file, hash_json
from pellucid.base.paths import publish, remove_tree, sweep_temporaries
from pellucid.schema.artifact import MANIFEST, TIMING

_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}
"""A file system that cannot link (or may not); the bytes are copied instead."""


def content_hash(folder: Path) -> str:
    """Hash of a folder's files by relative name, without `manifest.json` and `timing/`.

    Raises:
        UserError: the folder is missing or holds no file.
    """
    files = kept_files(folder)
    if not files:
        raise UserError(Problem("folder", str(folder), "is missing or empty", "check the path"))
    return hash_json({str(path.relative_to(folder)): hash_file(path) for path in files})


def kept_files(folder: Path) -> list[Path]:
    """The files of a folder that count, sorted: no manifest, no timing, nothing unfinished."""
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        outside_hash = inside[0] in (MANIFEST, TIMING) or path.name.endswith(".tmp")
        if path.is_file() and not outside_hash:
            found.append(path)
    return found


def keep(folder: Path, target: Path, digest: str) -> None:
    """Make `target` hold the files of `folder`, by hard links where possible.

    One process at a time may do this below `target.parent`; what a killed one left is removed.

    Args:
        folder: what to keep.
        target: final name; when it exists its content is compared with `digest`.
        digest: `content_hash(folder)`.

    Raises:
        UserError: `target` exists with other content.
    """
    if target.is_dir():
        _compare(target, digest)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep_temporaries(target.parent)
    staging = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        for path in kept_files(folder):
            copy = staging / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            _link(path, copy)
        publish(staging, target)
    finally:
        remove_tree(staging)


def _link(path: Path, copy: Path) -> None:
    # A link to a symbolic link would break when its own folder goes.
    source = path.resolve()
    try:
        os.link(source, copy)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, copy)


def _compare(target: Path, digest: str) -> None:
    if content_hash(target) != digest:
        raise UserError(
            Problem(
                "catalog", str(target), "does not hold what its name says: a file was changed",
                "remove that folder and register again",
            )
        )  # fmt: skip
