"""Pellucid: compact multimodal reasoning models that can be audited."""

import os

# Third parties' telemetry is off before any of them is imported.
for _name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "RAY_USAGE_STATS_DISABLED"):
    os.environ.setdefault(_name, "1")

# Waiting threads sleep: two spinning processes on a few cores slow each other down many times over.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
