"""Do a step again that was not finite, from what `reproducer` wrote; nothing is changed on disk.

On one process, whatever the stage ran on: of several ranks the last bits of a sum may differ.
Features of a frozen tower are made again, not read.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pellucid import store
from pellucid.base.errors import Problem, UserError, boundary
from pellucid.model import checkpoint as models
from pellucid.recipe.train import Stage
from pellucid.store import MixRow, Store, read_mix
from pellucid.train import checkpoint as checkpoints
from pellucid.train.feed import Feed
from pellucid.train.folder import run_hash
from pellucid.train.frozen import choose
from pellucid.train.lengths import Lengths, index_lengths
from pellucid.train.objective import Objective
from pellucid.train.optim import Optimizers, parameters
from pellucid.train.plan import Cursor, Step
from pellucid.train.precision import deterministic
from pellucid.train.recompute import recomputing
from pellucid.train.step import Stepper


class Reproduced(NamedTuple):
    """What the step gave this time."""

    log: dict[str, Any]
    """Its line of the log: loss, gradient's norm by module, what was in it."""
    losses: tuple[tuple[str, float], ...]
    """Record id and mean loss of a target, per example, in the order of the packs."""


def reproduce(file: Path) -> Reproduced:
    """Compute the step that a `reproducer.json` tells of, up to its gradient.

    Args:
        file: in the folder of the stage that stopped; its mix, stores and checkpoint still lie
            where it says.

    Raises:
        UserError: one of these is not there or not what it was.
        DiskError: a file could not be read.
    """
    with boundary("reproducing a step"):
        told = json.loads(file.read_bytes())
        stage, folder, start = Stage.model_validate(told["stage"]), file.parent, told["checkpoint"]
        mix, device, dtype = read_mix(Path(told["mix"])).rows, told["device"], told["dtype"]
        _same(file, told, run_hash(stage, mix, Path(start), told["seed"], dtype))
        loaded = models.load(Path(start), device)
        modules, objective = loaded.model.modules_by_name(), Objective(loaded.model, dtype)
        choose(modules, stage, told["seed"], loaded.renderer.mode_ids, dtype)
        trained = parameters(modules, stage.modules, stage.optimizer.kind)
        checkpoints.read_failed(folder / told["weights"], trained)
        stores = store.open(*map(Path, told["stores"]))
        lengths = _lengths(stage, mix, stores, loaded)
        packs = tuple(tuple(_number(lengths, one) for one in pack) for pack in told["packs"])
        optimizers = Optimizers(trained, stage.modules, stage.optimizer, dtype)
        feed = Feed(lengths, stores, loaded.renderer)
        stepper = Stepper(  # nothing is updated, so of how many steps it is one does not matter
            stage, told["step"] + 1, objective, optimizers, lengths, feed, device,
            choices=loaded.renderer.choice_ids,
        )  # fmt: skip
        with deterministic(device), recomputing(loaded.model, told["recompute"]):
            seen = stepper.gradient(told["step"], Step(told["epoch"], packs, Cursor()))
        names = [one["record"] for pack in told["packs"] for one in pack]
        return Reproduced(seen.log, tuple(zip(names, seen.losses, strict=True)))


def _lengths(stage: Stage, mix: Sequence[MixRow], stores: Store, loaded: models.Loaded) -> Lengths:
    """What the examples' numbers point into, made again.

    Raises:
        UserError: the stores lack a record of the mix.
    """
    lacking = {row.id for row in mix}
    for block in stores.fact_blocks(["id"]):
        lacking.difference_update(block["id"].to_pylist())
    if lacking:
        told, first = ", ".join(map(str, stores.folders)), min(lacking)
        rule, fix = f"lack the record {first} of the mix", "put those of the run back"
        raise UserError(Problem("reproducer.stores", told, rule, fix))
    context = int(loaded.model.config.text_config.max_position_embeddings)
    with TemporaryDirectory() as folder:
        home = Path(folder)
        return index_lengths(home, stage, mix, stores, loaded.renderer, context, keep=False)


def _number(lengths: Lengths, told: dict[str, Any]) -> int:
    """The number of an example, which has to be the one that was recorded with it.

    Raises:
        UserError: it is another, or there is none.
    """
    number, wanted = int(told["example"]), f"part {told['part']} of record {told['record']}"
    found = "no example"
    if 0 <= number < len(lengths.row):
        record = lengths.records[int(lengths.row[number])]
        found = f"part {int(lengths.part[number])} of record {record}"
    if found != wanted:
        rule = f"was {wanted}, and is {found} in the length index of the mix and stores as they are"
        fix = "put the stores of the run back, and use the version of pellucid that wrote the file"
        raise UserError(Problem("reproducer.packs: example", number, rule, fix))
    return number


def _same(file: Path, told: dict[str, Any], run: str) -> None:
    """Refuse a mix or checkpoint that is not the one of the step.

    Raises:
        UserError: it is not.
    """
    if run != told["run"]:
        rule = (
            f"is of another mix or checkpoint than now lies at {told['mix']}, {told['checkpoint']}"
        )
        raise UserError(Problem("reproducer", str(file), rule, "put those of the run back"))
