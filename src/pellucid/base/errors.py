"""Errors that a user can act on.

    PellucidError            base; the CLI prints it without a traceback and ends with 2
    +-- UserError            one or more `Problem`s: field, value, rule, fix
    +-- DiskError            the machine refused: full disk, no permission, missing file

Anything else that escapes is a bug of ours and keeps its traceback.
"""

import errno
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space, then run the same command again"),
    errno.EFBIG: ("a file-size limit was hit", "raise the limit (ulimit -f), then run again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run the same command again"),
    errno.EACCES: ("permission denied", "give this user access, or choose another folder"),
    errno.EPERM: ("operation not permitted", "give this user access, or choose another folder"),
    errno.EROFS: ("the file system is read-only", "choose a folder that can be written"),
    errno.ENOENT: ("no such file or folder", "check the path"),
    errno.ENOTDIR: ("a part of the path is not a folder", "check the path"),
    errno.EEXIST: ("a file with this name is in the way", "move it, or choose another folder"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name or path"),
    errno.ENOTEMPTY: ("the folder is not empty", "another process may be writing there; try again"),
    errno.EIO: ("the disk reported an error", "check the disk, then run the same command again"),
    errno.EISDIR: ("this is a folder, a file was expected", "check the path"),
}


_SQLITE = {
    sqlite3.SQLITE_FULL: _REASONS[errno.ENOSPC],
    sqlite3.SQLITE_IOERR: (
        "the disk is full or reported an error", "free some space, then run the same command again"
    ),
    sqlite3.SQLITE_READONLY: _REASONS[errno.EROFS],
    sqlite3.SQLITE_CANTOPEN: ("a file cannot be opened", "check the path and who may write there"),
}  # fmt: skip
"""By the primary code of what SQLite says, which has no errno."""


class PellucidError(Exception):
    """What a user did or the machine refused; never a bug of ours."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one input."""

    field: str
    """Dotted path of the recipe field, or the name of the argument or file."""
    value: object
    """What was given."""
    rule: str
    """What it breaks."""
    fix: str
    """What to change."""

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 120:
            shown = shown[:117] + "..."
        return f"{self.field}={shown} {self.rule}; {self.fix}"


class UserError(PellucidError):
    """One or more problems, all reported at once."""

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type["UserError"], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)  # so that it comes out of another process whole


class DiskError(PellucidError):
    """The operating system refused a file operation."""


@contextmanager
def boundary(doing: str) -> Iterator[None]:
    """Turn an `OSError` that a user can act on into a `DiskError`; let everything else through.

    SQLite's errors of the disk are turned as well.

    Args:
        doing: what was being done, as a present participle ("writing the checkpoint").
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS:
            raise
        reason, fix = _REASONS[error.errno]
        where = f" {error.filename!r}" if error.filename else ""
        raise DiskError(f"{doing}{where}: {reason}; {fix}") from error
    except sqlite3.OperationalError as error:
        # One that we raise ourselves, or an old one, has no code.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code not in _SQLITE:
            raise
        reason, fix = _SQLITE[code]
        raise DiskError(f"{doing}: {reason}; {fix}") from error
