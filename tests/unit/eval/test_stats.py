"""Intervals against published values and hand arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.interval import wilson
from pellucid.eval.stats import (
    bootstrap_mean,
    bootstrap_quantile,
    bootstrap_ratio,
    clopper_pearson_upper,
    clustered_se,
    effective_n,
    quantile,
)


def test_wilson_known_values() -> None:
    # 0 of 10: upper bound z^2 / (n + z^2) = 3.8415 / 13.8415.
    assert wilson(0.0, 10) == pytest.approx((0.0, 3.841459 / 13.841459), abs=1e-6)
    assert wilson(1.0, 10) == pytest.approx((10 / 13.841459, 1.0), abs=1e-6)
    # 81 of 263, R's prop.test without correction: 0.2553 to 0.3662.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share_and_stays_inside(n: int, data: st.DataObject) -> None:
    share = data.draw(st.integers(0, n)) / n
    low, high = wilson(share, n)
    assert 0 <= low <= share <= high <= 1 and low < high
    wide = wilson(share, max(1, n // 2))
    assert wide.high - wide.low >= high - low - 1e-12


def test_clopper_pearson_known_values() -> None:
    # 0 of n has the closed form 1 - (1 - confidence)^(1/n).
    assert clopper_pearson_upper(0, 300) == pytest.approx(1 - 0.025 ** (1 / 300), abs=1e-9)
    assert clopper_pearson_upper(0, 300, 0.95) == pytest.approx(1 - 0.05 ** (1 / 300), abs=1e-9)
    # 1 of 10: two-sided 95 % interval 0.0025 to 0.4450 (published tables).
    assert clopper_pearson_upper(1, 10) == pytest.approx(0.4450, abs=5e-5)
    assert clopper_pearson_upper(10, 10) == 1.0
    assert clopper_pearson_upper(9, 10) == pytest.approx(1 - 0.00253, abs=1e-4)


def test_clustered_se_of_single_items_is_the_ordinary_one() -> None:
    values = [1.0, 0.0, 0.0, 1.0, 1.0]
    ordinary = np.std(values, ddof=1) / math.sqrt(5)
    assert clustered_se(values, list("abcde")) == pytest.approx(float(ordinary))


def test_clustered_se_by_hand() -> None:
    # Mean 0.5. Cluster residuals: (1-.5)+(1-.5) = 1, (0-.5)+(0-.5) = -1; squares sum to 2.
    # G = 2: sqrt(2/1 * 2) / 4 = 0.5.
    assert clustered_se([1, 1, 0, 0], list("aabb")) == pytest.approx(0.5)
    # Clusters that each hold one of both agree perfectly: no spread between them.
    assert clustered_se([1, 0, 1, 0], list("aabb")) == 0.0
    assert clustered_se([1, 0], list("aa")) == math.inf


def test_effective_n() -> None:
    assert effective_n([1, 0, 1, 0], list("abcd")) == 4
    # Clustered variance 0.25, binomial 0.25 / 4 = 0.0625: design effect 4.
    assert effective_n([1, 1, 0, 0], list("aabb")) == pytest.approx(1.0)
    assert effective_n([1, 0, 1, 0], list("aabb")) == 4, "never more than there are"
    assert effective_n([1, 1, 1, 1], list("aabb")) == 2, "all alike: as many as clusters"
    assert effective_n([1, 0, 1], list("aaa")) == 1


def test_bootstrap_of_a_mean_matches_its_standard_error() -> None:
    # 400 items, half right: se = 0.025, so the interval is 0.5 -+ 0.049.
    values, names = [1.0, 0.0] * 200, [str(i) for i in range(400)]
    found = bootstrap_mean(values, names, seed=1)
    assert found == pytest.approx((0.451, 0.549), abs=0.006)
    assert bootstrap_mean(values, names, seed=1) == found
    assert bootstrap_mean(values, names, seed=2) != found


def test_bootstrap_draws_whole_clusters() -> None:
    # Twenty clusters of twenty equal items are worth twenty items: se = sqrt(.25 / 20) = 0.112.
    values = [float(cluster % 2) for cluster in range(20) for _ in range(20)]
    names = [str(cluster) for cluster in range(20) for _ in range(20)]
    low, high = bootstrap_mean(values, names, seed=3) or (0, 0)
    assert (high - low) / 2 == pytest.approx(1.96 * 0.112, rel=0.12)
    assert bootstrap_mean([1.0, 0.0], ["a", "a"], seed=3) is None


def test_bootstrap_of_a_ratio_is_of_sums() -> None:
    # Every cluster has ratio 1/4, so every draw has.
    assert bootstrap_ratio([1, 2, 3], [4, 8, 12], list("abc"), seed=0) == (0.25, 0.25)
    assert bootstrap_ratio([0, 0], [0, 0], list("ab"), seed=0) is None


def test_quantile_by_hand() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [quantile(values, share) for share in (0.0, 0.2, 0.21, 0.5, 0.95, 1.0)] == [
        1, 1, 2, 3, 5, 5,
    ]  # fmt: skip
    assert quantile([float(n) for n in range(1, 21)], 0.95) == 19


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40), st.sampled_from([0.5, 0.95]))
@settings(max_examples=30, deadline=None)
def test_bootstrap_quantile_equals_the_plain_way(numbers: list[int], share: float) -> None:
    values = [float(number) for number in numbers]
    names = [str(index % 7) for index in range(len(values))]
    count = len(set(names))
    drawn = np.random.Generator(np.random.PCG64(5)).integers(0, count, size=(50, count))
    draws = [
        quantile([v for pick in row for v, name in zip(values, names, strict=True)
                  if int(name) == pick], share)
        for row in drawn
    ]  # fmt: skip
    expected = np.quantile(draws, [0.025, 0.975])
    assert bootstrap_quantile(values, share, names, seed=5, resamples=50) == tuple(expected)
