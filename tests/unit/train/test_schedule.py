"""Rates by hand."""

import pytest

from pellucid.base.errors import UserError
from pellucid.recipe.train import Schedule
from pellucid.train.schedule import factor, warmup


def rates(schedule: Schedule, total: int) -> list[float]:
    return [factor(schedule, step, total) for step in range(total)]


def test_linear() -> None:
    """Two steps up by thirds, then 8 steps from 1 towards 0.2: each falls by 0.8 / 8."""
    schedule = Schedule(kind="linear", warmup_steps=2, min_ratio=0.2)
    expected = [1 / 3, 2 / 3, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    assert rates(schedule, 10) == pytest.approx(expected, abs=1e-12)


def test_cosine() -> None:
    """Quarters of the half wave: (1 + cos 0, 45, 90, 135 degrees) / 2, floor 0.1."""
    schedule = Schedule(kind="cosine", warmup_steps=0, min_ratio=0.1)
    wave = [1.0, (1 + 2**-0.5) / 2, 0.5, (1 - 2**-0.5) / 2]
    assert rates(schedule, 4) == pytest.approx([0.1 + 0.9 * share for share in wave], abs=1e-12)


def test_constant_has_a_warmup_and_no_floor() -> None:
    schedule = Schedule(kind="constant", warmup_steps=1, min_ratio=0.1)
    assert rates(schedule, 3) == [0.5, 1.0, 1.0]


def test_a_share_is_rounded_down() -> None:
    assert warmup(Schedule(warmup_share=0.03), 100) == 3
    assert warmup(Schedule(warmup_share=0.03), 30) == 0
    assert warmup(Schedule(), 30) == 0
    assert rates(Schedule(kind="linear", warmup_share=0.5), 2) == [0.5, 1.0]


def test_a_warmup_as_long_as_the_stage_is_refused() -> None:
    with pytest.raises(UserError, match="warmup_steps=5 is not under the 5 steps"):
        factor(Schedule(warmup_steps=5), 0, 5)
