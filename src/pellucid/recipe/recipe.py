"""The whole recipe, and the rules that cross its slices."""

from typing import Literal

from pydantic import Field

from pellucid.recipe.base import Options
from pellucid.recipe.data import DataOptions
from pellucid.recipe.eval import EvalOptions
from pellucid.recipe.model import ModelOptions
from pellucid.recipe.release import ReleaseOptions
from pellucid.recipe.rl import RlOptions
from pellucid.recipe.serve import ServeOptions
from pellucid.recipe.train import TrainOptions


class Recipe(Options):
    """One run, from data to served model."""

    name: str = Field(pattern=r"^[a-z][a-z0-9._-]*$")
    """Name of the run's folder."""
    about: str = ""
    """What it is for: command, hardware, time, expected result."""
    seed: int = Field(0, ge=0, lt=2**48)
    """Seed of initial weights and record order."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where tensors live; `auto` takes CUDA, then MPS, then the CPU."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the forward pass; `auto` measures once and records its choice."""
    data: DataOptions
    """Sources and mixes."""
    model: ModelOptions
    """The model that training starts from."""
    train: TrainOptions = TrainOptions()
    """Supervised stages."""
    rl: RlOptions | None = None
    """Reinforcement learning; absent for none."""
    eval: EvalOptions
    """Evaluation."""
    release: ReleaseOptions | None = None
    """Gate and catalog; absent for a run that releases nothing."""
    serve: ServeOptions = ServeOptions()
    """The endpoint's limits."""

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Names of the checkpoints this run makes, in order; the last is `final`."""
        stages = tuple(stage.name for stage in self.train.stages)
        return ("init", *stages, *(("rl",) if self.rl else ()))

    @property
    def idle_sources(self) -> tuple[str, ...]:
        """Sources that no mix takes and no task asks about: drawn or imported for nothing."""
        taken = {take.source for mix in self.data.mixes.values() for take in mix.take}
        asked = {task.source for task in self.eval.asking.values()}
        return tuple(name for name in self.data.sources if name not in taken | asked)
