"""Slice `rl`: reinforcement learning from verifiable rewards."""

from typing import Annotated, Literal

from pydantic import Field

from pellucid.recipe.base import Options
from pellucid.recipe.own import OwnFunction
from pellucid.recipe.train import AdamW, Modules, Optimizer, Schedule


class Gspo(Options):
    """Group Sequence Policy Optimization (arXiv 2507.18071): one ratio per answer."""

    kind: Literal["gspo"] = "gspo"
    clip_low: float = Field(3e-4, gt=0)
    """Lower clip of the sequence ratio; the paper's, far below GRPO's."""
    clip_high: float = Field(4e-4, gt=0)
    """Upper clip of the sequence ratio."""


Objective = Annotated[Gspo, Field(discriminator="kind")]


class Overlong(Options):
    """Soft over-long penalty (arXiv 2503.14476): 0 up to max - buffer, then falling to -factor."""

    buffer_tokens: int = Field(ge=1)
    """Length of the falling part, before `max_new_tokens`."""
    factor: float = Field(1.0, ge=0)
    """Largest penalty."""


class OwnReward(OwnFunction):
    """A reward of your own: a function `(rollout, evidence, **options)` that returns 0 to 1."""

    weight: float = Field(gt=0)
    """What it is multiplied with."""


class Rewards(Options):
    """Weights of the reward's terms."""

    accuracy: float = Field(0.9, ge=0)
    """The answer is right by the record's scorer."""
    format: float = Field(0.1, ge=0)
    """The rollout keeps the form of its mode."""
    overlong: Overlong | None = None
    """Penalty near the length limit; absent for none."""
    length: float = 0.0
    """Pays per share of the budget used. Only for showing what a bad reward does."""
    own: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], OwnReward] = {}
    """Terms of your own, by name."""


class PassRate(Options):
    """Prompts chosen by how often the starting policy answers them rightly."""

    prompts: int = Field(ge=1)
    """At most this many of the mix's prompts are sampled, chosen by seed; the rest is left out."""
    samples: int = Field(4, ge=1)
    """Rollouts per prompt, at the temperature and in the mode of RL."""
    low: float = Field(0.2, ge=0, le=1)
    """Smallest share of right answers of a prompt that is kept."""
    high: float = Field(0.8, ge=0, le=1)
    """Largest share of right answers of a prompt that is kept."""


class Probe(Options):
    """Accuracy on unfiltered held-out prompts, before the first and after the last update."""

    mix: str
    """Mix of validation records; none of them may be in RL's own mix."""
    samples: int = Field(4, ge=1)
    """Rollouts per prompt and time, with seeds of their own; temperature and mode are RL's."""


class RlOptions(Options):
    """Group rollouts, rewards, an objective, several updates per rollout batch."""

    mix: str
    """Mix whose records give the prompts; they need gold answers."""
    pass_rate: PassRate | None = None
    """Keep prompts that the starting policy finds neither hopeless nor easy; absent for all."""
    probe: Probe | None = None
    """Measures what RL gained; absent for no measurement."""
    batches: int = Field(ge=1)
    """Rollout batches."""
    prompts_per_batch: int = Field(ge=1)
    """Prompts in a rollout batch."""
    group_size: int = Field(8, ge=2)
    """Rollouts per prompt."""
    updates_per_batch: int = Field(2, ge=1)
    """Optimizer steps per rollout batch; with one the ratio is always 1 and no clip can act."""
    max_new_tokens: int = Field(64, ge=1)
    """Longest rollout."""
    temperature: float = Field(1.0, gt=0)
    """Sampling temperature of rollouts."""
    top_p: float = 1.0
    """Must be 1: truncated sampling biases the ratio."""
    mode: Literal["as_is", "think", "nothink", "auto"] = "as_is"
    """Mode of the rollouts; `as_is` is the mode of each record."""
    objective: Objective = Gspo()
    """The objective."""
    rewards: Rewards = Rewards()
    """The reward."""
    modules: Modules
    """Learning rates; what is absent is frozen."""
    optimizer: Optimizer = AdamW(weight_decay=0.0)
    """The optimizer."""
    schedule: Schedule = Schedule(kind="constant", warmup_steps=0)
    """Learning-rate schedule over all updates."""
    slots: int = Field(16, ge=1)
    """Rollouts generated side by side; fixed, so that none depends on its neighbours."""
    pack_tokens: int = Field(4096, ge=16)
    """Longest row of an update, a prompt with answers of its group; a longer group is split."""
    clip_norm: float = Field(1.0, gt=0)
    """Largest norm of the whole gradient."""
    seed: int = Field(0, ge=0, lt=2**48)
    """Seed of prompts and samples."""
