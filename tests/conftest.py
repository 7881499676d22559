"""For all tests: Pellucid first, since it settles the environment before torch is loaded."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: one thread each, in the programs that they start as well.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

import pellucid

assert pellucid.__version__
# A slow machine is no fault of the code: no test has a deadline.
settings.register_profile("pellucid", deadline=None)
settings.load_profile("pellucid")
