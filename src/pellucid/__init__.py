"""Pellucid: compact multimodal reasoning models that can be audited."""

import os

# Third parties' telemetry is off before any of them is imported.
for _name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "RAY_USAGE_STATS_DISABLED"):
    os.environ.setdefault(_name, "1")

__version__ = "0.1.0"
