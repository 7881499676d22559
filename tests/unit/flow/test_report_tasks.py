"""Which tasks an evaluation of a run asks, and where the page shows them."""

import json
from pathlib import Path
from typing import Any

import pytest

from pellucid.base.errors import UserError
from pellucid.eval.page_input import TaskLine
from pellucid.flow.plan import Choices, plan_jobs
from pellucid.flow.report import task_lines
from pellucid.recipe import Recipe, load
from pellucid.recipe.load import validate

CHOICES = Choices("cpu", "float32", "told")


def recipe(**tasks: Any) -> Recipe:
    """Smoke with a withheld source and more tasks."""
    given = load("smoke").model_dump(mode="json")
    withheld = {**given["data"]["sources"]["charts"], "seed": 77}
    withheld["scene"] = {**withheld["scene"], "withheld": True}
    given["data"]["sources"]["odd_charts"] = withheld
    given["eval"]["tasks"] |= tasks
    return validate(given)


def test_where_each_task_is_shown() -> None:
    store = {"kind": "store"}
    found = task_lines(
        recipe(
            odd={**store, "source": "odd_charts"},
            seen={**store, "source": "charts", "split": "train"},
            lone={**store, "source": "odd_charts", "tasks": ["sum"], "picture": "blank"},
            apart={"kind": "pool", "tasks": ["odd", "real"]},
        )
    )
    assert {line.name: line for line in found} == {
        "charts": TaskLine("charts", "family"),
        # Its blank pictures are a baseline, not a task of their own.
        "shapes": TaskLine("shapes", "family", blank="shapes_blank"),
        "real": TaskLine("real", "shown"),
        "odd": TaskLine("odd", "withheld"),
        "seen": TaskLine("seen", "shown"),
        "lone": TaskLine("lone", "shown"),
        "scenes": TaskLine("scenes", "family", pool=True),
        "apart": TaskLine("apart", "shown", pool=True),
    }


def test_a_checkpoint_is_evaluated_on_its_own_tasks_and_sources_alone() -> None:
    told = recipe(odd={"kind": "store", "source": "odd_charts", "checkpoints": ["final"]})
    jobs = {job.name: job for job in plan_jobs(told, CHOICES)}
    early, last = jobs["eval.long"], jobs["eval.rl"]
    assert early.parents == ("train.long", "data.charts", "data.shapes", "data.real")
    assert last.parents == ("rl", "data.charts", "data.shapes", "data.real", "data.odd_charts")
    assert set(early.slice["eval"]["tasks"]) == {"charts", "shapes", "real", "scenes"}
    assert set(last.slice["eval"]["tasks"]) == {
        *early.slice["eval"]["tasks"],
        "odd",
        "shapes_blank",
    }
    plain = {job.name: job for job in plan_jobs(recipe(), CHOICES)}
    assert plain["eval.long"].slice == early.slice, "another checkpoint's task changes nothing"


def test_a_context_that_the_checkpoint_cannot_hold_is_refused_when_planned(tmp_path: Path) -> None:
    told = {"text_config": {"max_position_embeddings": 300}}
    (tmp_path / "config.json").write_text(json.dumps(told), encoding="utf-8")
    for tokens, fits in ((300, True), (301, False)):
        sets = [f"model.path={tmp_path}", f"eval.context_tokens={tokens}"]
        given = load("laptop", sets)
        if fits:
            assert plan_jobs(given, CHOICES)
            continue
        with pytest.raises(UserError, match="context_tokens=301 is more than the checkpoint was"):
            plan_jobs(given, CHOICES)
