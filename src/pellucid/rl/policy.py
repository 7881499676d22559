"""Log-probabilities of rollouts under the model that is trained.

A prompt and the answers of its group are one row: the prompt, images included, is run once, and
each answer sees the prompt and itself. So a row costs what a prefill and its answers cost, and
logits exist for generated positions only.

    ids        p p p | a b c | d e        seen by d: p p p d
    positions  0 1 2 | 3 4 5 | 3 4        a and d are both predicted at the last p

Temperature and forbidden tokens are the engine's, so that new and old log-probabilities speak of
the same distribution. Leaves out on purpose: several prompts in a row.
"""

from collections.abc import Sequence
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from pellucid.infer.sampling import banned, forbid
from pellucid.model.checkpoint import Loaded
from pellucid.model.processor import Example, Processor
from pellucid.model.rounding import spare
from pellucid.rl.prompts import rendered_prompt
from pellucid.rl.rollout import Sample
from pellucid.store import Store
from pellucid.train.objective import chunked_losses


class Tree(NamedTuple):
    """How the tokens of a row stand to each other."""

    positions: Int64[Tensor, " t"]
    sees: Bool[Tensor, "t t"]
    """Whether the token of a row sees the token of a column."""
    sources: Int64[Tensor, " n"]
    """Place of the token that predicts each token of the answers."""


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
            pack_tokens: longest row.
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
        """Rows of rollouts of one prompt each, in order; a group too long for a row is split."""
        rows: list[list[Sample]] = []
        used = 0
        for sample in samples:
            same = rows and rows[-1][0].prompt == sample.prompt
            if same and used + len(sample.ids) <= self._pack_tokens:
                rows[-1].append(sample)
            else:
                rows.append([sample])
                used = sample.prompt_tokens
            used += len(sample.ids)
        return rows

    def logprobs(self, samples: Sequence[Sample]) -> Float[Tensor, " t"]:
        """Log-probabilities of the generated tokens of one row, rollout by rollout."""
        prompt, lengths = self._prompt(samples[0]), [len(one.ids) for one in samples]
        answers = torch.tensor([id_ for one in samples for id_ in one.ids])
        ids = torch.cat([torch.from_numpy(prompt.ids), answers]).to(self._device)
        patches = torch.from_numpy(prompt.patches).to(self._device)
        shape = Tree(*(part.to(self._device) for part in tree(len(prompt.ids), lengths)))
        device, tokens = torch.device(self._device), len(ids)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._dtype == "bfloat16"):
            if more := spare(tokens, device, torch.float32):
                shape, ids = _longer(shape, more), F.pad(ids, (0, more))
            grids = torch.from_numpy(prompt.grids)
            embedded = self._model.embed(ids[None], patches, grids)
            hidden = self._model.hidden(
                embedded,  # (1, T, d)
                images=self._model.images(ids[None]),
                position_ids=self._places(ids[: len(prompt.ids)], grids, shape),
                attention_mask=shape.sees[None, None],
                rows=shape.sources,
            )
            targets = ids[len(prompt.ids) : tokens]
            return -chunked_losses(self._head, hidden[0], targets)

    def _places(
        self, prompt: Int64[Tensor, " p"], grids: Int64[Tensor, "n g"], shape: Tree
    ) -> Int64[Tensor, "*axes 1 t"]:
        """Positions of a row as its decoder counts them: answers follow their prompt's last."""
        counted = self._model.positions(prompt[None], grids, [len(prompt)])
        after = shape.positions[len(prompt) :] - (len(prompt) - 1)
        return torch.cat([counted, counted[..., -1:] + after], -1)

    def _head(self, hidden: Float[Tensor, "t d"]) -> Float[Tensor, "t v"]:
        return forbid(self._model.head(hidden).float(), self._banned) / self._temperature

    def _prompt(self, sample: Sample) -> Example:
        record = self._stores.get(sample.record)
        rendered = rendered_prompt(record, sample.mode, self._renderer)
        images = [self._stores.image(image.sha256) for image in record.images]
        found = len(rendered.ids)
        assert found == sample.prompt_tokens, f"{found} tokens, not {sample.prompt_tokens}"
        return self._processor.example(rendered, images)


def _longer(shape: Tree, more: int) -> Tree:
    """The same row with places at its end that see only themselves."""
    sees = torch.block_diag(shape.sees, torch.eye(more, device=shape.sees.device)).bool()
    return Tree(F.pad(shape.positions, (0, more)), sees, shape.sources)


def tree(prompt: int, answers: Sequence[int]) -> Tree:
    """A prompt and answers that each follow it and do not see one another.

    Args:
        prompt: tokens of the prompt, at least 1.
        answers: tokens of each answer, at least 1.

    >>> tree(2, [2, 1]).positions.tolist(), tree(2, [2, 1]).sources.tolist()
    ([0, 1, 2, 3, 2], [1, 2, 1])
    >>> tree(2, [2, 1]).sees.int().tolist()[-1]
    [1, 1, 0, 0, 1]
    """
    places = [torch.arange(prompt), *(prompt + torch.arange(length) for length in answers)]
    owners = torch.repeat_interleave(torch.tensor([prompt, *answers]))  # 0 is the prompt
    row = torch.arange(len(owners))
    own = owners[:, None] == owners[None, :]
    causal = row[:, None] >= row[None, :]
    positions = torch.cat(places)
    before = torch.where(positions == prompt, prompt - 1, row - 1)
    return Tree(positions, causal & (own | (owners == 0)[None, :]), before[prompt:])
