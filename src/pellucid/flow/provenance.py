"""Which code is running: commit and dirty flag of a clone, else the installed version."""

import subprocess
from functools import cache
from pathlib import Path

from pellucid import __version__

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


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(_PACKAGE), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return done.stdout.strip()
