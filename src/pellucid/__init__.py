"""Pellucid: compact multimodal reasoning models that can be audited.

`pellucid.run(recipe)`, `pellucid.load(model).answer(text, image)` and `pellucid.store.open(path)`
are the Python API; they are imported when they are first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid import store
    from pellucid.flow.api import load, run

# Third parties' telemetry is off before any of them is imported.
for _name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "RAY_USAGE_STATS_DISABLED"):
    os.environ.setdefault(_name, "1")

# Waiting threads spin for about ten microseconds, then sleep. Spinning for longer, two processes on
# a few cores slow each other down many times over; sleeping at once, a step that waits often takes
# half as long again (docs/LOG.md, 2026-11-22). A policy of one's own is left alone.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # GNU's library, that of torch on Linux
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # LLVM's: in whole milliseconds, so none
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "15")  # numpy's: 2 ** 15 ticks of a clock

__version__ = "0.1.0"
__all__ = ["load", "run", "store"]


def __getattr__(name: str) -> Any:
    """A name of the API; nothing heavy is imported before it is asked for."""
    if name == "store":
        return import_module("pellucid.store")
    if name in ("load", "run"):
        return getattr(import_module("pellucid.flow.api"), name)
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")
