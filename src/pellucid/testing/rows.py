"""Check of a source of rows."""

from pathlib import Path
from typing import Any

from pellucid.testing.base import Function, called_by, refuse


def check_rows(function: Function, *, images: str | Path, **options: Any) -> int:
    """A source of rows gives rows that an import takes, and the same ones twice.

    Args:
        function: what is checked.
        images: the folder that names of pictures start at.
        options: keyword arguments of the function, `inputs` (paths) among them.

    Returns:
        How many rows it gave.

    Raises:
        AssertionError: rows are faulty, there is none, or a second call gives others.
        UserError: there is no such function.
    """
    from pellucid.data.rows import named_faults

    called = called_by(function)
    rows = list(called(**options))
    faults = [
        f"row {number}: {fault}" for number, fault in named_faults(rows, Path(images).resolve())
    ]
    if not rows:
        faults.append("it gave no row")
    if list(called(**options)) != rows:
        faults.append("a second call gave other rows")
    refuse(called, faults)
    return len(rows)
