"""Pools: rows of several tasks counted again; means and lowest ones against hand arithmetic."""

import pytest

from pellucid.base.interval import wilson
from pellucid.eval.metrics import cells
from pellucid.eval.pairs import difference
from pellucid.eval.pools import pool_metrics
from pellucid.eval.report import load_report
from pellucid.eval.rows import load_rows, select
from pellucid.eval.run import evaluate
from pellucid.eval.stats import bootstrap_mean_of_means
from pellucid.recipe.eval import PoolTask, StoreTask


@pytest.fixture(scope="module")
def pooled(stores, tmp_path_factory):
    """`small` has the six questions of task count, `whole` all twelve; `both` pools them."""
    from tests.unit.eval.conftest import TableGenerator, make_options

    tasks = {
        "small": StoreTask(source="set", tasks=("count",)),
        "whole": StoreTask(source="set", modes=("think", "auto")),
        "both": PoolTask(tasks=("whole", "small")),
    }
    folder = tmp_path_factory.mktemp("pooled")
    told = make_options(tasks=tasks, latency_items=0)
    evaluate(told, stores, TableGenerator(), "long", "c" * 64, folder)
    return folder


@pytest.fixture(scope="module")
def metrics(pooled) -> dict:
    return {metric.id: metric for metric in load_report(pooled).metrics}


def test_a_pool_asks_nothing_and_counts_every_row_of_its_members(pooled, metrics) -> None:
    rows = load_rows(pooled)
    assert {row["task"] for row in rows} == {"small", "whole"}
    accuracy = metrics["eval.long.both.think.all.accuracy"]
    # Thinking is right on 3 of n < 6 and on 7 of 12.
    assert accuracy.value == pytest.approx(10 / 18) and accuracy.n == 18
    chosen = select(rows, accuracy.rows)
    assert sum(row["score"] for row in chosen) == 10 and len(chosen) == 18
    assert metrics["eval.long.both.think.task-count.accuracy"].n == 12
    assert metrics["eval.long.both.think.task-sum%2Ev2.accuracy"].n == 6
    assert metrics["eval.long.both.think.domain-charts.accuracy"].n == 18
    assert metrics["eval.long.both.auto.all.tokens_p50"].n == 18


def test_a_pool_exists_in_the_modes_that_all_its_members_were_asked_in(metrics) -> None:
    modes = {id.split(".")[3] for id in metrics if id.startswith("eval.long.both.")}
    assert modes == {"auto", "think"}
    assert "eval.long.small.nothink.all.accuracy" in metrics
    assert "eval.long.both.auto.all.token_ratio" in metrics
    assert "eval.long.both.think.all.gain" not in metrics


def test_every_member_weighs_the_same_in_the_mean(metrics) -> None:
    mean = metrics["eval.long.both.think.all.mean_accuracy"]
    assert mean.value == pytest.approx((3 / 6 + 7 / 12) / 2)
    assert mean.low < mean.value < mean.high and mean.method == "cluster-bootstrap"
    assert (mean.n, mean.scored, mean.unscored, mean.failed) == (18, 18, 0, 0)
    assert mean.scorer_hash == metrics["eval.long.whole.think.all.accuracy"].scorer_hash


def test_the_lowest_has_the_lowest_bounds(metrics) -> None:
    least = metrics["eval.long.both.think.all.min_accuracy"]
    members = [metrics[f"eval.long.{task}.think.all.accuracy"] for task in ("small", "whole")]
    assert least.value == pytest.approx(0.5)
    assert least.low == min(metric.low for metric in members)
    assert least.high == min(metric.high for metric in members)


def test_what_one_member_alone_has_is_no_mean_over_members(metrics) -> None:
    assert "eval.long.both.think.task-count.mean_accuracy" in metrics
    assert "eval.long.both.think.task-sum%2Ev2.mean_accuracy" not in metrics
    assert not any("whole" in id and "mean_accuracy" in id for id in metrics)


def test_two_modes_of_a_pool_are_paired(pooled, metrics) -> None:
    new, old = (metrics[f"eval.long.both.{mode}.all.accuracy"] for mode in ("think", "auto"))
    rows = load_rows(pooled)
    found = difference(new, old, rows, rows, seed=0)
    assert found.value == pytest.approx(new.value - old.value) and found.n == 18


def row(task: str, n: int, score: float | None, **changes) -> dict:
    base = {
        "task": task, "mode": "auto", "record_task": "a", "domain": "d", "cluster": f"{task}{n}",
        "item": f"{task}/{n}", "outcome": "answered", "status": "scored", "score": score,
        "scorer_hash": "s",
    }  # fmt: skip
    return {**base, **changes}


def test_a_member_without_a_score_leaves_no_mean() -> None:
    rows = [row("a", n, float(n % 2)) for n in range(4)]
    rows += [row("b", n, None, outcome="failed", status="unscored") for n in range(4)]
    found = {m.id: m for m in pool_metrics(cells(rows, "x", 0, {"p": ("a", "b")}))}
    for name in ("mean_accuracy", "min_accuracy"):
        metric = found[f"eval.x.p.auto.all.{name}"]
        assert (metric.value, metric.low, metric.high) == (None, None, None)
        assert (metric.n, metric.scored, metric.failed) == (8, 4, 4)


def test_cells_of_pools_stand_beside_those_of_tasks() -> None:
    rows = [row("a", 0, 1.0), row("b", 0, 0.0), row("b", 1, 0.0, mode="think")]
    found = [(c.task, c.mode, len(c.rows)) for c in cells(rows, "x", 0, {"p": ("a", "b")})
             if c.group == "all"]  # fmt: skip
    assert found == [("a", "auto", 1), ("b", "auto", 1), ("b", "think", 1), ("p", "auto", 2)]


def test_the_interval_of_a_mean_of_means() -> None:
    # Equal parts of one size: every draw that holds both is the mean of two part means.
    values = [1.0] * 30 + [0.0] * 30
    clusters = [str(n) for n in range(60)]
    parts = ["a"] * 30 + ["b"] * 30
    assert bootstrap_mean_of_means(values, clusters, parts, 0) == (0.5, 0.5)
    mixed = [float(n % 2) for n in range(60)]
    found = bootstrap_mean_of_means(mixed, clusters, parts, 0)
    plain = wilson(0.5, 60)
    assert found is not None
    assert found.low == pytest.approx(plain.low, abs=0.03)
    assert found.high == pytest.approx(plain.high, abs=0.03)
    assert bootstrap_mean_of_means([1.0, 0.0], ["one", "one"], ["a", "b"], 0) is None
