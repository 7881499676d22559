"""Blocked words and phrases: whole words, whatever their case, accents, width or spacing.

`Böse,  WÖRTER` matches `bose worter`. Scripts without letter case (Chinese, Arabic, Thai, ...) are
compared character by character, because they do not always part their words. Leaves out on
purpose: stemming, spelling tricks, meaning; this is a list, not a judge.
"""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple, final


class Word(NamedTuple):
    """A word of a text, folded, and where it begins in the text."""

    folded: str
    start: int
    whole: bool
    """False for a word at the end of the text that more letters could still join."""


@final
class Words:
    """Blocks texts that hold one of some words or phrases."""

    name = "words"

    def __init__(self, blocked: Sequence[str]) -> None:
        """Fold the list.

        Raises:
            ValueError: an entry holds no letter or digit, so it would match nothing.
        """
        self._phrases: list[tuple[str, ...]] = []
        for entry in blocked:
            phrase = tuple(word.folded for word in split(entry))
            if not phrase:
                raise ValueError(f"the blocked word {entry!r} holds no letter or digit")
            self._phrases.append(phrase)

    def blocks(self, text: str, ended: bool) -> bool:
        """Whether one of the phrases stands in the text."""
        words = [word.folded for word in split(text) if word.whole or ended]
        return any(
            tuple(words[at : at + len(phrase)]) == phrase
            for phrase in self._phrases
            for at in range(len(words) - len(phrase) + 1)
        )

    def safe(self, text: str) -> int:
        """Everything before the first word from which a phrase may still grow."""
        words = split(text)
        for at, word in enumerate(words):
            tail = words[at:]
            if len(tail) == 1 and not word.whole:
                return word.start  # letters may follow, and it would be another word
            if any(_begins(tail, phrase) for phrase in self._phrases):
                return word.start
        return len(text)


def split(text: str) -> list[Word]:
    """The words of a text: runs of letters and digits, folded.

    >>> [word.folded for word in split("Straße, CAFÉ-2 炸弹")]
    ['strasse', 'cafe', '2', '炸', '弹']
    """
    words: list[Word] = []
    folded, start = "", 0
    for at, character in enumerate(text):
        kind = unicodedata.category(character)
        if kind in ("Mn", "Me", "Cf"):
            continue  # accents and invisible characters part nothing
        if kind == "Lo" or kind[0] not in "LN":
            if folded:
                words.append(Word(folded, start, True))
                folded = ""
            if kind == "Lo":
                words.append(Word(_fold(character), at, True))
            continue
        if not folded:
            start = at
        folded += _fold(character)
    if folded:
        words.append(Word(folded, start, False))
    return words


def _begins(tail: Sequence[Word], phrase: Sequence[str]) -> bool:
    """Whether the words at the end of a text may be the beginning of a phrase."""
    if len(tail) > len(phrase):
        return False
    *before, last = tail
    if [word.folded for word in before] != list(phrase[: len(before)]):
        return False
    wanted = phrase[len(before)]
    if last.whole:
        return last.folded == wanted and len(tail) < len(phrase)
    return wanted.startswith(last.folded)


def _fold(character: str) -> str:
    """One character without case, accent or width."""
    parts = unicodedata.normalize("NFKD", character).casefold()
    return "".join(part for part in parts if unicodedata.category(part) != "Mn")
