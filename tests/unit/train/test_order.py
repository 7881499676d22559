"""The Feistel order: a permutation for every size, unrelated between epochs, the same for ever."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.train.order import in_windows, permute, window


@given(n=st.integers(1, 700), seed=st.integers(0, 2**62), epoch=st.integers(0, 1000))
def test_an_epoch_holds_everything_once(n: int, seed: int, epoch: int) -> None:
    assert sorted(window(0, n, n, seed, epoch)) == list(range(n))


@given(n=st.integers(1, 10**12), seed=st.integers(0, 2**62), data=st.data())
def test_a_position_alone_equals_the_position_in_a_window(n: int, seed: int, data) -> None:
    start = data.draw(st.integers(0, n - 1))
    stop = min(n, start + 5)
    together = window(start, stop, n, seed, 3)
    assert [permute(index, n, seed, 3) for index in range(start, stop)] == together.tolist()
    assert all(0 <= value < n for value in together)


def test_the_order_never_changes() -> None:
    """A new order would make old checkpoints resume into other data."""
    assert window(0, 10, 10, seed=1, epoch=0).tolist() == [6, 0, 7, 1, 4, 8, 3, 2, 9, 5]
    assert window(999_990, 999_993, 10**6, seed=1, epoch=2).tolist() == [472925, 373825, 992753]


def test_epochs_and_seeds_are_unrelated() -> None:
    orders = [window(0, 1000, 1000, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    for left in range(4):
        for right in range(left):
            agreed = int((orders[left] == orders[right]).sum())
            assert agreed < 10, "two random orders agree in about one place"


@pytest.mark.parametrize("n", [2, 3, 5, 16, 17])
def test_every_item_takes_every_place_about_equally_often(n: int) -> None:
    """Chi-square of the place of item 0; chance stays below this bound but once in 100,000."""
    seeds = 300
    places = Counter(int(np.flatnonzero(window(0, n, n, s, 0) == 0)[0]) for s in range(seeds))
    expected = seeds / n
    chi_square = sum((places[place] - expected) ** 2 / expected for place in range(n))
    assert chi_square < (n - 1) + 5 * np.sqrt(2 * (n - 1)) + 20


def test_neighbours_do_not_stay_neighbours() -> None:
    order = window(0, 4096, 4096, seed=5, epoch=0)
    steps = np.abs(np.diff(order))
    assert (steps == 1).mean() < 0.01
    assert abs(np.corrcoef(np.arange(4096), order)[0, 1]) < 0.1


def test_a_window_outside_the_order_is_an_invariant() -> None:
    with pytest.raises(AssertionError, match="not inside"):
        window(0, 6, 5, seed=0, epoch=0)


SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=6)


@given(sizes=SIZES, seed=st.integers(0, 2**62), epoch=st.integers(0, 99), data=st.data())
def test_a_curriculum_shuffles_within_its_windows(sizes, seed: int, epoch: int, data) -> None:
    whole = in_windows(0, sum(sizes), sizes, seed, epoch)
    ends = np.cumsum(sizes)
    for end, size in zip(ends, sizes, strict=True):
        assert sorted(whole[end - size : end]) == list(range(end - size, end))
    start = data.draw(st.integers(0, sum(sizes)))
    stop = data.draw(st.integers(start, sum(sizes)))
    assert in_windows(start, stop, sizes, seed, epoch).tolist() == whole[start:stop].tolist()


def test_windows_of_a_curriculum_are_shuffled_apart() -> None:
    whole = in_windows(0, 1000, [500, 500], 0, 0)
    assert int((whole[:500] == whole[500:] - 500).sum()) < 10
    assert int((whole == np.arange(1000)).sum()) < 20, "shuffled, not in the mix's order"
    assert in_windows(0, 9, [9], 5, 1).tolist() == window(0, 9, 9, 5, 1).tolist()
