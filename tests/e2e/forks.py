"""Runs the `pellucid` command many times, in forks of one process that has imported everything.

    python forks.py        one JSON line in for each run, one out: see `main`

A run is ended by its own audit hook just before its n-th moment: a file of its folder is opened for
writing, renamed, linked, removed, a folder is made or removed, or SQLite is given a statement. Or a
write that would make a file larger than a limit ends it in the middle of that write (SIGXFSZ), or
fails with "file too large" as it would with a full disk. Nothing of Pellucid is replaced; only
shards are made small, so that a few rows are several.
"""

import io
import json
import os
import resource
import signal
import sqlite3
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink")
_KEPT = (
    "pellucid",
    "pyarrow",
    "duckdb",
    "PIL",
    "numpy",
    "matplotlib",
    "pydantic",
    "jinja2",
    "torch",
)
"""Packages that are imported once for all; asynchronous ones do not outlive a fork."""
SHARD_ROWS = 3


def watch(last: int, waits: str, pipe: int) -> None:
    """Tell the pipe each moment, and end this process just before the `last` one (0: never).

    With `waits`, a FIFO, it waits there instead until whoever writes to that has closed it.
    """
    here, count = os.getcwd(), 0

    def moment(what: str) -> None:
        nonlocal count
        count += 1
        if count == last and waits:
            with open(waits, "rb") as gate:
                gate.read()
        elif count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(pipe, what.encode("utf-8", "replace")[:400].replace(b"\n", b" ") + b"\n")

    def hook(event: str, told: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and told[2] & _WRITES):
            path = told[0]
            if isinstance(path, (str, bytes)):  # not a handle, which was opened before
                path = os.path.abspath(os.fsdecode(path))
                if path.startswith(here + os.sep):
                    moment(f"{event} {path[len(here) + 1 :]}")

    def connected(*told: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*told, **named)
        if os.path.abspath(told[0]).startswith(here + os.sep) and told[0] != ":memory:":
            connection.set_trace_callback(lambda text: moment(f"sql {text[:40]}"))
        return connection

    # SQLite writes through its own calls: each statement is counted instead.
    connect, sqlite3.connect = sqlite3.connect, connected  # type: ignore[assignment]
    sys.addaudithook(hook)


def run(job: dict[str, Any], pipe: int) -> int:
    """One run of the command, in this process."""
    os.chdir(job["cwd"])
    sys.stdout = sys.stderr = io.TextIOWrapper(open(1, "wb", 0), write_through=True)
    sys.argv = ["pellucid", *job["argv"]]
    if job.get("bytes"):
        dies = job.get("dies", True)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if dies else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["bytes"], job["bytes"]))
    watch(job.get("last", 0), job.get("waits", ""), pipe)
    from pellucid.cli.main import main as command

    code = 0
    try:
        command()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter would
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    return code


def forked(job: dict[str, Any]) -> dict[str, Any]:
    """A run in a child: its exit code, what it said, its moments; what it imported is kept here."""
    pipes = [os.pipe(), os.pipe()]
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.dup2(pipes[0][1], 1)
            os.dup2(pipes[0][1], 2)
            code = run(job, pipes[1][1])
            os.write(pipes[1][1], json.dumps(sorted(sys.modules)).encode() + b"\n")
        finally:
            os._exit(code)
    for _, end in pipes:
        os.close(end)
    with ThreadPoolExecutor(2) as pool:  # no thread is left when the next child is forked
        said, moments = pool.map(_read, [pipe[0] for pipe in pipes])
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if moments and moments[-1].startswith('["'):
        for name in json.loads(moments.pop()):
            if name.partition(".")[0] in _KEPT and name not in sys.modules:
                with suppress(Exception):
                    import_module(name)  # the next run finds it
    return {"code": code, "moments": moments, "said": "\n".join(said)}


def _read(handle: int) -> list[str]:
    with open(handle, "rb") as file:
        return file.read().decode("utf-8", "replace").splitlines()


def main() -> None:
    """Take jobs until the input ends.

    A job: `cwd` and `argv`; `last` (the moment that is not reached, or with the FIFO `waits` only
    once that was written to and closed), or `bytes` (most that a file
    may grow to) with `dies` (whether that ends the process).
    """
    import pellucid.cli.main
    import pellucid.data.rows

    pellucid.data.rows.SHARD_ROWS = SHARD_ROWS
    for line in sys.stdin:
        print(json.dumps(forked(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
