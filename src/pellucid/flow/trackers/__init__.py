"""Places outside the workspace where people watch runs, by name. The run's own JSONL stays."""

from collections.abc import Mapping

from pellucid.flow.trackers import mlflow, tensorboard, wandb
from pellucid.flow.trackers.base import About, Open, Tracker

__all__ = ["TRACKERS", "About", "Open", "Tracker"]

TRACKERS: Mapping[str, Open] = {
    "mlflow": mlflow.connect,
    "tensorboard": tensorboard.connect,
    "wandb": wandb.connect,
}
