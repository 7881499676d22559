"""Replies: a finished answer as one object, a growing one as chunks."""

import time
from collections.abc import Iterable
from typing import Any, final

from pellucid.schema.rollout import Rollout
from pellucid.serve.answering import Piece
from pellucid.serve.api import (
    Choice,
    Chunk,
    ChunkChoice,
    ChunkDelta,
    Completion,
    FinishReason,
    Message,
    TokenDetails,
    Usage,
)

DONE = "data: [DONE]\n\n"


def usage(rollout: Rollout) -> Usage:
    """Token counts of an answer."""
    generated = len(rollout.token_ids)
    return Usage(
        prompt_tokens=rollout.prompt_tokens,
        completion_tokens=generated,
        total_tokens=rollout.prompt_tokens + generated,
        completion_tokens_details=TokenDetails(reasoning_tokens=rollout.thinking_tokens),
    )


def finish_reason(rollout: Rollout, blocked_by: str | None) -> FinishReason:
    """How an answer ended, in OpenAI's words."""
    if blocked_by:
        return "content_filter"
    return "length" if rollout.finish_reason == "length" else "stop"


@final
class Reply:
    """Builds what is sent back for one request."""

    def __init__(self, id: str, model: str, include_usage: bool) -> None:
        self._frame: dict[str, Any] = {"id": id, "created": int(time.time()), "model": model}
        self._include_usage = include_usage

    def whole(self, pieces: Iterable[Piece], rollout: Rollout, reason: FinishReason) -> Completion:
        """The answer as one object; thinking is None when there was none."""
        texts: dict[str, list[str]] = {"thinking": [], "answer": []}
        for piece in pieces:
            texts[piece.channel].append(piece.text)
        thinking = "".join(texts["thinking"]) or None
        message = Message(
            content="".join(texts["answer"]), reasoning=thinking, reasoning_content=thinking
        )
        choice = Choice(message=message, finish_reason=reason)
        return Completion(**self._frame, choices=[choice], usage=usage(rollout))

    def opening(self) -> str:
        """The first event: who speaks."""
        return self._chunk(ChunkDelta(role="assistant", content=""), None)

    def piece(self, piece: Piece) -> str:
        """An event with more text."""
        if piece.channel == "thinking":
            return self._chunk(ChunkDelta(reasoning=piece.text, reasoning_content=piece.text), None)
        return self._chunk(ChunkDelta(content=piece.text), None)

    def closing(self, rollout: Rollout, reason: FinishReason) -> str:
        """The last events: the reason, the usage when it was asked for, and the end mark."""
        events = self._chunk(ChunkDelta(), reason)
        if self._include_usage:
            events += self._event([], usage(rollout))
        return events + DONE

    def _chunk(self, delta: ChunkDelta, reason: FinishReason | None) -> str:
        return self._event([ChunkChoice(index=0, delta=delta, finish_reason=reason)], None)

    def _event(self, choices: list[ChunkChoice], counted: Usage | None) -> str:
        told = {"usage": counted} if self._include_usage else {}
        chunk = Chunk(**self._frame, object="chat.completion.chunk", choices=choices, **told)
        return chunk.event()
