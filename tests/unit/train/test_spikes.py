"""Losses that stand out, by hand; and that a log alone decides."""

import json

import pytest

from pellucid.train.spikes import FEWEST, PAST, SPIKE, Spikes


def test_by_hand() -> None:
    """Of 1, 2, 3, ... 21 the median is 11 and the median distance from it 5."""
    deviation = 1.4826 * 5
    assert Spikes(map(float, range(1, 22))).seen(11 + 5.9 * deviation) is None
    assert Spikes(map(float, range(1, 22))).seen(11 + 6.1 * deviation) == pytest.approx(6.1)
    assert Spikes(map(float, range(1, 22))).seen(11 - 60 * deviation) is None, "down is no harm"


def test_too_few_steps_and_steps_that_are_all_alike_say_nothing() -> None:
    assert Spikes([1.0, 2.0] * (FEWEST // 2 - 1)).seen(1e6) is None
    assert Spikes([2.0] * PAST).seen(2.1) is None


def test_what_is_long_past_is_forgotten() -> None:
    spikes = Spikes([100.0, 101.0] * PAST)
    for at in range(PAST):
        spikes.seen(1.0 + at % 3)
    assert spikes.seen(100.0) > SPIKE


def test_a_log_that_is_cut_back_says_the_same(tmp_path) -> None:
    losses = [2.0 + 0.1 * (at % 4) for at in range(40)] + [9.0, 2.1, 8.0]
    whole = Spikes()
    told = [whole.seen(loss) for loss in losses]
    assert [at for at, one in enumerate(told) if one is not None] == [40, 42]
    log, size = tmp_path / "log.jsonl", 0
    lines = [json.dumps({"loss": loss}) + "\n" for loss in losses]
    log.write_text("".join(lines), "utf-8")
    size = sum(map(len, lines[:41]))
    again = Spikes.after(log, size)
    assert [again.seen(loss) for loss in losses[41:]] == told[41:]
    assert Spikes.after(log, 0).seen(1e9) is None
