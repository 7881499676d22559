"""The folder of a job that trains: its names, its beginning and its end.

Supervised stages and RL share it, so that both survive a kill in the same way. Leaves out on
purpose: the manifest and the folder's final name, which belong to the flow.
"""

import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from pellucid.base.hashing import hash_file, hash_parts
from pellucid.base.paths import publish, sweep_temporaries
from pellucid.model import checkpoint as models
from pellucid.recipe.train import Stage
from pellucid.store import MixRow
from pellucid.train import checkpoint as checkpoints

MODEL = "checkpoint"
"""The final model; a folder that has it is finished."""
LOG = "log.jsonl"
TIMES = "timing/steps.jsonl"


def finished(folder: Path) -> bool:
    """Whether the final model is there; leftovers of a killed run are removed either way."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep_temporaries(folder)
    done = (folder / MODEL).is_dir()
    if done:
        checkpoints.remove_all(folder)
    return done


def publish_model(folder: Path, loaded: models.Loaded) -> None:
    """The final model under its final name; only then the training checkpoints go."""
    temporary = folder / f".{MODEL}.tmp"
    models.save(loaded.model, loaded.renderer, temporary)
    publish(temporary, folder / MODEL)
    checkpoints.remove_all(folder)


def file_hashes(checkpoint: Path) -> dict[str, str]:
    """SHA-256 of every file of the checkpoint that training starts from."""
    return {path.name: hash_file(path) for path in sorted(checkpoint.iterdir()) if path.is_file()}


def run_hash(stage: Stage, mix: Sequence[MixRow], checkpoint: Path, seed: int, dtype: str) -> str:
    """Hash of everything that decides the steps of a stage."""
    rows = ([row.id, row.repeat, row.mode, *([row.rank] if row.rank else [])] for row in mix)
    told = stage.model_dump(mode="json")
    return hash_parts([checkpoints.FORMAT, told, rows, file_hashes(checkpoint), seed, dtype])


def peak_rss_bytes() -> int:
    """Most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def rss_bytes() -> int:
    """Memory of this process now; its peak where the system does not say."""
    path = Path("/proc/self/statm")
    if not path.exists():
        return peak_rss_bytes()
    pages = int(path.read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
