r"""Replies not in the form that the question asks for, and marks of other formats left in texts.

Value: the number of such faults. A form is only looked for where the question asks for it in words
that open sets use ("Answer with the option's letter", "only the number", "in JSON", `\boxed{}`).
Leaves out on purpose: repairs, and rows that cannot become records (`data/check.py`).
"""

import json
import re
from collections.abc import Callable, Iterator

from pellucid.data.triage.signals.base import Context, Found, Look, SignalKind, question, reply
from pellucid.recipe.triage import AnswerFormatSignal
from pellucid.schema.record import Record

_LETTER = re.compile(r"[(\[]?[A-Z][)\].:]?\.?")
_NUMBER = re.compile(r"[-+]?[$€£]?\s?[\d,]*\.?\d+(?:[eE][-+]?\d+)?\s?%?\.?")
_BOX = re.compile(r"[\[(]\s*-?[\d.]+(?:\s*,\s*-?[\d.]+){3}\s*[\])]")
_YES_NO = re.compile(r"(?:yes|no|true|false)\b", re.IGNORECASE)


def _is_json(text: str) -> bool:
    bare = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    try:
        json.loads(bare)
    except (ValueError, RecursionError):
        return False
    return True


_FORMS: tuple[tuple[str, str, Callable[[str], object]], ...] = (
    (
        "an option's letter",
        r"answer (?:directly )?with (?:only )?the (?:option'?s? |correct )*letter"
        r"|(?:only|just) (?:give |write |output )?the (?:option )?letter",
        lambda text: _LETTER.fullmatch(text),
    ),
    (
        "a word or a phrase",
        r"(?:single|one) word(?: or (?:a )?(?:short )?phrase)?\b(?!s)",
        lambda text: len(text.split()) <= 8,
    ),
    (
        "a number alone",
        r"(?:only|just) (?:with )?(?:the|a) number\b"
        r"|answer (?:only )?with (?:only )?(?:the|a) number",
        lambda text: _NUMBER.fullmatch(text.strip(" {}$*")),
    ),
    (
        "yes or no",
        r"(?:answer|reply|respond)[^.?!\n]{0,20}\W(?:yes\W{1,5}or\W{1,5}no|true\W{1,5}or\W{1,5}false)\b",
        lambda text: _YES_NO.match(text.strip(" *'\"")),
    ),
    ("JSON", r"\b(?:in|as|valid) json\b", _is_json),
    ("a box", r"\[\s*x_?(?:1|min)\s*,\s*y_?(?:1|min)\s*,", lambda text: _BOX.search(text)),
    (r"\boxed{}", r"\\boxed\{", lambda text: "\\boxed{" in text),
)
_ASKED = [(name, re.compile(asked, re.IGNORECASE), holds) for name, asked, holds in _FORMS]
_PREFIX = re.compile(r"(?:begin|start) your (?:answer|reply) with ['\"“]([^'\"”\[{<]{3,60})", re.I)

_LEFT = (
    ("a thinking tag", re.compile(r"</?\s*(?:no|not)?think(?:ing)?\s*>", re.IGNORECASE)),
    ("a chat template's token", re.compile(r"<\|[a-z_]+\|>|\[/?INST\]|<</?SYS>>|</?s>")),
    ("an HTML entity", re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{2,5});")),
    ("text decoded wrongly", re.compile("�|â€[™œ“”]|Ã[©¨¼¶¤±]")),
    ("an escape shown as text", re.compile(r"(?<!\\)\\n(?=[A-Z\d\s]|\\n)")),
)
_IMAGE_TAG = re.compile(r"<\s*/?\s*(?:image|img|imge|iamge|picture)[\s_-]*\d*\s*>", re.IGNORECASE)


def make(context: Context, options: AnswerFormatSignal) -> Look:
    """A look at the texts of a record."""

    def look(record: Record) -> Found:
        found = [*_unlike(record), *_left(record)]
        if found:
            return Found(float(len(found)), "formatting_errors", "; ".join(found[:3]))
        return Found(0.0)

    return look


def _unlike(record: Record) -> Iterator[str]:
    """Forms that the last question asks for and the last reply does not have."""
    asked, said = question(record), reply(record).text.strip()
    for name, pattern, holds in _ASKED:
        if pattern.search(asked) and not holds(said):
            yield f"the question asks for {name}"
    wanted = _PREFIX.search(asked)
    start = wanted[1].strip().casefold() if wanted else ""
    if not said.casefold().lstrip("'\"*").startswith(start):
        yield f"the question asks for a reply that starts with {start!r}"


def _left(record: Record) -> Iterator[str]:
    """Marks of other formats in what is said."""
    for turn in record.messages:
        if turn.role == "system":
            continue
        for name, pattern in _LEFT:
            if pattern.search(turn.text):
                yield f"{name} in a text of the {turn.role}"
        if turn.role == "user" and _IMAGE_TAG.search(turn.text):
            yield "an image tag that is only text"


SIGNAL = SignalKind(1, make)
