"""Release: the gate's checks, its decision, the evidence bundle and the catalog.

Reads metrics that others measured; measures nothing itself and imports no room but `recipe`.
"""

from pellucid.release.bundle import Bundle, Link, read_bundle, write_bundle
from pellucid.release.catalog import Catalog, Entry
from pellucid.release.checks import CHECKS, OVERLAP
from pellucid.release.decide import decide, hash_policy, metrics_read, resolve_final
from pellucid.release.folders import content_hash

__all__ = [
    "CHECKS",
    "OVERLAP",
    "Bundle",
    "Catalog",
    "Entry",
    "Link",
    "content_hash",
    "decide",
    "hash_policy",
    "metrics_read",
    "read_bundle",
    "resolve_final",
    "write_bundle",
]
