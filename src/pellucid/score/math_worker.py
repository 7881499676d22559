"""The worker process of `grader`, run with `python -m`: the only file that imports math-verify.

One JSON object a line on standard input (`gold`, `answer`, `cpu_s`), one on standard output:
`equal` (true, false, or null for a gold that holds no mathematics). When the CPU time of a
comparison is used up the kernel ends the process, also in the middle of one long operation, so
there is no verdict to mistrust. Left out on purpose: math-verify's own time limits (alarms that
only work in a main thread, count the time of other processes, and end as "not equal").
"""

import json
import logging
import signal
import sys
from typing import Any, TextIO

from math_verify import parse, verify


def main() -> None:
    """Answer requests until standard input ends."""
    replies, sys.stdout = sys.stdout, sys.stderr
    logging.disable(logging.CRITICAL)
    # A process inherits ignored signals from its parent.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The first comparison builds tables; no budget should pay for them.
    equal(r"$\frac{1}{2}$", "$x + 0.5$")
    _send(replies, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, request["cpu_s"])
        answer = equal(request["gold"], request["answer"])
        signal.setitimer(signal.ITIMER_PROF, 0)
        _send(replies, {"equal": answer})


def equal(gold: str, answer: str) -> bool | None:
    """Whether two texts hold equal mathematics; None when the gold holds none."""
    wanted = parse(gold, parsing_timeout=None)
    if not wanted:
        return None
    if gold == answer:
        return True
    said = parse(answer, parsing_timeout=None)
    return bool(said) and bool(verify(wanted, said, timeout_seconds=None))


def _send(replies: TextIO, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
