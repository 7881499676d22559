"""Where the processes that share a piece of work come from.

They are not forked from this process: it may hold threads (Arrow's, DuckDB's), and a fork would not
get through with them. They are forked from one that was started for that, has no thread, and
imports once what all of them need. Leaves out on purpose: pools and what is done in them
(`data/runners`).
"""

import gc
import signal
from multiprocessing import forkserver, get_all_start_methods, get_context, resource_tracker
from multiprocessing.context import BaseContext

_FORKED = "forkserver"


def context(needed: str) -> BaseContext:
    """What new processes are made with; spawned where a system cannot fork.

    The process that others are forked from is started here, and not waited for: call this before
    slow imports, where it is clear that processes will be needed.

    Args:
        needed: the package that is imported once for all of them.
    """
    if _FORKED not in get_all_start_methods():
        return get_context("spawn")
    found = get_context(_FORKED)
    found.set_forkserver_preload([needed])
    resource_tracker.ensure_running()  # which lets signals through again
    # Ctrl-C goes to all processes of a terminal; this one ends those that work for it itself.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return found


def collect_less() -> None:
    """Let the collector pass over what there is by now, and look at the rest less often.

    What was imported stays, and rows and pictures make many objects but no circles.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()
