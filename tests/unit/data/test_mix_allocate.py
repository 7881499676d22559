"""Shares as whole numbers: they add up, stay near, and a larger total takes nothing away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.base.errors import UserError
from pellucid.data.mix.allocate import deal, planned
from pellucid.recipe.mix import Mix, Take

WEIGHTS = st.lists(st.integers(1, 1000), min_size=1, max_size=8)


@given(WEIGHTS, st.integers(0, 5000))
def test_what_is_dealt_adds_up_and_stays_near(weights: list[int], total: int) -> None:
    found = deal(total, [float(one) for one in weights])
    assert sum(found) == total
    if len(weights) <= 3:  # Webster keeps to the quota of up to three
        for one, weight in zip(found, weights, strict=True):
            assert abs(one - total * weight / sum(weights)) < 1 + 1e-9


@given(WEIGHTS, st.integers(0, 2000))
def test_a_larger_total_takes_nothing_away(weights: list[int], total: int) -> None:
    less, more = (deal(one, [float(w) for w in weights]) for one in (total, total + 1))
    assert sum(b - a for a, b in zip(less, more, strict=True)) == 1
    assert all(a <= b for a, b in zip(less, more, strict=True))


def test_where_largest_remainders_would_take_one_away() -> None:
    """The Alabama paradox: of 10 they give 4, 4, 2 to these weights, of 11 they give 5, 5, 1."""
    assert [deal(total, [6, 6, 2]) for total in (10, 11, 12)] == [[5, 4, 1], [5, 5, 1], [5, 5, 2]]


def plan(there: list[int], **fields) -> list[tuple[int, int]]:
    return [tuple(one) for one in planned("m", Mix(**fields), there)]


def test_the_largest_total_that_shares_allow() -> None:
    halves = [Take(source="a", share=0.5), Take(source="b", share=0.5)]
    assert plan([100, 30], take=halves) == [(31, 31), (30, 30)]
    repeated = [halves[0], Take(source="b", share=0.5, max_repeat=3)]
    assert plan([100, 30], take=repeated) == [(91, 91), (30, 90)]
    assert plan([100, 30], take=repeated, total=100) == [(50, 50), (30, 50)]


def test_counts_settle_the_total() -> None:
    takes = [Take(source="a", count=70), Take(source="b", share=0.2), Take(source="c", share=0.1)]
    assert plan([70, 50, 50], take=takes) == [(70, 70), (20, 20), (10, 10)]
    with pytest.raises(UserError, match=r"total=300 is not what the counts \(70\).*set 100"):
        plan([70, 50, 50], take=takes, total=300)


def test_repeats_by_hand() -> None:
    assert plan([10], take=[Take(source="a", repeat=2.5)]) == [(10, 25)]
    assert plan([10], take=[Take(source="a", count=3, repeat=2.5)]) == [(3, 7)]
    thrice = [Take(source="a", share=0.75), Take(source="b", share=0.25, repeat=3)]
    assert plan([300, 150], take=thrice) == [(300, 300), (34, 100)]


def test_what_cannot_be_met_names_numbers_that_can() -> None:
    takes = [Take(source="a", share=0.5), Take(source="b", share=0.5)]
    with pytest.raises(UserError) as caught:
        plan([100, 30], take=takes, total=100)
    told = str(caught.value)
    assert "take.1 (b) shows at most 30 of 50" in told
    assert "set total to 61, or take.1.max_repeat to 1.67" in told
    assert plan([100, 30], take=takes, total=61) == [(31, 31), (30, 30)]
    mended = [takes[0], Take(source="b", share=0.5, max_repeat=1.67)]
    assert plan([100, 30], take=mended, total=100) == [(50, 50), (30, 50)]


@pytest.mark.parametrize(
    ("shares", "said"), [((1.0,), "1"), ((0.5, 0.5), "1"), ((1.0, 0.5), "1.5")]
)
def test_shares_that_leave_nothing_to_count_are_refused(
    shares: tuple[float, ...], said: str
) -> None:
    """A recipe says so when it is read; a mix that is made in Python says it here."""
    takes = tuple(Take(source="a", share=share) for share in shares)
    mix = Mix(take=(*takes, Take(source="b", count=5)))
    with pytest.raises(UserError, match=rf"take: share=.* come to {said} and leave nothing"):
        planned("m", mix, [10] * len(mix.take))
