"""One request from its first byte to its last: read, limit, filter, generate, reply, audit."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, final

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from pellucid.infer.engine import Engine
from pellucid.recipe.serve import ServeOptions
from pellucid.schema.rollout import Rollout
from pellucid.serve import filters, limits, reading
from pellucid.serve.answering import Answering, Piece
from pellucid.serve.api import ApiError, FinishReason
from pellucid.serve.audit import Audit, Line
from pellucid.serve.replies import DONE, Reply, finish_reason

T = TypeVar("T")

CLIENT_GONE = 499
"""Status in the audit log of a request whose client left; nobody receives it."""


class Gone(Exception):
    """The client closed its connection."""


@final
class Events(StreamingResponse):
    """A stream of events that says when it is over, however it ended."""

    def __init__(self, events: AsyncIterator[str], closed: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self.headers["cache-control"] = "no-store"
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send; `closed` is called although the client may have left before the first event."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._closed()


@dataclass(slots=True)
class Open:
    """A request that is being answered."""

    line: Line
    reply: Reply
    answering: Answering
    started: float
    finished: bool = False
    """Whether the last event was made."""


@final
class Chat:
    """Answers `/v1/chat/completions` with one engine."""

    def __init__(
        self, engine: Engine, options: ServeOptions, model: str, audit: Path | None
    ) -> None:
        self.model = model
        self._engine, self._options = engine, options
        self._filters = filters.build(options)
        self._audit = Audit(audit)
        self._settling: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def close(self) -> None:
        """Stop the engine, wait for the last lines of the log."""
        self._stopping = True
        await asyncio.to_thread(self._engine.stop)
        await asyncio.gather(*self._settling)
        self._audit.close()

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        started = time.perf_counter()
        line = Line(id=f"chatcmpl-{uuid.uuid4().hex}", model=self.model)
        try:
            asked = await self._read(request, line)
            limits.check_queue(self._engine.waiting, self._options)
            answering = Answering(self._engine.submit(asked.request), self._filters)
            reply = Reply(line.id, self.model, asked.include_usage)
            opened = Open(line, reply, answering, started)
            return await (self._streamed if asked.stream else self._whole)(request, opened)
        except ApiError as error:
            line.status, line.code = error.status, error.code
            self._write(line, started)
            headers = {"retry-after": "1"} if error.status == 429 else None
            return JSONResponse(error.body(), error.status, headers)
        except Gone:
            return Response(status_code=CLIENT_GONE)

    async def _read(self, request: Request, line: Line) -> reading.Asked:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # Browsers send anything else across sites without asking.
            raise ApiError(415, "send content-type: application/json", "unsupported_media_type")
        try:
            body = await limits.read_body(request.stream(), self._options)
        except ClientDisconnect:
            raise Gone from None
        asked = await asyncio.to_thread(reading.read, body, line.id, self.model, self._options)
        told = asked.request
        line.stream, line.mode, line.images = asked.stream, told.mode, len(told.images)
        line.temperature, line.top_p, line.seed = told.temperature, told.top_p, told.seed
        line.filter = await asyncio.to_thread(self._objection, asked.texts)
        if line.filter:
            message = "the conversation holds something that this server does not answer"
            raise ApiError(400, message, "content_filter", "messages")
        return asked

    def _objection(self, texts: Sequence[str]) -> str | None:
        """Name of a filter that blocks one of the texts."""
        for filter_ in self._filters:
            if any(filter_.blocks(text, ended=True) for text in texts):
                return filter_.name
        return None

    async def _whole(self, request: Request, opened: Open) -> Response:
        pieces = await self._unless_gone(request, opened, _all(opened.answering))
        rollout = self._sound(opened)
        reason = self._finish(opened, rollout)
        completion = opened.reply.whole(pieces, rollout, reason)
        return Response(completion.model_dump_json(), media_type="application/json")

    async def _streamed(self, request: Request, opened: Open) -> Response:
        pieces = aiter(opened.answering)
        # A refusal of the engine comes before any text, while a status can still say so.
        first = await self._unless_gone(request, opened, _next(pieces))
        if first is None:
            self._sound(opened)
        return Events(self._events(opened, first, pieces), lambda: self._left(opened))

    async def _events(
        self, opened: Open, first: Piece | None, pieces: AsyncIterator[Piece]
    ) -> AsyncIterator[str]:
        yield opened.reply.opening()
        if first is not None:
            yield opened.reply.piece(first)
            async for piece in pieces:
                yield opened.reply.piece(piece)
        try:
            rollout = self._sound(opened)
        except ApiError as error:
            opened.line.status, opened.line.code = error.status, error.code
            opened.finished = True
            self._write(opened.line, opened.started)
            yield f"data: {json.dumps(error.body())}\n\n{DONE}"
            return
        yield opened.reply.closing(rollout, self._finish(opened, rollout))

    async def _unless_gone(self, request: Request, opened: Open, work: Coroutine[Any, Any, T]) -> T:
        """Do the work, or stop generating as soon as the client leaves.

        Raises:
            Gone: it left.
        """
        doing = asyncio.create_task(work)
        leaving = asyncio.create_task(_disconnect(request))
        try:
            await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise Gone
            return doing.result()
        except (Gone, asyncio.CancelledError):
            self._left(opened)
            raise
        finally:
            doing.cancel()
            leaving.cancel()
            await asyncio.gather(doing, leaving, return_exceptions=True)

    def _sound(self, opened: Open) -> Rollout:
        """The finished rollout.

        Raises:
            ApiError: it failed; 400 when it was refused before the first token.
        """
        rollout = opened.answering.rollout
        if rollout is None:
            raise ApiError(500, "the engine failed", "engine_error", type="server_error")
        if rollout.finish_reason != "error":
            return rollout
        if self._stopping:
            raise ApiError(503, "the server is stopping", "stopping", type="server_error")
        if not rollout.token_ids:
            raise ApiError(400, rollout.error, "invalid_prompt", "messages")
        raise ApiError(500, rollout.error, "engine_error", type="server_error")

    def _finish(self, opened: Open, rollout: Rollout) -> FinishReason:
        """Note how a request ended and write it to the log; returns the finish reason."""
        opened.finished = True
        blocked = opened.answering.blocked_by
        reason = finish_reason(rollout, blocked)
        opened.line.filter = blocked
        self._settle(opened, rollout, reason)
        return reason

    def _left(self, opened: Open) -> None:
        """The client is gone: stop generating; the log gets its line when the engine let go."""
        if opened.finished:
            return
        opened.finished = True
        opened.answering.cancel()
        task = asyncio.create_task(self._settle_later(opened))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle_later(self, opened: Open) -> None:
        opened.line.status = CLIENT_GONE
        rollout = await asyncio.to_thread(opened.answering.wait)
        if rollout is not None:
            self._settle(opened, rollout, "cancelled")

    def _settle(self, opened: Open, rollout: Rollout, reason: str) -> None:
        line = opened.line
        line.finish_reason, line.outcome = reason, rollout.outcome
        line.chosen, line.prompt_hash = rollout.chosen, rollout.prompt_hash or None
        line.prompt_tokens, line.completion_tokens = rollout.prompt_tokens, len(rollout.token_ids)
        line.reasoning_tokens = rollout.thinking_tokens
        self._write(line, opened.started)

    def _write(self, line: Line, started: float) -> None:
        line.seconds = round(time.perf_counter() - started, 4)
        self._audit.write(line)


async def _all(answering: Answering) -> list[Piece]:
    return [piece async for piece in answering]


async def _next(pieces: AsyncIterator[Piece]) -> Piece | None:
    return await anext(pieces, None)


async def _disconnect(request: Request) -> None:
    """Returns when the client has left; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
