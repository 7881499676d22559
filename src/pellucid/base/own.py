"""A user's own code: a function in a Python file, by `file.py:function`.

The file is read once, run from those bytes under a name of its own, and known by their hash, so
what is hashed is what runs. A copy of such a file may lie beside a checkpoint; it is run only where
its user said so (`trust`). Left out on purpose: packages and installed modules. What a file imports
is not hashed.
"""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import hash_bytes, hash_file
from pellucid.base.lookup import did_you_mean

TRUST = "PELLUCID_TRUST"
"""Environment variable: SHA-256 of files that may be run, or their beginnings, with commas."""
_LEAST_TRUSTED = 32
"""Digits of a hash that a beginning must have: two files that share fewer can be made."""
FAILS = (Exception, SystemExit)
"""What a user's code may raise: `sys.exit()` in it must not pass for a command that is done."""
_SHOWN = 80
"""Characters of what a function said that a message repeats."""
_trusted: set[str] = set()
_sources: dict[str, bytes] = {}
"""Bytes of what was run, by hash."""


class OwnCode(NamedTuple):
    """A function of the user's."""

    function: Callable[..., Any]
    hash: str
    """SHA-256 of the bytes that the function was made of."""


def split(field: str, where: str) -> tuple[Path, str]:
    """File and function of a `file.py:function`.

    Raises:
        UserError: it does not name both, or there is no such file.
    """
    name, colon, function = where.rpartition(":")
    path = Path(name).expanduser()
    if not colon or path.suffix != ".py" or not function.isidentifier():
        raise UserError(Problem(field, where, "names no function", "write file.py:function"))
    if not path.is_file():
        rule, fix = "names a file that is not there", "give its path; a recipe's starts beside it"
        raise UserError(Problem(field, where, rule, fix))
    return path, function


def code_hash(field: str, where: str) -> str:
    """SHA-256 of the file's bytes.

    Raises:
        UserError: as `split`.
    """
    return hash_file(split(field, where)[0])


def own_code(field: str, where: str) -> OwnCode:
    """The function itself; its file is run when this process sees these bytes for the first time.

    Args:
        field: the field of the recipe, for messages.
        where: `file.py:function`.

    Raises:
        UserError: there is no such file or function, or the file cannot be run.
    """
    path, name = split(field, where)
    data = path.read_bytes()
    trust(hash_bytes(data))
    return _code(field, where, path, name, data)


def trust(known: str) -> None:
    """Let this process run code with this hash, wherever it lies."""
    _trusted.add(known)


def shipped_code(field: str, where: str, known: str) -> OwnCode:
    """A function that lies beside a checkpoint, if its hash is trusted.

    It is where a recipe of this process names the same file, where the checkpoint is of the user's
    own runs, or where `PELLUCID_TRUST` says it.

    Args:
        field: what names it, for messages.
        where: `file.py:function`.
        known: the hash that the checkpoint says.

    Raises:
        UserError: there is no such file or function, it has another hash, or it is not trusted.
    """
    path, name = split(field, where)
    data = path.read_bytes()
    found = hash_bytes(data)
    if found != known:
        rule = "is not the file that the checkpoint was made with"
        raise UserError(Problem(field, where, rule, "fetch or export the checkpoint anew"))
    said = [one.strip() for one in os.environ.get(TRUST, "").split(",")]
    named = any(len(one) >= _LEAST_TRUSTED and known.startswith(one) for one in said)
    if known not in _trusted and not named:
        rule = "is code that came with the checkpoint, and nothing foreign is run"
        fix = f"read it, and set {TRUST}={known[:_LEAST_TRUSTED]} if you trust it"
        raise UserError(Problem(field, where, rule, fix))
    return _code(field, where, path, name, data)


def code_by_hash(field: str, known: str, function: str) -> Callable[..., Any]:
    """A function of code that this process has run.

    Raises:
        UserError: it has run none with this hash.
    """
    module = sys.modules.get(_name(known))
    if module is None:
        rule = f"is code (sha256 {known[:16]}) that was not loaded"
        fix = "load the checkpoint with pellucid.load first"
        raise UserError(Problem(field, function, rule, fix))
    found: Callable[..., Any] = vars(module)[function]
    return found


def source_by_hash(known: str) -> bytes:
    """The bytes of code that this process has run."""
    return _sources[known]


def _code(field: str, where: str, path: Path, name: str, data: bytes) -> OwnCode:
    known = hash_bytes(data)
    module = _module(field, where, path, data, _name(known))
    _sources[known] = data
    function = vars(module).get(name)
    if not callable(function):
        there = [key for key, value in vars(module).items() if callable(value)]
        fix = did_you_mean(name, there)
        raise UserError(Problem(field, where, f"{path.name} has no function {name!r}", fix))
    return OwnCode(function, known)


def _name(known: str) -> str:
    """What the module of some bytes is called."""
    return f"pellucid_own_{known}"


def _module(field: str, where: str, path: Path, data: bytes, name: str) -> ModuleType:
    """The module that some bytes make; Python's own cache, which goes by time, is not asked."""
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(data, str(path), "exec"), vars(module))
    except BaseException as error:
        del sys.modules[name]  # half of it must not be taken for the whole
        if not isinstance(error, FAILS):
            raise
        rule = f"cannot be run: {type(error).__name__}: {error}"
        raise UserError(Problem(field, where, rule, f"mend {path.name}")) from error
    return module


def takes(field: str, where: str, code: OwnCode, given: int, options: Mapping[str, Any]) -> None:
    """Check that a function takes so many arguments and these options.

    Raises:
        UserError: it does not.
    """
    with suppress(ValueError):  # some built-ins have no signature
        sign = signature(code.function)
        try:
            sign.bind(*([None] * given), **options)
        except TypeError as error:
            rule = f"cannot be called with {given} arguments and its options: {error}"
            raise UserError(Problem(field, where, rule, f"it is {where}{sign}")) from None


def share(said: object) -> float | None:
    """What a function said, as a number in [0, 1] or None; numbers of numpy and torch count.

    Raises:
        ValueError: it is something else.
    """
    if said is None:
        return None
    value = -1.0
    if not isinstance(said, (str, bytes, bytearray)):
        with suppress(TypeError, ValueError):
            value = float(said)  # type: ignore[arg-type]
    if not 0 <= value <= 1:
        raise ValueError(f"returned {said!r}")
    return value


def shown(said: object) -> str:
    """What a function said, short enough for a message."""
    text = repr(said)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
