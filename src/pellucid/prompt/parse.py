"""Generated ids back to thinking, answer and outcome. Never raises on what a model wrote.

Only control ids count as control: a tag spelt letter by letter is text. Nothing is stripped but the
format's lead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pellucid.prompt.format import ChatFormat
from pellucid.prompt.tokenizer import Tokenizer
from pellucid.schema.record import Mode
from pellucid.schema.rollout import FinishReason, Outcome


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a model answered."""

    chosen: Mode | None
    """`think` or `nothink`, forced or generated; None when it opened with neither."""
    thinking: str | None
    """None unless `chosen` is `think`."""
    answer: str | None
    """None unless `outcome` is `answered`."""
    outcome: Outcome
    thinking_tokens: int
    text: str
    """Everything, control tokens spelt out, a prefilled mode token included."""


class Ids(Protocol):
    """Where `parse` finds the control ids and decodes the rest; a `Renderer` is one."""

    tokenizer: Tokenizer
    format: ChatFormat
    think_id: int
    think_close_id: int
    nothink_id: int
    end_id: int


def parse(known: Ids, ids: Sequence[int], mode: Mode, finish_reason: FinishReason) -> Parsed:
    """Take generated ids apart.

    Args:
        known: control ids and their tokenizer.
        ids: what was generated, without a prefilled mode token; any integers.
        mode: that was asked for; `think` and `nothink` were prefilled.
        finish_reason: why generation stopped; a stop without an end token is accepted.
    """
    prefill = {"think": [known.think_id], "nothink": [known.nothink_id], "auto": []}[mode]
    whole = [*prefill, *ids]
    chosen = _chosen(known, whole)
    body = whole[1:] if chosen else whole
    thought, rest = _split(known, body) if chosen == "think" else ([], body)
    sound = (
        chosen is not None
        and rest is not None
        and _plain(known.tokenizer, thought)
        and _plain(known.tokenizer, _without_end(known, rest))
    )
    outcome = _outcome(finish_reason, sound)
    answer = None
    if outcome == "answered" and rest is not None:
        answer = _text(known, _without_end(known, rest))
    return Parsed(
        chosen=chosen,
        thinking=_text(known, thought) if chosen == "think" else None,
        answer=answer,
        outcome=outcome,
        thinking_tokens=len(thought),
        text=known.tokenizer.decode(whole),
    )


def _text(known: Ids, ids: Sequence[int]) -> str:
    return known.tokenizer.decode(ids).removeprefix(known.format.lead)


def _chosen(known: Ids, whole: Sequence[int]) -> Mode | None:
    if whole and whole[0] == known.think_id:
        return "think"
    if whole and whole[0] == known.nothink_id:
        return "nothink"
    return None


def _split(known: Ids, body: list[int]) -> tuple[list[int], list[int] | None]:
    """Thinking and what follows it; None when the thinking is never closed."""
    if known.think_close_id in body:
        at = body.index(known.think_close_id)
        return body[:at], body[at + 1 :]
    return _without_end(known, body), None


def _without_end(known: Ids, ids: list[int]) -> list[int]:
    return ids[:-1] if ids and ids[-1] == known.end_id else ids


def _plain(tokenizer: Tokenizer, ids: Sequence[int]) -> bool:
    """Whether ids are text only."""
    return all(tokenizer.knows(id_) and not tokenizer.is_control(id_) for id_ in ids)


def _outcome(finish_reason: FinishReason, sound: bool) -> Outcome:
    if finish_reason == "length":
        return "truncated"
    if finish_reason != "stop":
        return "failed"
    return "answered" if sound else "malformed"
