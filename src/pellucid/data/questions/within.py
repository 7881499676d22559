"""Whether a prompt holds another's whole question, and beside it nothing that changes it.

    How many towns have a mayor?
    My boss asks me how many towns have a mayor, and I have no time. Could you look?     held

The words of the question stand there in their order, in any inflection. In their own clause stand
others of asking only; in other clauses none that may tell two questions apart. Leaves out on
purpose: two prompts neither of which is plain, and questions in other words (`same`).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pellucid.data.questions.lexicon import lemmas
from pellucid.data.questions.talk import alone, asks_of, harmless, idle, mere_talk, names, talks
from pellucid.data.questions.vocabulary import EMPTY

_LEAST = 2
"""Words that a question must have, one of which is no word of any question."""
_LIGHT = frozenset(
    "a an the is are was were be been am do does did has have had which what in on at of"
    " for".split()
)
"""Words that come and go when a question is turned into a clause."""
_TELL = frozenset(
    "ask asks asking asked tell tells say says know knowing find see wonder wondering check decide"
    " determine learn read report state specify inform figure identify name give provide pinpoint"
    " locate transcribe extract retrieve list compute describe look".split()
)
"""What one does with a question."""
_BEHIND_TELL = frozenset("me us them you him her out please briefly exactly whether if to".split())
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[.?!;:,\n\"“”()|>—–]")
_WORD = re.compile(r"\w")


class _Word(NamedTuple):
    word: str
    """As it stands there, in lower case."""
    lemma: str
    clause: int
    """Which it stands in, from 0."""


def within(question: str, prompt: str, strict: bool = False) -> bool:
    """Whether a prompt holds a question as a clause, and nothing that changes it.

    Args:
        question: plain, that is, without a clause beside it.
        prompt: another's, of which no template is left.
        strict: whether clauses beside the question must be talk, and not only free of what tells
            apart: what both dress may be dressed differently.

    >>> plain = "How many towns have a mayor?"
    >>> within(plain, "A friend asks me how many towns have a mayor, so over to you.")
    True
    >>> within(plain, "How many towns have a mayor of fifty?")
    False
    """
    wanted = [one.lemma for one in _words(question)]
    if len(wanted) < _LEAST or not set(wanted) - EMPTY or not alone(question):
        return False
    words = _words(prompt)
    lemmas = [one.lemma for one in words]
    starts = [
        at for at in range(len(lemmas) - len(wanted) + 1)
        if lemmas[at : at + len(wanted)] == wanted
    ]  # fmt: skip
    return len(starts) == 1 and _only(prompt, words, starts[0], starts[0] + len(wanted), strict)


def _only(prompt: str, words: Sequence[_Word], start: int, stop: int, strict: bool) -> bool:
    """Whether nothing beside these words of a prompt changes what they ask."""
    first, last = words[start].clause, words[stop - 1].clause
    before = [one.word for one in words[:start] if one.clause == first]
    behind = [one.word for one in words[stop:] if one.clause == last]
    while before and before[-1] in _BEHIND_TELL:
        before.pop()
    told = bool(before) and before[-1] in _TELL and not names(" ".join(before))
    if not ((told and not strict) or harmless(set(before) - _TELL)) or not harmless(behind):
        return False
    others = [
        clause for at, clause in enumerate(_clauses(prompt)) if not first <= at <= last
    ]  # fmt: skip
    free = talks if strict else idle
    return all(free(clause) and _asks_no_more(clause) for clause in others if _WORD.search(clause))


def _asks_no_more(clause: str) -> bool:
    return "?" not in clause or asks_of(clause) or mere_talk(clause)


def _clauses(prompt: str) -> list[str]:
    """The text of every clause, with the mark that ends it."""
    found, at = list[str](), 0
    for mark in _TOKEN.finditer(prompt):
        if not _WORD.match(mark[0]):
            found.append(prompt[at : mark.end()])
            at = mark.end()
    return [*found, prompt[at:]]


@lru_cache(maxsize=1 << 14)
def _words(prompt: str) -> tuple[_Word, ...]:
    """The words that a question keeps in any form of it."""
    found, clause = list[_Word](), 0
    for mark in _TOKEN.finditer(prompt):
        word = mark[0].lower()
        if not _WORD.match(word):
            clause += 1
        elif word not in _LIGHT:
            found.append(_Word(word, min(lemmas(word), default=word), clause))
    return tuple(found)
