"""Paired comparisons: by item, and only of the same."""

import pytest

from pellucid.base.errors import UserError
from pellucid.eval.metrics import MEASURES
from pellucid.eval.pairs import difference, paired
from pellucid.eval.report import load_report
from pellucid.eval.rows import load_rows
from pellucid.eval.run import evaluate


def row(item: int, score: float | None, **changes) -> dict:
    base = {
        "item": str(item), "cluster": f"c{item // 2}", "score": score, "outcome": "answered",
        "scorer_hash": "s", "tokens": item,
    }  # fmt: skip
    return {**base, **changes}


def test_differences_by_item_whatever_the_order() -> None:
    new = [row(2, 1.0), row(0, 1.0), row(1, 0.0), row(3, None), row(4, 1.0)]
    old = [row(0, 0.0), row(1, 1.0), row(2, 1.0), row(3, 1.0), row(4, None, outcome="failed")]
    found = paired(new, old)
    assert found.items == ("0", "1", "2", "3", "4")
    assert found.differences == (1.0, -1.0, 0.0, None, None)
    assert found.clusters == ("c0", "c0", "c1", "c1", "c2")
    assert found.failed == 1


def test_refusals() -> None:
    both = [row(0, 1.0), row(1, 0.0)]
    with pytest.raises(UserError, match=r"on one side only \(2 such items\)"):
        paired(both, [row(0, 1.0), row(2, 0.0)])
    with pytest.raises(UserError, match="2 rows for 1 items"):
        paired([row(0, 1.0), row(0, 0.0)], both)
    changed = [row(0, 1.0), row(1, 0.0, scorer_hash="other")]
    with pytest.raises(UserError, match="different rules"):
        paired(both, changed)
    assert paired(both, changed, MEASURES["tokens"]).differences == (0.0, 0.0)


def test_the_difference_of_two_checkpoints(stores, table, options, finished, tmp_path) -> None:
    # The better one also gets n = 0, 3 and 6 right when it thinks; nothing else changes.
    fixed = {(n, "think"): str(n) for n in (0, 3, 6)}
    evaluate(options(), stores, table(fixed), "better", "d" * 64, tmp_path)
    id = "charts.think.all.accuracy"
    new = {metric.id: metric for metric in load_report(tmp_path).metrics}[f"eval.better.{id}"]
    old = {metric.id: metric for metric in load_report(finished).metrics}[f"eval.long.{id}"]
    ours, theirs = load_rows(tmp_path), load_rows(finished)
    found = difference(new, old, ours, theirs, seed=4)
    assert found.value == pytest.approx(3 / 12) == pytest.approx(new.value - old.value)
    assert found.n == found.scored == 12 and found.seed == 4
    assert found.scorer_hash == new.scorer_hash == old.scorer_hash
    assert 0 <= found.low < 0.25 < found.high <= 1
    assert difference(new, old, ours, theirs, seed=4) == found
    nothing = difference(old, old, theirs, theirs, seed=4)
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0)
    with pytest.raises(UserError, match="not the same"):
        other = next(m for m in load_report(finished).metrics if m.id.endswith("tokens"))
        difference(new, other, ours, theirs, seed=4)
