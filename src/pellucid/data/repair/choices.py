"""Lettered options, and replies and golds in another form than the question asks for.

"Answer with the option's letter" wants a letter, "a single word" wants the word. A gold choice is a
letter. Mended where the options or the gold say which: the letter whose option the text is, the one
gold that a sentence holds.
"""

import re
from collections.abc import Mapping

from pellucid.data.repair.base import Doubt, Edit, Facts, Operator, Result, Row
from pellucid.data.repair.places import answer, at, last_question, last_reply, with_text
from pellucid.score.extract import tidy, unwrap
from pellucid.score.number import numbers

_LINE = re.compile(r"^[ \t]*\(?([A-J])[.):][ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_INLINE = re.compile(
    r"(?<![\w)\]}$])\(([A-J])\)\s*(\S.*?)\s*(?=(?<![\w)\]}$])\([A-J]\)|$)", re.DOTALL
)
_DRAWING = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)
_LETTER = re.compile(
    r"\b(?:option'?s?’?s?|only the|just the|with (?:the|a)|single|correct|choice'?s?|one) letter\b"
    r"|\bletter (?:of|only|from|corresponding|for)\b",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"\b(?:the|full|exact|whole|complete) (?:text|wording|words) of (?:the|your|one)"
    r"(?: \w+)? (?:option|choice|answer)\b"
    r"|\b(?:option|choice)(?:['’]s|s['’]?)? (?:full |exact )?text\b"
    r"|\b(?:not|without|instead of|rather than) (?:just |only )?(?:its|the|a|any)"
    r"(?: option(?:['’]s)?)? letter\b",
    re.IGNORECASE,
)
_SHORT = re.compile(
    r"\b(?:single|one) (?:word|number|integer|phrase)\b|\bword or (?:short )?phrase\b"
    r"|\b(?:only|just|with) (?:the|a|an) (?:number|integer|value)\b|\bnumber only\b"
    r"|\b(?:only|just) (?:the|a|one) word\b|\bwith (?:a|one) word\b"
    r"|\bonly with (?:the|a) number\b|\ba short (?:answer|phrase)\b|\bin one word\b"
    r"|\banswer (?:with )?(?:only )?yes or no\b",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\bat the end\b|\breason(?:ing)?\b|\bexplain\b|\bstep[ -]by[ -]step\b|\brationale\b"
    r"|\bshow your (?:work|steps)\b",
    re.IGNORECASE,
)
_IF = re.compile(r"(?:^|(?<=[.!?\n])|(?<=\d[.)]))\s*(?:if|where|when)\b[^.!?\n]*", re.IGNORECASE)
"""What is asked for in some case only: "If none is shown, reply with the word none."""
_GIVEN = re.compile(r"[(\[]?([A-Ja-j])[)\].:]*")
_HEADED = re.compile(r"[(\[]?([A-J])[)\].:]+\s*(\S.*)", re.DOTALL)
_SAYS = re.compile(
    r"(?:so,? |therefore,? |thus,? )?(?:the )?(?:final |correct |right |best )?"
    r"(?:answer|option|choice)(?: is|:)(?: option| choice)?\s*:?\s*(?P<said>.+?)\.?",
    re.IGNORECASE | re.DOTALL,
)
_GOLD_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
_LONGEST = 12
"""Words of a reply that may still count as short."""


def listed(question: str) -> dict[str, str]:
    r"""The options that a question lists, by letter; empty when it lists none in order.

    >>> listed("Which?\nA. red\nB. blue")
    {'A': 'red', 'B': 'blue'}
    """
    question = _DRAWING.sub("", question)
    for form in (_LINE, _INLINE):
        found = form.findall(question)
        letters = [letter for letter, _ in found]
        if len(found) > 1 and letters == [chr(ord("A") + n) for n in range(len(found))]:
            last = found[-1][1].split("\n")[0].strip()
            return {**dict(found), letters[-1]: last}
    return {}


def options(row: Row) -> dict[str, str]:
    """The row's options by letter: its own field, else what its question lists."""
    given = row.get("options")
    if isinstance(given, list) and len(given) > 1 and all(isinstance(one, str) for one in given):
        return {chr(ord("A") + index): _unlettered(one, index) for index, one in enumerate(given)}
    return listed(last_question(row))


def _unlettered(option: str, index: int) -> str:
    """An option without the letter that it may carry."""
    headed = _HEADED.fullmatch(option.strip())
    return headed[2] if headed and headed[1] == chr(ord("A") + index) else option


def _letter(text: str, known: Mapping[str, str]) -> str | None:
    """The letter that a text means: itself, a letter with its option's text, or the text alone."""
    said = text.strip()
    texts = [letter for letter, option in known.items() if _same(option, said)]
    if len(texts) == 1 and not re.fullmatch("[A-J]", said):
        return texts[0]
    given = _GIVEN.fullmatch(said)
    if given:
        return given[1].upper() if not known or given[1].upper() in known else None
    headed = _HEADED.fullmatch(said)
    if headed and known and _same(known.get(headed[1], ""), headed[2]):
        return headed[1]
    named = re.fullmatch(r"(?:option|choice|answer) [(\[]?([A-J])[)\]]?\.?", said, re.IGNORECASE)
    if named:
        return named[1].upper() if not known or named[1].upper() in known else None
    says = _SAYS.fullmatch(said)
    if says and says["said"] != said:
        return _letter(unwrap(says["said"]), known)
    return None


def _same(option: str, said: str) -> bool:
    return bool(option.strip()) and tidy(unwrap(option)) == tidy(unwrap(said.strip()))


def gold_form(row: Row, facts: Facts) -> Result:
    """A gold choice as its letter, a gold number in digits alone."""
    given = answer(row)
    kind, gold = given.get("kind"), given.get("gold")
    if kind == "choice" and isinstance(gold, int) and not isinstance(gold, bool):
        return Result(row, (), (Doubt("is a number; options are named by letters", "answer.gold"),))
    if not isinstance(gold, str) or kind not in ("choice", "number"):
        return Result(row)
    if kind == "choice":
        if re.fullmatch("[A-Z]", gold):
            return Result(row)
        new = _letter(gold, options(row))
        doubt = "is no letter and the text of no option"
    else:
        if _GOLD_NUMBER.fullmatch(gold):
            return Result(row)
        new, doubt = _digits(row, gold), "is not a number in digits"
    if new is None:
        return Result(row, (), (Doubt(doubt, "answer.gold"),))
    return Result({**row, "answer": {**given, "gold": new}}, (Edit(gold, new, "answer.gold"),))


def _digits(row: Row, gold: str) -> str | None:
    """A gold number without commas, currency or unit."""
    text = (
        gold.strip().replace(",", "")
        if re.fullmatch(r"[-+$€£]?[\d,]+(\.\d+)?", gold.strip())
        else gold
    )
    if gold.strip().lower() in _WORDS:
        return str(_WORDS.index(gold.strip().lower()))
    text = (
        text.strip()
        .removeprefix("=")
        .strip()
        .removeprefix("$")
        .removeprefix("€")
        .removeprefix("£")
        .strip()
    )
    if _GOLD_NUMBER.fullmatch(text):
        return text
    read, replied = numbers(gold), last_reply(row)
    match = re.match(r"[-+]?\d+(?:\.\d+)?(?=\s*[A-Za-z°²³])", text)
    if match and len(read) == 1 and read[0].mark is None and replied:
        said = numbers(replied[1].answer)
        if said and said[-1].exact == read[0].exact:
            return match[0]
    return None


def asked_form(row: Row, facts: Facts) -> Result:
    """The last reply in the form that its question asks for."""
    replied, question = last_reply(row), _IF.sub("", last_question(row))
    if replied is None:
        return Result(row)
    index, (head, _, said) = replied[0], replied[1]
    if "think>" in said or _FIRST.search(question):
        # A thinking without its other end is no answer yet; nor is the form of a whole reply asked
        # for where it may reason first.
        return Result(row)
    known, gold = options(row), answer(row).get("gold")
    kind = answer(row).get("kind")
    if _TEXT.search(question):
        new, doubt = _as_text(said, known, gold if kind == "choice" else None)
    elif _LETTER.search(question):
        new, doubt = _as_letter(said, known, gold if kind == "choice" else None)
    elif _SHORT.search(question):
        new, doubt = _as_word(row, said, question)
    else:
        return Result(row)
    if new == said or new is None:
        return Result(row, (), (Doubt(doubt, at(index)),) if doubt else ())
    edit = Edit(head + said, head + new, at(index))
    return Result(with_text(row, index, head + new), (edit,))


def _as_letter(said: str, known: Mapping[str, str], gold: object) -> tuple[str | None, str]:
    """The letter, or what is wrong; the gold says that marks around a letter are too many."""
    if isinstance(gold, str) and said != gold and unwrap(said.strip()).strip("()[].: ") == gold:
        return gold, ""
    if re.fullmatch(r"\s*[A-J][.)]?\s*(?:(?:,|and|&)?\s*[A-J]\s*)*", said):
        return said, ""
    if unwrap(said) != said.strip() and _GIVEN.fullmatch(unwrap(said)):
        return said, ""
    letter = _letter(said, known)
    if letter is None and isinstance(gold, str):
        named = re.findall(r"(?<![\w'])[(\[]?([B-HJ])[)\].]?(?![\w'])|[(\[]([AI])[)\]]", said)
        only = {one or other for one, other in named}
        letter = gold if only == {gold} and len(said.split()) <= 2 * _LONGEST else None
    if letter is None:
        return None, "is no letter, and the question asks for one"
    if isinstance(gold, str) and re.fullmatch("[A-Z]", gold) and letter != gold:
        return None, f"means {letter}, and the gold is {gold}"
    return letter, ""


def _as_text(said: str, known: Mapping[str, str], gold: object) -> tuple[str | None, str]:
    """The text of the option that was asked for, or what is wrong."""
    if not known or any(_same(option, said) for option in known.values()):
        return said, ""
    letter = _letter(said, known)
    if letter is None:
        # A sentence may hold the text of its option; nothing that names none is that text.
        held = [one for one in known.values() if tidy(one) and tidy(one) in tidy(said)]
        return (said, "") if held else (None, "is the text of no option")
    if isinstance(gold, str) and re.fullmatch("[A-Z]", gold) and letter != gold:
        return None, f"means {letter}, and the gold is {gold}"
    return known[letter], ""


def _spelt(gold: object) -> str:
    number = isinstance(gold, int | float) and not isinstance(gold, bool)
    return gold if isinstance(gold, str) else str(gold) if number else ""


def _as_word(row: Row, said: str, question: str) -> tuple[str | None, str]:
    """The word or number that was asked for, or what is wrong."""
    given = answer(row)
    aliases = given.get("aliases")
    golds = [given.get("gold"), *(aliases if isinstance(aliases, list) else ())]
    known = [text for text in map(_spelt, golds) if text.strip()]
    text = said.strip()
    if text[-1:] == "." and text[:-1] in known:
        return text[:-1], ""
    if any(tidy(text) == tidy(gold) for gold in known):
        return said, ""
    says = _SAYS.fullmatch(text)
    inner = says["said"].strip() if says else None
    if inner and (any(tidy(inner) == tidy(gold) for gold in known) or not known):
        return (inner, "") if len(inner.split()) <= 4 else (None, "")
    if given.get("kind") in ("number", "text"):
        for gold in known:
            held = re.findall(rf"(?<![\w.,]){re.escape(gold)}(?![\w]|[.,]\d)", text, re.IGNORECASE)
            if len(held) == 1 and len(text.split()) > len(gold.split()):
                return held[0], ""
    if len(text.split()) > _LONGEST:
        return None, "is a long answer, and the question asks for a short one"
    return said, ""


GOLD_FORM = Operator(
    "gold_form", 1, "mend", "a gold choice as text, a gold number with commas or unit", gold_form
)
ANSWER_FORM = Operator(
    "answer_form", 1, "mend", "a reply in another form than the question asks for", asked_form
)
