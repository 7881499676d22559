"""A user's own code: a function in a Python file, by `file.py:function`.

The file is run once per process, under a name of its own, and known by the hash of its bytes. Left
out on purpose: packages and installed modules. What a file imports is not hashed.
"""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import hash_file
from pellucid.base.lookup import did_you_mean


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
        rule = "names a file that is not there"
        raise UserError(Problem(field, where, rule, "give its path, relative to the recipe"))
    return path, function


def code_hash(field: str, where: str) -> str:
    """SHA-256 of the file's bytes.

    Raises:
        UserError: as `split`.
    """
    return hash_file(split(field, where)[0])


def function_of(field: str, where: str) -> Callable[..., Any]:
    """The function itself; its file is run when this process sees it for the first time.

    Args:
        field: the field of the recipe, for messages.
        where: `file.py:function`.

    Raises:
        UserError: there is no such file or function, or the file cannot be run.
    """
    path, name = split(field, where)
    module_name = f"pellucid_own_{hash_file(path)[:16]}"
    module = sys.modules.get(module_name)
    if module is None:
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None and spec.loader is not None, "a .py file has a loader"
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[module_name]
            rule = f"cannot be run: {type(error).__name__}: {error}"
            raise UserError(Problem(field, where, rule, f"mend {path.name}")) from error
    function = vars(module).get(name)
    if not callable(function):
        there = [key for key, value in vars(module).items() if callable(value)]
        fix = did_you_mean(name, there)
        raise UserError(Problem(field, where, f"{path.name} has no function {name!r}", fix))
    found: Callable[..., Any] = function
    return found
