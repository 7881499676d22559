r"""Numbers: integers, decimals, fractions, powers of ten, with signs, currencies, units and marks.

The answer's number: the last one; after "the answer is", the first one of the clause (what follows
explains). Compared exactly, as fractions. A mark (`%`, `million`) is applied on both sides when
both have one; when one side has it, it may be applied or dropped, as units are. Left out on
purpose: numbers as words, arithmetic, roots, constants (`expression` knows them).
"""

import re
from fractions import Fraction
from typing import NamedTuple

from pellucid.schema.record import Answer
from pellucid.score.base import AnswerScorer, Judgement, UnreadableGold
from pellucid.score.extract import MAX_CHARS, Extracted, final_answer, tidy, unwrap

TOLERANCE = 1e-6
"""Relative difference that is allowed when the gold names none."""
MAX_DIGITS = 40
MAX_EXPONENT = 250

_MARKS = {
    "%": Fraction(1, 100),
    "percent": Fraction(1, 100),
    "thousand": Fraction(10**3),
    "million": Fraction(10**6),
    "billion": Fraction(10**9),
    "trillion": Fraction(10**12),
}
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_SIGNS = dict.fromkeys(map(ord, "−‐‑‒–﹣"), "-")
_ASCII = _WIDE | _SIGNS | {0x2044: "/", 0x00A0: " ", 0x202F: " ", 0x2009: " "}
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5",
           "⅗": "3/5", "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8",
           "⅞": "7/8"}  # fmt: skip
_RAISED_RUN = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_FRACTION = re.compile(
    r"([0-9]?)(?:\\[dt]?frac\s?(?:\{\s?([0-9.]{1,40})\s?\}\s?\{\s?([0-9.]{1,40})\s?\}"
    rf"|([0-9])\s?([0-9]))|([{''.join(_VULGAR)}]))"
)

# Possessive (`++`): a run of digits is taken whole or not at all, so no text is read twice.
_DECIMAL = r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})++|[0-9]++)(?:\.[0-9]++)?|\.[0-9]++)"
_POWER = r"10\s?\^\s?(?:\{\s?([+-]?[0-9]++)\s?\}|\(?([+-]?[0-9]++)\)?)"
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.^/])(?<![0-9],)(?<![\^_}]\{)(?<!frac\{)(?<!sqrt\{)(?<!√)"
    r"(?:(?<![)\]}])([+-])(?:\\?[$€£¥]\s?)?)?"
    rf"(?:{_POWER}"
    rf"|(?:([0-9]++)\s)?([0-9]++(?:\.[0-9]++)?)/([0-9]++(?:\.[0-9]++)?)"
    rf"|({_DECIMAL})(?:[eE]([+-]?[0-9]++)|\s?(?:[x×*·]|\\times|\\cdot)\s?{_POWER})?)"
    r"(?![0-9]|[.,/][0-9]|\s?\^(?!\s?\{?\s?(?:\\circ|°))|\s?(?:π|\\pi\b|√|\\sqrt))"
)
_MARK = re.compile(
    r"\s?\\?(%)|[\s-]?(?:(per)\s?cent(?:age)?|(thousand|million|billion|trillion))\b", re.IGNORECASE
)
_CLAUSE_END = re.compile(r",\s|;|\.\s|\b(?:because|since|as|where|given)\b", re.IGNORECASE)


class Number(NamedTuple):
    """A number in a text: its value without its mark, and what the mark multiplies it by."""

    exact: Fraction
    mark: Fraction | None

    @property
    def applied(self) -> Fraction:
        """The value with its mark."""
        return self.exact if self.mark is None else self.exact * self.mark


def numbers(text: str) -> list[Number]:
    """The numbers in the last `MAX_CHARS` characters of a text, in order.

    What is spelt as no number of ours (`1.2.3`, `1,23`, `x^2`) is left out whole.
    """
    spelt = _plain(text[-MAX_CHARS:])
    found = []
    for match in _NUMBER.finditer(spelt):
        exact = _value(match)
        if exact is not None:
            found.append(Number(exact, _mark(spelt, match.end())))
    return found


def judge(text: str, gold: Answer) -> Judgement:
    """Compare the answer's number with the gold within its relative tolerance, edge included.

    An alias that is no number is compared as a text.

    Raises:
        UnreadableGold: the gold has no number, or several.
    """
    spelt = numbers(gold.gold)
    if len(spelt) != 1:
        raise UnreadableGold(f"the gold {gold.gold[:100]!r} is not one number")
    tolerance = Fraction(str(TOLERANCE if gold.tolerance is None else gold.tolerance))
    found = final_answer(text)
    said = _chosen(found)
    golds = spelt + [read[0] for read in map(numbers, gold.aliases) if len(read) == 1]
    if said is not None and any(_near(said, one, tolerance) for one in golds):
        return Judgement(True, found.text, f"equals {gold.gold[:100]} within {float(tolerance):g}")
    words = {tidy(unwrap(alias)) for alias in gold.aliases if not numbers(alias)}
    if len(text) <= MAX_CHARS and tidy(found.text) in words:
        return Judgement(True, found.text, "the text of an alias")
    if said is None:
        return Judgement(False, found.text, "has no number")
    return Judgement(False, found.text, f"{float(said.exact):.12g} is not {gold.gold[:100]}")


def _chosen(found: Extracted) -> Number | None:
    """The number that the final answer means."""
    if found.rule == "cue":
        clause = _CLAUSE_END.split(found.text, maxsplit=1)[0]
        read = numbers(clause.rpartition("=")[2]) or numbers(found.text)
        return read[0] if read else None
    read = numbers(found.text)
    return read[-1] if read else None


def _near(said: Number, gold: Number, tolerance: Fraction) -> bool:
    pairs = [(said.applied, gold.applied)]
    if (said.mark is None) != (gold.mark is None):
        pairs.append((said.exact, gold.exact))
    return any(abs(one - two) <= tolerance * abs(two) for one, two in pairs)


def _plain(text: str) -> str:
    """The text with one spelling for each sign, fraction and exponent."""
    text = text.translate(_ASCII).replace("{,}", ",").replace(r"\!", "").replace(r"\,", " ")
    text = _RAISED_RUN.sub(lambda run: "^" + run[0].translate(_RAISED), text)
    return _FRACTION.sub(_ratio, text)


def _ratio(match: re.Match[str]) -> str:
    whole, top, bottom, digit, other, vulgar = match.groups()
    ratio = _VULGAR[vulgar] if vulgar else f"{top or digit}/{bottom or other}"
    return f"{whole} {ratio}" if whole else ratio


def _value(match: re.Match[str]) -> Fraction | None:
    """The value of a match of `_NUMBER`, or None when it is out of range."""
    sign, power, power_, whole, top, bottom, decimal, exponent, times, times_ = match.groups()
    spelt = [part.replace(",", "") for part in (whole, top, bottom, decimal) if part]
    raised = exponent or times or times_ or power or power_ or "0"
    if any(len(part) > MAX_DIGITS for part in (*spelt, raised)) or abs(int(raised)) > MAX_EXPONENT:
        return None
    if bottom and not Fraction(bottom):
        return None
    if top:
        value = Fraction(top) / Fraction(bottom) + Fraction(whole or 0)
    else:
        value = Fraction(decimal.replace(",", "") if decimal else 1) * Fraction(10) ** int(raised)
    return -value if sign == "-" else value


def _mark(text: str, end: int) -> Fraction | None:
    """What the mark that stands at `end` multiplies by, if there is one."""
    match = _MARK.match(text, end)
    if match is None:
        return None
    return _MARKS["%" if match[1] or match[2] else match[3].lower()]


SCORER = AnswerScorer("number", 1, lambda: {"tolerance": TOLERANCE}, judge)
