"""Checks of replies: empty, boilerplate, an echo, said over and over, cut off.

All flag and change nothing: what the reply should have been is not in the row.
"""

import re

from pellucid.data.repair.base import Doubt, Facts, Operator, Result, Row
from pellucid.data.repair.places import answer, at, bare, pictures, reply, spoken, turns
from pellucid.score.extract import tidy

_SEEN = r"(?:image|picture|photo|photograph|figure|screenshot|chart|attachment|file|visual)s?"
_BOILERPLATE = re.compile(
    rf"""
    \byour\ message\ (?:is|was|appears|seems)\b.{{0,20}}\b(?:empty|blank)
    | \bas\ an?\ (?:large\ |ai\ |text[- ]based\ |artificial\ intelligence\ )+
      (?:language\ |ai\ )?(?:model|assistant)\b
    | \bas\ an\ ai\b(?!\w)
    | \bi(?:'m|’m|\ am)\ (?:just\ |only\ )?an?\ (?:ai|text[- ]based|large\ language|language)\b
    | \bi(?:'m|’m|\ am)?\ ?(?:sorry|afraid|apologi[sz]e|unable|not\ able|cannot|can't|can’t
        |do\ not|don't|don’t)\b[^.]{{0,60}}
      \b(?:see|view|access|display|open|process|analy[sz]e|interpret|look\ at
          |have)\b[^.]{{0,30}}\b{_SEEN}\b
    | \b(?:no|any)\ {_SEEN}\ (?:was|were|is|has\ been|have\ been|seems\ to\ be)?\ ?(?:provided
        |attached|uploaded|included|shared|visible)
    | \bplease\ (?:upload|provide|attach|share|send|include)\b[^.]{{0,20}}\b{_SEEN}\b
    | \b{_SEEN}\ (?:you\ (?:mentioned|provided|shared)\ )?(?:is|was|did|does|could
        |has)\ ?(?:not|n't|n’t)\ (?:be\ )?(?:load|attach|upload|provid|display|visible|available)
    | \bhow\ (?:can|may)\ i\ (?:help|assist)\ you\ (?:today|with)
    | \bi\ don(?:'|’)?t\ have\ (?:access|the\ ability|enough\ information|personal\ (?:opinions
        |experiences))
    | \bplease\ (?:provide|give|share)\ (?:me\ (?:with\ )?)?(?:some\ )?
      (?:more|additional|further)\ (?:context|information|details?)\b
    | \blorem\ ipsum\b | ^\s*(?:error|exception|traceback|http\ error)\b\s*[:(]
        | \brate\ limit\ (?:exceeded|reached)
    | \binternal\ server\ error\b | \b(?:insert|your)\ answer\ here\b | \[\ ?(?:answer|response
        |placeholder|redacted)\ ?\]
    """,
    re.IGNORECASE | re.VERBOSE,
)
_REFUSAL = re.compile(
    r"(?:i(?:'m|’m| am) (?:very )?sorry,? ?(?:but )?)?i(?:'m|’m| am)? ?"
    r"(?:can(?:'|’)?t|cannot|can not|unable to|not able to) (?:assist|help)(?: you)? "
    r"with (?:that|this)(?: request| question)?\.?",
    re.IGNORECASE,
)
_LOOKS = re.compile(
    r"(?:how (?:many|much)|what colou?r|which|where|who|count|describe|caption|read|ocr|transcribe"
    r"|point|locate|give the box|write a caption|list|name"
    r"|what (?:does|is|are|do|changed|kind|time|number))\b",
    re.IGNORECASE,
)
"""Questions about what a picture shows; nobody has a reason to refuse them."""
_HOLE = re.compile(
    r"\[object \w+\]|\{\{?\s*[A-Za-z_]+\s*\}?\}|<[A-Z_ ]*(?:ANSWER|RESPONSE)[A-Z_ ]*>"
)
"""What a script leaves where a text should be."""
_NOTHING = frozenset(
    "n/a na none null nan nil undefined todo tbd placeholder answer response unknown test "
    "- -- . ... … ?".split()
)
_MAYBE = frozenset(("none", "unknown"))
"""Of these, what may be the answer where no gold says otherwise."""
_START = 300
"""Letters at a reply's start in which boilerplate stands."""
_OPENERS = frozenset(
    "the a an of and or is are was were to in on at with for from that which by as its this their "
    "his her than but because has have be been into between it's not".split()
)
_ENDING = re.compile(r"[.!?。！？…:;)\]}>\"'”’`*|%$°。》」』】~]$")
_WORDS = 6
"""Words that a last sentence has before its missing full stop says anything."""


def empty(row: Row, facts: Facts) -> Result:
    """Flag replies, and questions, that say nothing."""
    gold = answer(row).get("gold")
    doubts = []
    for index, text in spoken(row, "assistant"):
        said = bare(reply(text).answer)
        thought = text.strip().startswith("<think>") and text.strip().endswith("</think>")
        if not said and not thought:
            doubts.append(Doubt("an empty reply", at(index)))
        elif said.casefold() in _MAYBE and not isinstance(gold, str):
            continue
        elif (said.casefold() in _NOTHING or _HOLE.fullmatch(said)) and not (
            isinstance(gold, str) and tidy(gold) == tidy(said)
        ):
            doubts.append(Doubt(f"a reply that says nothing: {said!r}", at(index)))
        elif _BOILERPLATE.search(said[:_START]) or (
            # Where nothing is asked that has an answer, a refusal may be right.
            _REFUSAL.fullmatch(said)
            and (tidy(gold) != tidy(said) if isinstance(gold, str) else _only_looks(row, index))
        ):
            doubts.append(Doubt("a boilerplate reply", at(index)))
    for index, text in spoken(row, "user"):
        if not bare(text):
            doubts.append(Doubt("an empty question", at(index)))
    return Result(row, (), tuple(doubts))


def _only_looks(row: Row, index: int) -> bool:
    """Whether a turn replies to a question about what the row's pictures show."""
    asked = bare(turns(row)[index - 1]["value"]) if index else ""
    return bool(pictures(row)) and _LOOKS.match(asked) is not None


def repeated(row: Row, facts: Facts) -> Result:
    """Flag replies that say their question again, or one thing over and over."""
    doubts, asked = [], ""
    for index, turn in enumerate(turns(row)):
        text = turn["value"]
        if turn["from"] in ("human", "user"):
            asked = " ".join(bare(text).split()).casefold()
            continue
        said = " ".join(bare(reply(text).answer).split()).casefold()
        if (
            len(asked) >= 8
            and (len(asked.split()) > 2 or not asked.isascii())
            and (said == asked or (said.startswith(asked) and asked.endswith(("?", "？"))))
        ):
            doubts.append(Doubt("the reply says the question again", at(index)))
        elif _over_and_over(said):
            doubts.append(Doubt("the reply says one thing over and over", at(index)))
    return Result(row, (), tuple(doubts))


def _over_and_over(said: str) -> bool:
    """Three equal sentences or lines running, or a short text twice and nothing else."""
    parts = [part.strip() for part in re.split(r"(?<=[.!?。])\s+|\n+", said) if part.strip()]
    for one, two, three in zip(parts, parts[1:], parts[2:], strict=False):
        if one == two == three and len(one) > 3:
            return True
    words = said.split()
    half = len(words) // 2
    same = len(words) >= 2 and len(words) % 2 == 0 and words[:half] == words[half:]
    return same and (half > 1 or len(words[0]) > 3) and half <= 12


def cut_off(row: Row, facts: Facts) -> Result:
    """Flag replies that end in the middle."""
    doubts = []
    gold = answer(row).get("gold")
    for index, text in spoken(row, "assistant"):
        said = bare(reply(text).answer)
        reason = _cut(said) if said and said != gold else ""
        if reason:
            doubts.append(Doubt(f"the reply is cut off: {reason}", at(index)))
    return Result(row, (), tuple(doubts))


def _cut(said: str) -> str:
    """How a reply is cut off; empty when it is not."""
    plain = re.sub(r"\\[\\$]", "", said)
    if plain.count("```") % 2:
        return "a code block without end"
    outside = re.sub(r"```.*?```", "", plain, flags=re.DOTALL).replace("$$", "")
    if outside.count("$") % 2 and "\\" in outside.rpartition("$")[2]:
        return "LaTeX without its closing $"
    if len(re.findall(r"\\begin\{", said)) != len(re.findall(r"\\end\{", said)):
        return "a LaTeX environment without end"
    if said.count("\\(") > said.count("\\)") or re.search(r"\\boxed\{[^}]*$", said):
        return "LaTeX without end"
    last = re.split(r"(?<=[.!?])\s+|\n+", said)[-1]
    words = last.split()
    if _ENDING.search(said) and not said.endswith((",",)):
        return ""
    if len(said.split()) >= 4 and (said.endswith((",", " -")) or _opens(words[-1])):
        return f"ends in {words[-1]!r}"
    if re.search(r"\[[^\])]*$", last) or re.search(r"\([^)\]]{20,}$", last):
        return "a bracket without end"
    prose = (
        last.isascii() and not re.search(r"[=|{}\\]", last) and "\n" not in said[-len(last) - 1 :]
    )
    if re.search(r"\b(?:answer|option|choice)\b", last, re.IGNORECASE):
        # "Answer: A" needs no stop.
        return ""
    if prose and len(words) >= 2 and _stops(said[: -len(last)]):
        return "its last sentence has no end"
    sentence = "\n" not in said and prose and last[:1].isupper() and len(words) >= 2 * _WORDS
    return "its sentence has no end" if sentence and "," not in last else ""


def _opens(word: str) -> bool:
    """Whether a word wants another one after it; a capital alone is an option's letter."""
    return word not in ("A", "I") and word.lower() in _OPENERS


def _stops(earlier: str) -> bool:
    """Whether a text is sentences, each with its stop."""
    found = [one for one in re.split(r"(?<=[.!?])\s+", earlier) if one.strip()]
    return (
        bool(found)
        and len(earlier.split()) >= 4
        and all(one.endswith((".", "!", "?")) for one in found)
    )


EMPTY_REPLIES = Operator("empty_replies", 1, "check", "empty and boilerplate replies", empty)
REPEATED_REPLIES = Operator(
    "repeated_replies", 1, "check", "replies that repeat the question or themselves", repeated
)
CUT_OFF_REPLIES = Operator("cut_off_replies", 1, "check", "replies that end in the middle", cut_off)
