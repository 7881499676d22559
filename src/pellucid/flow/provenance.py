"""Which code is running: commit and dirty flag of a clone, else the version; and on what."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pellucid import __version__
from pellucid.base.launch import place

LIBRARIES = ("numpy", "pillow", "pyarrow", "safetensors", "tokenizers", "torch", "transformers")

RANKS = "ranks"
"""What says how many processes trained, where more than one did."""

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def code_version() -> tuple[str, bool]:
    """(commit or version, whether the source differs from it).

    A clone whose git cannot be asked is called unknown and dirty: nothing may look cleaner than it
    is.
    """
    if not (_PACKAGE.parent.parent / ".git").exists():
        return f"pellucid {__version__}", False
    try:
        commit = _git("rev-parse", "HEAD")
        dirty = bool(_git("status", "--porcelain", "--", str(_PACKAGE)))
    except (OSError, subprocess.SubprocessError):
        return f"pellucid {__version__}, unknown commit", True
    return commit, dirty


@cache
def environment() -> dict[str, str]:
    """Versions of the libraries that results depend on to the last bit, threads and ranks."""
    found = {name: version(name) for name in LIBRARIES}
    threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count())
    size = place().size
    ranks = {} if size == 1 else {RANKS: str(size)}
    return {**found, "python": platform.python_version(), "threads": threads, **ranks}


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(_PACKAGE), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return done.stdout.strip()
