"""Options that verbs share."""

import os
import subprocess
import sys

import pytest

from pellucid.cli.options import one_thread_each

LOADED = """
import sys
import pellucid.cli.main
from pellucid.cli.data import decontaminate, dedup
from pellucid.cli.options import one_thread_each
one_thread_each()
assert "numpy" not in sys.modules, "threads are chosen when numpy is imported"
import numpy, os
numpy.ones((400, 400)) @ numpy.ones((400, 400))
if os.path.isdir("/proc/self/task"):
    print(len(os.listdir("/proc/self/task")))
"""


def test_products_of_numpy_use_one_thread() -> None:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    env = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip() in ("1", ""), done.stdout


def test_what_the_user_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.setenv("VECLIB_MAXIMUM_THREADS", "3")
    one_thread_each()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
