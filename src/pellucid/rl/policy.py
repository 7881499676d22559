"""Log-probabilities of rollouts under the model that is trained.

Prompt and answer of each rollout are one segment of a packed row, images included; logits exist
for generated positions only. Temperature and forbidden tokens are the engine's, so that new and old
log-probabilities speak of the same distribution.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.infer.sampling import banned, forbid
from pellucid.model.checkpoint import Loaded
from pellucid.model.processor import Example, Processor
from pellucid.rl.prompts import rendered_prompt
from pellucid.rl.rollout import Sample
from pellucid.store import Store
from pellucid.train.batch import Batch, collate
from pellucid.train.objective import chunked_losses
from pellucid.train.pack import pack


@final
class Policy:
    """The model being trained, as a distribution over answers."""

    def __init__(
        self,
        loaded: Loaded,
        stores: Store,
        temperature: float,
        pack_tokens: int,
        device: str,
        dtype: str,
    ) -> None:
        """Tie model and data together.

        Args:
            loaded: model and renderer; the model stays in evaluation mode, as the engine's does.
            stores: hold the records.
            temperature: of the rollouts.
            pack_tokens: longest packed row.
            device: where the model lies.
            dtype: "bfloat16" runs under autocast; "float32" does not.
        """
        self._model, self._renderer = loaded
        self._processor = Processor(self._renderer)
        self._stores, self._temperature, self._pack_tokens = stores, temperature, pack_tokens
        self._device, self._dtype = device, dtype
        vocabulary = self._model.get_output_embeddings().weight.shape[0]
        self._banned = torch.tensor(banned(self._renderer, vocabulary), device=device)

    def packs(self, samples: Sequence[Sample]) -> list[list[Sample]]:
        """Deal rollouts to as few rows as fit; a patch is a token, so tokens bound the images."""
        tokens = [sample.prompt_tokens + len(sample.ids) for sample in samples]
        budget = self._pack_tokens
        rows = pack(tokens, [0] * len(samples), budget, budget)
        return [[samples[index] for index in row] for row in rows]

    def logprobs(self, samples: Sequence[Sample]) -> Float[Tensor, " t"]:
        """Log-probabilities of the generated tokens of one pack, rollout by rollout."""
        batch = self._collate(samples)
        device = torch.device(self._device).type
        with torch.autocast(device, torch.bfloat16, enabled=self._dtype == "bfloat16"):
            embedded = self._model.embed(batch.input_ids, batch.patches, batch.grids)  # (1, T, d)
            hidden = self._model.hidden(embedded, segments=batch.segments)  # (1, T, d)
            return -chunked_losses(self._head, hidden[0, batch.sources], batch.targets)

    def _head(self, hidden: Float[Tensor, "t d"]) -> Float[Tensor, "t v"]:
        return forbid(self._model.head(hidden).float(), self._banned) / self._temperature

    def _collate(self, samples: Sequence[Sample]) -> Batch:
        prompts: dict[int, Example] = {}
        for sample in samples:
            if sample.prompt not in prompts:
                prompts[sample.prompt] = self._prompt(sample)
        return collate([_answered(prompts[one.prompt], one) for one in samples], self._device)

    def _prompt(self, sample: Sample) -> Example:
        record = self._stores.get(sample.record)
        rendered = rendered_prompt(record, sample.mode, self._renderer)
        images = [self._stores.image(image.sha256) for image in record.images]
        found = len(rendered.ids)
        assert found == sample.prompt_tokens, f"{found} tokens, not {sample.prompt_tokens}"
        return self._processor.example(rendered, images)


def _answered(prompt: Example, sample: Sample) -> Example:
    """A prompt followed by what was generated; only the latter is a target."""
    return replace(
        prompt,
        ids=np.concatenate([prompt.ids, np.array(sample.ids, dtype=np.int64)]),
        supervised=np.repeat([False, True], [len(prompt.ids), len(sample.ids)]),
    )
