"""What an RL job says of itself: means, gains and counts by hand."""

from typing import Any

import pytest

from pellucid.eval.reinforcement import log_metrics, pass_rate_metrics, probe_metrics
from pellucid.eval.rows import select

Row = dict[str, Any]


def answer(when: str, record: str, accuracy: float | None, **changes: Any) -> Row:
    told = {"mode": "nothink", "cluster": f"scene {record}", "outcome": "answered"}
    return {**told, "when": when, "record": record, "accuracy": accuracy, **changes}


def answers() -> list[Row]:
    scores = {
        "before": {"a": (0, 0), "b": (1, 0), "c": (1, 1), "d": (None, None)},
        "after": {"a": (1, 0), "b": (1, 1), "c": (1, 1), "d": (1, 1)},
    }
    rows = [
        answer(when, record, score, outcome="failed" if score is None else "answered")
        for when, found in scores.items()
        for record, pair in found.items()
        for score in pair
    ]
    return rows[::-1]


def test_the_probe_by_hand() -> None:
    found = {metric.id: metric for metric in probe_metrics("rl", answers(), 7)}
    before, after, gain = (found[f"rl.probe.{name}"] for name in ("before", "after", "gain"))
    assert before.value == pytest.approx((0 + 0.5 + 1) / 3)
    assert after.value == pytest.approx((0.5 + 1 + 1 + 1) / 4)
    assert gain.value == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert [(one.n, one.scored, one.unscored, one.failed) for one in (before, after, gain)] == [
        (4, 3, 0, 1), (4, 4, 0, 0), (4, 3, 0, 1),
    ]  # fmt: skip
    assert 0 <= gain.low <= gain.value <= gain.high == 0.5
    assert (gain.method, gain.seed, gain.unit) == ("paired-cluster-bootstrap", 7, "share")
    assert len(select(answers(), before.rows)) == 8 and len(select(answers(), gain.rows)) == 16
    assert list(probe_metrics("rl", [], 7)) == []


def test_two_modes_of_a_record_are_two_prompts() -> None:
    rows = [
        answer(when, "a", score, mode=mode)
        for when, pair in {"before": (0.0, 1.0), "after": (1.0, 1.0)}.items()
        for mode, score in zip(("think", "nothink"), pair, strict=True)
    ]
    gain = {metric.id: metric for metric in probe_metrics("rl", rows, 0)}["rl.probe.gain"]
    assert (gain.n, gain.value, gain.low) == (2, 0.5, None)  # one scene: no interval


def line(batch: int, first: bool, clipped: float | None, truncated: float, count: int) -> Row:
    told = {"batch": batch, "first": first, "clipped": clipped}
    return {**told, "truncated": truncated, "rollouts": count}


def test_clipping_counts_later_updates_and_truncation_all_rollouts() -> None:
    lines = [
        line(0, True, 0.0, 0.5, 4), line(0, False, 0.25, 0.0, 4),
        line(1, True, 0.0, 0.0, 4), line(1, False, 0.75, 0.25, 8), line(1, False, None, 0.0, 4),
    ]  # fmt: skip
    clipped, truncated = log_metrics("rl", lines, 3)
    assert (clipped.id, clipped.value, clipped.n) == ("rl.clipped.mean", 0.5, 2)
    assert (clipped.low, clipped.high) == (0.25, 0.75)
    assert select(lines, clipped.rows) == [lines[1], lines[3], lines[4]]
    assert (truncated.id, truncated.n) == ("rl.truncated.mean", 24)
    assert truncated.value == pytest.approx((2 + 2) / 24)
    assert truncated.low == pytest.approx(2 / 16) and truncated.high == pytest.approx(2 / 8)


def test_pass_rates_are_counted_by_decision() -> None:
    rows = [{"decision": name} for name in ("kept", "hard", "kept", "easy")]
    found = {metric.id: metric for metric in pass_rate_metrics("rl", rows)}
    assert {id: metric.value for id, metric in found.items()} == {
        "rl.pass_rate.easy": 1, "rl.pass_rate.hard": 1, "rl.pass_rate.kept": 2,
    }  # fmt: skip
    assert select(rows, found["rl.pass_rate.kept"].rows) == [rows[0], rows[2]]
    assert found["rl.pass_rate.kept"].n == 4
