"""Look a name up in a table; an unknown name suggests the nearest."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from pellucid.base.errors import Problem, UserError

T = TypeVar("T")


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name closest to `name`, or None when none is close: at least `cutoff` of 1.

    >>> nearest("lerning_rate", ["learning_rate", "steps"])
    'learning_rate'
    """
    found = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The fix to print for an unknown name."""
    names = sorted(known)
    guess = nearest(name, names)
    return f"did you mean {guess!r}?" if guess else f"choose one of: {', '.join(names) or 'none'}"


def unknown(field: str, name: str, known: Iterable[str]) -> Problem:
    """The problem of a name that points at nothing, with the nearest that would."""
    return Problem(field, name, "is not known", did_you_mean(name, known))


def pick(table: Mapping[str, T], name: str, field: str) -> T:
    """`table[name]`, or a `UserError` that names the field and suggests the nearest."""
    if name in table:
        return table[name]
    raise UserError(unknown(field, name, table))
