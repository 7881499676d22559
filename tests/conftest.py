"""For all tests: Pellucid first, since it settles the environment before torch is loaded."""

import pellucid

assert pellucid.__version__
