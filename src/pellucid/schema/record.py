"""A record: one curated row on disk, and the conversation inside it.

Images are references (`sha256`); their bytes live in the store. Control tokens never stand in text:
`mode` and `reasoning` say what `prompt` renders. Coordinates are [0, 1], `[x1, y1, x2, y2]`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from json.encoder import encode_basestring as _text
from typing import Any, Literal, get_args

from pellucid.base.hashing import canonical_json, hash_bytes

Mode = Literal["think", "nothink", "auto"]
Role = Literal["system", "user", "assistant"]
AnswerKind = Literal[
    "choice", "number", "expression", "text", "box", "boxes", "point", "action", "json"
]
Split = Literal["train", "validation", "test"]

MODES: tuple[Mode, ...] = get_args(Mode)
SPLITS: tuple[Split, ...] = get_args(Split)
COORDINATE_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a turn: text, or the index of one of the record's images."""

    type: Literal["text", "image"]
    text: str | None = None
    image: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `mode` and `reasoning` belong to assistant turns only."""

    role: Role
    content: tuple[Part, ...]
    mode: Mode | None = None
    """How the assistant answers: `think` shows `reasoning`, `nothink` answers directly."""
    reasoning: str | None = None
    """The thinking, without tags."""
    weight: float | None = None
    """Loss weight of an assistant turn; None is 1, 0 keeps it as context only."""

    def as_dict(self) -> dict[str, Any]:
        """Its fields, as `dataclasses.asdict` gives them and ten times as fast."""
        return {
            "role": self.role,
            "content": [
                {"type": part.type, "text": part.text, "image": part.image} for part in self.content
            ],
            "mode": self.mode,
            "reasoning": self.reasoning,
            "weight": self.weight,
        }

    @property
    def text(self) -> str:
        """The turn's text parts, joined."""
        return "".join(part.text or "" for part in self.content if part.type == "text")


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image of a record: hash of its encoded bytes and its size in pixels."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The gold answer, as text in the form that `kind` defines.

    choice: the letter ("B"); number: decimal ("12.5"); box: JSON list of [0, 1] coordinates; point:
    the box that it must hit; boxes, json, action: JSON; text, expression: as written.
    """

    kind: AnswerKind
    gold: str
    aliases: tuple[str, ...] = ()
    """Other texts that count as the gold (for a choice: the option's text)."""
    tolerance: float | None = None
    """Relative tolerance of a number, minimal overlap (IoU) of a box; None is the scorer's rule."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a record came from."""

    dataset: str
    split: Split
    row: int
    licence: str
    config: str = ""
    revision: str = ""
    group: str = ""
    """What must stay on one side of a split: the scene's seed, the source picture."""


@dataclass(frozen=True, slots=True)
class LineageStep:
    """One operation that made or changed a record."""

    op: str
    version: int
    params_hash: str
    parents: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One curated row. Build it with `make_record`, which fills in the hashes."""

    id: str
    content_hash: str
    messages: tuple[Turn, ...]
    images: tuple[ImageRef, ...]
    answer: Answer | None
    task: str
    domain: str
    source: Source
    evidence: Mapping[str, Any] = field(default_factory=dict)
    difficulty: float | None = None
    lineage: tuple[LineageStep, ...] = ()
    raw: bytes = b""


def make_record(
    *,
    messages: tuple[Turn, ...],
    images: tuple[ImageRef, ...],
    answer: Answer | None,
    task: str,
    domain: str,
    source: Source,
    evidence: Mapping[str, Any] | None = None,
    difficulty: float | None = None,
    lineage: tuple[LineageStep, ...] = (),
    raw: bytes = b"",
) -> Record:
    """A record with its `content_hash` and `id` (hash of source key and content).

    Raises:
        ValueError: the conversation breaks a rule (see `faults`).
    """
    found = faults(messages, images)
    if found:
        raise ValueError("; ".join(found))
    content = hash_content(messages, images, answer)
    return Record(
        id=record_id(source.dataset, source.config, source.split, source.row, task, content),
        content_hash=content,
        messages=messages,
        images=images,
        answer=answer,
        task=task,
        domain=domain,
        source=source,
        evidence=dict(evidence or {}),
        difficulty=difficulty,
        lineage=lineage,
        raw=raw,
    )


def hash_content(
    messages: Sequence[Turn], images: Sequence[ImageRef], answer: Answer | None
) -> str:
    """The hash of a conversation, its images and its answer.

    It is `hash_json` of the three; the text is put together here, several times as fast, for an
    import does it for every row.
    """
    gold = canonical_json(asdict(answer)).decode() if answer else "null"
    said = ",".join(map(_turn_json, messages)).encode()
    return hash_said(said, [image.sha256 for image in images], gold)


def hash_said(said: bytes, images: Sequence[str], gold: str = "null") -> str:
    """What `hash_content` gives, of turns and gold as canonical JSON, turns without brackets."""
    shown = ",".join(map(_text, images))
    start = f'{{"answer":{gold},"images":[{shown}],"messages":['
    return hash_bytes(b"".join((start.encode(), said, b"]}")))


def record_id(dataset: str, config: str, split: str, row: int, task: str, content: str) -> str:
    """The id of a record: 32 hex digits of the hash of its source's key and its content's hash."""
    key = f"[{_text(dataset)},{_text(config)},{_text(split)},{row},{_text(task)},{_text(content)}]"
    return hash_bytes(key.encode())[:32]


def _turn_json(turn: Turn) -> str:
    """A turn as canonical JSON."""
    parts = ",".join(
        [
            f'{{"image":{"null" if part.image is None else part.image},'
            f'"text":{"null" if part.text is None else _text(part.text)},"type":"{part.type}"}}'
            for part in turn.content
        ]
    )
    mode = "null" if turn.mode is None else f'"{turn.mode}"'
    thought = "null" if turn.reasoning is None else _text(turn.reasoning)
    weight = "null" if turn.weight is None else canonical_json(turn.weight).decode()
    return (
        f'{{"content":[{parts}],"mode":{mode},"reasoning":{thought},'
        f'"role":"{turn.role}","weight":{weight}}}'
    )


def faults(messages: tuple[Turn, ...], images: tuple[ImageRef, ...]) -> list[str]:
    """What is wrong with a conversation; empty when it is sound."""
    found = []
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    if not turns:
        found.append("no turns")
    for index, turn in enumerate(turns):
        expected = "user" if index % 2 == 0 else "assistant"
        if turn.role != expected:
            found.append(f"turn {index} is {turn.role}, expected {expected}")
        if turn.role != "assistant" and (turn.mode or turn.reasoning):
            found.append(f"turn {index} is {turn.role} but carries a mode or reasoning")
        if turn.mode == "think" and not turn.reasoning:
            found.append(f"turn {index} thinks without reasoning")
    shown = [part.image for turn in messages for part in turn.content if part.type == "image"]
    if any(index is None or not 0 <= index < len(images) for index in shown):
        found.append(f"image indices {shown} reach outside {len(images)} images")
    unused = set(range(len(images))) - {index for index in shown if index is not None}
    if unused:
        found.append(f"images {sorted(unused)} are never shown")
    return found


def user(*content: str | int) -> Turn:
    """A user turn from texts and image indices, in order.

    >>> user(0, "How many bars?").content[0].image
    0
    """
    return Turn("user", tuple(_part(piece) for piece in content))


def assistant(answer: str, reasoning: str | None = None) -> Turn:
    """An assistant turn: `think` with reasoning, else `nothink`."""
    return Turn(
        "assistant", (Part("text", answer),), "think" if reasoning else "nothink", reasoning
    )


def _part(piece: str | int) -> Part:
    return Part("text", piece) if isinstance(piece, str) else Part("image", image=piece)
