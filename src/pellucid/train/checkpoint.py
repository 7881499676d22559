"""Training checkpoints: whole or absent, plain tensors and JSON, never pickled.

    checkpoints/step-000100/shard-*.safetensors  trained tensors and the optimizer's state
    checkpoints/step-000100/state.json           where the run stands
    checkpoints/best-000100/                     trained tensors with the lowest held-out loss
    checkpoints/fail-000100/                     trained tensors that step 100 was not finite with

torch.distributed.checkpoint writes the shards, each rank its own part, and any number of ranks
reads them, however these share out weights and states. Frozen tensors come from the checkpoint
that the stage started from. Leaves out on purpose: random state (nothing in training draws random
numbers; order is a function of the seed).
"""

import json
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import canonical_json
from pellucid.base.paths import publish, remove_tree
from pellucid.train.optim import Optimizers, Parameter
from pellucid.train.ranks import ALONE, Ranks

FOLDER = "checkpoints"
STATE = "state.json"
FORMAT = 2
"""Of what lies in a checkpoint; stands in `State.run`."""
KEPT = 2
"""Newest checkpoints that stay while a stage runs."""
_WEIGHT = "weights/"
"""Names of trained tensors begin so; names of states begin with their optimizer's."""


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


def save(
    folder: Path,
    state: State,
    trained: Sequence[Parameter],
    optimizers: Optimizers,
    ranks: Ranks = ALONE,
    kept: int = KEPT,
) -> None:
    """Write a checkpoint beside its final name, rename it, then remove all but the newest `kept`.

    All ranks call it.

    Raises:
        OSError: the disk refused.
    """
    tensors = {**_weights(trained), **optimizers.state()}
    _publish(folder / FOLDER / f"step-{state.step:06d}", asdict(state), tensors, ranks)
    if ranks.leads:
        for old in _whole(folder, "step")[:-kept]:
            _discard(old)


def resume(
    folder: Path,
    run: str,
    trained: Sequence[Parameter],
    optimizers: Optimizers,
    ranks: Ranks = ALONE,
) -> State:
    """Put weights and optimizer back where the newest checkpoint of this run left them.

    All ranks call it. Checkpoints of another run are removed.

    Returns:
        Where the run stands; the very beginning when there is no checkpoint.
    """
    path = ranks.told(_newest(folder, run) if ranks.leads else None)
    if path is None:
        return State(run, step=0, epoch=0, window=0, pack=0, log_bytes=0, timing_bytes=0)
    reader = dcp.HuggingFaceStorageReader(str(path))
    held = reader.read_metadata().state_dict_metadata
    sizes = {name: one.size for name, one in held.items() if not name.startswith(_WEIGHT)}
    states = optimizers.room(sizes)
    _read({**_weights(trained), **states}, path, ranks)
    optimizers.load(states)
    return State(**json.loads((path / STATE).read_bytes()))


def keep_best(
    folder: Path,
    run: str,
    step: int,
    loss: float,
    trained: Sequence[Parameter],
    ranks: Ranks = ALONE,
) -> None:
    """Keep the trained tensors if no held-out loss of this run was as low; all ranks call it.

    What was kept of the same step, before a kill, is kept: it is the same reading. A loss that is
    not finite is never the best.
    """
    found = ranks.told(_best(folder, run) if ranks.leads else None)
    if not math.isfinite(loss):
        return
    if found is not None and (loss >= found[1]["loss"] or step == found[1]["step"]):
        return
    target = folder / FOLDER / f"best-{step:06d}"
    _publish(target, {"run": run, "step": step, "loss": loss}, _weights(trained), ranks)
    if found is not None and ranks.leads:
        _discard(found[0])


def take_best(
    folder: Path, run: str, trained: Sequence[Parameter], ranks: Ranks = ALONE
) -> int | None:
    """Put the trained tensors back that `keep_best` kept; all ranks call it.

    Returns:
        After how many steps they were the best; None where no reading was finite.
    """
    found = ranks.told(_best(folder, run) if ranks.leads else None)
    if found is None:
        return None
    _read(_weights(trained), found[0], ranks)
    return int(found[1]["step"])


def keep_failed(
    folder: Path, run: str, step: int, trained: Sequence[Parameter], ranks: Ranks = ALONE
) -> Path:
    """Keep the trained tensors with which a step was not finite; all ranks call it.

    Nothing goes on from them.
    """
    target = folder / FOLDER / f"fail-{step:06d}"
    _publish(target, {"run": run, "step": step}, _weights(trained), ranks)
    return target


def read_failed(path: Path, trained: Sequence[Parameter]) -> None:
    """Put trained tensors back that `keep_failed` kept.

    Raises:
        UserError: they are not there.
    """
    if not path.is_dir():
        fix = "they go when the stage is run again; let it stop once more"
        raise UserError(Problem("weights", str(path), "are not there", fix))
    _read(_weights(trained), path, ALONE)


def forget_failed(folder: Path) -> None:
    """Remove what `keep_failed` kept."""
    for path in _whole(folder, "fail"):
        _discard(path)


def remove_all(folder: Path) -> None:
    """Remove every training checkpoint of a finished stage."""
    remove_tree(folder / FOLDER)


def _weights(trained: Sequence[Parameter]) -> dict[str, Tensor]:
    return {_WEIGHT + one.name: one.tensor.detach() for one in trained}


def _publish(
    target: Path, state: Mapping[str, Any], tensors: Mapping[str, Tensor], ranks: Ranks
) -> None:
    """Write a folder beside its final name, then rename it."""
    temporary = target.with_name(f".{target.name}.tmp")
    if ranks.leads:
        remove_tree(temporary)
        temporary.mkdir(parents=True)
    ranks.wait()
    _write(tensors, temporary, ranks)
    if ranks.leads:
        (temporary / STATE).write_bytes(canonical_json(dict(state)))
        publish(temporary, target)
    ranks.wait()


def _write(tensors: Mapping[str, Tensor], path: Path, ranks: Ranks) -> None:
    """Every rank its part; what several ranks hold is written by one of them.

    Raises:
        OSError: the disk refused one of the ranks.
    """
    writer = dcp.HuggingFaceStorageWriter(str(path), save_distributed=True)
    alone = ranks.size == 1
    try:
        with _quiet():
            dcp.save(dict(tensors), storage_writer=writer, process_group=ranks.aside, no_dist=alone)
    except CheckpointException as error:
        for failure, _ in error.failures.values():
            if isinstance(failure, OSError):
                raise failure from error
        raise


def _read(tensors: Mapping[str, Tensor], path: Path, ranks: Ranks) -> None:
    """Fill tensors in place, each rank those that it holds."""
    reader = dcp.HuggingFaceStorageReader(str(path))
    alone = ranks.size == 1
    with _quiet(), torch.no_grad():
        dcp.load(dict(tensors), storage_reader=reader, process_group=ranks.aside, no_dist=alone)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's remark that one process is alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _newest(folder: Path, run: str) -> Path | None:
    """The newest checkpoint of this run; those of another run are removed."""
    found = _of_run(folder, "step", run)
    return found[-1][0] if found else None


def _best(folder: Path, run: str) -> tuple[Path, dict[str, Any]] | None:
    """The best weights of this run, and what they say of themselves."""
    found = _of_run(folder, "best", run)
    return min(found, key=lambda one: one[1]["loss"]) if found else None


def _of_run(folder: Path, kind: str, run: str) -> list[tuple[Path, dict[str, Any]]]:
    """Checkpoints of one run with what they say, oldest first; those of another run go."""
    found = []
    for path in _whole(folder, kind):
        state = json.loads((path / STATE).read_bytes())
        if state["run"] == run:
            found.append((path, state))
        else:
            _discard(path)
    return found


def _whole(folder: Path, kind: str) -> list[Path]:
    """Checkpoints under their final name, oldest first."""
    return sorted((folder / FOLDER).glob(f"{kind}-*"), key=lambda path: int(path.name[5:]))


def _discard(path: Path) -> None:
    """Take the final name away first, so that a half-removed folder is never taken for whole."""
    leaving = path.with_name(f".{path.name}.gone.tmp")
    remove_tree(leaving)
    os.replace(path, leaving)
    remove_tree(leaving)
