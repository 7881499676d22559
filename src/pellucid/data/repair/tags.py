"""Image tags: their spelling, their place, their number.

The count decides. A word in brackets is a tag only where the row has more pictures than tags; a
literal `<img>` in a question whose tags match its pictures is text and stays. What the count leaves
open is flagged.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import PurePosixPath
from typing import NamedTuple

from pellucid.data.repair.base import Doubt, Edit, Facts, Operator, Result, Row
from pellucid.data.repair.places import (
    KEY,
    ROLES,
    TAG,
    at,
    count_tags,
    pictures,
    reply,
    role,
    spoken,
    turns,
    with_text,
    with_texts,
)

_BRACKETED = re.compile(
    r"(?P<open><<|<\||<|\[\[|\[|\{|\(|＜|【|◁)\s*[/\\]?\s*(?P<word>[A-Za-z][A-Za-z_\- ]{1,22}?)"
    r"[\s_\-#:]*(?P<number>\d{0,2})\s*[/\\]?\s*(?P<close>>>|\|>|>|\]\]|\]|\}|\)|＞|】|▷)"
)
_BROKEN = re.compile(
    r"^\s*(?:<image(?=\s)(?!\s*\d*\s*/?>)|(?<!<)image>)|(?:(?<=\n)<image|(?<=\n)image>)\s*$"
)
_SEVERAL = re.compile(
    r"\b(?:images|pictures|photos|screenshots|(?:both|these|two|three) (?:figures|charts|diagrams)"
    r"|(?:second|third|last|other) (?:image|picture|photo|figure)|these two"
    r"|same or (?:not|different)|what(?:'s|’s| is| has)? (?:changed|different))\b",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(r"!\[[^\]\n]*\]\((?P<name>[^()\s]+)\)")
_IN_WORD = re.compile(r"[a-z]<image>[a-z]")
"""Only small Latin letters: other scripts part no words by spaces."""
_HEAPED = re.compile(
    r"<{1,3}<image>>{1,3}|<image>>{1,3}|<image>\s?\.?(?:</\s?image\s?>|<image\s?/>)"
    r"|<image>(?:<\|image_pad\|>)*<\|vision_end\|>"
)
_STRANGE = re.compile(r"\s*[<(\[{][^<>()\[\]{}\n]{2,30}[>)\]}]\s*\n")
"""A line of brackets before the question, which may be a tag that nobody knows."""
_INSIDE = "an image tag stands inside a word"
_WORDS = frozenset(
    "image images img imgs picture pic photo imagetoken imagepad imageplaceholder imagehere "
    "imgcontext imagecontext imagesoft imagesofttoken imagefile visionstart imagestart inputimage "
    "insertimage".split()
)
_LEAD = re.compile(r"\s*(?:<image>\s*)+")
_RUN = re.compile(r"<image>(?:\s*<image>)*")
_UNIT = re.compile(r"<image>\s*")


class _Odd(NamedTuple):
    """Something that may be a misspelt tag."""

    turn: int
    start: int
    end: int
    number: str
    edge: bool
    """It opens or ends the text, or has a line for itself."""


def spelling(row: Row, facts: Facts) -> Result:
    """Spell tags right where the pictures are more than the tags."""
    missing = len(pictures(row)) - count_tags(row)
    if missing < 0 or not pictures(row):
        return Result(row)
    if missing == 0:
        return with_texts(row, {i: _HEAPED.sub(TAG, text) for i, text in spoken(row, "user")})
    linked = _linked(row, missing)
    if linked:
        return with_texts(row, linked)
    odd = list(_odd(row))
    if len(odd) > missing:
        odd = [one for one in odd if one.edge]
    if not odd:
        return Result(row)
    numbers = [int(one.number) for one in odd if one.number]
    if len(odd) > missing or numbers != sorted(numbers):
        rule = f"{len(odd)} words look like image tags, {missing} are missing"
        return Result(row, (), (Doubt(rule, KEY),))
    new = {one.turn: turns(row)[one.turn]["value"] for one in odd}
    for one in reversed(odd):
        text = new[one.turn]
        new[one.turn] = text[: one.start] + TAG + text[one.end :]
    return with_texts(row, new)


def _linked(row: Row, missing: int) -> dict[int, str]:
    """Texts with tags for Markdown's pictures, where they name the row's own, in their order."""
    names = [PurePosixPath(name).name for name in pictures(row)]
    found = [one for _, text in spoken(row, "user") for one in _MARKDOWN.finditer(text)]
    if count_tags(row) or len(found) != missing:
        return {}
    if [PurePosixPath(one["name"]).name for one in found] != names:
        return {}
    return {index: _MARKDOWN.sub(TAG, text) for index, text in spoken(row, "user")}


def _odd(row: Row) -> Iterator[_Odd]:
    """All that may be misspelt tags in users' turns, in order."""
    for index, text in spoken(row, "user"):
        broken = _BROKEN.search(text)
        if broken is not None:
            inner = broken[0].strip()
            start = broken.start() + broken[0].index(inner)
            yield _Odd(index, start, start + len(inner), "", True)
        for found in _BRACKETED.finditer(text):
            if found[0] != TAG and _is_tag(found):
                edge = _at_edge(text, found)
                if edge or _clear(found):
                    yield _Odd(index, found.start(), found.end(), found["number"], edge)


def _is_tag(found: re.Match[str]) -> bool:
    word = re.sub(r"[^a-z]", "", found["word"].casefold())
    if word in _WORDS:
        return True
    near = SequenceMatcher(None, word, "image").ratio() >= 0.75 and 4 <= len(word) <= 7
    return near and found["open"] in ("<", "<|", "<<", "＜")


def _clear(found: re.Match[str]) -> bool:
    """Whether it is a tag in the middle of a sentence too: `<iamge>`, and not HTML's `<img>`."""
    return "<" in found["open"] and found["word"].casefold().strip() not in (
        "img",
        "picture",
        "photo",
    )


def _at_edge(text: str, found: re.Match[str]) -> bool:
    before, after = text[: found.start()], text[found.end() :]
    opens = not before.strip() or before.endswith("\n") or not before.replace(TAG, "").strip()
    return (
        opens
        and (not before.strip() or not after.strip() or after.startswith("\n"))
        or (not after.strip() and before.endswith("\n"))
    )


def _trail(text: str) -> tuple[str, str, str]:
    """A text cut before the tags that close it: the text, the space between, the tags."""
    rest = text.rstrip()
    end = len(rest)
    while rest.endswith(TAG):
        rest = rest.removesuffix(TAG).rstrip()
    if len(rest) == end:
        return text, "", ""
    after = text[len(rest) : end]
    tags = after.lstrip()
    return rest, after[: len(after) - len(tags)], tags


def place(row: Row, facts: Facts) -> Result:
    """Move tags out of replies; in a question they may stand anywhere."""
    images = len(pictures(row))
    first = next(spoken(row, "user"), None)
    if not images or first is None or count_tags(row):
        return Result(row)
    return _taken_back(row, first[0]) if count_tags(row, "assistant") == images else Result(row)


def _taken_back(row: Row, first: int) -> Result:
    """Tags that open or close replies, put before the first question."""
    new, taken = {}, 0
    for index, text in spoken(row, "assistant"):
        if TAG not in text:
            continue
        head, _, said = reply(text)
        kept = _trail(_LEAD.sub("", said, count=1))[0]
        taken += text.count(TAG)
        new[index] = head + kept
    if any(TAG in text or not text.strip() for text in new.values()):
        return Result(row, (), (Doubt("an image tag stands in a reply", KEY),))
    result = with_texts(row, new)
    asked = turns(row)[first]["value"]
    put = f"{TAG}\n" * taken + asked.lstrip()
    edit = Edit(asked, put, at(first))
    return Result(with_text(result.row, first, put), (*result.edits, edit))


def number(row: Row, facts: Facts) -> Result:
    """As many tags as pictures."""
    images, counted = len(pictures(row)), count_tags(row)
    users = list(spoken(row, "user"))
    if images == counted or not users:
        inside = [Doubt(_INSIDE, at(index)) for index, text in users if _IN_WORD.search(text)]
        return Result(row, (), tuple(inside) if images else ())
    said = f"{counted} image tags, {images} pictures"
    if not images:
        return Result(row, (), (Doubt(said, KEY),))
    opening = next((turn["from"] for turn in turns(row) if role(turn) != "system"), "")
    if counted < images and ROLES.get(opening) == "user":
        new = _added(users, images, counted, bool(list(_odd(row))))
    elif counted < images:
        new = None
    else:
        new = _removed(users, images, counted)
    if new is None or count_tags(row, "assistant"):
        return Result(row, (), (Doubt(said, KEY),))
    return with_texts(row, new)


def _added(
    users: list[tuple[int, str]], images: int, counted: int, odd: bool
) -> dict[int, str] | None:
    """The missing tags before the first question, where that is their place."""
    index, text = users[0]
    if not counted:
        strange = odd or _STRANGE.match(text) is not None
        return None if strange else {index: f"{TAG}\n" * images + text.lstrip()}
    lead = _LEAD.match(text)
    if len(users) > 1 or lead is None or lead[0].count(TAG) != counted:
        return None
    rest = text[lead.end() :]
    if re.search(r"  |\s[?,.;:!]|\n\s*\n", rest):
        # A gap in the text: that may be where the tag stood.
        return None
    missing = f"{TAG}\n" * (images - counted)
    return {index: missing + text.lstrip()}


def _shorter(text: str, run: re.Match[str], images: int) -> str:
    """The text with so many tags of a run, and the space that stood between the first of them."""
    pieces = run[0].split(TAG)
    return text[: run.start()] + TAG.join(pieces[:images]) + TAG + text[run.end() :]


def _removed(users: list[tuple[int, str]], images: int, counted: int) -> dict[int, str] | None:
    """The texts without tags that repeat others, where those that stay are as many as pictures."""
    index, text = users[0]
    lead = _LEAD.match(text)
    leading = lead[0].count(TAG) if lead else 0
    if len(users) > 1 and text.count(TAG) == images and counted > images:
        asked = [" ".join(said.replace(TAG, " ").split()) for _, said in users]
        if len(set(asked)) < len(asked):
            # Asked the same again, it is asked of another picture: one is lost.
            return None
        new = {}
        for later, said in users[1:]:
            shorter = _LEAD.sub("", said, count=1) if _LEAD.match(said) else said
            shorter = _trail(shorter)[0]
            if TAG in shorter or not shorter.strip():
                return None
            new[later] = shorter
        return new
    if _SEVERAL.search(text):
        return None
    if leading == counted > images:
        return {index: _UNIT.sub("", text.lstrip(), count=counted - images)}
    runs = list(_RUN.finditer(text))
    if len(runs) == 1 and len(users) == 1 and not leading:
        return {index: _shorter(text, runs[0], images)}
    shorter, _, tags = _trail(text)
    if leading == images and tags.count(TAG) == counted - images:
        return {index: shorter} if shorter.replace(TAG, "").strip() else None
    return None


TAG_SPELLING = Operator(
    "tag_spelling", 2, "mend", "misspelt image tags (<iamge>, [image], ![](a.png))", spelling
)
TAG_PLACE = Operator("tag_place", 1, "mend", "image tags in a reply", place)
TAG_NUMBER = Operator("tag_number", 2, "mend", "missing and surplus image tags", number)
