"""Run the `pellucid` command and end it with SIGKILL at a chosen write to disk.

    python kill_at.py <pattern> <n> <log> <pellucid arguments...>

Every flush, rename, link and SQL statement is a moment, before and after it happens. The process
ends at the n-th moment whose line matches the pattern (0: never). The log gets one line a moment.
Nothing of Pellucid is replaced: the calls of the operating system are wrapped.
"""

import os
import re
import signal
import sqlite3
import sys
from collections.abc import Callable
from typing import Any


class Moments:
    """Counts matching moments and ends the process at the chosen one."""

    def __init__(self, pattern: str, last: int, log: str) -> None:
        self.pattern, self.last, self.count = re.compile(pattern), last, 0
        self.log = open(log, "a", encoding="utf-8")  # noqa: SIM115

    def pass_by(self, what: str) -> None:
        self.log.write(what + "\n")
        self.log.flush()
        self.count += bool(self.pattern.search(what))
        if self.last and self.count == self.last:
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
    moments = Moments(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    os.fsync = moments.around("fsync", os.fsync)
    os.replace = moments.around("replace", os.replace)
    os.rename = moments.around("rename", os.rename)
    os.link = moments.around("link", os.link)
    watch_sqlite(moments)
    sys.argv = ["pellucid", *sys.argv[4:]]
    from pellucid.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
