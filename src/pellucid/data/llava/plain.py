"""Rows of the most common shape, read several times as fast: texts of two speakers in turn.

Nothing is decided here: `plain` and `plain_line` give None for whatever `parse_row` and the decoder
of `data/files` might refuse or read in another way, and else what those would give. A field of our
own (`answer`, `split`, ...), thinking, a number with a fraction: None.
"""

from json.encoder import encode_basestring as _text
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from pellucid.data.llava.read import TAG, pieces

_READ = frozenset(
    ("answer", "mode", "split", "lineage", "difficulty", "evidence", "task", "domain", "group")
    + ("licence",)
)
"""Fields besides turns and pictures that `parse_row` reads."""
_WORD_BITS = 63
"""Whole numbers up to here are written alike by all."""


class Plain(NamedTuple):
    """A sound row without anything of its own."""

    images: tuple[str, ...]
    """Names as the row gives them."""
    parts: list[str | int]
    """Of all turns: texts, and indices of images."""
    counts: list[int]
    """How many parts each turn has; a user's and an assistant's in turn."""
    said: bytes
    """The turns as canonical JSON, without the brackets."""
    raw: bytes
    """As `raw_json` writes it."""
    split: None = None
    group: str = ""

    @property
    def asked(self) -> str:
        """All that the first turn says."""
        return "".join([part for part in self.parts[: self.counts[0]] if isinstance(part, str)])


def plain_line(data: bytes) -> tuple[dict[str, Any], bytes] | None:
    """A row of a line of JSON, and what `raw_json` gives for it; None where another has to look.

    What it accepts holds texts, whole numbers, true, false and null, in an object and in the turns
    of its conversation, each name once.
    """
    try:
        value = from_json(data, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return None
    if type(value) is not dict or not all(map(_simple, value.values())):
        return None
    raw = to_json(value)
    # Of a name that stands twice the parser keeps the last, so that fewer colons are written.
    if raw.count(b":") != data.count(b":") or b"\\u003a" in data or b"\\u003A" in data:
        return None
    return value, raw


def _simple(one: Any) -> bool:
    kind = type(one)
    if kind is str or one is None or kind is bool:
        return True
    if kind is list:
        for item in one:
            if type(item) is dict:
                for inner in item.values():
                    if type(inner) is not str:
                        return False
            elif type(item) is not str:
                return False
        return True
    return kind is int and bool(one.bit_length() < _WORD_BITS)


def plain(value: object, raw: bytes = b"") -> Plain | None:
    """What `parse_row` gives for a row, where it is plain; else None.

    Args:
        value: the row.
        raw: it as it came.
    """
    if not isinstance(value, dict) or not _READ.isdisjoint(value):
        return None
    names, turns = value.get("image"), value.get("conversations")
    images = () if names is None else (names,) if type(names) is str else _all(names)
    if images is None or type(turns) is not list or not turns or len(turns) % 2:
        return None
    if not all(images):
        return None
    found, shown = _turns(turns, images, raw)
    if found is None or shown == len(images):
        return found
    if shown:
        return None
    tagged = {**turns[0], "value": TAG * len(images) + turns[0]["value"]}
    return _turns([tagged, *turns[1:]], images, raw)[0]


def _all(names: object) -> tuple[str, ...] | None:
    if type(names) is not list or not all(type(one) is str for one in names):
        return None
    return tuple(names)


def _turns(turns: list[Any], images: tuple[str, ...], raw: bytes) -> tuple[Plain | None, int]:
    """The turns, and how many images they show."""
    parts, counts, said, shown = list[str | int](), list[int](), list[str](), 0
    nothing = None, 0
    for at, turn in enumerate(turns):
        if type(turn) is not dict or len(turn) != 2:
            return nothing
        who, text = turn.get("from"), turn.get("value")
        if type(text) is not str or not (stripped := text.strip()):
            return nothing
        if at % 2:
            if (who != "gpt" and who != "assistant") or "think>" in stripped:
                return nothing
            parts.append(stripped)
            counts.append(1)
            said.append(
                f'{{"content":[{{"image":null,"text":{_text(stripped)},"type":"text"}}],'
                '"mode":"nothink","reasoning":null,"role":"assistant","weight":null}'
            )
        elif who != "human" and who != "user":
            return nothing
        else:
            own = pieces(stripped, shown) if TAG in text else [stripped]
            shown += text.count(TAG)
            parts += own
            counts.append(len(own))
            told = ",".join(
                [
                    f'{{"image":null,"text":{_text(part)},"type":"text"}}'
                    if isinstance(part, str)
                    else f'{{"image":{part},"text":null,"type":"image"}}'
                    for part in own
                ]
            )
            said.append(
                f'{{"content":[{told}],"mode":null,"reasoning":null,"role":"user","weight":null}}'
            )
    try:
        return Plain(images, parts, counts, ",".join(said).encode(), raw), shown
    except UnicodeEncodeError:
        return nothing
