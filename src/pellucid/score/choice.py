r"""Multiple choice: exactly one letter is named, or the text of the gold's option is given.

Read in this order: a bare letter; the option's text (an alias); a letter at the start ("B. red");
every letter that the answer names. Two letters are ambiguous, which is wrong with a reason, never a
guess. "A" and "I" are also words, so they need a mark beside them. Left out on purpose: the nearest
option by spelling, and the texts of the other options, which the evidence does not have.
"""

import re

from pellucid.schema.record import Answer
from pellucid.score.base import AnswerScorer, Judgement, UnreadableGold
from pellucid.score.extract import MAX_CHARS, Extracted, final_answer, tidy, unwrap

_GOLD = re.compile(r"[(\[]?([A-Za-z])[)\].:]?")
_HEAD = re.compile(r"\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Z])[).:](?!\w)|([a-z])\)(?!\w)")
_LONE = re.compile(r"([A-Z])(?![\w'’-])")
# What may follow "A" or "I" when it is the letter and not the word.
_LETTER_NOT_WORD = (
    r"(?=\s{0,2}(?:$|[.,;:!?/&)\]\n*]|[0-9])"
    r"|\s(?:or|and|is|was|because|since|as|rather|but|with|which|seems|looks)\b)"
)
_NAMED = re.compile(
    r"(?<!\w)\(([A-Za-z])\)|(?<!\w)\[([A-Za-z])\]"
    r"|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s{1,2}[(\[]?([A-Z])\b(?!['’-])"
    rf"|(?<![\w'’\\^_{{-])(?:([B-HJ-Z])(?![\w'’^_(-])|([AI])(?!\w){_LETTER_NOT_WORD})"
)
_JOINED = re.compile(r"\s{0,2}(?:,|/|&|\+|\b(?:or|and)\b)\s{0,2}(?:maybe\s|also\s)?", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|n't|isn’t)\s{1,2}$", re.IGNORECASE)


def judge(text: str, gold: Answer) -> Judgement:
    """Judge which option the final answer names.

    A gold that is no letter is compared as a text.

    Raises:
        UnreadableGold: the gold is blank.
    """
    if not gold.gold.strip():
        raise UnreadableGold("the gold choice is blank")
    found = final_answer(text)
    # The end of a longer text is not the text of an option.
    said = tidy(found.text) if len(text) <= MAX_CHARS or found.rule != "whole" else None
    letter = _GOLD.fullmatch(gold.gold.strip())
    if letter is None:
        right = said in {tidy(unwrap(one)) for one in (gold.gold, *gold.aliases)}
        return Judgement(right, found.text, f"{'is' if right else 'is not'} {gold.gold[:100]!r}")
    wanted = letter[1].upper()
    texts = {tidy(unwrap(alias)) for alias in gold.aliases if alias.strip()}
    bare = _GOLD.fullmatch(found.text)
    if bare is None and said in texts:
        return Judgement(True, found.text, f"the text of {wanted}")
    names = {bare[1].upper()} if bare else _names(found)
    return _verdict(names, wanted, found.text, _after_head(found.text) in texts)


def _verdict(names: set[str], wanted: str, text: str, has_text: bool) -> Judgement:
    listed = ", ".join(sorted(names))
    if not names:
        return Judgement(False, text, "names no option")
    if len(names) > 1:
        return Judgement(False, text, f"ambiguous: names {listed}")
    if names == {wanted}:
        return Judgement(True, text, f"names {listed}")
    against = f"but the text of {wanted}" if has_text else f"not {wanted}"
    return Judgement(False, text, f"names {listed}, {against}")


def _names(found: Extracted) -> set[str]:
    """The letters that a text names: the one at its start, else all of them."""
    named = _named(found.text)
    head = _HEAD.match(found.text)
    if head is None and found.rule != "whole":
        head = _LONE.match(found.text)
        if head is not None and head[1] in "AI" and head.start() not in {at for at, _ in named}:
            head = None
    if head is None:
        return {letter for _, letter in named}
    first = _letter(head)
    later = [(at, letter) for at, letter in named if at >= head.end()]
    return {first} | {letter for at, letter in later if _is_joined(found.text, head.end(), at)}


def _named(text: str) -> list[tuple[int, str]]:
    """Start and letter of every option that is named and not denied."""
    return [
        (match.start(), _letter(match))
        for match in _NAMED.finditer(text)
        if not _DENIED.search(text, max(0, match.start() - 8), match.start())
    ]


def _is_joined(text: str, start: int, at: int) -> bool:
    """Whether the letter at `at` is a further choice to the one that ends at `start`.

    In brackets it may be joined to anything ("red or (C)"), bare only to the first letter ("B or
    C"): option texts have bare letters of their own ("B. points P and Q").
    """
    if text[at] not in "([":
        return _JOINED.fullmatch(text, start, at) is not None
    before = text[max(start, at - 16) : at]
    joints = list(_JOINED.finditer(before))
    return not before.strip() or (bool(joints) and joints[-1].end() == len(before))


def _letter(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group).upper()


def _after_head(text: str) -> str:
    """What follows a letter at the start, tidied."""
    head = _HEAD.match(text)
    return tidy(text[head.end() :]) if head else ""


SCORER = AnswerScorer("choice", 1, dict, judge)
