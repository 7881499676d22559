"""Ctrl-C between steps: what was asked for in the middle of a step is done at its end.

Leaves out on purpose: other signals. A killed job goes on from what it saved last.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import final

_STDERR = 2
_NOTED = "\n  stopping after this step; Ctrl-C again to stop at once\n"


@final
class Stop:
    """Whether someone has pressed Ctrl-C."""

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def between_steps() -> Iterator[Stop]:
    """Inside, the first Ctrl-C is noted and acts when this ends; a second one acts at once.

    Whoever runs the steps looks at `asked` after each, saves what there is and leaves. Outside of
    the main thread nothing is noted, since Ctrl-C never comes there. Not to be nested.
    """
    stop = Stop()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield stop
        return

    def note(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        stop.asked = True
        with suppress(OSError):  # whoever reads the messages may have been stopped as well
            os.write(_STDERR, _NOTED.encode())

    signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
    if stop.asked:
        before(signal.SIGINT, None)
