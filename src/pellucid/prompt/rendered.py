"""A rendered conversation: ids, which of them are learnt, what each run of them is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pellucid.prompt.plan.base import Plan
from pellucid.schema.record import Mode

SpanKind = Literal["control", "text", "image", "mode", "thinking", "answer"]

SYSTEM_TURN = -1
"""Turn of the system message that the renderer adds when a conversation brings none."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of ids `[start, stop)` of one kind in one turn; never empty."""

    kind: SpanKind
    turn: int
    """Index into the messages; `SYSTEM_TURN` for the renderer's own."""
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """Ids of a conversation and everything that was known when they were made."""

    ids: tuple[int, ...]
    supervised: tuple[bool, ...]
    """Same length as `ids`: which are learnt."""
    spans: tuple[Span, ...]
    """Cover `ids` without gaps; ids of one span are all supervised or none is."""
    images: tuple[int, ...]
    """Indices of the images shown, in order of appearance; one shown twice stands twice."""
    plans: tuple[Plan, ...]
    """One per entry of `images`; its tokens are the placeholders of one image span."""
    mode: Mode
    """Of the last assistant turn: how it answers, or how it was asked to."""


def supervised_share(examples: Iterable[Rendered]) -> float:
    """Supervised ids over all ids; 0 when there are none."""
    learnt = total = 0
    for example in examples:
        learnt += sum(example.supervised)
        total += len(example.ids)
    return learnt / total if total else 0.0
