"""The application: `/health`, `/v1/models`, `/v1/chat/completions`.

Documentation pages are switched off: they would load scripts from elsewhere.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pellucid.infer.engine import Engine
from pellucid.recipe.serve import ServeOptions
from pellucid.serve.api import ApiError
from pellucid.serve.chat import Chat


def create_app(
    engine: Engine, options: ServeOptions, model: str, audit: Path | None = None
) -> FastAPI:
    """An application that answers with one engine.

    The engine is started and stopped with the application.

    Args:
        engine: not started.
        options: limits and filters.
        model: name that clients ask for.
        audit: file that gets one JSON line per request, without content; none when absent.

    Raises:
        UserError: a filter's options make no sense.
        DiskError: the audit log cannot be written.
    """
    chat = Chat(engine, options, model, audit)
    created = int(time.time())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        engine.start()
        try:
            yield
        finally:
            await chat.close()

    app = FastAPI(
        title="Pellucid", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None
    )
    app.state.model = model

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Whether requests are taken, and how many are being answered."""
        return {
            "status": "ok",
            "model": model,
            "active": engine.active,
            "waiting": engine.waiting,
            "generated_tokens": engine.generated_tokens,
        }

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        """The one model that is served."""
        entry = {"id": model, "object": "model", "created": created, "owned_by": "pellucid"}
        return {"object": "list", "data": [entry]}

    @app.post("/v1/chat/completions")
    async def completions(request: Request) -> Response:
        """Answer a conversation."""
        return await chat(request)

    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(Exception, _fail)
    return app


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    """No such path or method, in the shape of every other error."""
    assert isinstance(error, HTTPException), f"registered for another kind than {error!r}"
    told = ApiError(error.status_code, str(error.detail), "not_found")
    return JSONResponse(told.body(), error.status_code, error.headers)


async def _fail(_: Request, error: Exception) -> JSONResponse:
    """A bug of ours; its traceback goes to the server's log, not to the client."""
    told = ApiError(500, "the server failed", type(error).__name__, type="server_error")
    return JSONResponse(told.body(), 500)
