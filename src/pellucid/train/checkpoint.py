"""Training checkpoints: whole or absent, plain tensors and JSON, never pickled.

    checkpoints/step-000100/model.safetensors      the trained tensors, nothing frozen
    checkpoints/step-000100/optimizer.safetensors  the optimizer's state
    checkpoints/step-000100/state.json             where the run stands

Frozen tensors come from the checkpoint that the stage started from. Leaves out on purpose: random
state (nothing in training draws random numbers; order is a function of the seed).
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from pellucid.base.hashing import canonical_json
from pellucid.base.paths import publish, remove_tree
from pellucid.model.tensors import write_tensors
from pellucid.train.optim import Optimizers, Parameter

FOLDER = "checkpoints"
KEPT = 2
"""Newest checkpoints that stay while a stage runs."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a run stands after `step` steps."""

    run: str
    """Hash of what decides the run; a checkpoint of another run is never resumed."""
    step: int
    """Steps done."""
    epoch: int
    window: int
    pack: int
    """With `epoch` and `window`: the first pack of the next step."""
    log_bytes: int
    timing_bytes: int
    """Sizes of the two logs at this point."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that was read back, on the CPU."""

    state: State
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]


def save(
    folder: Path, state: State, weights: Mapping[str, Tensor], optimizer: Mapping[str, Tensor]
) -> None:
    """Write a checkpoint beside its final name, rename it, then remove all but the newest two.

    Raises:
        OSError: the disk refused.
    """
    target = folder / FOLDER / f"step-{state.step:06d}"
    temporary = target.with_name(f".{target.name}.tmp")
    remove_tree(temporary)
    temporary.mkdir(parents=True)
    write_tensors(weights, temporary / "model.safetensors")
    write_tensors(optimizer, temporary / "optimizer.safetensors")
    (temporary / "state.json").write_bytes(canonical_json(asdict(state)))
    publish(temporary, target)
    for old in _whole(folder)[:-KEPT]:
        _discard(old)


def newest(folder: Path, run: str) -> Saved | None:
    """The newest checkpoint of this run; those of another run are removed."""
    for path in reversed(_whole(folder)):
        state = State(**json.loads((path / "state.json").read_bytes()))
        if state.run == run:
            return Saved(
                state,
                load_file(path / "model.safetensors"),
                load_file(path / "optimizer.safetensors"),
            )
        _discard(path)
    return None


def resume(folder: Path, run: str, trained: Sequence[Parameter], optimizers: Optimizers) -> State:
    """Put weights and optimizer back where the newest checkpoint of this run left them.

    Returns:
        Where the run stands; the very beginning when there is no checkpoint.
    """
    saved = newest(folder, run)
    if saved is None:
        return State(run, step=0, epoch=0, window=0, pack=0, log_bytes=0, timing_bytes=0)
    with torch.no_grad():
        for one in trained:
            one.tensor.copy_(saved.weights[one.name])
    optimizers.load(saved.optimizer)
    return saved.state


def remove_all(folder: Path) -> None:
    """Remove every training checkpoint of a finished stage."""
    remove_tree(folder / FOLDER)


def _whole(folder: Path) -> list[Path]:
    """Checkpoints under their final name, oldest first."""
    return sorted((folder / FOLDER).glob("step-*"), key=lambda path: int(path.name[5:]))


def _discard(path: Path) -> None:
    """Take the final name away first, so that a half-removed folder is never taken for whole."""
    leaving = path.with_name(f".{path.name}.tmp")
    remove_tree(leaving)
    os.replace(path, leaving)
    remove_tree(leaving)
