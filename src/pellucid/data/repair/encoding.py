"""Texts that went through the wrong encoding, and characters that nobody sees.

Mojibake is undone by ftfy, and of all that ftfy does, by that alone: no other quotes, no other
normal form, no other width. Joiners stay where a script needs them.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Any

from pellucid.data.repair.base import Doubt, Facts, Operator, Result, Row
from pellucid.data.repair.places import (
    KEY,
    count_tags,
    map_texts,
    pictures,
    role,
    texts,
    turns,
    with_texts,
)

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CARRIED = {0x18: "‘", 0x19: "’", 0x1C: "“", 0x1D: "”", 0x13: "–", 0x14: "—"}
"""Control characters that are what a general punctuation mark (U+20xx) lost its high byte to."""
_HIDDEN = re.compile("[\u200b\u2060\ufeff\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069\u200c\u200d]")
_JOINERS, _DIRECTIONS = (
    "\u200c\u200d",
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
)
_SPACES = " \t\r\n\u00a0\u3000\u2002\u2003\u2009\u202f"
_LOST = re.compile("\ufffd|锟斤拷|ï¿½")
_HINT = re.compile("[\u0080-\uffff]")
_RUN = re.compile("[^\x00-\x7f]{4,}")
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]*")
_ABOUT = re.compile(
    r"\bmojibake\b|\bencod(?:ing|ings|ed)\b|\bdecod(?:ing|ed?)\b|\butf-?8\b|\blatin-?1\b"
    r"|\bcp-?1252\b|\bwindows-?1252\b|\biso-?8859|\bascii\b|\bunicode\b|\bgarbled\b|\bcharset\b",
    re.IGNORECASE,
)
_GAP = re.compile(r"(?<=[^\W\d_])(?: {2,}|\t+ *)(?=[^\W\d_])")


def mojibake(row: Row, facts: Facts) -> Result:
    """Undo what a wrong decoding did to texts; a row about encodings quotes it."""
    about = any(_ABOUT.search(turn["value"]) for turn in turns(row))
    if about and not any("\ufffd\ufffd" in text for _, text in texts(row)):
        return Result(row)
    result = map_texts(row, _decoded)
    doubts = tuple(
        Doubt("holds characters that were lost in a wrong encoding", where)
        for where, text in texts(result.row)
        if _LOST.search(text) or _through_gbk(text)
    )
    return Result(result.row, result.edits, doubts)


def _decoded(text: str) -> str:
    # Letters that are lost already leave nothing to decode.
    if not _HINT.search(text) or "\ufffd" in text:
        return text
    fixed: str = _ftfy()(text)
    # What was ambiguous to ftfy may have become a character of replacement; then nothing is sure.
    return text if "\ufffd" in fixed and "\ufffd" not in text else fixed


@lru_cache(maxsize=1)
def _ftfy() -> Any:
    """The repair of encodings alone by ftfy; loaded when the first text needs it."""
    from ftfy import TextFixerConfig, fix_encoding

    config = TextFixerConfig(replace_lossy_sequences=False, explain=False)
    return lambda text: fix_encoding(text, config)


def _through_gbk(text: str) -> bool:
    """Whether Chinese letters in it are the bytes of UTF-8 read as GBK."""
    for run in _RUN.findall(text):
        try:
            data = run.encode("gbk")
        except UnicodeError:
            continue
        # A letter at either end may have lost some of its bytes.
        for start in range(3):
            for end in range(3):
                read = data[start : len(data) - end].decode("utf-8", "ignore")
                whole = 3 * len(read) == len(data) - start - end
                if whole and len(read) > 1 and _CHINESE.fullmatch(read):
                    return True
    return False


def hidden(row: Row, facts: Facts) -> Result:
    """Drop control characters, unseen characters, and space around texts."""
    result = map_texts(row, _seen)
    # Where a tag is missing, a gap may be all that is left of it.
    whole = count_tags(result.row) == len(pictures(row))
    new = {
        index: _gaps(_trimmed(turn["value"]))
        if role(turn) == "user" and whole
        else _trimmed(turn["value"])
        for index, turn in enumerate(turns(result.row))
    }
    trimmed = with_texts(result.row, new) if KEY in result.row else Result(result.row)
    return Result(trimmed.row, result.edits + trimmed.edits)


def _seen(text: str) -> str:
    if text.isascii() and not _CONTROLS.search(text):
        return text
    text = re.sub(r"(?<=\w)[\x18\x19](?=\w)", lambda found: _CARRIED[ord(found[0])], text)
    text = _CONTROLS.sub("", text)
    return _HIDDEN.sub(lambda found: found[0] if _needed(text, found.start()) else "", text)


def _needed(text: str, index: int) -> bool:
    """Whether an unseen character does something where it stands."""
    letter = text[index]
    if letter in _DIRECTIONS:
        return any(unicodedata.bidirectional(one) in ("R", "AL") for one in text)
    if letter in _JOINERS:
        around = text[max(index - 1, 0) : index] + text[index + 1 : index + 2]
        return any(_joins(one) for one in around)
    return False


def _joins(letter: str) -> bool:
    """Whether joiners mean something beside a letter: emoji, variation signs, Arabic, Indic."""
    code = ord(letter)
    return (
        0x600 <= code < 0x1100
        or 0x1780 <= code < 0x1800
        or 0x2190 <= code < 0x2C00
        or (code >= 0xFE00 and not 0xFF00 <= code < 0xFFF0)
    )


def _trimmed(text: str) -> str:
    """Without outer space; one space or line break at the end is nobody's fault and stays.

    So does the space before a thinking that lost its opening tag.
    """
    opened = "</think>" not in text or "<think>" in text
    kept = text.lstrip(_SPACES) if opened else text
    end = kept.rstrip(_SPACES)
    return text if not end else kept if kept[len(end) :] in ("", " ", "\n") else end


def _gaps(text: str) -> str:
    """Wide gaps between words of plain prose as one space."""
    said = text.replace("<image>", "").strip()
    if "\n" in said or "|" in said or "`" in said or "\\" in said:
        return text
    return _GAP.sub(" ", text)


MOJIBAKE = Operator("mojibake", 1, "mend", "texts decoded in the wrong encoding", mojibake)
HIDDEN_CHARACTERS = Operator(
    "hidden_characters", 1, "mend", "control and unseen characters, stray space", hidden
)
