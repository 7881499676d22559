r"""Faults of text: read in a wrong encoding, escaped once too often, with signs that do not show.

A file that was badly read is bad in all its texts: turns, options, gold and aliases. Rows that
speak of markup or hold backslashes are left alone, as nothing would tell the fault from the text.
Leaves out on purpose: what is said.
"""

import html
import json
import re
from collections.abc import Callable
from random import Random

from pellucid.data.faults.base import Row, duplicate, question, texts, with_texts

_TAGS = ("<image>", "<think>", "</think>", "<nothink>")
_CUT = re.compile("(" + "|".join(map(re.escape, _TAGS)) + ")")
_ENTITY = re.compile(r"&#?\w+;")
_MARKUP = re.compile(r"</?[A-Za-z][\w-]*[ />]")
_INVISIBLE = ("\ufeff", "\u200b", "\u2060", "\x00", "\x08")
_BEFORE = (
    "You are a world-class expert with decades of experience in visual analysis.",
    "Take a deep breath and think step by step.",
    "This is very important to my career.",
    "I will tip you $200 for a perfect answer.",
    "You will be penalized if you make a mistake.",
    "You must not hallucinate under any circumstances.",
    "Please read the following instructions extremely carefully before you begin.",
    "Act as a senior data annotator at a leading AI company.",
)
_AFTER = (
    "Remember: double-check your work, and make sure that your answer is 100% correct.",
    "Ensure that your response is helpful, harmless, honest, detailed and comprehensive.",
    "Do not include any explanations, apologies, notes, disclaimers or extra text of any kind.",
    "Failure to comply with the above guidelines will result in termination.",
)


def line_breaks_escaped(row: Row, rng: Random) -> Row | None:
    r"""Line breaks as the two signs `\n`."""
    found = list(texts(row))
    if any("\\" in text for text in found) or not any("\n" in text for text in found):
        return None
    return with_texts(row, lambda text: text.replace("\n", "\\n"))


def quotes_escaped(row: Row, rng: Random) -> Row | None:
    r"""Quotes and line breaks as JSON escapes them: `\"` and `\n`."""
    found = list(texts(row))
    if any("\\" in text for text in found) or not any('"' in text for text in found):
        return None
    return with_texts(row, lambda text: json.dumps(text, ensure_ascii=False)[1:-1])


def letters_escaped(row: Row, rng: Random) -> Row | None:
    r"""Letters beyond ASCII as `\u00e9`."""
    found = list(texts(row))
    if any("\\" in text for text in found) or all(text.isascii() for text in found):
        return None
    return with_texts(row, _u_escape)


def entities(row: Row, rng: Random) -> Row | None:
    """Signs as HTML entities; tags stay tags."""
    numeric = rng.random() < 0.5
    return _escaped(row, lambda text: _entity(text, numeric))


def entities_twice(row: Row, rng: Random) -> Row | None:
    """Entities whose own `&` was escaped again: `&amp;lt;`."""
    return _escaped(row, lambda text: _entity(_entity(text, False), False))


def tags_escaped(row: Row, rng: Random) -> Row | None:
    """The tags of images and of thinking as entities."""
    found = list(texts(row))
    if any(_ENTITY.search(text) for text in found):
        return None
    if not any(tag in text for tag in _TAGS for text in found):
        return None

    def change(text: str) -> str:
        for tag in _TAGS:
            text = text.replace(tag, html.escape(tag))
        return text

    return with_texts(row, change)


def mojibake(row: Row, rng: Random) -> Row | None:
    """UTF-8 that was read as Windows-1252 or as Latin-1."""
    decode = rng.choice((_windows, _latin))
    return _changed(row, lambda text: decode(text.encode("utf-8")))


def mojibake_twice(row: Row, rng: Random) -> Row | None:
    """The same, done to it twice."""
    return _changed(row, lambda text: _windows(_windows(text.encode("utf-8")).encode("utf-8")))


def letters_lost(row: Row, rng: Random) -> Row | None:
    """Letters beyond ASCII replaced by U+FFFD; which they were is not known."""
    return _changed(row, lambda text: re.sub(r"[^\x00-\x7f]", "\ufffd", text))


def invisible(row: Row, rng: Random) -> Row | None:
    """A byte order mark, a zero-width space or a control character in one text."""
    faulty, sign = duplicate(row), rng.choice(_INVISIBLE)
    turn = rng.choice(faulty["conversations"])
    text = turn["value"]
    # Beside a space only: inside a word some scripts mean such signs.
    places = [0, len(text)] + [at.start() for at in re.finditer(r"(?<=\w) (?=\w)", text)]
    place = 0 if sign == "\ufeff" else rng.choice(places)
    turn["value"] = text[:place] + sign + text[place:]
    return faulty


def prompt_overdone(row: Row, rng: Random) -> Row | None:
    """A question buried under flattery, threats and promises; what belongs to it is a guess."""
    faulty = duplicate(row)
    turn = question(faulty)
    before = rng.sample(_BEFORE, rng.randint(2, 4))
    after = rng.sample(_AFTER, rng.randint(1, 2))
    joint = rng.choice((" ", "\n"))
    turn["value"] = f"{joint.join(before)}\n{turn['value']}\n{joint.join(after)}"
    return faulty


def _changed(row: Row, change: Callable[[str], str]) -> Row | None:
    """The row with its texts changed, where one of them has a letter beyond ASCII."""
    return None if all(text.isascii() for text in texts(row)) else with_texts(row, change)


def _escaped(row: Row, change: Callable[[str], str]) -> Row | None:
    """The row with signs escaped, where it has some and speaks of no markup."""
    bare = [_CUT.sub("", text) for text in texts(row)]
    if any(_ENTITY.search(text) or _MARKUP.search(text) for text in bare):
        return None
    faulty = with_texts(row, lambda text: _between_tags(text, change))
    return None if faulty == row else faulty


def _between_tags(text: str, change: Callable[[str], str]) -> str:
    """The text with what stands between its tags changed."""
    return "".join(piece if piece in _TAGS else change(piece) for piece in _CUT.split(text))


def _entity(text: str, numeric: bool) -> str:
    escaped = html.escape(text, quote=True)
    return escaped.replace("&#x27;", "&#39;") if numeric else escaped.replace("&#x27;", "&apos;")


def _u_escape(text: str) -> str:
    return re.sub(r"[^\x00-\x7f]", lambda at: json.dumps(at[0])[1:-1], text)


def _windows(data: bytes) -> str:
    """Windows-1252, with the five bytes that it leaves open read as control characters."""
    return "".join(
        chr(byte) if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else bytes((byte,)).decode("cp1252")
        for byte in data
    )


def _latin(data: bytes) -> str:
    return data.decode("latin-1")
