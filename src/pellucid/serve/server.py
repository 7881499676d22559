"""Runs the application: one process, one socket, the address printed when it is open."""

import errno
import json
import socket
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from pellucid.base.errors import Problem, UserError

GRACE_S = 5
"""How long running answers may take to end when the server is stopped."""
_BACKLOG = 128
_REASONS = {
    errno.EADDRINUSE: ("is in use", "choose another --port, or 0 for a free one"),
    errno.EACCES: ("may not be opened by this user", "choose a --port of 1024 or more"),
    errno.EADDRNOTAVAIL: ("is no address of this machine", "choose another --host"),
}


def run_server(app: FastAPI, host: str, port: int) -> None:
    """Serve until interrupted (Ctrl-C, which is no error); prints the address and an example.

    Args:
        app: from `create_app`.
        host: address to listen on.
        port: 0 takes a free one.

    Raises:
        UserError: the address cannot be opened.
    """
    opened = open_socket(host, port)
    url = address(opened)
    print(f"serving {app.state.model} at {url}/v1\n\n{example(url, app.state.model)}\n", flush=True)
    # uvicorn shuts down at a signal; whether it passes the signal on depends on timing.
    with suppress(KeyboardInterrupt):
        make_server(app).run(sockets=[opened])
    print("stopped", flush=True)


def make_server(app: FastAPI) -> uvicorn.Server:
    """A server for the application, quiet but for warnings."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that the printed address can be used at once.

    Raises:
        UserError: the address cannot be opened.
    """
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise UserError(
            Problem("host", host, "is not an address", "use 127.0.0.1 for this machine only")
        ) from None
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind(where)
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        if error.errno not in _REASONS:
            raise
        rule, fix = _REASONS[error.errno]
        raise UserError(Problem("address", f"{host}:{port}", rule, fix)) from None
    return opened


def address(opened: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def example(url: str, model: str) -> str:
    """A command that asks the server something."""
    body = {"model": model, "messages": [{"role": "user", "content": "How many bars are there?"}]}
    return (
        f"curl {url}/v1/chat/completions -H 'content-type: application/json' "
        f"-d '{json.dumps(body)}'"
    )
