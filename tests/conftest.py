"""For all tests: Pellucid first, since it settles the environment before torch is loaded."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: one thread each, in the programs that they start as well.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pellucid

assert pellucid.__version__
