"""What all checks share: how code is named, and how its faults are told."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pellucid.base.own import own_code

_LISTED = 20
"""Faults that an error names; all are counted."""

Function = str | Path | Callable[..., Any]
"""`file.py:function`, or the function itself."""


def called_by(function: Function) -> Callable[..., Any]:
    """The function that is meant.

    Raises:
        UserError: there is no such file or function.
    """
    return function if callable(function) else own_code("function", str(function)).function


def refuse(function: Callable[..., Any], faults: Sequence[str], counted: int = 0) -> None:
    """Raise what is wrong; `counted` is how often, where a line stands for several cases."""
    if faults:
        more = [f"and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else []
        listed = "\n  ".join([*faults[:_LISTED], *more])
        raise AssertionError(f"{function.__name__}: {counted or len(faults)} faults\n  {listed}")
