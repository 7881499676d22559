"""Mode tags and thinking: spelling, balance, and an answer that stayed inside the thinking.

The tags of a reply are `<think>...</think>` and `<nothink>`. A thinking without its end is cut
where the gold stands as the last thing said; an answer is moved out of a thinking that holds it
under a label or as its last sentence. Replies that speak about tags keep them.
"""

import re
from collections.abc import Callable
from difflib import SequenceMatcher

from pellucid.data.repair.base import Doubt, Edit, Facts, Operator, Result, Row
from pellucid.data.repair.places import (
    answer,
    at,
    last_question,
    spoken,
    turns,
    with_text,
    with_texts,
)
from pellucid.schema.record import Answer
from pellucid.score import judged
from pellucid.score.extract import tidy, unwrap

_TOKEN = re.compile(
    r"(?P<open><<|<\||<|\[|\{|◁|＜|«)\s*(?P<slash>[/\\]{0,2})\s*"
    r"(?P<word>[A-Za-z][A-Za-z_\- ]{2,13}?)"
    r"\s*(?P<late>[/\\]?)\s*(?P<close>>>|\|>|>|\]|\}|▷|＞|»)"
)
_SWITCH = re.compile(r"\s*(?i:/no[_ -]?think)(?![a-z])[ ]?")
_HALF = re.compile(r"\s*(?:<no_?think(?![a-z>_/\- ])|no_?think>)")
"""A mode tag that lost one of its brackets."""
_ENDED = re.compile(r"\s*</\s*no[ _-]?think(?:ing)?\s*>", re.IGNORECASE)
"""A mode tag with a slash, where a reply begins."""
_LAST_SWITCH = re.compile(r"/no_?think$")
_NOTHINK = frozenset(
    "nothink notthink nothinking notthinking nonthink nonthinking dontthink nothinks nothought "
    "nothinkg".split()
)
_THINK = frozenset("think thinking thinks thought thoughts thinkg thingk".split())
_OTHER = frozenset(("reasoning", "reason", "cot", "analysis"))
_LAST_BOX = re.compile(r"\[[\d., ]+\]$")
"""A reply rounds its box, so it is not the gold to the letter."""
_OPENS = re.compile(r"<think>(?:\s*<think>)+")
_CLOSES = re.compile(r"</think>(?:\s*</think>)+")
_NOTHINKS = re.compile(r"^\s*<nothink>(?:\s*<nothink>)+")
_LABEL = re.compile(
    r"(?:^|\n|(?<=[.!?。])\s|\s{2,}|\s(?=(?-i:Final [Aa]nswer|Answer)))"
    r"\s*(?:\*\*|#+\s*)?(?:the\s+)?(?:final\s+)?answer(?:\*\*)?\s*[:：]"
    r"(?:\*\*)?\s*(?P<said>[^\n]+?)\s*$",
    re.IGNORECASE,
)
_BOXED = re.compile(r"(?:^|\n|(?<=[.!?。])\s)\s*\$?\\boxed\{(?P<said>[^{}]+)\}\$?\.?\s*$")
_SENTENCE = re.compile(
    r"(?:^|\n|(?<=[.!?。])\s|\s(?=(?-i:The |So )))\s*"
    r"(?:(?:so|thus|therefore|hence)[, ]+)?the\s+(?:final\s+|correct\s+)?"
    r"answer\s+is[:\s]\s*(?P<said>[^\n]+?)\s*$",
    re.IGNORECASE,
)


def _each(row: Row, change: Callable[[str], str]) -> Result:
    return with_texts(row, {index: change(text) for index, text in spoken(row, "assistant")})


def spelling(row: Row, facts: Facts) -> Result:
    """Spell mode tags and thinking tags right."""
    new = {}
    for index, text in spoken(row, "assistant"):
        spelt = _spelt(text)
        marked = spelt.startswith("<nothink>") and not text.lstrip().startswith("<nothink>")
        if marked and row.get("mode") == "nothink":
            # The row says so in its own field; what stands in the text came there by mistake.
            spelt = spelt.removeprefix("<nothink>").lstrip(" ")
        new[index] = spelt
    return _without_switch(with_texts(row, new))


def _spelt(text: str) -> str:
    switch = _SWITCH.match(text)
    if switch:
        text = "<nothink>" + text[switch.end() :]
    ended = _ENDED.match(text) or _HALF.match(text)
    if ended and "<nothink>" not in text:
        text = "<nothink>" + text[ended.end() :]
    first = _TOKEN.match(text.lstrip())
    if first and not first["slash"] and _is(first, _NOTHINK, "nothink"):
        start = len(text) - len(text.lstrip())
        text = text[:start] + "<nothink>" + text[start + first.end() :]
    if text.lstrip().startswith("<nothink>"):
        text = _NOTHINKS.sub("<nothink>", text)
        text = re.sub(r"^(\s*<nothink>)\s*</\s*no[ _-]?think\s*>", r"\1", text)
        return re.sub(r"\s*</\s*no[ _-]?think(?:ing)?\s*>\s*$", "", text)
    return _spelt_thinking(text)


def _spelt_thinking(text: str) -> str:
    first = _TOKEN.match(text.lstrip())
    opened = first is not None and not first["slash"] and _opens(first, text)
    if first is not None and opened and first[0] != "<think>":
        start = len(text) - len(text.lstrip())
        text = text[:start] + "<think>" + text[start + first.end() :]
    if not opened and "</think>" in text:
        return text
    ends = [
        found
        for found in _TOKEN.finditer(text)
        if found[0] not in ("<think>", "</think>")
        and (found["slash"] or (found["late"] and opened))
        and (_is(found, _THINK, "think") or (opened and _word(found) in _OTHER))
    ]
    if "</think>" in text or len(ends) != 1:
        return text
    return text[: ends[0].start()] + "</think>" + text[ends[0].end() :]


def _opens(found: re.Match[str], text: str) -> bool:
    if _is(found, _THINK, "think") and found["open"] not in ("[", "{"):
        return True
    end = re.compile(rf"[<\[{{]\s*/\s*{re.escape(_word(found))}\s*[>\]}}]", re.IGNORECASE)
    known = _word(found) in _OTHER or _is(found, _THINK, "think")
    return known and (end.search(text) is not None or "</think>" in text)


def _word(found: re.Match[str]) -> str:
    return re.sub(r"[^a-z]", "", found["word"].casefold())


def _is(found: re.Match[str], known: frozenset[str], name: str) -> bool:
    """Whether a bracketed word is a spelling of a tag, and nearer to it than to the other."""
    word = _word(found)
    if word in known:
        return True
    if found["open"] not in ("<", "<|", "<<") or word in _NOTHINK | _THINK:
        return False
    other = {"think": "nothink", "nothink": "think"}[name]
    ratio = SequenceMatcher(None, word, name).ratio()
    return ratio >= 0.75 and ratio > SequenceMatcher(None, word, other).ratio()


def _without_switch(result: Result) -> Result:
    """The user's `/no_think` gone where the reply says the same; flagged where it does not."""
    row, edits = result.row, list(result.edits)
    found = turns(row)
    for index, text in spoken(row, "user"):
        if not _LAST_SWITCH.search(text.rstrip()):
            continue
        follows = found[index + 1]["value"] if index + 1 < len(found) else ""
        if not follows.lstrip().startswith("<nothink>") and row.get("mode") != "nothink":
            doubt = Doubt("a question ends in another model's mode switch", at(index))
            return Result(row, tuple(edits), (doubt,))
        new = _LAST_SWITCH.sub("", text.rstrip()).rstrip()
        row = with_text(row, index, new)
        edits.append(Edit(text, new, at(index)))
    return Result(row, tuple(edits))


def balance(row: Row, facts: Facts) -> Result:
    """One `<think>` at the start of a reply and one `</think>` after it, or neither."""
    last = len(turns(row)) - 1
    golds = _golds(row)
    result = _each(row, lambda text: text)
    new = {
        index: _balanced(text, golds if index == last else [], row.get("mode"))
        for index, text in spoken(row, "assistant")
    }
    result = with_texts(row, new)
    doubts = [
        Doubt(rule, at(index))
        for index, text in spoken(result.row, "assistant")
        if (rule := _unbalanced(text))
    ]
    final = turns(result.row)[-1:]
    if row.get("mode") == "nothink" and any("</think>" in turn["value"] for turn in final):
        doubts.append(Doubt("is marked as not thinking and thinks", "mode"))
    return Result(result.row, result.edits, tuple(doubts))


def _golds(row: Row) -> list[str]:
    given = answer(row)
    aliases = given.get("aliases")
    listed = [given.get("gold"), *(aliases if isinstance(aliases, list) else ())]
    return [text for text in listed if isinstance(text, str) and text.strip()]


def _about_tags(text: str) -> bool:
    return re.search(r"[`'\"“]</?(?:no)?think>", text) is not None


def _balanced(text: str, golds: list[str], mode: object) -> str:
    if "think>" not in text or _about_tags(text):
        return text
    text = _CLOSES.sub("</think>", _OPENS.sub("<think>", text))
    opens, closes = text.count("<think>"), text.count("</think>")
    said = text.lstrip()
    if (opens, closes) == (0, 1):
        thought = said.partition("</think>")[0].strip()
        return f"<think>{text}" if thought and not said.startswith("<nothink>") else text
    if (opens, closes) == (2, 0) and said.startswith("<think>"):
        return "<think>" + said[len("<think>") :].replace("<think>", "</think>")
    if (opens, closes) == (0, 2) and said.startswith("</think>"):
        return "<think>" + said[len("</think>") :]
    if (opens, closes) == (1, 1) and said.startswith("</think>") and not said.endswith("<think>"):
        return "<think>" + said[len("</think>") :].replace("<think>", "</think>")
    if (opens, closes) == (1, 2) and said.startswith("<think>") and said.endswith("</think>"):
        kept = said.removesuffix("</think>")
        return kept if kept.partition("</think>")[2].strip() in golds else text
    if (opens, closes) == (1, 0) and said.startswith("<think>"):
        return _closed(text, golds)
    if (opens, closes) == (1, 1) and said.endswith("</think>") and not said.startswith("<think>"):
        before, _, thought = said.partition("<think>")
        if any(tidy(before) == tidy(gold) for gold in golds):
            return f"<think>{thought}{before.strip()}"
    return text


def _closed(text: str, golds: list[str]) -> str:
    """A thinking with its end before the gold, where the gold is the last thing said."""
    body = text.rstrip()
    box = _LAST_BOX.search(body)
    for gold in [*golds, box[0]] if box and golds and golds[0].startswith("[") else golds:
        if not body.endswith(gold):
            continue
        thought = body[: -len(gold)]
        space = thought[len(thought.rstrip()) :]
        if space:
            # Did the thinking end before it, or after it, or is this its last line?
            continue
        ends = thought.endswith((".", "!", "?", "。", "！", "？", ")", "]", "}", "$"))
        # "... = 64" and at once "64": the thinking's last value and the answer.
        said_twice = re.search(rf"(?<![\w.,]){re.escape(gold)}$", thought) is not None
        if not thought.strip().removeprefix("<think>").strip():
            continue
        if ends or said_twice:
            return f"{thought}</think>{gold}"
    return text


def _unbalanced(text: str) -> str:
    opens, closes = text.count("<think>"), text.count("</think>")
    if not opens and not closes:
        return ""
    if _about_tags(text):
        return ""
    if text.lstrip().startswith("<nothink>"):
        return "is marked as thinking and as not thinking"
    if opens != 1 or closes != 1:
        return f"{opens} <think>, {closes} </think>"
    if not text.lstrip().startswith("<think>"):
        return "the thinking does not come first"
    return "" if text.index("<think>") < text.index("</think>") else "ends before it begins"


def answer_out(row: Row, facts: Facts) -> Result:
    """Put a final answer that stands inside the thinking after it."""
    new, doubts = {}, []
    last = len(turns(row)) - 1
    for index, text in spoken(row, "assistant"):
        said = text.strip()
        if (
            not said.startswith("<think>")
            or not said.endswith("</think>")
            or said.count("think>") > 2
        ):
            continue
        moved = _out(said, row if index == last else {})
        if moved is None:
            doubts.append(Doubt("thinks and gives no answer", at(index)))
        else:
            new[index] = moved
    result = with_texts(row, new) if new else Result(row)
    return Result(result.row, result.edits, tuple(doubts))


def _out(text: str, row: Row) -> str | None:
    inner = text.removeprefix("<think>").removesuffix("</think>")
    lead, body = inner[: len(inner) - len(inner.lstrip())], inner.strip()
    block = re.search(r"\s*(?P<said><answer>.+?</answer>)$", body, re.DOTALL)
    boxed = _BOXED.search(body)
    if boxed and boxed["said"] in _golds(row) and "boxed" not in last_question(row):
        kept = body[: boxed.start()].rstrip()
        return f"<think>{lead}{kept}{_end(inner)}</think>{boxed['said']}" if kept else None
    found = block or _LABEL.search(body) or _SENTENCE.search(body)
    if found is not None:
        said = found["said"].strip()
        kept = body[: found.start()].rstrip()
        if found is not block:
            said = _plain(said, row)
        elif "<answer>" not in last_question(row):
            plain = said.removeprefix("<answer>").removesuffix("</answer>").strip()
            said = plain if plain in _golds(row) else said
        if kept and said and _right(said, row):
            return f"<think>{lead}{kept}{_end(inner)}</think>{said}"
        return None
    for gold in _golds(row):
        kept = body.removesuffix(gold)
        if kept != body and kept.rstrip() != kept and kept.strip():
            if "\n" in kept[len(kept.rstrip()) :] or kept.rstrip().endswith((".", "?", "!", "。")):
                return f"<think>{lead}{kept.rstrip()}{_end(inner)}</think>{gold}"
    return None


def _end(inner: str) -> str:
    """The space before the closing tag, where it has a line for itself."""
    return "\n" if inner.endswith("\n") and inner.startswith("\n") else ""


def _plain(said: str, row: Row) -> str:
    """What is said, as the gold writes it where it means the same."""
    for form in (said, said.rstrip(". "), unwrap(said.rstrip(". "))):
        if form in _golds(row):
            return form
    return unwrap(said.rstrip(" ").removesuffix("."))


def _right(said: str, row: Row) -> bool:
    """Whether nothing known speaks against this answer."""
    given = answer(row)
    if not isinstance(given.get("kind"), str) or not isinstance(given.get("gold"), str):
        return True
    if said in _golds(row):
        return True
    gold = Answer(given["kind"], given["gold"], tuple(_golds(row)[1:]))
    return judged(said, gold) != 0


MODE_TAGS = Operator(
    "mode_tags", 1, "mend", "misspelt mode and thinking tags (<notthink>)", spelling
)
THINKING_TAGS = Operator("thinking_tags", 1, "mend", "unbalanced thinking tags", balance)
ANSWER_IN_THINKING = Operator(
    "answer_in_thinking", 1, "mend", "a final answer that stands inside the thinking", answer_out
)
