"""From keys to pairs to clusters."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.data.duplicates.clusters import agreed, components, counted, same_key_pairs

COUNT = 12
EDGES = st.lists(st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)), max_size=20)


def by_hand(edges: list[tuple[int, int]]) -> list[int]:
    groups = [{at} for at in range(COUNT)]
    for a, b in edges:
        joined = groups[a] | groups[b]
        for at in joined:
            groups[at] = joined
    return [min(group) for group in groups]


@settings(max_examples=200, deadline=None)
@given(EDGES)
def test_components_are_those_of_sets_joined_one_by_one(edges: list[tuple[int, int]]) -> None:
    first = np.array([a for a, _ in edges], np.int64)
    second = np.array([b for _, b in edges], np.int64)
    assert components(COUNT, first, second).tolist() == by_hand(edges)


def test_a_small_group_gives_all_pairs_and_a_large_one_a_chain() -> None:
    keys = np.array([1] * 3 + [2] + [3] * 5)
    first, second = same_key_pairs(keys, all_pairs=3, neighbours=1)
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == [
        (0, 1), (0, 2), (1, 2), (4, 5), (5, 6), (6, 7), (7, 8),
    ]  # fmt: skip
    assert components(9, first, second).tolist() == [0, 0, 0, 3, 4, 4, 4, 4, 4]


def test_no_keys_no_pairs() -> None:
    first, second = same_key_pairs(np.zeros(0, np.uint64))
    assert len(first) == len(second) == 0


def test_counts_add_up() -> None:
    values, counts = counted([(np.array([2, 5]), np.array([1, 1])), (np.array([5]), np.array([3]))])
    assert values.tolist() == [2, 5] and counts.tolist() == [1, 4]


def test_a_copy_that_looks_like_two_pages_joins_the_one_it_is_most_like() -> None:
    """0 and 2 are two pages, 1 is a small copy of 0 that passes for 2 as well."""
    first, second = np.array([[0, 1], [1, 2], [0, 2]]).T
    assert agreed(3, first, second, np.array([True, True, False])).tolist() == [0, 0, 2]
    assert agreed(3, first, second, np.array([True, True, True])).tolist() == [0, 0, 0]
