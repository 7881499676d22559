"""Runners, one per file: who carries an operator over the shards of a store."""

from pellucid.data.runners import local, ray
from pellucid.data.runners.base import Runner

RUNNERS: dict[str, Runner] = {
    "local": local.run,
    "ray": ray.run,
}
"""By the name that `--runner` takes."""

__all__ = ["RUNNERS", "Runner"]
