"""The loss on a held-out mix while a stage runs.

Every so many steps, and after the last, all of the mix is packed in its own order and read without
gradients; what is found stands in the log line of that step. Nothing else of the stage depends on
it: order, weights and losses are those of a stage without it. Leaves out on purpose: generated
answers (an eval job), and stopping early.
"""

from collections.abc import Iterator
from typing import Any, final

import numpy as np
import torch

from pellucid.recipe.train import Pack as Budgets
from pellucid.recipe.train import StageValidation
from pellucid.train.batch import collate
from pellucid.train.feed import Feed
from pellucid.train.lengths import Lengths
from pellucid.train.objective import Objective, sums
from pellucid.train.pack import Pack, pack
from pellucid.train.shard import release


@final
class Validation:
    """Reads the held-out mix of one stage."""

    def __init__(
        self,
        lengths: Lengths,
        feed: Feed,
        objective: Objective,
        options: StageValidation,
        budgets: Budgets,
        device: str,
    ) -> None:
        """Reads the mix that `lengths` and `feed` are of, as often as `options` say."""
        self._lengths, self._feed, self._objective = lengths, feed, objective
        self._options, self._budgets, self._device = options, budgets, device

    @property
    def keeps(self) -> bool:
        """Whether the weights of the best reading are those that the stage ends with."""
        return self._options.keep == "best"

    def due(self, done: int, total: int) -> bool:
        """Whether it is to be read after `done` of `total` steps."""
        return done % self._options.every == 0 or done == total

    def measure(self) -> dict[str, Any]:
        """Mean loss per supervised token (nats), over all and by mode, and how many there are."""
        order: list[int] = []
        losses: list[torch.Tensor] = []
        with torch.no_grad():
            for one in self._packs():
                batch = collate([self._feed.example(index) for index in one], self._device)
                losses.append(sums(self._objective(batch), batch).by_example)
                order += one
        release(self._objective)
        found = torch.cat(losses).double().cpu().numpy()
        counts = self._lengths.supervised[order]
        modes = np.array([self._lengths.modes[at] for at in order])
        return {
            "loss": float(found.sum() / counts.sum()),
            "loss_by_mode": {
                str(mode): float(found[modes == mode].sum() / counts[modes == mode].sum())
                for mode in np.unique(modes)
            },
            "examples": len(order),
            "supervised": int(counts.sum()),
        }

    def _packs(self) -> Iterator[Pack]:
        """All examples, window by window of the mix's own order."""
        tokens, patches = self._lengths.tokens, self._lengths.patches
        width = self._budgets.window_records
        for start in range(0, len(tokens), width):
            part = slice(start, start + width)
            limits = self._budgets.max_tokens, self._budgets.max_patches
            for one in pack(tokens[part].tolist(), patches[part].tolist(), *limits):
                yield tuple(start + place for place in one)
