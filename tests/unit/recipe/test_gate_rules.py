"""Rules of evaluated tasks and gate checks: field, value, rule and fix."""

from typing import Any

import pytest

from pellucid.base.errors import Problem, UserError
from pellucid.recipe import load
from pellucid.recipe.load import validate


def tree() -> dict[str, Any]:
    return load("smoke").model_dump(mode="json")


def refused(given: dict[str, Any]) -> list[Problem]:
    with pytest.raises(UserError) as caught:
        validate(given)
    assert all(problem.fix for problem in caught.value.problems)
    return list(caught.value.problems)


def check(**told: Any) -> dict[str, Any]:
    given = tree()
    given["release"]["checks"]["new"] = told
    return given


CHARTS = "eval.final.charts.{}.all.accuracy"


def test_a_pool_names_store_tasks() -> None:
    given = tree()
    given["eval"]["tasks"]["scenes"]["tasks"] = ["charts", "shaps"]
    (problem,) = refused(given)
    assert problem.field == "eval.tasks.scenes.tasks.1" and "'shapes'" in problem.fix
    given["eval"]["tasks"]["scenes"]["tasks"] = ["charts", "shapes"]
    given["eval"]["tasks"]["more"] = {"kind": "pool", "tasks": ["charts", "scenes"]}
    (problem,) = refused(given)
    assert problem.value == "scenes"
    given["eval"]["tasks"]["more"] = {"kind": "pool", "tasks": ["charts"]}
    assert "eval.tasks.more" in refused(given)[0].field


def test_modes_and_checkpoints_of_a_task_are_among_those_of_the_evaluation() -> None:
    given = tree()
    given["eval"]["modes"] = ["auto", "nothink"]
    given["eval"]["tasks"]["real"] |= {"modes": ["think"], "checkpoints": ["align"]}
    fields = [problem.field for problem in refused(given)]
    assert fields == ["eval.tasks.real.modes.0", "eval.tasks.real.checkpoints.0"]


def test_checks_read_modes_in_which_an_earlier_checkpoint_is_asked() -> None:
    given = tree()
    given["eval"]["earlier_modes"] = ["auto"]
    metric = "eval.long.charts.think.all.accuracy"
    given["release"]["checks"] = {"one": {"kind": "floor", "metric": metric, "at_least": 0.1}}
    assert any("earlier_modes lacks think" in problem.rule for problem in refused(given))
    given["eval"] |= {"modes": ["auto", "nothink"], "earlier_modes": ["auto", "think"]}
    assert "eval.earlier_modes.1" in [problem.field for problem in refused(given)]


def test_a_checkpoint_without_tasks_is_refused() -> None:
    given = tree()
    for task in given["eval"]["tasks"].values():
        if task["kind"] == "store":
            task["checkpoints"] = ["final"]
    problems = refused(given)
    assert (problems[0].field, problems[0].value) == ("eval.checkpoints.0", "long")
    assert "is asked no task" in problems[0].rule
    assert "leaves out this checkpoint" in problems[1].rule


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("eval.final.scenes.nothink.all.gain", "does not exist in mode nothink"),
        ("eval.final.charts.auto.all.mean_accuracy", "measured of pools only"),
        ("eval.long.shapes_blank.nothink.all.accuracy", "leaves out this checkpoint"),
        ("eval.final.shapes_blank.auto.all.accuracy", "modes lacks auto"),
        ("eval.final.scenes.auto.all.acuracy", "is not known"),
    ],
)
def test_a_check_reads_what_will_be_measured(metric: str, words: str) -> None:
    (problem,) = refused(check(kind="floor", metric=metric, at_least=0.1))
    assert words in problem.rule and problem.field.startswith("release.checks.new.metric")


def test_checks_of_pools_and_pairs_are_accepted() -> None:
    for told in (
        {"kind": "floor", "metric": "eval.final.scenes.auto.all.mean_accuracy", "at_least": 0.0},
        {"kind": "ceiling", "metric": "eval.final.scenes.nothink.all.token_ratio", "at_most": 1},
        {"kind": "better", "metric": CHARTS.format("think"), "than": CHARTS.format("nothink")},
        {"kind": "better", "metric": CHARTS.format("auto"),
         "than": "eval.long.charts.auto.all.accuracy", "by": 0.05},
    ):  # fmt: skip
        validate(check(**told))


def test_the_two_sides_of_a_pair_are_one_measure_of_the_same_items() -> None:
    think = CHARTS.format("think")
    (problem,) = refused(
        check(kind="better", metric=think, than="eval.final.shapes.think.all.accuracy")
    )
    assert "no pairs" in problem.rule
    gain = "eval.final.charts.think.all.gain"
    (problem,) = refused(check(kind="better", metric=gain, than=gain.replace("final", "long")))
    assert "cannot be paired" in problem.rule


def test_the_gate_reads_a_family_that_rl_is_not_rewarded_on() -> None:
    given = tree()
    given["data"]["mixes"]["prompts"]["take"].append({"source": "charts", "tasks": ["sum"]})
    (problem,) = refused(given)
    assert problem.field == "release.checks" and "(data.mixes.prompts takes" in problem.rule
    assert "charts, shapes" in problem.rule and "take a family out" in problem.fix
    given["rl"] = None
    given["eval"]["checkpoints"] = ["instruct", "final"]
    given["release"]["checks"]["rl_did_no_harm"]["baseline"] = (
        "eval.instruct.charts.auto.all.accuracy"
    )
    validate(given)


@pytest.mark.parametrize(
    "told",
    [
        # Another source of a rewarded family, a number that judges no answer, an earlier
        # checkpoint, a pool with a rewarded member, pictures that are not shown.
        {"kind": "floor", "metric": "eval.final.other.auto.all.accuracy", "at_least": 0.1},
        {"kind": "ceiling", "metric": "eval.final.charts.auto.all.truncated", "at_most": 0.1},
        {"kind": "floor", "metric": "eval.long.charts.auto.all.accuracy", "at_least": 0.1},
        {"kind": "floor", "metric": "eval.final.scenes.auto.all.min_accuracy", "at_least": 0.1},
        {"kind": "ceiling", "metric": "eval.final.hidden.auto.all.accuracy", "at_most": 0.3},
        {"kind": "no_overlap"},
    ],
)
def test_what_is_no_independent_judge(told: dict[str, Any]) -> None:
    given = check(**told)
    given["data"]["sources"]["other"] = {**given["data"]["sources"]["shapes"], "seed": 900}
    given["eval"]["tasks"]["other"] = {"kind": "store", "source": "other"}
    given["eval"]["tasks"]["hidden"] = {"kind": "store", "source": "charts", "picture": "blank"}
    validate(given)
    del given["release"]["checks"]["rl_did_no_harm"]
    (problem,) = refused(given)
    assert problem.field == "release.checks" and "eval.final.charts" in problem.fix
