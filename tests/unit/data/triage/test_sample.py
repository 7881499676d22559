"""The order in which a set is looked at: nested, proportional, and the same however it is read."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.triage.sample import EARLY, FEW, REST, allocate, order, strata


def named(**sizes: int) -> dict[str, str]:
    return {f"{name}-{at}": name for name, size in sizes.items() for at in range(size)}


def test_small_strata_are_put_together() -> None:
    found = strata(named(a=900, b=60, c=20, d=20), 0.04)
    assert Counter(found.values()) == {"a": 900, "b": 60, REST: 40}
    alone = strata(named(a=960, b=40, c=10), 0.02)
    assert set(alone.values()) == {"a", "b", "c"}, "one small stratum is not renamed"


def test_shares_by_hand() -> None:
    # Places (j - 1/2) / w: a at 1, 3, 5, ...; b at 2, 6, ...; c at 2, 6, ...
    assert allocate([50, 25, 25], 4) == [2, 1, 1]
    assert allocate([50, 25, 25], 8) == [4, 2, 2]
    # Webster, not D'Hondt: 0.6 records of four are rounded up.
    assert allocate([85, 15], 4) == [3, 1]
    # 1 % of the set, so half a record of 50: its first two stand at 20 and 40 all the same.
    assert allocate([990, 10], 50) == [48, 2]
    assert allocate([3, 2], 100) == [3, 2], "no more than there are"


@given(st.lists(st.integers(50, 400), min_size=1, max_size=8), st.integers(1, 200))
def test_every_beginning_is_proportional(sizes: list[int], n: int) -> None:
    counts = allocate(sizes, n)
    total = sum(sizes)
    assert sum(counts) == min(n, total)
    slack = 1 + FEW * len(sizes) if n >= EARLY / FEW else 1 + len(sizes)
    for size, count in zip(sizes, counts, strict=True):
        assert abs(count - min(n, total) * size / total) <= slack


def test_a_larger_sample_holds_the_smaller_one_and_files_do_not_matter() -> None:
    stratum_of = named(a=300, b=100, c=30)
    whole = order(stratum_of, 7)
    assert sorted(whole) == sorted(stratum_of)
    shuffled = dict(sorted(stratum_of.items(), key=lambda pair: pair[0][::-1]))
    assert order(shuffled, 7) == whole
    assert Counter(stratum_of[id] for id in whole[:43]) == {"a": 30, "b": 10, "c": 3}
    other = order(stratum_of, 8)
    assert other != whole and sorted(other) == sorted(whole)
    # Records that come or go elsewhere do not change who comes first in a stratum.
    fewer = order({id: name for id, name in stratum_of.items() if name != "b"}, 7)
    assert [id for id in fewer if id[0] == "a"] == [id for id in whole if id[0] == "a"]


def test_all_records_of_a_stratum_come_first_equally_often() -> None:
    """Within a stratum the draw is uniform: 40 of 200, 400 seeds; each is drawn 80 times."""
    stratum_of = named(a=200)
    drawn = Counter(id for seed in range(400) for id in order(stratum_of, seed)[:40])
    # Binomial(400, 0.2): standard deviation 8; the largest of 200 deviations stays under 5 of them.
    assert len(drawn) == 200 and all(abs(count - 80) < 40 for count in drawn.values())
