"""Rates and intervals against hand arithmetic, and their coverage on seeded trials."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.base.interval import Z95, wilson
from pellucid.data.triage.interval import CALM, Stratum, estimate
from pellucid.data.triage.sample import allocate

MANY = 10**9


def test_one_large_stratum_is_the_binomial_interval() -> None:
    found = estimate([Stratum(MANY, 263, 81)])
    # Wilson's for 81 of 263, as in Newcombe 1998: 0.2553 to 0.3662.
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert found.effective == pytest.approx(263, rel=1e-5)


def test_two_strata_by_hand() -> None:
    found = estimate([Stratum(750 * MANY, 60, 6), Stratum(250 * MANY, 40, 20)])
    assert found.rate == pytest.approx(0.75 * 0.1 + 0.25 * 0.5)
    # 1 / n of independent draws with these weights: 0.75^2 / 60 + 0.25^2 / 40 = 0.0109375.
    # Variance within: 0.75 * 0.09 * 60/59 + 0.25 * 0.25 * 40/39 = 0.1327466
    # Variance in all: 0.2 * 0.8 * 100/99 = 0.1616162; quotient 0.8213697.
    # 26 errors: (26 * 0.8213697 + 4) / 30 = 0.8451871.
    assert CALM == 4
    effective = 1 / 0.0109375 / 0.8451871
    assert found.effective == pytest.approx(effective, rel=1e-5)
    middle = (0.2 + Z95**2 / (2 * effective)) / (1 + Z95**2 / effective)
    half = Z95 / (1 + Z95**2 / effective)
    half *= math.sqrt(0.16 / effective + Z95**2 / (4 * effective**2))
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half), rel=1e-5)


def test_what_was_seen_needs_no_guess() -> None:
    half = estimate([Stratum(200, 100, 10)])
    # f = 1/2: as much as 200 draws with replacement tell; bounds in whole records of 200.
    assert half.effective == pytest.approx(200)
    low, high = wilson(0.1, 200)
    assert (half.low, half.high) == (math.floor(low * 200) / 200, math.ceil(high * 200) / 200)
    whole = estimate([Stratum(60, 60, 7), Stratum(40, 40, 0)])
    assert (whole.low, whole.rate, whole.high) == (0.07, 0.07, 0.07)
    almost = estimate([Stratum(100, 99, 9)])
    assert (almost.low, almost.high) == (0.09, 0.10), "the one that is left is right or wrong"


def test_no_error_seen_is_not_no_error() -> None:
    found = estimate([Stratum(MANY, 50, 0), Stratum(MANY, 50, 0)])
    assert found.rate == found.low == 0
    assert found.high == pytest.approx(Z95**2 / (100 + Z95**2), rel=1e-5)


def test_a_stratum_that_was_hardly_seen_is_counted_with_another() -> None:
    found = estimate([Stratum(900, 50, 5), Stratum(60, 10, 1), Stratum(40, 1, 1)])
    again = estimate([Stratum(900, 50, 5), Stratum(100, 11, 2)])
    assert found == again
    with pytest.raises(ValueError, match="no record was seen"):
        estimate([Stratum(900, 0, 0)])


def test_the_weights_matter() -> None:
    """A tenth of the set holds half of those seen, and all the errors."""
    found = estimate([Stratum(9000, 50, 0), Stratum(1000, 50, 50)])
    assert found.rate == pytest.approx(0.1) and found.high < 0.3


@given(st.lists(st.tuples(st.integers(1, 500), st.data()), min_size=1, max_size=6))
def test_bounds_hold_what_is_known(drawn: list) -> None:
    parts = []
    for size, data in drawn:
        seen = data.draw(st.integers(0, size))
        parts.append(Stratum(size, seen, data.draw(st.integers(0, seen))))
    if not any(part.seen for part in parts):
        return
    found = estimate(parts)
    size, seen = sum(part.size for part in parts), sum(part.seen for part in parts)
    wrong = sum(part.wrong for part in parts)
    assert 0 <= found.low <= found.rate <= found.high <= 1
    # Where every stratum was seen, the bounds are what the records that were seen allow.
    if all(part.seen >= 2 for part in parts):
        assert found.low >= min(wrong / size, found.rate) - 1e-12
        assert found.high <= max(1 - (seen - wrong) / size, found.rate) + 1e-12


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.5])
def test_coverage_of_seeded_trials(rate: float) -> None:
    """Four strata whose errors are far from even: 94 to 98 % of 1,500 trials hold the true rate."""
    draw = np.random.default_rng(5)
    sizes = [5000, 3000, 1500, 500]
    spread = [0.5, 1.0, 1.5, 4.5]
    wrong = [min(size, round(rate * size * s)) for size, s in zip(sizes, spread, strict=True)]
    true, held, width, plain = sum(wrong) / sum(sizes), 0, 0.0, 0.0
    seen = allocate(sizes, 120)
    for _ in range(1500):
        met = [
            int(draw.hypergeometric(bad, size - bad, n))
            for bad, size, n in zip(wrong, sizes, seen, strict=True)
        ]
        found = estimate(map(Stratum, sizes, seen, met))
        binomial = wilson(sum(met) / 120, 120)
        held += found.low <= true <= found.high
        width, plain = width + found.width, plain + binomial.high - binomial.low
    assert 0.935 <= held / 1500 <= 0.985
    assert width < 1.05 * plain
