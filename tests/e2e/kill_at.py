"""Run the `pellucid` command and end it with SIGKILL at the n-th write to disk.

    python kill_at.py <n> <log> <pellucid arguments...>

Every flush, rename and SQLite commit counts as one moment, before and after it happens; `n` = 0
only counts. The log gets one line a moment, so that a test can choose moments by the job that was
running. Nothing of Pellucid is replaced: the calls of the operating system are wrapped.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from typing import Any


class Moments:
    """Counts moments and ends the process at the chosen one."""

    def __init__(self, last: int, log: str) -> None:
        self.last, self.count = last, 0
        self.log = open(log, "a", encoding="utf-8")  # noqa: SIM115

    def pass_by(self, what: str) -> None:
        self.count += 1
        self.log.write(f"{self.count} {what}\n")
        self.log.flush()
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            shown = " ".join(str(item) for item in arguments)
            self.pass_by(f"before {name} {shown}")
            result = call(*arguments, **named)
            self.pass_by(f"after {name} {shown}")
            return result

        return wrapped


def watch_sqlite(moments: Moments) -> None:
    """SQLite writes through its own calls: count each statement instead."""
    connect = sqlite3.connect

    def watched(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **named)
        connection.set_trace_callback(lambda text: moments.pass_by(f"before sql {text[:40]!r}"))
        return connection

    sqlite3.connect = watched  # type: ignore[assignment]


def main() -> None:
    moments = Moments(int(sys.argv[1]), sys.argv[2])
    os.fsync = moments.around("fsync", os.fsync)
    os.replace = moments.around("replace", os.replace)
    os.rename = moments.around("rename", os.rename)
    os.link = moments.around("link", os.link)
    watch_sqlite(moments)
    sys.argv = ["pellucid", *sys.argv[3:]]
    from pellucid.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
