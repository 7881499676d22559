"""What every part of the RL job needs: recipe slice, data, model, seed, and where it runs.

Leaves out on purpose: anything that changes from update to update.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.infer.engine import Engine
from pellucid.infer.forked import spread
from pellucid.model.checkpoint import Loaded
from pellucid.model.processor import Processor
from pellucid.recipe.rl import RlOptions
from pellucid.rl.rewards.own import Own
from pellucid.schema.ports import Generator
from pellucid.store import Store


@dataclass(frozen=True, slots=True)
class Setting:
    """The fixed side of one RL job."""

    folder: Path
    options: RlOptions
    stores: Store
    loaded: Loaded
    """Its weights are those of the moment: an engine made from them sees every update."""
    seed: int
    """Of the job, the slice's own seed included."""
    slots: int
    """Answers generated side by side."""
    device: str
    dtype: str
    own: Mapping[str, Own] = field(default_factory=dict)
    """The user's rewards, as they were when the job began."""

    @property
    def context_tokens(self) -> int:
        """Longest sequence of the model."""
        return int(self.loaded.model.config.text_config.max_position_embeddings)

    def generator(self, longest: int) -> Generator:
        """What answers with the live weights; made per use, so that its memory is free in between.

        Args:
            longest: tokens of the longest prompt that it will be asked.
        """
        model, renderer = self.loaded
        context = longest + self.options.max_new_tokens
        processor = Processor(renderer)
        return spread(
            Engine(model, processor, self.slots, context, "policy", self.device, self.dtype)
        )
