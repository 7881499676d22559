"""Processes that share work: forked from one that has imported what they need; Ctrl-C is ours."""

import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_all_start_methods

import pytest

from pellucid.base.processes import context

forks = pytest.mark.skipif("forkserver" not in get_all_start_methods(), reason="cannot fork")


def started() -> tuple[int, bool, bool]:
    """The parent, whether what is needed was there at the start, and whether Ctrl-C reaches it."""
    there = "pellucid.data.drafts" in sys.modules
    return os.getppid(), there, signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@forks
def test_they_have_one_parent_that_imported_what_they_need_and_ctrl_c_is_not_theirs() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with ProcessPoolExecutor(2, context("pellucid.data")) as pool:
        found = {one.result() for one in [pool.submit(started) for _ in range(20)]}
    ((parent, there, held),) = found
    assert parent != os.getpid() and there and held
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
