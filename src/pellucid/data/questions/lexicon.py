"""Which English words are forms of one another, and which mean nearly the same: from WordNet 3.0.

`assets/wordnet/related.txt.gz` holds 17,000 common words, their irregular forms and 48,000 pairs
that share a sense, are derived from one another, or are a kind of each other. Leaves out on
purpose: phrases, other languages, and senses in context (a bank is a bank).
"""

import gzip
from functools import cache, lru_cache
from typing import NamedTuple

from pellucid.base.paths import ASSETS

_FILE = ASSETS / "wordnet" / "related.txt.gz"
_ENDINGS = (
    ("ies", ("y",)), ("es", ("", "e")), ("s", ("",)), ("ied", ("y",)), ("ed", ("", "e")),
    ("ing", ("", "e")),
)  # fmt: skip
_DEGREES = (("iest", ("y",)), ("ier", ("y",)), ("est", ("", "e")), ("er", ("", "e")))


class Lexicon(NamedTuple):
    """The list, read."""

    kinds: dict[str, str]
    """Of each word: v mostly a verb, a also an adjective, - else."""
    related: dict[str, frozenset[str]]
    forms: dict[str, frozenset[str]]
    """Lemmas of irregular forms."""


@cache
def lexicon() -> Lexicon:
    """The list; read once."""
    kinds: dict[str, str] = {}
    related: dict[str, set[str]] = {}
    forms: dict[str, set[str]] = {}
    for line in gzip.decompress(_FILE.read_bytes()).decode().splitlines():
        word, kind, *others = line.split()
        if kind == ">":
            forms.setdefault(word, set()).update(others)
            continue
        kinds[word] = kind
        for other in others:
            related.setdefault(word, set()).add(other)
            related.setdefault(other, set()).add(word)
    return Lexicon(kinds, _frozen(related), _frozen(forms))


@lru_cache(maxsize=1 << 14)
def lemmas(word: str) -> frozenset[str]:
    """What a word in lower case may be a form of; itself, if nothing is known.

    >>> sorted(lemmas("sold")), sorted(lemmas("cities")), sorted(lemmas("zorbs"))
    (['sell'], ['city'], ['zorb'])
    """
    known = lexicon()
    found = set(known.forms.get(word, ())) | {word} & known.kinds.keys()
    found |= _stripped(word, _ENDINGS)
    if found:
        return frozenset(found)
    plural = len(word) > 2 and word.endswith("s") and not word.endswith("ss")
    return frozenset({word[:-1] if plural else word})


def degree_of(word: str) -> str | None:
    """The adjective that a comparative or superlative is formed of; None for other words.

    >>> degree_of("tallest"), degree_of("bigger"), degree_of("water"), degree_of("best")
    ('tall', 'big', None, None)
    """
    if not word.endswith(("er", "est")):
        return None
    known = lexicon()
    bases = _stripped(word, _DEGREES) | {
        form for form in known.forms.get(word, ()) if form[:2] == word[:2]
    }
    return min((one for one in bases if known.kinds.get(one) == "a"), default=None)


@lru_cache(maxsize=1 << 16)
def related(one: str, other: str) -> bool:
    """Whether two words are forms of one word, or of two that WordNet relates.

    >>> related("consumption", "consumes"), related("wheat", "barley")
    (True, False)
    """
    a, b = lemmas(one), lemmas(other)
    known = lexicon().related
    return bool(a & b) or any(known.get(x, frozenset()) & b for x in a)


@lru_cache(maxsize=1 << 14)
def is_verb(word: str) -> bool:
    """Whether a word is mostly a verb, or a form of one that is."""
    kinds = lexicon().kinds
    return any(kinds.get(one) == "v" for one in lemmas(word))


def _stripped(word: str, endings: tuple[tuple[str, tuple[str, ...]], ...]) -> set[str]:
    kinds, found = lexicon().kinds, set[str]()
    for ending, others in endings:
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 2:
            continue
        found |= {stem + other for other in others} & kinds.keys()
        if len(stem) > 2 and stem[-1] == stem[-2]:
            found |= {stem[:-1]} & kinds.keys()
    return found


def _frozen(table: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    return {word: frozenset(some) for word, some in table.items()}
