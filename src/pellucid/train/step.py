"""One optimizer step: micro-batches, one denominator for all of them, clip, update.

The denominator is the number of supervised tokens of the whole step, known from the plan before the
first backward pass: splitting the step otherwise, or dealing it to ranks, changes neither its loss
nor its gradient.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple, NoReturn, final

import numpy as np
import torch
from torch import Tensor

from pellucid.base.errors import Problem, UserError
from pellucid.recipe.train import Stage
from pellucid.train.batch import Batch, collate
from pellucid.train.cost import Work, operations
from pellucid.train.deal import Turn, turns
from pellucid.train.features import Features
from pellucid.train.feed import Feed
from pellucid.train.lengths import Lengths
from pellucid.train.objective import Objective, sums
from pellucid.train.optim import Norms, Optimizers
from pellucid.train.pack import Pack, occupancy
from pellucid.train.plan import Step
from pellucid.train.ranks import ALONE, Ranks
from pellucid.train.replica import Idle, Pair, halves
from pellucid.train.reproducer import Reproducer
from pellucid.train.schedule import factor
from pellucid.train.shard import release


class Gradient(NamedTuple):
    """A step up to its gradient, clipped; nothing is updated yet."""

    log: dict[str, Any]
    """Its line, but for the rates."""
    losses: tuple[float, ...]
    """Mean loss of a target of each example, in the order of the packs."""
    waited: float
    """Seconds up to the end of the last pass in which none ran: examples were made, mostly."""
    finite: bool


class Outcome(NamedTuple):
    """What one step leaves behind."""

    log: dict[str, Any]
    """The same in every run of the recipe."""
    seconds: float
    waited: float
    """Seconds of those, up to the end of the last pass, in which none ran."""
    work: Work
    """What was in it."""


@final
class Stepper:
    """Does the steps of one stage."""

    def __init__(
        self,
        stage: Stage,
        total: int,
        objective: Objective,
        optimizers: Optimizers,
        lengths: Lengths,
        feed: Feed,
        device: str,
        ranks: Ranks = ALONE,
        choices: Sequence[int] = (),
        features: Features | None = None,
        reproducer: Reproducer | None = None,
    ) -> None:
        self._stage, self._total, self._reproducer = stage, total, reproducer
        self.objective, self._optimizers = objective, optimizers
        self._lengths, self._feed = lengths, feed
        self.device, self._ranks = device, ranks
        self._choices, self._features = choices, features
        self._opens = np.diff(lengths.row, prepend=-1) > 0  # first example of its record
        self._idle = Idle()
        self._pair: Pair | None = None
        if device == "cpu" and optimizers.sharding != "weights":
            self._pair = Pair(objective)
            each = (lengths.tokens, lengths.supervised, lengths.patches)
            self._operations = operations(objective.model, stage, *each)

    def step(self, number: int, step: Step) -> Outcome:
        """Do step `number` (from 0).

        Raises:
            UserError: the loss or a gradient is not finite; nothing was updated.
        """
        start = time.perf_counter()
        found = self.gradient(number, step)
        if not found.finite:
            self._stop(step, found.log)
        rates = self._optimizers.set_factor(factor(self._stage.schedule, number, self._total))
        release(self.objective)
        self._optimizers.step()
        work = self._work(_members(step))
        log = {**found.log, "lr": rates}
        return Outcome(log, time.perf_counter() - start, found.waited, work)

    def gradient(self, number: int, step: Step) -> Gradient:
        """Loss and clipped gradient of step `number` (from 0); all ranks call it."""
        members = _members(step)
        targets = int(self._lengths.supervised[members].sum())
        self._optimizers.zero()
        by_example = torch.zeros(3, len(members), dtype=torch.float64)  # see `Sums`
        before, (rank, size) = self._idle.seconds(), (self._ranks.rank, self._ranks.size)
        together = self._optimizers.sharding == "weights"
        with self._pair or nullcontext():
            for turn in turns(step.packs, self._lengths.patches, rank, size, together):
                self._run(turn, targets, by_example if turn.counts else None)
            if self._pair:
                self._pair.settle()
            waited = self._idle.seconds() - before
        self._ranks.add([by_example])
        self._optimizers.sum_gradients()
        norms = self._optimizers.clip(self._stage.clip_norm)
        log = self._log(number, step, members, by_example.numpy(), norms)
        finite = math.isfinite(log["loss"]) and math.isfinite(norms.total)
        means = by_example[0].numpy() / self._lengths.supervised[members]
        return Gradient(log, tuple(means.tolist()), waited, finite)

    def _run(self, turn: Turn, targets: int, told: Tensor | None) -> None:
        """Run a pack, or begin its halves, each of which makes its own examples."""
        parts = [list(range(len(turn.pack)))]
        if self._pair:
            parts = halves(self._operations[list(turn.pack)])
        packs = [tuple(turn.pack[place] for place in part) for part in parts]
        if self._features:
            self._features.make(packs, self._pair.settle if self._pair else lambda: None)
        for which, (part, one_pack) in enumerate(zip(parts, packs, strict=True)):
            columns = [turn.start + place for place in part]
            one = partial(self._pass, turn.blank, targets, told, columns)
            if self._pair and len(parts) > 1:
                self._pair.half(which, partial(self._read_and_pass, one_pack, one))
            elif self._pair:
                self._pair.whole(partial(one, self._batch(one_pack)))
            else:
                one(self._batch(one_pack), self.objective)

    def _read_and_pass(
        self, pack: Pack, one: Callable[[Batch, Objective], None], objective: Objective
    ) -> None:
        one(self._batch(pack), objective)

    def _pass(
        self,
        blank: bool,
        targets: int,
        told: Tensor | None,
        columns: list[int],
        batch: Batch,
        objective: Objective,
    ) -> None:
        """Forward and backward of one batch; what its examples lost goes to `told`.

        A batch with nobody to tell counts nothing.
        """
        with self._idle.interrupted():
            found = sums(objective(batch, blank), batch, self._choices)
            loss = 0.0 * found.loss if told is None else found.loss / targets
            if loss.requires_grad:  # text alone does not reach a projector or tower
                loss.backward()
            if told is not None:
                told[:, columns] = torch.stack(list(found[1:])).to(told)

    def _work(self, members: np.ndarray) -> Work:
        found = self._lengths
        columns = (found.tokens, found.supervised, found.patches)
        return Work.of(*(column[members] for column in columns))

    def _batch(self, one: Pack) -> Batch:
        if self._features is None:
            examples, tower = [self._feed.example(index) for index in one], None
        else:
            examples, tower = self._features.examples(one)
        batch = collate(examples, self.device, tower)
        promised = int(self._lengths.supervised[list(one)].sum())
        assert len(batch.targets) == promised, f"{len(batch.targets)} targets, {promised} promised"
        return batch

    def _log(
        self,
        number: int,
        step: Step,
        members: np.ndarray,
        by_example: np.ndarray,
        norms: Norms,
    ) -> dict[str, Any]:
        lengths = self._lengths
        counts, (losses, chosen, choices) = lengths.supervised[members], by_example
        tokens = int(lengths.tokens[members].sum())
        return {
            "step": number,
            "epoch": step.epoch,
            "loss": float(losses.sum() / counts.sum()),
            "loss_by_mode": _means(losses, counts, _named(lengths.modes, members)),
            "loss_by_task": _means(losses, counts, _named(lengths.tasks, members)),
            "loss_of_choice": float(chosen.sum() / choices.sum()) if choices.any() else None,
            "grad_norm": norms.total,
            "grad_norm_by_module": norms.by_module,
            "records": int(self._opens[members].sum()),
            "examples": len(members),
            "tokens": tokens,
            "supervised": int(counts.sum()),
            "patches": int(lengths.patches[members].sum()),
            "packs": len(step.packs),
            "occupancy": occupancy(tokens, len(step.packs), self._stage.pack.max_tokens),
        }

    def _stop(self, step: Step, log: dict[str, Any]) -> NoReturn:
        """Write down what the step was made of, and refuse to go on; all ranks call it."""
        rows = np.unique(self._lengths.row[_members(step)])
        records = [self._lengths.records[int(row)] for row in rows]
        shown = ", ".join(records[:5]) + (", ..." if len(records) > 5 else "")
        rule = f"is not finite at step {log['step']} (records {shown})"
        if self._reproducer:
            rule += f"; all of the step is in {self._reproducer.write(step, log, self._lengths)}"
        what = "loss" if not math.isfinite(log["loss"]) else "grad_norm"
        fix = "lower the rates, lengthen the warm-up, or use dtype float32"
        raise UserError(Problem(f"train.{self._stage.name}.{what}", log[what], rule, fix))


def _members(step: Step) -> np.ndarray:
    """Examples of a step, pack after pack."""
    return np.concatenate([np.array(one) for one in step.packs])


def _named(column: Sequence[str], members: np.ndarray) -> np.ndarray:
    """(members,) What a column says of some examples."""
    return np.array([column[at] for at in members.tolist()])


def _means(losses: np.ndarray, counts: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Mean loss of a target, by label."""
    return {
        str(label): float(losses[labels == label].sum() / counts[labels == label].sum())
        for label in np.unique(labels)
    }
