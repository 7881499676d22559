"""What a step that is not finite was made of, so that it can be done again.

    reproducer.json            the step: stage, seed, number, packs, records, what was logged of it
    checkpoints/fail-000007    the trained tensors before step 7, which the step did not change

With the checkpoint that the stage started from (frozen tensors), its mix and its stores, all named
in the file, these are everything that decides the step; `reproduce` does it again. Leaves out on
purpose: the optimizer's state, as nothing was updated; going on from there (a killed stage goes on
from its own checkpoints, and an accident of the machine is then not met again).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.hashing import canonical_json
from pellucid.base.paths import write_bytes
from pellucid.recipe.train import Stage
from pellucid.train import checkpoint as checkpoints
from pellucid.train.lengths import Lengths
from pellucid.train.optim import Parameter
from pellucid.train.plan import Step
from pellucid.train.ranks import Ranks

FILE = "reproducer.json"


@dataclass(frozen=True, slots=True)
class Reproducer:
    """Everything beside the step itself that decides it."""

    folder: Path
    """Of the stage."""
    stage: Stage
    mix: Path
    stores: tuple[Path, ...]
    checkpoint: Path
    """The model that the stage started from."""
    run: str
    """Hash of what decides the run, see `folder.run_hash`."""
    seed: int
    device: str
    dtype: str
    recompute: bool
    trained: list[Parameter]
    ranks: Ranks

    def clear(self) -> None:
        """Remove what an earlier try left; the leader calls it."""
        (self.folder / FILE).unlink(missing_ok=True)
        checkpoints.forget_failed(self.folder)

    def write(self, step: Step, log: Mapping[str, Any], lengths: Lengths) -> Path:
        """Keep the trained tensors and write the file; all ranks call it.

        Args:
            step: whose loss or gradient is not finite.
            log: its line; `step` is its number from 0.
            lengths: what the packs' numbers point into.

        Returns:
            The file.

        Raises:
            OSError: the disk refused.
        """
        number = int(log["step"])
        weights = checkpoints.keep_failed(self.folder, self.run, number, self.trained, self.ranks)
        packs = [[_example(lengths, at) for at in pack] for pack in step.packs]
        rows = np.unique(lengths.row[[at for pack in step.packs for at in pack]])
        told = {
            "stage": self.stage.model_dump(mode="json"),
            "step": number,
            "epoch": step.epoch,
            "seed": self.seed,
            "records": [lengths.records[int(row)] for row in rows],
            "packs": packs,
            "checkpoint": str(self.checkpoint.absolute()),
            "weights": str(weights.relative_to(self.folder)),
            "mix": str(self.mix.absolute()),
            "stores": [str(folder.absolute()) for folder in self.stores],
            "run": self.run,
            "device": self.device,
            "dtype": self.dtype,
            "recompute": self.recompute,
            "ranks": self.ranks.size,
            "log": {key: repr(value) for key, value in log.items()},
        }
        if self.ranks.leads:
            write_bytes(self.folder / FILE, canonical_json(told))
        self.ranks.wait()  # nobody leaves before it lies there
        return self.folder / FILE


def _example(lengths: Lengths, at: int) -> dict[str, Any]:
    """An example of a pack: its number in the length index, and which of a record's it is."""
    record = lengths.records[int(lengths.row[at])]
    return {"example": at, "record": record, "part": int(lengths.part[at])}
