"""The page over HTTP: this machine only, and only for who has the address.

The address holds a random token; requests with another `Host` are refused, so that a page elsewhere
cannot reach the server through a name of its own. The page loads nothing from anywhere else, and
its `Content-Security-Policy` says so. What is in a record is shown as text, never as HTML.

Leaves out on purpose: users and sharing. Who wants two reviewers starts it twice.
"""

import math
import secrets
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from PIL import Image

from pellucid.base.errors import PellucidError
from pellucid.data.review.sitting import Sitting
from pellucid.recipe.triage import CLASSES
from pellucid.schema.picture import upright_rgb
from pellucid.store import Store
from pellucid.store.pixels import examine

PAGE = Path(__file__).with_name("page.html")
_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}
"""Formats that browsers show; others are sent as PNG."""
_LONGEST_S = 24 * 3600.0


def create_app(
    store: Store, sitting: Sitting, token: str, hosts: frozenset[str], stop: Callable[[], None]
) -> FastAPI:
    """The application of one sitting.

    Args:
        store: gives the pictures.
        sitting: what is shown and judged.
        token: first part of every path.
        hosts: values of the `Host` header that are answered.
        stop: called when the person ends the sitting.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    at = f"/{token}"

    @app.middleware("http")
    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        """Only our own names, and headers that keep the page to itself."""
        if request.headers.get("host", "") not in hosts:
            return Response("this server answers to its own address only", 403)
        response = await answer(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    _reading(app, at, store, sitting)
    _writing(app, at, sitting, stop)
    return app


def _reading(app: FastAPI, at: str, store: Store, sitting: Sitting) -> None:
    """What is only looked at: the page, records, pictures."""

    @app.get(at + "/")
    async def page() -> Response:
        """The page; its one script and one style carry a nonce."""
        nonce = secrets.token_urlsafe(16)
        text = PAGE.read_text(encoding="utf-8").replace("NONCE", nonce)
        policy = (
            "default-src 'none'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
            f"form-action 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
        )
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})

    @app.get(at + "/state")
    async def state() -> dict[str, Any]:
        """Where to begin, and who is judging."""
        first = sitting.first()
        return {"first": first, "reviewer": sitting.journal.reviewer, **sitting.progress(first)}

    @app.get(at + "/record/{number}")
    async def record(number: int) -> Response:
        """One record, as JSON."""
        if not 0 <= number < len(sitting.places):
            return JSONResponse({"error": "there is no such record"}, 404)
        return JSONResponse({**sitting.record(number), "progress": sitting.progress(number)})

    @app.get(at + "/image/{sha256}")
    async def image(sha256: str) -> Response:
        """A picture of the sample."""
        if sha256 not in sitting.shown:
            return Response("there is no such picture", 404)
        return _image(store, sha256)


def _writing(app: FastAPI, at: str, sitting: Sitting, stop: Callable[[], None]) -> None:
    """What the person does."""

    @app.post(at + "/judge")
    async def judge(request: Request) -> Response:
        """Write a judgement down; answered when it is on the disk, with what comes next."""
        told = await _told(request)
        number, classes, seconds = told.get("at"), told.get("classes"), told.get("seconds")
        if not (
            isinstance(number, int)
            and 0 <= number < len(sitting.places)
            and isinstance(classes, list)
            and all(name in CLASSES for name in classes)
            and isinstance(seconds, int | float)
            and math.isfinite(seconds)
        ):
            return JSONResponse({"error": "that is no judgement"}, 400)
        return _done(
            lambda: sitting.judge(number, classes, min(max(float(seconds), 0.0), _LONGEST_S)),
            lambda: sitting.following(number),
        )

    @app.post(at + "/undo")
    async def undo() -> Response:
        """Take the last judgement back; says where its record stands."""
        id = sitting.journal.undo()
        if id is None:
            return JSONResponse({"error": "nothing to undo in this sitting"}, 409)
        number = sitting.where(id)
        return JSONResponse({"at": number, **sitting.progress(number)})

    @app.post(at + "/finish")
    async def finish() -> dict[str, Any]:
        """End the sitting; its labels are written when the server has stopped."""
        stop()
        return {"reviewer": sitting.journal.reviewer}


async def _told(request: Request) -> dict[str, Any]:
    """The JSON object in a request; an empty one when it is none."""
    try:
        told = await request.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _done(act: Callable[[], None], then: Callable[[], dict[str, Any]]) -> Response:
    """The answer to an act that the user or the disk may refuse."""
    try:
        act()
    except PellucidError as error:
        return JSONResponse({"error": str(error)}, 409)
    return JSONResponse(then())


def _image(store: Store, sha256: str) -> Response:
    """A picture's own bytes where browsers read them, else a PNG; 404 where it does not decode."""
    try:
        data = store.image(sha256)
        kind = _TYPES.get(examine(data).extension)
        if kind is None:
            out = BytesIO()
            with Image.open(BytesIO(data)) as opened:
                upright_rgb(opened).save(out, "PNG")
            data, kind = out.getvalue(), "image/png"
    except (KeyError, ValueError, OSError, PellucidError):
        return Response("the picture cannot be read", 404)
    return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})
