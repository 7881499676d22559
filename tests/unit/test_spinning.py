"""What `pellucid` says to the libraries whose threads wait by spinning."""

import json
import os
import subprocess
import sys

import pytest

NAMES = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OPENBLAS_THREAD_TIMEOUT")


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({}, ["1000", "0", "15"]),
        ({"OPENBLAS_THREAD_TIMEOUT": "26"}, ["1000", "0", "26"]),
        ({"OMP_WAIT_POLICY": "active"}, [None, None, None]),
    ],
)
def test_waiting_threads_soon_sleep_unless_the_user_says_otherwise(
    own: dict[str, str], told: list[str | None]
) -> None:
    code = f"import pellucid, os, json; print(json.dumps([os.environ.get(n) for n in {NAMES}]))"
    given = {k: v for k, v in os.environ.items() if k not in (*NAMES, "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**given, **own}, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == told
