"""Rules of RL's prompts and probe: field, value, rule and fix."""

from typing import Any

import pytest

from pellucid.base.errors import Problem, UserError
from pellucid.recipe import load
from pellucid.recipe.load import validate


def tree(**changes: Any) -> dict[str, Any]:
    """The smoke recipe with a probe on validation records."""
    given = load("smoke").model_dump(mode="json")
    source = given["data"]["mixes"][given["rl"]["mix"]]["take"][0]["source"]
    given["data"]["mixes"]["held"] = {"take": [{"source": source, "split": "validation"}]}
    given["rl"] |= {"probe": {"mix": "held"}, **changes}
    return given


def refused(given: dict[str, Any]) -> Problem:
    with pytest.raises(UserError) as caught:
        validate(given)
    (problem,) = caught.value.problems
    return problem


def test_a_probe_on_validation_records_is_fine() -> None:
    assert validate(tree(pass_rate={"prompts": 64})).rl.probe.samples == 4


def test_a_probe_names_a_mix() -> None:
    problem = refused(tree(probe={"mix": "helt"}))
    assert problem.field == "rl.probe.mix" and "'held'" in problem.fix


def test_a_probe_asks_nothing_that_is_trained_on() -> None:
    given = tree()
    given["data"]["mixes"]["held"]["take"][0]["split"] = "train"
    problem = refused(given)
    assert problem.field == "data.mixes.held.take.0.split" and problem.fix == "set validation"
    given = tree()
    learnt = given["rl"]["mix"]
    given["data"]["mixes"][learnt]["take"][0]["split"] = "validation"
    problem = refused(given)
    assert problem.field == "data.mixes.held.take.0.source" and learnt in problem.rule


def test_pass_rates_leave_room() -> None:
    problem = refused(tree(pass_rate={"prompts": 64, "low": 0.9, "high": 0.1}))
    assert problem.field == "rl.pass_rate.low" and "rl.pass_rate.high=0.1" in problem.rule
    problem = refused(tree(pass_rate={"prompts": 1}))
    assert problem.field == "rl.pass_rate.prompts" and "prompts_per_batch" in problem.rule
