"""Packing: nothing lost, nothing over budget, few packs, the same every time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.recipe.train import Pack
from pellucid.train.pack import occupancy, pack

WINDOW = Pack(max_tokens=2400, max_patches=1).window_records

sizes = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 25)), max_size=60)


@given(sizes)
def test_every_example_is_in_one_pack_within_both_budgets(examples) -> None:
    tokens = [example[0] for example in examples]
    patches = [example[1] for example in examples]
    packs = pack(tokens, patches, max_tokens=40, max_patches=25)
    assert sorted(index for one in packs for index in one) == list(range(len(examples)))
    for one in packs:
        assert list(one) == sorted(one)
        assert sum(tokens[index] for index in one) <= 40
        assert sum(patches[index] for index in one) <= 25


def test_best_fit_by_hand() -> None:
    """6, 5, 4, 3, 2 into 10: 6 opens A, 5 opens B, 4 fills A exactly (0 left, B would leave 1),
    3 goes to B (2 left), 2 fills B.
    """
    assert pack([2, 3, 4, 5, 6], [0] * 5, max_tokens=10, max_patches=1) == [(2, 4), (0, 1, 3)]


def test_what_best_fit_leaves_open_is_filled_by_hand() -> None:
    """Into 12: best fit pairs 7 with 5 and 6 with 4, and leaves 2 and 4 + 3 + 3. Filled: 7 + 5,
    6 + 3 + 3, 4 + 4, so that 2 has room.
    """
    lengths = [7, 6, 5, 4, 4, 3, 3, 4]
    packs = pack(lengths, [0] * 8, max_tokens=12, max_patches=1)
    assert [sum(lengths[at] for at in one) for one in packs] == [12, 12, 12]


def test_filled_packs_too_keep_to_the_patches() -> None:
    """Filled by tokens alone the first pack would have both pictures: best fit is kept."""
    tokens, patches = [5, 4, 3, 3, 3, 2], [4, 0, 4, 0, 0, 0]
    packs = pack(tokens, patches, max_tokens=10, max_patches=5)
    assert all(sum(patches[at] for at in one) <= 5 for one in packs) and len(packs) == 3


@given(sizes)
def test_never_more_packs_than_best_fit_decreasing(examples) -> None:
    tokens, patches = ([example[at] for example in examples] for at in (0, 1))
    bins: list[list[int]] = []
    shares = [max(t * 25, p * 40) for t, p in examples]
    for at in sorted(range(len(examples)), key=lambda at: -shares[at]):
        room = [
            (40 - sum(tokens[one] for one in held) - tokens[at],
             25 - sum(patches[one] for one in held) - patches[at])
            for held in bins
        ]  # fmt: skip
        fitting = [n for n, (t, p) in enumerate(room) if t >= 0 and p >= 0]
        if fitting:
            bins[min(fitting, key=lambda n: room[n][0] * 25 + room[n][1] * 40)].append(at)
        else:
            bins.append([at])
    assert len(pack(tokens, patches, max_tokens=40, max_patches=25)) <= len(bins)


def test_the_larger_share_decides_who_goes_first() -> None:
    """Patches 9 of 10 outrank tokens 60 of 100, so the picture opens the first pack."""
    packs = pack([60, 45, 50], [0, 9, 0], max_tokens=100, max_patches=10)
    assert packs == [(1, 2), (0,)]


def test_ties_go_to_the_earlier_example_and_pack() -> None:
    assert pack([6, 6, 4, 4], [0] * 4, max_tokens=10, max_patches=1) == [(0, 2), (1, 3)]


def test_a_full_patch_budget_keeps_text_flowing() -> None:
    """A pack whose patches are used up still takes text."""
    assert pack([50, 20], [10, 0], max_tokens=100, max_patches=10) == [(0, 1)]


def test_occupancy_of_a_window_of_real_looking_lengths() -> None:
    """Mean length 1/7 of a pack: nothing but the last pack is wasted, by next-fit over 5 %."""
    lengths = np.clip(np.random.default_rng(0).lognormal(6.2, 0.6, 512), 16, 4096).astype(int)
    packs = pack(lengths.tolist(), [0] * 512, max_tokens=4096, max_patches=1)
    used = int(lengths.sum())
    assert len(packs) == -(-used // 4096)
    bins, free = 0, 0
    for length in lengths:
        bins, free = (bins, free - length) if length <= free else (bins + 1, 4096 - length)
    assert occupancy(used, bins, 4096) < 0.95


def test_the_window_of_a_recipe_that_names_none_fills_packs_of_short_examples() -> None:
    """Twelve examples a pack, as in the laptop's mix. A window's last pack is half empty in the
    mean: 512 examples, 42 packs, would lose 1 / 84; 2,048, 168 packs, lose 1 / 336.
    """
    lengths = np.random.default_rng(0).integers(90, 305, 8192)
    packs = 0
    for start in range(0, len(lengths), WINDOW):
        some = lengths[start : start + WINDOW].tolist()
        packs += len(pack(some, [0] * len(some), max_tokens=2400, max_patches=1))
    assert 0.99 <= occupancy(int(lengths.sum()), packs, 2400) <= 1


def test_over_budget_never_enters() -> None:
    with pytest.raises(AssertionError, match="over budget"):
        pack([41], [0], max_tokens=40, max_patches=1)


def test_no_examples_give_no_packs() -> None:
    assert pack([], [], max_tokens=10, max_patches=10) == []
