"""A real engine behind a real server on this machine."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.unit.conftest import CONTEXT, engine_of

from pellucid.infer.engine import Engine
from pellucid.recipe.serve import ServeOptions
from pellucid.serve import create_app
from pellucid.serve.server import address, make_server, open_socket


@dataclass
class Served:
    """A running server."""

    url: str
    engine: Engine
    client: openai.OpenAI
    http: httpx.Client
    """For what the official client would not send."""
    audit: Path

    def ask(self, content: Any, **settings: Any) -> Any:
        messages = [{"role": "user", "content": content}]
        return self.client.chat.completions.create(model="tiny", messages=messages, **settings)  # type: ignore[call-overload]


@contextmanager
def serving(engine: Engine, audit: Path, **options: Any) -> Iterator[Served]:
    told = ServeOptions.model_validate({"max_new_tokens": CONTEXT - 100, **options})
    app = create_app(engine, told, "tiny", audit)
    server = make_server(app)
    opened = open_socket("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
    thread.start()
    url = address(opened)
    # Plain HTTP only, so that no client loads certificates.
    http = httpx.Client(base_url=url, timeout=60, verify=False, trust_env=False)
    client = openai.OpenAI(
        base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60,
        http_client=openai.DefaultHttpxClient(verify=False, trust_env=False),
    )  # fmt: skip
    try:
        yield Served(url, engine, client, http, audit)
    finally:
        client.close()
        http.close()
        server.should_exit = True
        thread.join()
        opened.close()


@pytest.fixture(scope="session")
def served(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The model that knows its lessons; its answers end."""
    audit = tmp_path_factory.mktemp("serve") / "audit.jsonl"
    limits = {"max_images": 2, "max_image_pixels": 10_000, "max_body_bytes": 50_000}
    words = {"blocked_words": ["swordfish", "open sesame"]}
    with serving(engine_of(*trained, slots=2), audit, **limits, **words) as running:
        yield running


@pytest.fixture(scope="session")
def start() -> Any:
    """`start(engine, audit, **options)`: a server of one's own, as a context."""
    return serving
