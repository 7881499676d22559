"""A loopback server that speaks the protocol and misbehaves as it is told; standard library only.

What it answers is a function of the request, so that two runs can be compared. Every request is
kept, and counted by its content.
"""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Act:
    """What is done with one request."""

    status: int = 200
    body: bytes | None = None
    """None is a completion."""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False
    """Close the connection in the middle of the body."""


def completion(text: str, finish: str = "stop", **message: Any) -> bytes:
    told = {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    return json.dumps(told).encode()


def echo(body: Body) -> str:
    """A text that only the content decides."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


class Server:
    """Answers until it is closed."""

    def __init__(self, act: Callable[[int, Body], Act] | None = None) -> None:
        self.act = act or (lambda number, body: Act())
        self.requests: list[tuple[float, Body, dict[str, str]]] = []
        self.completed: Counter[str] = Counter()
        """Requests that were answered whole, by content."""
        self.open = self.most_open = 0
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"told": self})
        self.http = _Http(("127.0.0.1", 0), handler)
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are killed here on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else each reply waits for the acknowledgement of its own headers.
    disable_nagle_algorithm = True
    wbufsize = -1
    told: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.told
        with server.lock:
            number = len(server.requests)
            server.requests.append((time.monotonic(), body, dict(self.headers)))
            server.open += 1
            server.most_open = max(server.most_open, server.open)
        try:
            act = server.act(number, body)
            time.sleep(act.delay_s)
            self._answer(act, body)
        finally:
            with server.lock:
                server.open -= 1

    def _answer(self, act: Act, body: Body) -> None:
        data = completion(echo(body)) if act.body is None else act.body
        if act.status == 200 and not act.cut:
            with self.told.lock:
                self.told.completed[echo(body)] += 1
        self.send_response(act.status)
        for name, value in act.headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if act.cut else data)
        self.wfile.flush()
        if act.cut:
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""


@contextmanager
def serving(act: Callable[[int, Body], Act] | None = None) -> Iterator[Server]:
    server = Server(act)
    try:
        yield server
    finally:
        server.close()
