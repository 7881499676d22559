"""Runs the page until the person ends it, then publishes what was judged."""

import secrets
import signal
import socket
import webbrowser
from pathlib import Path

import uvicorn

from pellucid import store as stores
from pellucid.base.errors import Problem, UserError
from pellucid.data.review.app import create_app
from pellucid.data.review.journal import Journal
from pellucid.data.review.sitting import Sitting
from pellucid.data.triage.sets import refuse_unknown, sets_of
from pellucid.recipe.triage import TriageOptions

HOST = "127.0.0.1"
_GRACE_S = 2


def review(
    folder: Path, options: TriageOptions, source: str, reviewer: str, port: int, show: bool
) -> Path | None:
    """Show a sample of a store to a person, and keep what the person says.

    Args:
        folder: one store.
        options: how many records of each set, and in which order.
        source: only this dataset; all when empty.
        reviewer: name of the person, part of the labels' name.
        port: to listen on; 0 takes a free one.
        show: whether to open a browser.

    Returns:
        The label file of this sitting; None when nothing was judged.

    Raises:
        UserError: there is no such store or source, the port is taken, or the same reviewer has
            the store open elsewhere.
        DiskError: the store cannot be written.
    """
    store = stores.open(folder)
    refuse_unknown(store, options, source)  # before anything is written
    with Journal(folder, reviewer) as journal:
        sets = sets_of(store, options, source, {*journal.published, *journal.open})
        sitting = Sitting(store, sets, options.sample.records, journal)
        with _listen(port) as opened:
            _serve(store, sitting, opened, show)
        # Ctrl-C and SIGTERM come here too; a kill leaves the journal to the next sitting.
        written = journal.publish()
    count = len(journal.published)
    print(f"{reviewer}: {count} records judged in this store, labels in {written or 'no new file'}")
    return written


def _serve(store: stores.Store, sitting: Sitting, opened: socket.socket, show: bool) -> None:
    port = opened.getsockname()[1]
    token = secrets.token_urlsafe(24)
    hosts = frozenset((f"{HOST}:{port}", f"localhost:{port}"))

    def stop(*_: object) -> None:
        server.should_exit = True

    app = create_app(store, sitting, token, hosts, stop)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_S,
        )  # fmt: skip
    )
    url = f"http://{HOST}:{port}/{token}/"
    left = len(sitting.places) - sitting.progress(0)["done"]
    print(f"{left} of {len(sitting.places)} records to judge at\n\n  {url}\n", flush=True)
    print("q on the page, or Ctrl-C here, ends the sitting; nothing is lost either way", flush=True)
    if show:
        webbrowser.open(url)
    # uvicorn ends at a signal and then passes it on: to `stop`, so that what follows is still done.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[opened])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(port: int) -> socket.socket:
    """A socket of this machine alone that listens already.

    Raises:
        UserError: the port is taken, or may not be used.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen(64)
    except OSError as error:
        opened.close()
        fix = "choose another --port, or 0 for a free one"
        rule = f"cannot be used ({error.strerror})"
        raise UserError(Problem("--port", port, rule, fix)) from None
    return opened
