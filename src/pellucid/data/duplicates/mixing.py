"""Spreading 64-bit numbers, so that near ones become unlike and their least are a fair sample.

Leaves out on purpose: hashes of bytes, which are in `base/hashing.py`.
"""

import numpy as np


def mixed(values: np.ndarray) -> np.ndarray:
    """Unsigned 64-bit numbers spread over all 64 bits (the finaliser of splitmix64).

    >>> int(mixed(np.array([1], np.uint64))[0]) >> 60
    5
    """
    out = values.astype(np.uint64, copy=True)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        out ^= out >> np.uint64(shift)
        out *= np.uint64(factor)
    out ^= out >> np.uint64(31)
    return out
