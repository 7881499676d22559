"""Sources that become record stores, scene generators, splits, and mixes.

Torch-free. `build_source` and `build_mix` are what a run calls; both go on after a kill.
"""

from pellucid.data.build import build_source, input_hashes, source_version
from pellucid.data.mix import build_mix
from pellucid.data.splits import Overlap, overlaps

__all__ = [
    "Overlap",
    "build_mix",
    "build_source",
    "input_hashes",
    "overlaps",
    "source_version",
]
