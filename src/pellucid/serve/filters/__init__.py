"""Filters: what may not stand in a prompt, in thinking or in an answer.

A plug-in kind: one file per filter and a row in `FILTERS`; its options are fields of
`recipe.serve.ServeOptions`.
"""

from collections.abc import Callable

from pellucid.base.errors import Problem, UserError
from pellucid.recipe.serve import ServeOptions
from pellucid.serve.filters.base import Filter
from pellucid.serve.filters.words import Words

__all__ = ["FILTERS", "Filter", "build"]


def _words(options: ServeOptions) -> Filter | None:
    try:
        return Words(options.blocked_words) if options.blocked_words else None
    except ValueError as error:
        given = options.blocked_words
        raise UserError(
            Problem("serve.blocked_words", given, str(error), "remove that entry")
        ) from None


FILTERS: dict[str, Callable[[ServeOptions], Filter | None]] = {"words": _words}
"""Name -> the filter that the options ask for, or None."""


def build(options: ServeOptions) -> tuple[Filter, ...]:
    """The filters that the options ask for.

    Raises:
        UserError: a filter's options make no sense.
    """
    made = (make(options) for make in FILTERS.values())
    return tuple(filter_ for filter_ in made if filter_ is not None)
