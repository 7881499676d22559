"""Slice `train`: any number of stages through one loop."""

from typing import Annotated, Literal

from pydantic import Field

from pellucid.recipe.base import Options


class AdamW(Options):
    """AdamW on every trained parameter."""

    kind: Literal["adamw"] = "adamw"
    beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of the first moment."""
    beta2: float = Field(0.95, ge=0, lt=1)
    """Decay of the second moment."""
    eps: float = Field(1e-8, gt=0)
    """Added to the root of the second moment."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled decay of matrices; vectors are never decayed."""


class Muon(Options):
    """Muon on hidden matrices, AdamW on embeddings, head and vectors."""

    kind: Literal["muon"] = "muon"
    momentum: float = Field(0.95, ge=0, lt=1)
    """Momentum of the orthogonalised update."""
    beta1: float = Field(0.9, ge=0, lt=1)
    """AdamW part: decay of the first moment."""
    beta2: float = Field(0.95, ge=0, lt=1)
    """AdamW part: decay of the second moment."""
    eps: float = Field(1e-8, gt=0)
    """AdamW part: added to the root of the second moment."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled decay of matrices; vectors are never decayed."""


Optimizer = Annotated[AdamW | Muon, Field(discriminator="kind")]


class Schedule(Options):
    """Learning rate over the steps, as a factor of each module's rate."""

    kind: Literal["cosine", "linear", "constant"] = "cosine"
    """Shape after the warm-up."""
    warmup_steps: int | None = Field(None, ge=0)
    """Steps of linear warm-up; give this or `warmup_share`."""
    warmup_share: float | None = Field(None, ge=0, lt=1)
    """Warm-up as a share of all steps; give this or `warmup_steps`."""
    min_ratio: float = Field(0.0, ge=0, le=1)
    """Final rate over peak rate."""


class Modules(Options):
    """Learning rate per module; absent means frozen."""

    vision: float | None = Field(None, gt=0)
    """Vision tower."""
    projector: float | None = Field(None, gt=0)
    """Projector."""
    decoder: float | None = Field(None, gt=0)
    """Language model."""


class Lora(Options):
    """Low-rank adapters on every hidden matrix of a module (arXiv 2106.09685); all else of it is
    frozen. They are merged into its weights when the stage ends.
    """

    rank: int = Field(16, ge=1)
    """Width of the update."""
    alpha: float = Field(32.0, gt=0)
    """The update is scaled by alpha / rank."""


class DecoderLora(Lora):
    """The same on a language model."""

    mode_tokens: bool = True
    """Also train the rows of the mode tokens in embedding and head: a model that has never met them
    could not learn to write them otherwise."""


class LoraModules(Options):
    """Adapters per module, at the module's own rate; absent means that all of it is trained."""

    vision: Lora | None = None
    """On the vision tower."""
    projector: Lora | None = None
    """On the projector."""
    decoder: DecoderLora | None = None
    """On the language model."""


class Pack(Options):
    """Budgets of one packed sequence; nothing is ever cut inside an image."""

    max_tokens: int = Field(ge=16)
    """Longest packed sequence."""
    max_patches: int = Field(ge=1)
    """Most image patches in one pack."""
    window_records: int = Field(2048, ge=1)
    """Records of the global order that are packed together (best-fit decreasing); with
    `batch_records` at most those of a step."""
    over_budget: Literal["refuse", "drop", "downscale"] = "drop"
    """What a record over budget does: stop the stage, be left out and counted with its reason, or
    have its images scaled down until it fits, and be counted (left out if they would get under 16
    tokens)."""


class StageValidation(Options):
    """The loss on held-out records while a stage runs."""

    mix: str
    """Mix of validation records; all of them are read each time, so a hundred will do."""
    every: int = Field(100, ge=1)
    """Steps between two readings; the last step is always one."""
    keep: Literal["best"] | None = None
    """`best` ends the stage with the weights of the reading with the lowest loss; absent for those
    of the last step."""


class Stage(Options):
    """One part of training: a mix, what is trained, for how long."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Name of the stage, e.g. `align`."""
    mix: str
    """Name of the mix."""
    modules: Modules
    """Learning rates; what is absent is frozen."""
    lora: LoraModules | None = None
    """Modules that are trained through low-rank adapters (`pip install 'pellucid[lora]'`)."""
    optimizer: Optimizer = AdamW()
    """The optimizer."""
    schedule: Schedule = Schedule(warmup_share=0.03)
    """Learning-rate schedule."""
    pack: Pack
    """Packing budgets."""
    batch_records: int | None = Field(None, ge=1)
    """Records per optimizer step (the published numbers); give this or `batch_tokens`."""
    batch_tokens: int | None = Field(None, ge=16)
    """Tokens per optimizer step; give this or `batch_records`."""
    epochs: int = Field(1, ge=1)
    """Passes over the mix."""
    max_steps: int | None = Field(None, ge=1)
    """End after this many steps, over as many passes as they take, instead of after `epochs`."""
    tower_features: Literal["auto", "keep"] | None = None
    """Where the tower is frozen and images are seen more than once: `keep` makes what the tower
    gives once and keeps it on disk while the stage runs, `auto` does so where the first packs show
    that it pays. Last bits may differ from those of a stage without, since packs differ."""
    clip_norm: float = Field(1.0, gt=0)
    """Largest norm of the whole gradient."""
    validation: StageValidation | None = None
    """Loss on held-out records while the stage runs; absent for none."""
    checkpoint_every: int = Field(100, ge=1)
    """Steps between checkpoints that a killed run resumes from."""


Sharding = Literal["none", "optimizer", "weights"]


class TrainOptions(Options):
    """The stages, in order; none for a run that only evaluates or does RL."""

    stages: tuple[Stage, ...] = ()
    """Each starts from the checkpoint of the one before."""
    sharding: Sharding = "none"
    """What several ranks share out: nothing, the optimizer's state (ZeRO-1), or weights, gradients
    and state (FSDP2)."""
    keep_checkpoints: int = Field(2, ge=1)
    """How many of a stage's newest checkpoints lie on the disk while it runs."""
    recompute: bool = False
    """Layers keep their inputs alone and compute the rest again in the backward pass: a third more
    arithmetic, a fraction of the memory, the same numbers."""
