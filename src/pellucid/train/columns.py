"""Long columns of the length index that are held as numbers: few values, and ids of a mix."""

from collections.abc import Iterable, Sequence
from typing import Generic, SupportsIndex, TypeVar, final, overload

import numpy as np

from pellucid.store import MixRow

ValueT = TypeVar("ValueT")


@final
class Coded(Sequence[ValueT], Generic[ValueT]):
    """A column of few values: a number for each row, and what the numbers stand for.

    >>> told = Coded([["think", "nothink"], ["think"]])
    >>> len(told), told[2], told[:2]
    (3, 'think', ('think', 'nothink'))
    """

    def __init__(self, pieces: Iterable[Iterable[ValueT]]) -> None:
        """Take the rows, some at a time."""
        known: dict[ValueT, int] = {}
        codes = [
            np.array([known.setdefault(one, len(known)) for one in piece], np.int32)
            for piece in pieces
        ]
        narrow = np.min_scalar_type(len(known))
        self._codes = np.concatenate([np.zeros(0, narrow), *(one.astype(narrow) for one in codes)])
        self._values = tuple(known)

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, at: SupportsIndex) -> ValueT: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[ValueT, ...]: ...
    def __getitem__(self, at: SupportsIndex | slice) -> ValueT | tuple[ValueT, ...]:
        if isinstance(at, slice):
            return tuple(self._values[code] for code in self._codes[at].tolist())
        return self._values[int(self._codes[at.__index__()])]


@final
class Ids(Sequence[str]):
    """Ids of some rows of a mix, read from it when they are asked for."""

    def __init__(self, mix: Sequence[MixRow], rows: np.ndarray) -> None:
        """Ids of the rows with these numbers."""
        self._mix, self._rows = mix, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[str, ...]: ...
    def __getitem__(self, at: SupportsIndex | slice) -> str | tuple[str, ...]:
        if isinstance(at, slice):
            return tuple(self._mix[row].id for row in self._rows[at].tolist())
        return self._mix[int(self._rows[at.__index__()])].id
