"""A corpus at given rates: what is in it is known, and the rates are the rates."""

import math
from collections import Counter

import pytest

from pellucid.base.errors import UserError
from pellucid.data.faults import FAULTS
from pellucid.data.faults.corpus import corpus
from pellucid.data.llava import parse_row

Z = 4.5
"""Standard deviations; one seed in 150,000 would miss by more."""


def near(count: int, n: int, rate: float) -> bool:
    return abs(count - n * rate) <= Z * math.sqrt(n * rate * (1 - rate)) + 1e-9


def test_one_rate_is_the_share_of_faulty_rows_dealt_evenly() -> None:
    rows = [one for one in corpus(5, 12_000, 0.3)]
    kinds = Counter(kind for one in rows for kind in one.kinds)
    assert near(sum(kinds.values()), 12_000, 0.3)
    assert set(kinds) == set(FAULTS)
    assert all(near(kinds[kind], 12_000, 0.3 / len(FAULTS)) for kind in FAULTS)


@pytest.mark.parametrize(
    "rates", [{"tag_misspelt": 0.05, "box_width_height": 0.2, "system_misplaced": 0.01}]
)
def test_rates_by_kind_hold_however_few_rows_a_kind_fits(rates: dict[str, float]) -> None:
    kinds = Counter(kind for one in corpus(6, 6000, rates) for kind in one.kinds)
    assert set(kinds) == set(rates)
    assert all(near(kinds[kind], 6000, rate) for kind, rate in rates.items()), kinds


def test_a_clean_row_is_its_own_faulty_row() -> None:
    for one in corpus(7, 2000, 0.5):
        if not one.kinds:
            assert one.clean is not None and one.clean == one.faulty
        elif one.clean is not None:
            assert one.clean != one.faulty
        if one.clean is not None:
            parse_row(one.clean)


def test_an_added_row_stands_after_the_row_that_it_contradicts() -> None:
    rows = list(corpus(8, 300, 0.6, ["answers_contradict", "turn_doubled"]))
    added = [(at, one) for at, one in enumerate(rows) if one.beside is not None]
    assert len(rows) == 300 + len(added) and len(added) > 50
    for at, one in added:
        partner = rows[one.beside]
        assert one.kinds == ("answers_contradict",) and one.clean is None and partner.kinds == ()
        assert one.beside == at - 1
        this, other = parse_row(one.faulty), parse_row(partner.faulty)
        assert this.images == other.images and this.messages[:-1] == other.messages[:-1]
        assert this.messages[-1].text != other.messages[-1].text
        assert this.answer != other.answer


def test_a_second_fault_is_of_another_family() -> None:
    rows = [one for one in corpus(9, 4000, 0.5, two=0.5)]
    faulty = [one for one in rows if one.kinds and one.beside is None]
    twice = [one for one in faulty if len(one.kinds) == 2]
    # A first fault that leaves no turns to read gets no second one.
    open_ = [one for one in faulty if not FAULTS[one.kinds[0]].breaks]
    assert near(len(twice), len(open_), 0.5) and set(map(len, (one.kinds for one in faulty))) == {
        1,
        2,
    }
    for one in twice:
        first, second = (FAULTS[kind] for kind in one.kinds)
        assert first.family != second.family and not second.adds_row
        assert one.repairable == (first.repairable and second.repairable)


def test_the_same_arguments_give_the_same_rows_and_more_rows_go_on() -> None:
    one, more = list(corpus(10, 200, 0.5, two=0.3)), list(corpus(10, 400, 0.5, two=0.3))
    assert more[: len(one)] == one and list(corpus(11, 200, 0.5, two=0.3)) != one


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"rates": 0.1, "kinds": ["tag_mispelt"]}, "did you mean 'tag_misspelt'"),
        ({"rates": {"nothing": 0.1}}, "is no kind of fault"),
        ({"rates": 1.2}, "is no share"),
        ({"rates": {"mojibake": -0.1}}, "rates.mojibake=-0.1 is no share"),
        ({"rates": {"mojibake": 0.7, "entities": 0.7}}, "is more than 1"),
        ({"rates": 0.1, "kinds": []}, "names no kind"),
        ({"rates": {"mojibake": 0.1}, "kinds": ["mojibake"]}, "leave it out"),
        ({"rates": 0.1, "two": 2.0}, "two=2.0 is no share"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments: dict, told: str) -> None:
    with pytest.raises(UserError, match=told):
        corpus(1, 10, **arguments)
