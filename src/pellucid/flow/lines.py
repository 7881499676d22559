"""Lines for the user while a run works: standard error, so that results own standard output."""

import sys


def say(line: str) -> None:
    """Print a line at once."""
    print(line, file=sys.stderr, flush=True)
