"""What a question asks, apart from how: its content words, numbers, options and gold.

`data/questions/` decides whether two ask for the same; here are their options and golds, and the
words by which candidates are found. A word weighs the less the more records have it. Leaves out on
purpose: other languages, whose words must be the same words.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pellucid.data.duplicates.stopwords import STOPWORDS
from pellucid.data.questions.template import asked

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")


class Question(NamedTuple):
    """What is asked."""

    text: str
    """Without options and without how to answer."""
    words: tuple[str, ...]
    """Content words in order, each as often as it stands there, without numbers."""
    numbers: tuple[str, ...]
    """Numbers, sorted."""
    options: frozenset[str]
    """Texts of the options in normal form; empty for an open question."""
    golds: frozenset[str]
    """Every text that is the gold, in normal form."""

    @property
    def bag(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What makes two questions one text, whatever the order and the template."""
        return tuple(sorted(set(self.words))), self.numbers


def question(text: str, gold: str, aliases: Iterable[str] = (), lettered: bool = False) -> Question:
    """A question from its text.

    Args:
        text: all that the user says, options included.
        gold: the gold answer or last reply.
        aliases: other golds.
        lettered: whether the gold is the letter of an option.

    >>> asked = question("According to the chart, what was the price of 3 teas in 1999?", "4.50")
    >>> asked.words, asked.numbers
    (('price', 'tea'), ('1999', '3'))
    """
    bare, options, _ = asked(text)
    listed = {label or str(at): plain(option) for at, (label, option) in enumerate(options)}
    found = _WORD.findall(_normal(bare))
    numbers = tuple(sorted(_number(one) for one in found if one[0].isdigit()))
    spelt = [one for one in found if not one[0].isdigit()]
    content = [_stem(one) for one in spelt if one not in STOPWORDS and _stem(one) not in STOPWORDS]
    golds = {plain(gold), *map(plain, aliases)}
    if lettered and gold.strip().upper() in listed:
        golds = {listed[gold.strip().upper()], *map(plain, aliases)}
    return Question(
        bare,
        tuple(content or [_stem(one) for one in spelt]),
        numbers,
        frozenset(listed.values()),
        frozenset(golds - {""}),
    )


def plain(text: str) -> str:
    """A short answer in normal form.

    >>> plain(" The  Tea. "), plain("1,200.0")
    ('the tea', '1200')
    """
    found = [
        _number(one) if one[0].isdigit() else one
        for one in re.findall(r"[-+]?\d+(?:[.,]\d+)*|[^\W\d_]+|[^\w\s.,;:!?\"'()]", _normal(text))
    ]
    return " ".join(found)


class Frequencies:
    """How many records have each word."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def rarest(self, words: Iterable[str], most: int) -> list[str]:
        """The words that the fewest records have."""
        return sorted(set(words), key=lambda word: (self._counts.get(word, 1), word))[:most]


def frequencies(questions: Iterable[Question]) -> Counter[str]:
    """How many questions have each word."""
    counts: Counter[str] = Counter()
    for one in questions:
        counts.update(set(one.words))
    return counts


def same_gold(one: Question, other: Question) -> bool:
    """Whether a gold of one is a gold of the other."""
    return bool(one.golds & other.golds)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _number(text: str) -> str:
    """A number without commas between thousands and zeros behind the point."""
    whole = re.sub(r",(?=\d{3}(?:\D|$))", "", text)
    return whole.rstrip("0").rstrip(".") if re.fullmatch(r"[-+]?\d+\.\d+", whole) else whole
