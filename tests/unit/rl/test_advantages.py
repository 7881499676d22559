"""Group-normalised advantages, by hand."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.rl.advantages import group_advantages
from pellucid.rl.rewards import Reward


def paid(*values: float | None) -> list[Reward]:
    return [Reward({}, value, 0.0) for value in values]


def test_one_right_of_four_by_hand() -> None:
    # mean 0.25; population variance (0.75^2 + 3 * 0.25^2) / 4 = 0.1875
    group = group_advantages(paid(1.0, 0.0, 0.0, 0.0))
    std = sqrt(0.1875) + 1e-6
    assert group.signal
    assert group.advantages == pytest.approx((0.75 / std, *[-0.25 / std] * 3), rel=1e-12)


def test_a_rollout_that_does_not_count_is_outside_the_statistics() -> None:
    with_it = group_advantages(paid(1.0, None, 0.0, 0.0, None))
    without = group_advantages(paid(1.0, 0.0, 0.0))
    assert with_it.advantages[1] is with_it.advantages[4] is None
    assert tuple(a for a in with_it.advantages if a is not None) == without.advantages


@pytest.mark.parametrize("same", [0.0, 1.0, 0.3])
def test_equal_rewards_are_no_signal_whatever_their_value(same: float) -> None:
    group = group_advantages(paid(same, same, None, same))
    assert group == ((0.0, 0.0, None, 0.0), False)


def test_one_counted_rollout_is_no_signal() -> None:
    assert group_advantages(paid(None, 1.0)) == ((None, 0.0), False)


def test_the_penalty_alone_makes_no_signal() -> None:
    # All right, lengths differ: without this rule the small penalty would be blown up to size 1.
    rewards = [Reward({}, 0.9, -0.01), Reward({}, 0.9, 0.0), Reward({}, 0.9, -0.02)]
    assert group_advantages(rewards) == ((0.0, 0.0, 0.0), False)


def test_the_penalty_shapes_a_group_that_has_a_signal() -> None:
    # totals 0.5, 1, 0: mean 0.5, std sqrt(0.5 / 3)
    rewards = [Reward({}, 1.0, -0.5), Reward({}, 1.0, 0.0), Reward({}, 0.0, 0.0)]
    std = sqrt(0.5 / 3) + 1e-6
    assert group_advantages(rewards).advantages == pytest.approx((0.0, 0.5 / std, -0.5 / std))


@given(st.lists(st.none() | st.integers(0, 10), min_size=1, max_size=12))
def test_advantages_cancel_and_keep_the_order(tenths: list[int | None]) -> None:
    values = [None if tenth is None else tenth / 10 for tenth in tenths]
    found = group_advantages(paid(*values)).advantages
    pairs = [(v, a) for v, a in zip(values, found, strict=True) if v is not None and a is not None]
    assert len(pairs) == sum(value is not None for value in values)
    assert sum(advantage for _, advantage in pairs) == pytest.approx(0, abs=1e-9)
    for value, advantage in pairs:
        for other, another in pairs:
            assert value <= other or advantage > another
