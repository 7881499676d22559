"""What every kind of file gives: rows in their own shape, one by one, with their pictures."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import isnan
from pathlib import Path
from typing import Any

EMBEDDED = "sha256:"
"""Names of pictures that lie in the file itself begin so; the hash of their bytes follows."""


@dataclass(frozen=True, slots=True)
class Given:
    """One row of a file."""

    value: Any
    """A JSON value; a `RowFault` where the row cannot be read. Pictures stand in it by name."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """Encoded pictures that came with the row, by name."""
    at: float = 0.0
    """Share of the file that is read after this row, for progress."""


Read = Callable[[Path], Iterator[Given]]
"""How one kind of file is read: from the start, holding a few rows at a time."""


def embedded(data: bytes) -> str:
    """The name of a picture that has no file.

    >>> embedded(b"")[:12]
    'sha256:e3b0c'
    """
    return EMBEDDED + sha256(data).hexdigest()


def lift(value: Any, pictures: dict[str, bytes]) -> Any:
    """A value of a column as JSON: bytes, and Hugging Face's `{bytes, path}`, become names;
    what JSON has no form for (dates, decimals) becomes text, and NaN, a table's word for missing,
    null.

    Args:
        value: what Arrow gives; structs as objects.
        pictures: gets the bytes that are taken out, by name.
    """
    if isinstance(value, bytes):
        name = embedded(value)
        pictures[name] = value
        return name
    if isinstance(value, dict):
        if set(value) == {"bytes", "path"}:
            return lift(value["bytes"], pictures) if value["bytes"] else value["path"]
        return {key: lift(one, pictures) for key, one in value.items()}
    if isinstance(value, list):
        return [lift(one, pictures) for one in value]
    if isinstance(value, float) and isnan(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)
