"""Logical checks: options, gold, reply, thinking and picture against each other.

All flag and change nothing: of two that disagree, the row does not say which is right.
"""

import re

from pellucid.data.llava import RowFault, parse_answer, parse_row
from pellucid.data.repair.base import Doubt, Facts, Operator, Result, Row
from pellucid.data.repair.choices import listed, options
from pellucid.data.repair.places import (
    TAG,
    answer,
    at,
    bare,
    last_question,
    last_reply,
    pictures,
    reply,
    spoken,
)
from pellucid.schema.record import Answer
from pellucid.score import judged
from pellucid.score.extract import final_answer, tidy, unwrap
from pellucid.score.number import Number, numbers

_SHOWN = re.compile(
    r"\b(?:in|from) (?:the|this|that|these|those)"
    r" (?:(?:given|above|following|provided|attached|input|shown|displayed) )?"
    r"(?:image|photo(?:graph)?|screenshot)s?\b(?! of (?:a|the) (?:function|set|map))"
    r"|\b(?:image|picture|photo(?:graph)?|figure|diagram|chart|screenshot)s?"
    r" (?:shown |given |provided )?(?:above|below)\b"
    r"|\b(?:shown|depicted|pictured|visible|seen) in (?:the|this)"
    r" (?:image|picture|photo(?:graph)?|screenshot)\b"
    r"|\b(?:the|this) (?:image|photo(?:graph)?|screenshot) (?:show|depict|contain|display)"
    r"|\bthe (?:picture|diagram|figure) (?:shows|depicts|displays)\b"
    r"|(?:^|[.!?]\s)in the (?:picture|photo|diagram|figure)\b"
    r"|\byou (?:will )?see .{0,12}(?:images|pictures|photos)\b"
    r"|\b(?:describe|look at|caption) (?:the|this) (?:image|picture|photo(?:graph)?|screenshot)\b"
    r"(?! of an?\b)"
    r"|\bdo(?:es)? (?:the|this|these) (?:image|picture|photo(?:graph)?|screenshot|chart)s? show"
    r"|\b(?:this|these) (?:image|picture|photo(?:graph)?|screenshot|chart|figure|diagram|graph)s?\b"
    r"|\b(?:in|from|by|on|between|into) (?:the|this|that|these|those)"
    r" (?:(?:given|above|following|first|second|last|left|right|two|other) )?"
    r"(?:image|picture|photo(?:graph)?|screenshot|chart|figure|diagram)s?"
    r"(?=\s*[?.,;:!]|\s*$| (?:&|and|or|shown|above|below)\b)"
    r"|\b(?:describe|caption|ocr|transcribe|read|for|at) (?:the|this)"
    r" (?:image|picture|photo(?:graph)?|screenshot|chart|figure|diagram)\s*[?.:!]"
    r"|\b(?:text|words|letters) (?:of|in|on) (?:the|this) (?:image|picture|photo|screenshot)\b"
    r"|\b(?:look at|see|between)(?: +and)* +[.,;?!]"
    r"|\b(?:sur|dans) (?:l['’]|cette )image\b|\b(?:auf dem|im) (?:Bild|Foto)\b"
    r"|\ben (?:la|esta) (?:imagen|foto(?:grafía)?)\b|\bна (?:рисунке|картинке|фото)"
    r"|图中|图片中|这张图|この(?:写真|画像|図)|این تصویر",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(?:option(?:['’]s|s['’]?)? (?:letter|text)"
    r"|text of the option|letter of the (?:correct )?option"
    r"|(?:from|of|among) the (?:given |following |above |provided )?(?:choices|options))\b",
    re.IGNORECASE,
)
_ANY_LIST = re.compile(
    r"\[[^\]\n]*[,;/|]|\bor\b|(?:^|[\s(\[])[A-Ja-j1-9][.):\]]\s*\S|^\s*[-*•]\s+\S|:\s*\S+\s*(?:[,;/]|\bor\b)",
    re.MULTILINE,
)
"""What may be a list of options in any form."""
_ASIDE = re.compile(r"!\[[^\]]*\]\([^)]*\)|\s\((?=[A-Z])[^()]*\.\)\s*$|\s\[(?=[A-Z])[^\]]*\]\s*$")
_AFTERTHOUGHT = re.compile(
    r"\s*[(\[]?(?:note|you can|we can (?:also|check)|also|alternatively|one "
    r"|we might|proof|remark|or\b|check|\\end|\\\])|.*\b(?:diagram|figure|picture)\b",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[^A-Za-z\[\]\\_{}]{1,24}(?:\s?[A-Za-z°²³%]{1,12})?\.?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CONCLUDES = re.compile(
    r"=|\b(?:answer|so|therefore|thus|hence|total|altogether|in all|result|conclude|gives"
    r"|equals|is equal|leaving|makes|means)\b"
    r"|\b(?:sum|difference|product|quotient|remainder|average|mean|median|result) (?:is|was)\b",
    re.IGNORECASE,
)
_BEST = re.compile(
    r"(?!(?:line|row|step|page|column|item|part|case|figure) \d)"
    r"[^:.]{1,30} [\d.]+: ([^:.]{1,30}) [\d.]+\.?",
    re.IGNORECASE,
)
"""The end of a walk along a list with the best so far: `cow 7: bee 9.`"""
_PLAIN = frozenset(("yes", "no", "true", "false", "none", "same", "different"))
_WORDS = dict(
    enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
)
_LETTER = re.compile(r"[(\[]?([A-J])[)\].]?")


def of_options(row: Row, facts: Facts) -> Result:
    """Flag options that stand twice, differ from the question's, or lack the gold."""
    doubts = []
    given, known = row.get("options"), options(row)
    where = "options" if isinstance(given, list) else "conversations"
    seen = [tidy(unwrap(one)) for one in known.values()]
    exact = [" ".join(one.split()) for one in known.values()]
    if len(set(seen)) < len(seen) and len(set(exact)) < len(exact):
        doubts.append(Doubt("an option stands twice", where))
    shown = listed(last_question(row))
    if isinstance(given, list) and shown and known and _differ(list(known.values()), shown):
        doubts.append(Doubt("the options are not those of the question", "options"))
    gold, kind = answer(row).get("gold"), answer(row).get("kind")
    asked = [text for _, text in spoken(row, "user")]
    # Of several pictures, some may be the options.
    alone = not given and not known and len(pictures(row)) < 2
    if alone and asked and _NAMED.search(asked[-1]):
        if not any(_ANY_LIST.search(text.replace(TAG, " ")) for text in asked):
            doubts.append(Doubt("asks for one of the options and lists none", "conversations"))
    if isinstance(gold, str) and known and kind == "choice":
        if re.fullmatch("[A-Z]", gold) and gold not in known:
            doubts.append(Doubt(f"the gold {gold} is none of {len(known)} options", "answer.gold"))
        elif gold in known and _of_another(row, gold, known):
            doubts.append(Doubt(f"an alias is the text of another option than {gold}", "answer"))
    elif isinstance(gold, str) and isinstance(given, list) and known and kind in ("text", "number"):
        golds = {tidy(gold), *map(tidy, _aliases(row))}
        letter = gold.strip() in known
        if not letter and not golds & {*seen, *map(tidy, known.values())}:
            doubts.append(Doubt("the gold is none of the options", "answer.gold"))
    return Result(row, (), tuple(doubts))


def _aliases(row: Row) -> list[str]:
    found = answer(row).get("aliases")
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _differ(given: list[str], shown: dict[str, str]) -> bool:
    one, two = (
        [tidy(unwrap(text)) for text in given],
        [tidy(unwrap(text)) for text in shown.values()],
    )
    # Options that are letters alone stand for what the picture shows beside them.
    return one != two and not all(re.fullmatch("[a-j]", text) for text in one)


def _of_another(row: Row, gold: str, known: dict[str, str]) -> bool:
    texts = {tidy(unwrap(text)): letter for letter, text in known.items()}
    named = {texts[tidy(unwrap(alias))] for alias in _aliases(row) if tidy(unwrap(alias)) in texts}
    return bool(named) and gold not in named


def of_gold(row: Row, facts: Facts) -> Result:
    """Flag a last reply that the scorer of its gold calls wrong."""
    replied = last_reply(row)
    given = row.get("answer")
    if replied is None or not isinstance(given, dict):
        return Result(row)
    try:
        gold = parse_answer(given)
    except RowFault:
        return Result(row)
    said = bare(replied[1].answer)
    if gold.kind in ("box", "point") and max(map(float, _NUMBER.findall(said)), default=0) > 1:
        # In another convention, which is the business of `coordinates`.
        return Result(row)
    if not said or tidy(said) == tidy(gold.gold) or _right(said, gold, options(row)):
        return Result(row)
    reason = f"the reply {_short(said)} is not the gold {_short(gold.gold)}"
    return Result(row, (), (Doubt(reason, at(replied[0])),))


def _right(said: str, gold: Answer, known: dict[str, str]) -> bool:
    """Whether a reply may be right, as far as anyone can say."""
    if gold.kind == "text":
        held = tidy(said)
        golds = [tidy(one) for one in (gold.gold, *gold.aliases)]
        return any(one in held or (len(held) > 3 and held in one) for one in golds if one)
    if gold.kind == "choice" and gold.gold in known:
        gold = Answer("choice", gold.gold, (*gold.aliases, known[gold.gold]))
    if gold.kind == "expression":
        read, wanted = numbers(said), numbers(gold.gold)
        plain = not re.search(r"[A-Za-z\\^,]", said + gold.gold)
        return not plain or len(read) != 1 or len(wanted) != 1 or read == wanted
    return judged(said, gold) != 0


def _short(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 40 else shown[:37] + "..."


def of_thinking(row: Row, facts: Facts) -> Result:
    """Flag replies whose thinking ends in another value than their answer."""
    doubts = []
    for index, text in spoken(row, "assistant"):
        _, thinking, said = reply(text)
        if thinking and thinking.strip() and said.strip():
            reason = _unlike(thinking.strip(), bare(said))
            if reason:
                doubts.append(Doubt(reason, at(index)))
    return Result(row, (), tuple(doubts))


def _unlike(thinking: str, said: str) -> str:
    """How the end of a thinking and the answer disagree; empty when they do not."""
    thinking = _ASIDE.sub("", thinking).rstrip()
    concluded = final_answer(thinking)
    letter, named = _LETTER.fullmatch(said), _LETTER.fullmatch(concluded.text)
    if concluded.rule != "whole" and letter and named:
        return "" if letter[1] == named[1] else f"thinks {named[1]}, answers {letter[1]}"
    last = _sentences(thinking)[-1]
    values = numbers(said)
    if len(values) == 1 and _VALUE.fullmatch(said):
        if concluded.rule == "boxed":
            return _other_value(concluded.text, values[0], said)
        # What only describes the picture may end in any number.
        return _other_value(last, values[0], said) if _CONCLUDES.search(last) else ""
    if len(said.split()) > 3 or tidy(said) in _PLAIN or re.search(r"[\\$\[{]", said):
        return ""
    mine, theirs = tidy(said), tidy(concluded.text)
    best = _BEST.fullmatch(last.strip())
    if best:
        mine, theirs = tidy(said), tidy(best[1])
    elif concluded.rule == "whole" or len(theirs.split()) > 3:
        return ""
    return "" if mine in theirs or theirs in mine else f"thinks {theirs!r}, answers {said!r}"


def _sentences(text: str) -> list[str]:
    """The sentences of a text that say something in the end; asides after them are left out."""
    found = [one for one in re.split(r"(?<=[.!?。])\s+|\n+", text) if one.strip()]
    while len(found) > 1 and _AFTERTHOUGHT.match(found[-1]):
        found.pop()
    return found or [text]


def _other_value(last: str, value: Number, said: str) -> str:
    ended = numbers(last)
    if not ended:
        return ""
    if re.search(r"[A-Za-z\\]", last) is None and "=" in last:
        # Bare arithmetic: what stands after the last sign of equality is its result.
        ended = numbers(last.rpartition("=")[2]) or ended
    if any(value.exact in (one.exact, one.applied) or value.applied == one.exact for one in ended):
        return ""
    word = _WORDS.get(int(value.exact)) if value.exact.denominator == 1 else None
    if word and re.search(rf"\b{word}\b", last, re.IGNORECASE):
        return ""
    return f"ends its thinking in {float(ended[-1].exact):g}, answers {said!r}"


def of_picture(row: Row, facts: Facts) -> Result:
    """Flag questions about a picture in rows without one, and pictures that are not there."""
    names = pictures(row)
    if facts.there is not None and (gone := [one for one in names if not facts.there(one)]):
        return Result(row, (), (Doubt(f"the picture {_short(gone[0])} is not there", "image"),))
    if names or row.get("image"):
        return Result(row)
    for index, text in spoken(row, "user"):
        found = _SHOWN.search(text)
        if found and "[asy]" not in text and "```" not in text and not _table(text):
            reason = f"asks about a picture ({found[0]!r}) and has none"
            return Result(row, (), (Doubt(reason, at(index)),))
    return Result(row)


def _table(text: str) -> bool:
    """Whether a text holds a table, which then is the chart that it speaks of."""
    return len(re.findall(r"^[^\n]*(?:[\t|]|\w,\w|\",)[^\n]*$", text, re.MULTILINE)) > 2


def soundness(row: Row, facts: Facts) -> Result:
    """Flag a row that cannot become a record."""
    try:
        parse_row(row)
    except RowFault as fault:
        return Result(row, (), (Doubt(str(fault), "row"),))
    return Result(row)


OPTIONS = Operator(
    "options", 1, "check", "options twice, unlike the question's, without the gold", of_options
)
GOLD_AND_REPLY = Operator(
    "gold_and_reply", 1, "check", "a reply that its gold calls wrong", of_gold
)
THINKING_AND_ANSWER = Operator(
    "thinking_and_answer", 1, "check", "a thinking that ends in another value", of_thinking
)
ABSENT_PICTURE = Operator("absent_picture", 1, "check", "a question about no picture", of_picture)
SOUNDNESS = Operator("soundness", 1, "check", "a row that cannot become a record", soundness)
