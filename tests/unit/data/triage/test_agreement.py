"""Kappa against published and hand arithmetic."""

import pytest

from pellucid.base.errors import UserError
from pellucid.data.triage.agreement import agreement, interval, kappa


def test_kappa_by_hand() -> None:
    # Agreed 45 of 60; chance 35/60 * 40/60 + 25/60 * 20/60 = 0.527778; (0.75 - c) / (1 - c).
    assert kappa(30, 5, 10, 15) == pytest.approx((0.75 - 0.5277778) / (1 - 0.5277778), abs=1e-6)
    assert kappa(30, 0, 0, 30) == 1
    assert kappa(15, 15, 15, 15) == 0
    assert kappa(0, 30, 30, 0) == -1
    assert kappa(0, 0, 5, 55) is None, "one of the two never saw it"


def test_the_jackknife_is_near_the_large_sample_formula() -> None:
    low, high = interval((30, 5, 10, 15))
    # Fleiss, Cohen and Everitt 1969 give a standard error of 0.1154 for this table.
    assert (high - low) / (2 * 1.96) == pytest.approx(0.1154, rel=0.03)
    assert low < 0.4706 < high
    assert interval((1, 0, 0, 20)) is None, "without that record there is no kappa"


def test_only_shared_records_count() -> None:
    person = {"a": ("wrong_answers",), "b": (), "c": ("low_quality_images",), "d": ()}
    signals = {"a": ("wrong_answers", "formatting_errors"), "b": (), "c": (), "x": ()}
    found = agreement("ana", person, signals)
    assert found.n == 3
    cells = {
        row.name: (row.both, row.only_person, row.only_signals, row.neither) for row in found.rows
    }
    assert cells["any fault"] == (1, 1, 0, 1)
    assert cells["wrong_answers"] == (1, 0, 0, 2)
    assert cells["formatting_errors"] == (0, 0, 1, 2)
    assert found.confusion["low_quality_images", "excellent"] == 1
    assert sum(found.confusion.values()) == 3
    with pytest.raises(UserError, match="judged no record of the sample"):
        agreement("ana", {"q": ()}, signals)
