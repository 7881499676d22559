"""Slice `eval`: which items, in which modes, how they are scored."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field

from pellucid.recipe.base import Options
from pellucid.recipe.own import OwnFunction
from pellucid.schema.record import Mode


class AskingTask(Options):
    """What every task that asks something has in common: whose records, how many, who scores."""

    kind: str
    """What makes the questions."""
    source: str
    """Name of a source."""
    split: Literal["train", "validation", "test"] = "test"
    """Which split; a train slice gauges memorisation."""
    tasks: tuple[str, ...] = ()
    """Only records of these tasks; all when empty."""
    limit: int | None = Field(None, ge=1)
    """At most this many items, chosen by seed; all when absent."""
    scorer: OwnFunction | None = None
    """A scorer of your own, a function `(answer, gold, **options)` that returns 0 to 1; by the kind
    of the answers when absent."""
    picture: Literal["as_is", "blank"] = "as_is"
    """`blank` asks over an evenly grey picture of the same size: what can be guessed unseen."""
    modes: tuple[Mode, ...] = ()
    """Only in these of the evaluation's modes; in all when empty."""
    checkpoints: tuple[str, ...] = ()
    """Only of these of the evaluation's checkpoints; of all when empty."""
    floor: bool = True
    """Whether gates may read it; a task that is only shown says false."""


class StoreTask(AskingTask):
    """The questions of one source's split as they stand there, where they have a gold answer."""

    kind: Literal["store"] = "store"


class PythonTask(AskingTask):
    """Questions that a function of your own makes of one source's records."""

    kind: Literal["python"] = "python"
    path: str
    """`file.py:function`, relative to the recipe; called with a record, it gives what to ask."""
    options: dict[str, str | int | float | bool] = {}
    """Further keyword arguments of the function."""


class PoolTask(Options):
    """Several asking tasks taken as one: their rows are counted again, nothing is asked."""

    kind: Literal["pool"] = "pool"
    tasks: tuple[str, ...] = Field(min_length=2)
    """Names of tasks that ask; measured where all of them are, checkpoint by checkpoint and mode by
    mode."""


TaskOptions = Annotated[StoreTask | PythonTask | PoolTask, Field(discriminator="kind")]


class EvalOptions(Options):
    """Tasks, modes, budgets."""

    tasks: dict[str, TaskOptions] = Field(min_length=1)
    """Tasks by name."""
    modes: tuple[Mode, ...] = ("auto", "think", "nothink")
    """Every item is asked once in each."""
    earlier_modes: tuple[Mode, ...] = ()
    """Checkpoints before the last are asked in these of the modes only; in all when empty."""
    max_new_tokens: int = Field(128, ge=1)
    """Budget of one answer, thinking included."""
    checkpoints: tuple[str, ...] = ("final",)
    """Which checkpoints: stage names, `init`, `rl`, or `final`."""
    latency_items: int = Field(8, ge=0)
    """Items timed one at a time (batch 1), chosen by seed."""
    slots: int = Field(16, ge=1)
    """Answers generated side by side; fixed, so that no answer depends on its neighbours."""
    context_tokens: int | None = Field(None, ge=16)
    """Longest conversation, answer included; what the model was built for when absent. Every answer
    costs by it, so a shorter one is faster; a longer conversation counts as failed."""
    chunk_items: int = Field(64, ge=1)
    """Rows written at once; a killed evaluation resumes after the last whole chunk."""
    seed: int = Field(0, ge=0, lt=2**48)
    """Seed of limits, latency items and intervals."""

    @property
    def asking(self) -> dict[str, AskingTask]:
        """The tasks that ask something, by name."""
        return {name: task for name, task in self.tasks.items() if isinstance(task, AskingTask)}

    @property
    def pools(self) -> dict[str, tuple[str, ...]]:
        """Sorted members of each pool, by the pool's name."""
        return {
            name: tuple(sorted(set(task.tasks)))
            for name, task in self.tasks.items()
            if task.kind == "pool"
        }

    def members(self, name: str) -> tuple[str, ...]:
        """The asking tasks whose rows a task counts: its own, or those of its pool."""
        return self.pools.get(name, (name,))

    def modes_of(self, task: str) -> tuple[Mode, ...]:
        """Modes in which a task is asked."""
        return self.asking[task].modes or self.modes

    def for_checkpoint(self, names: Collection[str]) -> "EvalOptions":
        """What is asked of one checkpoint, the same for every list of checkpoints.

        Args:
            names: what the recipe calls it, e.g. `rl` and `final`.
        """
        told = self.modes if "final" in names else self.earlier_modes or self.modes
        kept = {
            name: tuple(mode for mode in told if mode in self.modes_of(name))
            for name, task in self.asking.items()
            if not task.checkpoints or set(task.checkpoints) & set(names)
        }
        asked = {
            name: self.asking[name].model_copy(update={"checkpoints": (), "modes": modes})
            for name, modes in kept.items()
            if modes
        }
        pools = {name: self.tasks[name] for name in self.pools if {*self.pools[name]} <= {*asked}}
        update = {"tasks": {**asked, **pools}, "modes": told, "earlier_modes": ()}
        return self.model_copy(update={**update, "checkpoints": ("final",)})
