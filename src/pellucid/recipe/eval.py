"""Slice `eval`: which items, in which modes, how they are scored."""

from typing import Annotated, Literal

from pydantic import Field

from pellucid.recipe.base import Options


class StoreTask(Options):
    """Items of one source's split, scored by the kind of their answers."""

    kind: Literal["store"] = "store"
    source: str
    """Name of a source."""
    split: Literal["train", "validation", "test"] = "test"
    """Which split; a train slice gauges memorisation."""
    tasks: tuple[str, ...] = ()
    """Only records of these tasks; all that have a gold answer when empty."""
    limit: int | None = Field(None, ge=1)
    """At most this many items, chosen by seed; all when absent."""
    floor: bool = True
    """Whether gates may read it; a task that is only shown says false."""


TaskOptions = Annotated[StoreTask, Field(discriminator="kind")]


class EvalOptions(Options):
    """Tasks, modes, budgets."""

    tasks: dict[str, TaskOptions] = Field(min_length=1)
    """Tasks by name."""
    modes: tuple[Literal["think", "nothink", "auto"], ...] = ("auto", "think", "nothink")
    """Every item is asked once in each."""
    max_new_tokens: int = Field(128, ge=1)
    """Budget of one answer, thinking included."""
    checkpoints: tuple[str, ...] = ("final",)
    """Which checkpoints: stage names, `init`, `rl`, or `final`."""
    latency_items: int = Field(8, ge=0)
    """Items timed one at a time (batch 1), chosen by seed."""
    slots: int = Field(16, ge=1)
    """Answers generated side by side; fixed, so that no answer depends on its neighbours."""
    chunk_items: int = Field(64, ge=1)
    """Rows written at once; a killed evaluation resumes after the last whole chunk."""
    seed: int = Field(0, ge=0, lt=2**48)
    """Seed of limits, latency items and intervals."""
