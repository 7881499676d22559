"""Which examples meet in which optimizer step: a pure function of (seed, epoch, window).

An epoch is the Feistel order of all *entries* (a record of the mix, once per repeat), cut into
*windows*. The examples of a window are packed best-fit-decreasing; a step is a run of packs.

- `batch_records`: a step is exactly that many consecutive entries, the last step of an epoch what
  is left. Windows are cut inside the step (of at most `window_records` entries), so the number in
  the recipe is the number of records, whatever their lengths.
- `batch_tokens`: windows are `window_records` entries, fewer before a border of the mix's
  curriculum. BFD leaves the packs of a window sorted by length, so they are shuffled; a step takes
  packs, across windows, until the next would exceed the budget, and ends with the epoch.

Either way every example of every entry is seen once per epoch, and no step spans two epochs. A mix
with a curriculum is gone through window by window of that (`order.in_windows`), every epoch anew; a
step at the border of two holds records of both. With `max_steps` epochs follow each other until
there are so many. Leaves out on purpose: dealing packs to ranks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice
from typing import NamedTuple, final

from pellucid.base.seeds import derive
from pellucid.recipe.train import Stage
from pellucid.train import order
from pellucid.train.lengths import Lengths
from pellucid.train.pack import Pack, pack


class Cursor(NamedTuple):
    """The first pack of a step."""

    epoch: int = 0
    window: int = 0
    pack: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step."""

    epoch: int
    packs: tuple[Pack, ...]
    """Micro-batches: indices into the length index's examples."""
    after: Cursor
    """Where the next step starts."""


@final
class Plan:
    """All steps of a stage, computed as they are asked for."""

    def __init__(self, lengths: Lengths, stage: Stage, seed: int) -> None:
        self._lengths, self._seed = lengths, seed
        self._epochs, self._most = stage.epochs, stage.max_steps
        self._budgets = stage.pack.max_tokens, stage.pack.max_patches
        self._records, self._tokens = stage.batch_records, stage.batch_tokens
        self._entries = len(lengths.entries)
        self._curriculum = lengths.windows or (self._entries,)
        widest = stage.pack.window_records
        self._width = min(widest, self._records or widest)
        self._per_step = -(-(self._records or 1) // self._width)
        self._edges = _edges(self._curriculum, widest)  # of windows that no step cuts
        self._windows = len(self._edges) - 1
        if self._records is not None:
            self._windows = -(-self._entries // self._records) * self._per_step

    @property
    def start(self) -> Cursor:
        """Where the first step starts."""
        return Cursor()

    @cached_property
    def total(self) -> int:
        """Steps of the whole stage; with `batch_tokens` alone found by planning it all."""
        if self._most is not None:
            return self._most
        if self._records is not None:
            return self._epochs * -(-self._entries // self._records)
        return sum(1 for _ in self.steps(Cursor()))

    @property
    def passes(self) -> float:
        """How often the mix is seen."""
        if self._most is None:
            return float(self._epochs)
        return self._most / sum(1 for _ in self._epoch(Cursor()))

    def steps(self, start: Cursor, done: int = 0) -> Iterator[Step]:
        """The steps from `start`, step `done`, to the end of the stage."""
        if self._most is not None:
            yield from islice(self._endless(start), self._most - done)
            return
        for epoch in range(start.epoch, self._epochs):
            first = start if epoch == start.epoch else Cursor(epoch)
            yield from self._epoch(first)

    def _endless(self, start: Cursor) -> Iterator[Step]:
        """One epoch after the other."""
        yield from self._epoch(start)
        for epoch in count(start.epoch + 1):
            yield from self._epoch(Cursor(epoch))

    def packs(self, epoch: int, window: int) -> list[Pack]:
        """The packs of one window, in the order in which they are trained on."""
        span = self._span(window)
        positions = order.in_windows(*span, self._curriculum, self._seed, epoch)
        items = [
            example
            for entry in self._lengths.entries[positions]
            for example in self._lengths.examples_of(int(entry))
        ]
        tokens, patches = (
            column[items].tolist() for column in (self._lengths.tokens, self._lengths.patches)
        )
        packed = [
            tuple(items[place] for place in one) for one in pack(tokens, patches, *self._budgets)
        ]
        if self._records is not None:
            return packed
        shuffle = derive(self._seed, "packs", window)
        return [packed[at] for at in order.window(0, len(packed), len(packed), shuffle, epoch)]

    def _span(self, window: int) -> tuple[int, int]:
        """Position of a window's first entry, and the one after its last."""
        if self._records is None:
            return self._edges[window], self._edges[window + 1]
        step, part = divmod(window, self._per_step)
        end = min((step + 1) * self._records, self._entries)
        start = min(step * self._records + part * self._width, end)
        return start, min(start + self._width, end)

    def _epoch(self, start: Cursor) -> Iterator[Step]:
        epoch = start.epoch
        held: list[Pack] = []
        held_tokens = 0
        for window in range(start.window, self._windows):
            skipped = start.pack if window == start.window else 0
            for index, one in enumerate(self.packs(epoch, window)):
                if index < skipped:
                    continue
                tokens = int(self._lengths.tokens[list(one)].sum())
                if self._tokens is not None and held and held_tokens + tokens > self._tokens:
                    yield Step(epoch, tuple(held), Cursor(epoch, window, index))
                    held, held_tokens = [], 0
                held.append(one)
                held_tokens += tokens
            if self._records is not None and held and (window + 1) % self._per_step == 0:
                yield Step(epoch, tuple(held), Cursor(epoch, window + 1, 0))
                held, held_tokens = [], 0
        if held:
            yield Step(epoch, tuple(held), Cursor(epoch + 1, 0, 0))


def _edges(sizes: Sequence[int], widest: int) -> list[int]:
    """Where windows begin that hold nothing of two parts, and where the last one ends.

    >>> _edges([5, 2], widest=3)
    [0, 3, 5, 7]
    """
    found, first = list[int](), 0
    for size in sizes:
        found += range(first, first + size, widest)
        first += size
    return [*found, first]
