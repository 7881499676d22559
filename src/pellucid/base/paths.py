"""Files that are whole or absent: write beside the target, flush to disk, rename.

Also the one place that knows where package data lies.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).resolve().parent.parent / "assets"
"""Package data: recipes, tokenizer, fonts, example data."""

ASSET_PREFIX = "asset:"
_FLUSHED = 4
"""Files that are flushed at once."""


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
    """Flush a folder's entries, so that a rename inside it survives a power cut; or a file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `target` on success and is removed on failure.

    Its name depends on the target alone, so what a killed process left is written over by the next
    one. Where another process is writing the same target now, it also has this one's number.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary, handle = target.with_name(f".{target.name}.tmp"), None
    try:
        handle = _held(temporary)
        if handle is None:
            temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            handle = _held(temporary)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
        sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _held(temporary: Path) -> int | None:
    """A handle of a temporary file, made when missing, that holds its lock; None: others hold it.

    The lock ends with its process, however that ends.
    """
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = temporary.exists() and os.path.samestat(os.fstat(handle), temporary.stat())
    except BlockingIOError:
        same = False
    except OSError:  # a file system without locks
        same = True
    if not same:  # or it has just become its target
        os.close(handle)
        return None
    return handle


@contextmanager
def sole(folder: Path) -> Iterator[bool]:
    """Hold a folder for this process, making it when missing; yield False where another has it.

    Nothing is written for that, and it ends with the process. What must not be written by two
    processes at once is written inside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        held = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held = False
        except OSError:
            pass  # a file system without locks
        yield held
    finally:
        os.close(handle)


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


def is_other(target: Path, start: bytes) -> bool:
    """Whether something is there that is no file which starts so; for files that are made anew."""
    if not target.is_file():
        return os.path.lexists(target)
    with target.open("rb") as file:
        return file.read(len(start)) != start


def publish(folder: Path, target: Path) -> None:
    """Rename a finished folder to its final name, after flushing every file in it.

    `target` must not exist. After a crash either `folder` or `target` exists, never both halves.
    """
    with ThreadPoolExecutor(_FLUSHED) as pool:  # a disk flushes four files as fast as one
        list(pool.map(sync_folder, folder.rglob("*")))
    sync_folder(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(folder, target)
    sync_folder(target.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder and all below it; a missing folder is fine."""
    if folder.exists():
        shutil.rmtree(folder)


def clear(folder: Path) -> None:
    """Remove all that is in a folder, and leave the folder."""
    for path in folder.iterdir():
        path.unlink() if path.is_symlink() or not path.is_dir() else shutil.rmtree(path)


def sweep_temporaries(folder: Path) -> None:
    """Remove the temporary files and folders that a killed process left below `folder`.

    Files that `atomic` is writing at this moment, in this process or another, stay.
    """
    for path in folder.rglob(".*.tmp"):
        if path.is_dir():
            remove_tree(path)
        elif path.exists() and (handle := _held(path)) is not None:
            path.unlink(missing_ok=True)
            os.close(handle)
