"""The gate's decision over real options, with the arithmetic written beside it."""

from dataclasses import replace
from typing import Any

from pellucid.recipe.release import ReleaseOptions
from pellucid.release import OVERLAP, decide, hash_policy, metrics_read
from pellucid.schema.report import Metric

ACCURACY = "eval.long.charts.auto.all.accuracy"
BASE = "eval.init.charts.auto.all.accuracy"
CUT = "eval.long.charts.think.all.truncated"


def policy(**checks: Any) -> ReleaseOptions:
    return ReleaseOptions.model_validate({"model": "tiny", "checks": checks})


FLOOR = {"kind": "floor", "metric": "eval.final.charts.auto.all.accuracy", "at_least": 0.4}
CEILING = {"kind": "ceiling", "metric": "eval.final.charts.think.all.truncated", "at_most": 0.1}
STEADY = {
    "kind": "no_regression",
    "metric": "eval.final.charts.auto.all.accuracy",
    "baseline": BASE,
    "margin": 0.05,
}


def metric(name: str, low: float, value: float, high: float, **told: Any) -> Metric:
    base = Metric(name, value, low, high, 200, 200, 0, 0, "wilson", 7, scorer_hash="abc")
    return replace(base, **told)


METRICS = {
    ACCURACY: metric(ACCURACY, 0.45, 0.5, 0.55),
    BASE: metric(BASE, 0.40, 0.45, 0.50),
    CUT: metric(CUT, 0.0, 0.01, 0.03),
}
PAIRS = {(ACCURACY, BASE): metric("difference", -0.01, 0.05, 0.11, method="paired-bootstrap")}


def test_all_checks_pass_and_final_stands_for_the_last_checkpoint() -> None:
    options = policy(floor=FLOOR, cut=CEILING, steady=STEADY)
    verdict = decide(options, METRICS, PAIRS, hash_policy(options), final="long")
    assert verdict.outcome == "PASS"
    assert [check.name for check in verdict.checks] == ["floor", "cut", "steady"]
    assert verdict.checks[0].evidence == (ACCURACY,)
    assert verdict.checks[2].evidence == (ACCURACY, BASE)
    assert "0.5 [0.45, 0.55] over 200 items (wilson, seed 7)" in verdict.checks[0].why


def test_one_failure_fails_and_one_gap_is_inconclusive() -> None:
    high = policy(floor={**FLOOR, "at_least": 0.6}, cut=CEILING)
    assert decide(high, METRICS, PAIRS, "", final="long").outcome == "FAIL"
    without = {name: METRICS[name] for name in (ACCURACY, BASE)}
    both = policy(floor=FLOOR, cut=CEILING)
    assert decide(both, without, PAIRS, "", final="long").outcome == "INCONCLUSIVE"
    worst = policy(floor={**FLOOR, "at_least": 0.6}, cut=CEILING)
    assert decide(worst, without, PAIRS, "", final="long").outcome == "FAIL"


def test_an_undecided_check_says_how_many_items_would_decide_it() -> None:
    # Lower half-width 0.05 against a distance of 0.5 - 0.48 = 0.02: 200 * (2.5 ** 2) = 1250.
    (check,) = decide(policy(f={**FLOOR, "at_least": 0.48}), METRICS, {}, "", "long").checks
    assert check.outcome == "INCONCLUSIVE" and check.needed_n == 1250
    assert "about 1250 items" in check.why
    (on,) = decide(policy(f={**FLOOR, "at_least": 0.5}), METRICS, {}, "", "long").checks
    assert on.needed_n is None and "no count would decide it" in on.why


def test_other_rules_or_other_items_are_no_pair() -> None:
    options = policy(steady=STEADY)
    for changed, word in (
        ({"scorer_hash": "other"}, "different rules"),
        ({"n": 150, "scored": 150}, "same items"),
    ):
        for key in (ACCURACY, BASE):
            metrics = {**METRICS, key: replace(METRICS[key], **changed)}  # type: ignore[arg-type]
            (check,) = decide(options, metrics, PAIRS, "", "long").checks
            assert check.outcome == "INCONCLUSIVE" and word in check.why
        pairs = {(ACCURACY, BASE): replace(PAIRS[ACCURACY, BASE], **changed)}  # type: ignore[arg-type]
        (check,) = decide(options, METRICS, pairs, "", "long").checks
        assert check.outcome == "INCONCLUSIVE" and word in check.why


def test_a_loss_within_the_margin_passes_and_a_sure_loss_fails() -> None:
    options = policy(steady=STEADY)
    within = {(ACCURACY, BASE): metric("difference", -0.05, -0.02, 0.01)}
    beyond = {(ACCURACY, BASE): metric("difference", -0.2, -0.1, -0.051)}
    assert decide(options, METRICS, within, "", "long").outcome == "PASS"
    assert decide(options, METRICS, beyond, "", "long").outcome == "FAIL"


def test_the_policy_hash_follows_the_policy() -> None:
    one, other = policy(floor=FLOOR), policy(floor={**FLOOR, "at_least": 0.41})
    assert hash_policy(one) == hash_policy(policy(floor=FLOOR)) != hash_policy(other)
    assert decide(one, METRICS, PAIRS, hash_policy(one), "long").policy_hash == hash_policy(one)


def test_what_a_policy_reads() -> None:
    ids, pairs = metrics_read(policy(floor=FLOOR, cut=CEILING, steady=STEADY), "long")
    assert ids == sorted([ACCURACY, BASE, CUT]) and pairs == [(ACCURACY, BASE)]


def test_better_wants_the_whole_interval_above_the_line() -> None:
    other = "eval.long.charts.nothink.all.accuracy"
    think = "eval.final.charts.think.all.accuracy"
    told = {"kind": "better", "metric": think, "than": other.replace("long", "final")}
    new = think.replace("final", "long")
    metrics = {name: metric(name, 0.4, 0.5, 0.6) for name in (new, other)}
    pairs = {(new, other): metric("difference", 0.11, 0.2, 0.29, method="paired-bootstrap")}
    for by, outcome in ((0.1, "PASS"), (0.11, "PASS"), (0.2, "INCONCLUSIVE"), (0.31, "FAIL")):
        (check,) = decide(policy(b={**told, "by": by}), metrics, pairs, "", "long").checks
        assert check.outcome == outcome, by
    assert check.evidence == (new, other) and "better by 0.31" in check.why
    assert metrics_read(policy(b=told), "long") == (sorted((new, other)), [(new, other)])


def test_the_overlap_is_read_where_it_is_asked_for() -> None:
    options = policy(floor=FLOOR, unseen={"kind": "no_overlap"})
    ids, pairs = metrics_read(options, "long")
    assert ids == [ACCURACY, OVERLAP] and pairs == []
    assert decide(options, METRICS, {}, "", "long").outcome == "INCONCLUSIVE"
    found = Metric(OVERLAP, 2.0, 2.0, 2.0, 9, 9, 0, 0, "count", 0, "records")
    assert decide(options, {**METRICS, OVERLAP: found}, {}, "", "long").outcome == "FAIL"
