"""The parent side of the mathematics worker: a process that may be lost at any time.

Symbolic comparison has no bound of its own (a tower of powers, a hard integral), so it runs in a
process that the kernel ends when its CPU time is used up; the next question starts another. CPU
time, not wall-clock time, so a busy machine decides as an idle one does. Left out on purpose: what
is asked (`expression`) and how it is answered (`math_worker`).
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from threading import Lock
from typing import Any

WORKER = "pellucid.score.math_worker"


class Undecided(Exception):
    """No verdict: the budget was used up, or the worker was lost."""


class Grader:
    """One worker process, started when it is first asked and after it was lost."""

    def __init__(self) -> None:
        self._worker: subprocess.Popen[str] | None = None
        self._owner = 0
        self._lock = Lock()

    def equal(self, gold: str, answer: str, cpu_s: float) -> bool | None:
        """Whether two texts hold equal mathematics; None when the gold holds none.

        Args:
            gold: the gold answer, LaTeX between dollars.
            answer: what is compared with it, likewise.
            cpu_s: budget of CPU time in seconds for both and their comparison.

        Raises:
            Undecided: the budget was used up, or the worker was lost.
        """
        request = {"gold": gold, "answer": answer, "cpu_s": cpu_s}
        with self._lock:
            reply = status = None
            worker = self._ready()
            try:
                reply = _ask(worker, request)
            finally:
                # Interrupted, it would hand its late verdict to the next question.
                if reply is None:
                    status = self._end()
            if status == -signal.SIGPROF:
                raise Undecided(f"more than {cpu_s:g} s of CPU time")
            if reply is None:
                raise Undecided(f"the worker was lost (status {status})")
            verdict = reply["equal"]
            assert verdict is None or isinstance(verdict, bool), f"the worker said {reply}"
            return verdict

    def close(self) -> None:
        """End the worker; a later question starts another."""
        with self._lock:
            self._end()

    def _ready(self) -> "subprocess.Popen[str]":
        """The worker of this process, started if there is none."""
        if self._owner != os.getpid():
            # After a fork the worker answers the parent; talking to it would mix up the verdicts.
            self._worker, self._owner = None, os.getpid()
        if self._worker is None:
            self._worker = subprocess.Popen(
                # -P: the working folder must not be able to replace a module.
                [sys.executable, "-P", "-m", WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="ascii",
            )
            if _read(self._worker) is None:
                raise RuntimeError(f"{WORKER} does not start (status {self._end()})")
        return self._worker

    def _end(self) -> int | None:
        """End the worker if there is one and give its status."""
        worker, self._worker = self._worker, None
        if worker is None or self._owner != os.getpid():
            return None
        assert worker.stdin is not None and worker.stdout is not None, "the worker has pipes"
        # It holds nothing worth saving; one that has ended by itself keeps its own status.
        worker.kill()
        with suppress(BrokenPipeError):
            worker.stdin.close()
        worker.stdout.close()
        return worker.wait()


def _ask(worker: "subprocess.Popen[str]", request: dict[str, Any]) -> dict[str, Any] | None:
    """The worker's reply, or None when it is lost."""
    assert worker.stdin is not None, "the worker has pipes"
    try:
        worker.stdin.write(json.dumps(request) + "\n")
        worker.stdin.flush()
    except BrokenPipeError:
        return None
    return _read(worker)


def _read(worker: "subprocess.Popen[str]") -> dict[str, Any] | None:
    """One message of the worker, or None when it is lost."""
    assert worker.stdout is not None, "the worker has pipes"
    line = worker.stdout.readline()
    if not line.endswith("\n"):
        return None
    message = json.loads(line)
    assert isinstance(message, dict), f"the worker said {line!r}"
    return message


GRADER = Grader()
atexit.register(GRADER.close)
