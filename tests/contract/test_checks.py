"""Every check of the gate: monotone, fails closed, decides only with the whole interval."""

import math
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.recipe.release import (
    BetterCheck,
    CeilingCheck,
    Check,
    FloorCheck,
    NoOverlapCheck,
    NoRegressionCheck,
)
from pellucid.release import CHECKS, OVERLAP
from pellucid.schema.report import Metric
from pellucid.schema.verdict import CheckResult

NEW, OLD = "eval.long.charts.auto.all.accuracy", "eval.init.charts.auto.all.accuracy"
OPTIONS: dict[str, Any] = {
    "floor": FloorCheck(metric=NEW, at_least=0.5),
    "ceiling": CeilingCheck(metric=NEW, at_most=0.5),
    "no_regression": NoRegressionCheck(metric=NEW, baseline=OLD, margin=0.1),
    "better": BetterCheck(metric=NEW, than=OLD, by=0.1),
    "no_overlap": NoOverlapCheck(),
}
BETTER = {"floor": 1, "ceiling": -1, "no_regression": 1, "better": 1}
"""Which way is better, for the checks that judge an interval."""
PAIRED = ("no_regression", "better")
ORDER = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}


def metric(name: str = NEW, **told: Any) -> Metric:
    base = Metric(name, 0.5, 0.4, 0.6, 100, 100, 0, 0, "wilson", 0, scorer_hash="s1")
    return replace(base, **told)


def judge(kind: str, judged: Metric | None) -> CheckResult:
    """Run a check with `judged` where it looks: the metric itself, or the paired difference."""
    if kind not in PAIRED:
        return CHECKS[kind]("c", OPTIONS[kind], {NEW: judged} if judged else {}, {})
    count = judged.n if judged else 100
    sides = {name: metric(name, n=count, scored=count) for name in (NEW, OLD)}
    return CHECKS[kind]("c", OPTIONS[kind], sides, {(NEW, OLD): judged} if judged else {})


def line(kind: str) -> float:
    return {"floor": 0.5, "ceiling": 0.5, "no_regression": -0.1, "better": 0.1}[kind]


def test_every_kind_in_the_recipe_has_its_check_and_no_other() -> None:
    kinds = {get_args(model.model_fields["kind"].annotation)[0] for model in models()}
    assert kinds == set(CHECKS) == set(OPTIONS)


def models() -> tuple[Any, ...]:
    return get_args(get_args(Check)[0])


methods = st.sampled_from(["wilson", "paired-cluster-bootstrap"])
intervals = st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted)


@pytest.mark.parametrize("kind", sorted(BETTER))
@given(interval=intervals, lift=st.floats(0, 1), n=st.integers(1, 500), method=methods)
def test_a_better_metric_is_never_judged_worse(
    kind: str, interval: list[float], lift: float, n: int, method: str
) -> None:
    low, value, high = interval
    before = metric(low=low, value=value, high=high, n=n, scored=n, method=method)
    step = lift * BETTER[kind]
    after = replace(before, low=low + step, value=value + step, high=high + step)
    assert ORDER[judge(kind, after).outcome] >= ORDER[judge(kind, before).outcome]


@pytest.mark.parametrize("kind", sorted(BETTER))
@given(interval=intervals, narrow=st.floats(0, 1), n=st.integers(1, 500))
def test_a_narrower_interval_never_turns_a_decision_round(
    kind: str, interval: list[float], narrow: float, n: int
) -> None:
    low, value, high = interval
    wide = metric(low=low, value=value, high=high, n=n, scored=n)
    tight = replace(wide, low=low + narrow * (value - low), high=high - narrow * (high - value))
    assert {judge(kind, wide).outcome, judge(kind, tight).outcome} != {"PASS", "FAIL"}


@pytest.mark.parametrize("kind", sorted(BETTER))
def test_the_whole_interval_decides(kind: str) -> None:
    at, way = line(kind), BETTER[kind]
    good, bad = sorted((at + way * 0.1, at + way * 0.3)), sorted((at - way * 0.1, at - way * 0.3))
    assert judge(kind, metric(low=good[0], value=sum(good) / 2, high=good[1])).outcome == "PASS"
    assert judge(kind, metric(low=bad[0], value=sum(bad) / 2, high=bad[1])).outcome == "FAIL"
    across = judge(kind, metric(low=at - 0.1, value=at + way * 0.05, high=at + 0.1))
    # Half a width of 0.15 or 0.05 on the deciding side against a distance of 0.05.
    assert across.outcome == "INCONCLUSIVE" and across.needed_n == 900


@pytest.mark.parametrize("kind", sorted(BETTER))
@pytest.mark.parametrize(
    "missing",
    [
        None,
        {"value": None, "scored": 0, "unscored": 100},
        {"scored": 0, "failed": 100},
        {"low": None},
        {"high": None},
        {"low": math.nan},
        {"value": math.inf, "high": math.inf},
        {"low": 0.9, "high": 0.1},
        {"scored": 90, "unscored": 10},
        {"scored": 90, "failed": 10},
    ],
    ids=str,
)
def test_what_was_not_measured_never_passes_nor_fails(
    kind: str, missing: dict[str, Any] | None
) -> None:
    at = line(kind) + BETTER[kind] * 0.3
    best = metric(low=at - 0.01, value=at, high=at + 0.01)
    assert judge(kind, best).outcome == "PASS"
    result = judge(kind, None if missing is None else replace(best, **missing))
    assert result.outcome == "INCONCLUSIVE" and result.why


@pytest.mark.parametrize("kind", sorted(BETTER))
def test_resampled_items_that_all_agree_need_enough_of_them(kind: str) -> None:
    """A resampled interval of no width is no evidence: 1 - 0.025 ** (1 / n) may still differ."""
    at = line(kind) + BETTER[kind] * 0.1

    def alike(n: int) -> CheckResult:
        told = {"low": at, "value": at, "high": at, "n": n, "scored": n}
        return judge(kind, metric(**told, method="paired-cluster-bootstrap"))

    # 0.9 ** n <= 0.025 first holds for n = 36 (0.9 ** 35 = 0.02503, 0.9 ** 36 = 0.02253).
    assert alike(4).outcome == "INCONCLUSIVE" and alike(4).needed_n == 36
    assert alike(35).outcome == "INCONCLUSIVE"
    assert alike(36).outcome == "PASS"


def overlap(count: float | None, n: int = 50) -> CheckResult:
    """Run the exact check on a count of known records; None where it could not be told."""
    scored = n if count is not None else 0
    found = Metric(OVERLAP, count, count, count, n, scored, n - scored, 0, "count", 0, "records")
    return CHECKS["no_overlap"]("c", OPTIONS["no_overlap"], {OVERLAP: found}, {})


def test_one_known_record_fails_the_gate_and_what_is_not_known_decides_nothing() -> None:
    assert overlap(0).outcome == "PASS" and "0 of 50 test records" in overlap(0).why
    assert overlap(1).outcome == "FAIL" and overlap(1).evidence == (OVERLAP,)
    assert overlap(None).outcome == "INCONCLUSIVE" and "is not known" in overlap(None).why
    assert overlap(0, n=0).outcome == "INCONCLUSIVE"
    missing = CHECKS["no_overlap"]("c", OPTIONS["no_overlap"], {}, {})
    assert missing.outcome == "INCONCLUSIVE" and "was not measured" in missing.why
