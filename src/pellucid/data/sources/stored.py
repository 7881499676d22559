"""A store that is there already, with its labels: what `pellucid data import` made and others use.

Its files become part of the run as they are, linked where the disk allows; nothing is read anew. A
changed label is another input, so duplicates or triage that were found later reach the mixes that
ask for them (and nothing else: labels are not part of the content hash). Leaves out on purpose:
choosing among its records, which is the mix's business.
"""

import os
import shutil
from pathlib import Path

from pellucid import store
from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_file
from pellucid.base.paths import resolve
from pellucid.data.sources.base import SourceKind
from pellucid.recipe.data import StoreSource
from pellucid.store.layout import INDEX, LEDGER, STORE

VERSION = 1
_KEPT = ("images", "records", "labels")
"""Folders of a store that are taken."""


def build(name: str, options: StoreSource, seed: int, folder: Path) -> None:
    """Take the store's files; `store.json` comes last, so a killed build goes on.

    Raises:
        UserError: there is no finished store.
    """
    source = _folder(options)
    with boundary(f"taking the store of source {name}"):
        for path in _files(source):
            _take(path, folder / path.relative_to(source))
        for file in (LEDGER, STORE):
            _take(source / file, folder / file)


def input_hashes(options: StoreSource) -> dict[str, str]:
    """SHA-256 of its records, index, ledger and labels; the index names every picture by hash.

    Raises:
        UserError: there is no finished store.
    """
    source = _folder(options)
    with boundary("reading the store"):
        named = [path for path in _files(source) if path.suffix == ".parquet"]
        files = [*named, source / LEDGER, source / STORE]
        return {str(path.relative_to(source)): hash_file(path) for path in files}


def _folder(options: StoreSource) -> Path:
    source = resolve(options.path)
    if not source.is_dir():
        fix = "name the folder of a store (pellucid data import --to)"
        raise UserError(Problem("path", str(source), "is no folder", fix))
    store.check(source)
    return source


def _files(source: Path) -> list[Path]:
    found = [path for name in _KEPT for path in (source / name).rglob("*") if path.is_file()]
    assert source / INDEX in found, "a finished store has an index"
    return sorted(found)


def _take(path: Path, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.link.tmp")  # a name that nobody opens for writing
    part.unlink(missing_ok=True)
    try:
        os.link(path, part)
    except OSError:
        shutil.copyfile(path, part)  # another disk, or one without links
    part.replace(target)


KIND = SourceKind(lambda _: VERSION, build, input_hashes)
