"""Files that are whole or absent: write beside the target, flush to disk, rename.

Also the one place that knows where package data lies.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).resolve().parent.parent / "assets"
"""Package data: recipes, tokenizer, fonts, example data."""

ASSET_PREFIX = "asset:"


def resolve(path: str, base: Path | None = None) -> Path:
    """A path as a user writes it: `asset:x` is package data, relative paths start at `base`.

    Args:
        path: "asset:examples/blindtest.json", "~/data/a.json", "a.json", or an absolute path.
        base: folder that relative paths start at; the current folder when None.
    """
    if path.startswith(ASSET_PREFIX):
        return ASSETS / path.removeprefix(ASSET_PREFIX)
    expanded = Path(path).expanduser()
    return expanded if expanded.is_absolute() else (base or Path.cwd()) / expanded


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename inside it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `target` on success and is removed on failure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
        sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(target: Path, data: bytes) -> None:
    """Write a whole file atomically."""
    with atomic(target) as temporary:
        temporary.write_bytes(data)


def write_text(target: Path, text: str) -> None:
    """Write a whole UTF-8 text file atomically."""
    write_bytes(target, text.encode("utf-8"))


def write_json(target: Path, value: Any) -> None:
    """Write a JSON file for people and programs: sorted keys, two spaces, whole or absent."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(target, text + "\n")


def publish(folder: Path, target: Path) -> None:
    """Rename a finished folder to its final name, after flushing every file in it.

    `target` must not exist. After a crash either `folder` or `target` exists, never both halves.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(folder, target)
    sync_folder(target.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder and all below it; a missing folder is fine."""
    if folder.exists():
        shutil.rmtree(folder)


def sweep_temporaries(folder: Path) -> None:
    """Remove the temporary files and folders that a killed `atomic` left below `folder`."""
    for path in folder.rglob(".*.tmp"):
        remove_tree(path) if path.is_dir() else path.unlink(missing_ok=True)
