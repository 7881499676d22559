"""Whose pack is whose: a step's packs dealt to the ranks, round by round.

    packs      p0 p1 p2 p3 p4        two ranks:  p0 p2 p4  and  p1 p3

Where the ranks share out the weights they fetch every layer together, so all of them must run the
same layers equally often. In a round that is short of packs the ranks that have none run the
round's first along, and it counts nothing; in a round with images a rank without any sends a blank
one through the tower. All of this follows from the plan: ranks agree on it without a word.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pellucid.train.pack import Pack


class Turn(NamedTuple):
    """One pack that a rank runs."""

    pack: Pack
    start: int
    """Place of its first example among those of the step."""
    counts: bool
    """Whether it is this rank's; else it is run along with the others."""
    blank: bool
    """Whether a blank image goes with it."""


def turns(
    packs: Sequence[Pack], patches: np.ndarray, rank: int, size: int, together: bool
) -> Iterator[Turn]:
    """What a rank runs in a step.

    Args:
        packs: of the step.
        patches: of every example of the mix.
        rank: which of them this is.
        size: how many they are.
        together: all ranks run the same layers equally often.
    """
    starts = np.cumsum([0, *map(len, packs)]).tolist()
    for first in range(0, len(packs), size):
        round_ = packs[first : first + size]
        counts = rank < len(round_)
        if not counts and not together:
            return
        place = rank if counts else 0
        seen = [bool(patches[list(pack)].any()) for pack in round_]
        blank = together and any(seen) and not seen[place]
        yield Turn(round_[place], starts[first + place], counts, blank)
