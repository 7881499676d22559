"""Whose pack is whose: every pack counts once, and where it must be so all run the same layers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pellucid.train.deal import turns

steps = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), min_size=1, max_size=9)


def dealt(step: list[list[int]], size: int, together: bool):
    """Packs of examples with so many patches each, and every rank's turns."""
    patches = np.array([count for pack in step for count in pack])
    ends = np.cumsum([len(pack) for pack in step])
    packs = [tuple(range(end - len(pack), end)) for pack, end in zip(step, ends, strict=True)]
    found = [list(turns(packs, patches, rank, size, together)) for rank in range(size)]
    return packs, patches, found


@given(steps, st.integers(1, 4), st.booleans())
def test_every_pack_counts_once_at_its_place(step, size, together) -> None:
    packs, _, found = dealt(step, size, together)
    counted = sorted((turn.start, turn.pack) for own in found for turn in own if turn.counts)
    assert counted == [(pack[0], pack) for pack in packs]


@given(steps, st.integers(1, 4))
def test_together_all_ranks_run_the_same_layers(step, size) -> None:
    _, patches, found = dealt(step, size, True)
    for round_ in zip(*found, strict=True):  # as many turns on every rank
        towers = [bool(patches[list(turn.pack)].any()) or turn.blank for turn in round_]
        assert all(towers) or not any(towers)
        pictured = any(patches[list(turn.pack)].any() for turn in round_)
        assert pictured or not any(towers), "no tower runs for nothing"
        assert not any(turn.blank and patches[list(turn.pack)].any() for turn in round_)


@given(steps, st.integers(1, 4))
def test_apart_nobody_does_what_does_not_count(step, size) -> None:
    _, _, found = dealt(step, size, False)
    assert all(turn.counts and not turn.blank for own in found for turn in own)
