"""Decides pairs of questions: by their words, or by an embedding where the user gives one."""

from collections.abc import Callable, Iterable

from pellucid.data.questions.same import Likeness, compare
from pellucid.data.questions.wording import wording

Decide = Callable[[Iterable[tuple[str, str]]], list[Likeness]]
"""Pairs of questions -> how each pair compares."""


def by_words(pairs: Iterable[tuple[str, str]]) -> list[Likeness]:
    """Compare questions by their words alone."""
    return [compare(wording(one), wording(other)) for one, other in pairs]
