"""Metrics against the arithmetic of the twelve questions (see conftest)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.interval import wilson
from pellucid.eval.metrics import MEASURES, cells, row_metrics
from pellucid.eval.modes import mode_metrics
from pellucid.eval.report import build_report, load_report
from pellucid.eval.rescore import rescore
from pellucid.eval.rows import load_rows, part_paths, read_lines, select, write_lines
from pellucid.eval.run import evaluate
from pellucid.score import scorer_hash


@pytest.fixture(scope="module")
def metrics(finished) -> dict:
    return {metric.id: metric for metric in load_report(finished).metrics}


def of(metrics: dict, mode: str, name: str, group: str = "all"):
    return metrics[f"eval.long.charts.{mode}.{group}.{name}"]


def test_accuracy_by_mode(metrics) -> None:
    think = of(metrics, "think", "accuracy")
    assert think.value == pytest.approx(7 / 12)
    assert (think.n, think.scored, think.unscored, think.failed) == (12, 12, 0, 0)
    assert think.method == "wilson-clustered" and think.scorer_hash == scorer_hash("number")
    assert think.low < 7 / 12 < think.high
    narrow = wilson(7 / 12, 12)
    assert think.low <= narrow.low and think.high >= narrow.high, "clusters never narrow it"
    direct = of(metrics, "nothink", "accuracy")
    assert direct.value == pytest.approx(6 / 11), "the failed one is not wrong"
    assert (direct.n, direct.scored, direct.unscored, direct.failed) == (12, 11, 0, 1)
    assert of(metrics, "auto", "accuracy").value == 0.5


def test_outcomes_and_choices(metrics) -> None:
    assert of(metrics, "think", "truncated").value == pytest.approx(1 / 12)
    assert of(metrics, "nothink", "truncated").value == 0
    assert of(metrics, "think", "malformed").value == 0
    assert of(metrics, "auto", "chose_think").value == 0.5
    assert of(metrics, "think", "chose_think").value == 1.0
    assert of(metrics, "nothink", "unscored").value == 0, "failed is counted as failed"
    assert of(metrics, "nothink", "undecided").failed == 1


def test_tokens(metrics) -> None:
    # Thinking takes 10 + n tokens: 10 to 21, mean 15.5, the sixth 15, the twelfth 21.
    think = of(metrics, "think", "tokens")
    assert think.value == 15.5 and think.unit == "tokens" and think.low < 15.5 < think.high
    assert of(metrics, "think", "tokens_p50").value == 15
    assert of(metrics, "think", "tokens_p95").value == 21
    assert of(metrics, "think", "thinking_tokens").value == 8
    assert of(metrics, "think", "thinking_share").value == pytest.approx(12 * 8 / (12 * 15.5))
    assert of(metrics, "nothink", "tokens").value == 2
    assert of(metrics, "nothink", "tokens").failed == 1


def test_modes_are_compared_item_by_item(metrics) -> None:
    # Without n = 9: thinking is right on 7, answering directly on 6.
    gain = of(metrics, "think", "gain")
    assert gain.value == pytest.approx(1 / 11)
    assert (gain.n, gain.scored, gain.unscored, gain.failed) == (12, 11, 0, 1)
    # Thinking is the better forced mode (7 of 12 against 6 of 11); auto is right on 6 of 12.
    chosen = of(metrics, "auto", "auto_gain")
    assert chosen.value == pytest.approx(-1 / 12)
    assert (chosen.n, chosen.scored, chosen.unscored, chosen.failed) == (12, 12, 0, 0)
    for metric in (gain, chosen):
        assert metric.method == "paired-cluster-bootstrap"
        assert metric.low < metric.value < metric.high


def test_tokens_are_compared_on_the_items_that_both_modes_answered(metrics) -> None:
    # Without n = 9: 11 answers of 2 tokens, and 186 - 19 tokens of thinking.
    direct = of(metrics, "nothink", "token_ratio")
    assert direct.value == pytest.approx(22 / 167) and direct.unit == "ratio"
    assert (direct.n, direct.scored, direct.failed) == (12, 11, 1)
    # Auto thinks on 0, 1, 4, 5, 8, 9 (87 tokens) and answers six directly (12).
    chosen = of(metrics, "auto", "token_ratio")
    assert chosen.value == pytest.approx(99 / 186)
    assert chosen.low < chosen.value < chosen.high


def test_the_better_forced_mode_is_chosen_group_by_group() -> None:
    scores = {"think": (1.0, 0.0, 0.0), "nothink": (1.0, 1.0, 0.0), "auto": (0.0, 1.0, 1.0)}
    rows = [
        row(item=f"{domain}{n}", cluster=f"{domain}{n}", mode=mode, domain=domain,
            score=1 - score if domain == "turned" else score)
        for domain in ("plain", "turned")
        for mode, found in scores.items()
        for n, score in enumerate(found)
    ]  # fmt: skip
    found = {metric.id: metric for metric in mode_metrics(list(cells(rows, "x", 0)))}
    # plain: auto 2/3 against nothink 2/3; turned: auto 1/3 against think 2/3.
    plain = found["eval.x.t.auto.domain-plain.auto_gain"]
    turned = found["eval.x.t.auto.domain-turned.auto_gain"]
    assert plain.value == 0 and '"mode":["auto","nothink"]' in plain.rows
    assert turned.value == pytest.approx(-1 / 3) and '"mode":["auto","think"]' in turned.rows


def test_majority_is_what_the_most_frequent_training_answer_scores(metrics, finished) -> None:
    # Training has one record, of task sum.v2, whose gold is 20.
    assert of(metrics, "think", "majority", "task-sum%2Ev2").value == 0.0
    nothing = of(metrics, "think", "majority", "task-count")
    assert (nothing.value, nothing.scored, nothing.unscored) == (None, 0, 6)
    assert {row["guess"] for row in load_rows(finished)} == {None, "20"}


def test_groups(metrics) -> None:
    # n = 6 to 11: thinking is right on 7, 8, 10, 11.
    assert of(metrics, "think", "accuracy", "task-sum%2Ev2").value == pytest.approx(4 / 6)
    assert of(metrics, "think", "accuracy", "task-count").value == pytest.approx(3 / 6)
    assert of(metrics, "think", "accuracy", "domain-charts").value == pytest.approx(7 / 12)
    assert all(len(id.split(".")) == 6 for id in metrics)


def test_the_rows_of_every_metric_can_be_found_again(finished, metrics) -> None:
    rows = load_rows(finished)
    checked = 0
    for metric in metrics.values():
        name = metric.id.rpartition(".")[2]
        chosen = select(rows, metric.rows)
        if name in ("gain", "auto_gain", "token_ratio"):
            assert len(chosen) == metric.n * 2
        elif name in MEASURES:
            assert len(chosen) == metric.n
            values = [MEASURES[name].of(row) for row in chosen if row["outcome"] != "failed"]
            known = [value for value in values if value is not None]
            mean = sum(known) / len(known) if known else None
            assert metric.value == pytest.approx(mean) if known else metric.value is None
            checked += 1
    assert checked == 3 * 4 * len(MEASURES)


def test_the_report_depends_on_the_rows_alone(stores, table, options, finished, tmp_path) -> None:
    evaluate(options(), stores, table(), "long", "c" * 64, tmp_path)
    assert (tmp_path / "report.json").read_bytes() == (finished / "report.json").read_bytes()
    built = build_report(finished)
    assert built == load_report(finished)
    ids = [metric.id for metric in built.metrics]
    assert ids == sorted(ids) and built.checkpoint_hash == "c" * 64


def test_latency_is_reported_apart(finished) -> None:
    report = load_report(finished)
    ids = {metric.id for metric in report.timing}
    assert ids == {
        f"eval.long.charts.{mode}.all.latency_{share}_s"
        for mode in ("auto", "nothink", "think")
        for share in ("p50", "p95")
    }
    assert all(metric.unit == "s" and metric.n == 2 for metric in report.timing)
    assert "latency" not in (finished / "report.json").read_text()


def test_rescoring_reproduces_every_byte(stores, finished, tmp_path) -> None:
    report = rescore(finished, stores, tmp_path)
    for path in (*part_paths(finished), finished / "eval.json", finished / "report.json"):
        assert (tmp_path / path.relative_to(finished)).read_bytes() == path.read_bytes()
    assert report.metrics == load_report(finished).metrics


def test_rescoring_reads_answers_and_not_old_scores(stores, finished, tmp_path) -> None:
    stale, fresh = tmp_path / "stale", tmp_path / "fresh"
    rescore(finished, stores, stale)
    part = part_paths(stale)[0]
    rows = read_lines(part)
    assert rows[1]["score"] == 1.0
    rows[0] |= {"score": 1.0, "scorer_hash": "old", "why": "luck"}
    rows[1] |= {"answer": "99"}
    write_lines(part, rows)
    rescore(stale, stores, fresh)
    again = read_lines(part_paths(fresh)[0])
    assert again[0] == read_lines(part_paths(finished)[0])[0]
    assert (again[1]["score"], again[1]["extracted"]) == (0.0, "99")


def row(**changes) -> dict:
    base = {
        "task": "t", "mode": "auto", "record_task": "a", "domain": "d", "cluster": "c",
        "item": "i", "outcome": "answered", "chosen": "think", "status": "scored", "score": 1.0,
        "tokens": 3, "thinking_tokens": 1, "scorer_hash": "s", "majority": 0.0,
    }  # fmt: skip
    return {**base, **changes}


ROWS = st.lists(
    st.one_of(
        st.builds(lambda s: row(score=s), st.sampled_from([0.0, 1.0])),
        st.just(row(status="unscored", score=None)),
        st.just(row(status="undecided", score=None)),
        st.just(row(outcome="failed", status="unscored", score=None, tokens=0)),
        st.just(row(outcome="truncated", score=0.0)),
    ),
    min_size=1,
    max_size=20,
)


@given(ROWS, st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_counts_add_up_and_unscored_is_never_zero(rows: list[dict], clusters: int) -> None:
    rows = [{**r, "item": str(i), "cluster": str(i % clusters)} for i, r in enumerate(rows)]
    found = {metric.id.split(".", 4)[4]: metric for metric in row_metrics(cells(rows, "x", 0))}
    for metric in found.values():
        assert metric.n == metric.scored + metric.unscored + metric.failed == len(rows)
        assert (metric.value is None) == (metric.scored == 0)
        if metric.low is not None:
            assert metric.low <= metric.value <= metric.high
    scores = [r["score"] for r in rows if r["score"] is not None]
    accuracy = found["all.accuracy"]
    assert accuracy.scored == len(scores)
    if scores:
        assert accuracy.value == pytest.approx(sum(scores) / len(scores))


def test_one_cluster_gives_a_mean_without_interval_and_a_wide_share() -> None:
    rows = [row(item=str(n), score=float(n % 2)) for n in range(10)]
    found = {metric.id.split(".", 4)[4]: metric for metric in row_metrics(cells(rows, "x", 0))}
    assert found["all.tokens"].value == 3 and found["all.tokens"].low is None
    share = found["all.accuracy"]
    assert (share.low, share.high) == pytest.approx(wilson(0.5, 1))


def test_several_scorers_have_one_hash_that_follows_each() -> None:
    def hashed(*names: str) -> str:
        rows = [row(item=str(n), scorer_hash=name) for n, name in enumerate(names)]
        return next(row_metrics(cells(rows, "x", 0))).scorer_hash

    assert hashed("a", "a") == "a"
    assert hashed("a", "b") == hashed("b", "a", "b") not in ("a", "b", hashed("a", "c"))


def test_groups_are_told_apart_whatever_their_names() -> None:
    names = ["a.b", "a-b", "a%2Eb", "ä/~"]
    rows = [row(item=str(n), domain=name) for n, name in enumerate(names)]
    groups = [cell.group for cell in cells(rows, "x", 0) if cell.group.startswith("domain")]
    assert len(set(groups)) == 4 and not any("." in group or "/" in group for group in groups)
    assert json.loads(next(row_metrics(cells(rows, "x", 0))).rows) == {"mode": "auto", "task": "t"}
