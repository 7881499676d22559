"""Scorers of the user's own: a function in a file, hashed, checked, part of the key of an eval."""

from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.flow.plan import Choices, plan_jobs
from pellucid.recipe import load
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.schema.rollout import Outcome, Rollout
from pellucid.score import own_scorer

CODE = """
def close(answer, gold, within=1.0):
    return abs(float(answer) - float(gold.gold)) <= within

def half(answer, gold):
    return 0.5

def silent(answer, gold):
    return None

def wild(answer, gold):
    return "yes"
"""
FIELD = "eval.tasks.mine.scorer"


def said(text: str | None, outcome: Outcome = "answered") -> Rollout:
    return Rollout(
        "r1", "nothink", "nothink", "", 3, (5, 2), (), text or "", None, text, outcome, "stop", 0
    )


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE, encoding="utf-8")
    return path


def test_it_decides_what_is_right_with_its_options(mine: Path) -> None:
    seven = Evidence(Answer("number", "7"))
    score = own_scorer(FIELD, f"{mine}:close", {})(said("8"), seven)
    assert (score.status, score.value, score.scorer, score.extracted) == ("scored", 1.0, "own", "8")
    assert own_scorer(FIELD, f"{mine}:close", {"within": 0.5})(said("8"), seven).value == 0.0
    assert own_scorer(FIELD, f"{mine}:half", {})(said("8"), seven).value == 0.5
    assert own_scorer(FIELD, f"{mine}:silent", {})(said("8"), seven).status == "undecided"


def test_what_all_scorers_share_stays(mine: Path) -> None:
    score = own_scorer(FIELD, f"{mine}:half", {})
    gold = Evidence(Answer("json", "{}"))
    assert score(said(None, "truncated"), gold).value == 0.0
    assert score(said(" "), gold).value == 0.0
    assert score(said(None, "failed"), gold).status == "unscored"
    assert score(said("{}"), Evidence(None)).status == "unscored"
    assert score(said("{}"), gold).value == 0.5


@pytest.mark.parametrize(
    ("function", "answer", "says"),
    [
        ("wild", "1", r"scorer='wild' returned 'yes' \(answer '1', gold '7'\); return True, False"),
        ("close", "much", r"scorer='close' raised ValueError: .*\(answer 'much', gold '7'\)"),
    ],
)
def test_a_function_that_misbehaves_is_one_clear_error(
    mine: Path, function: str, answer: str, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        own_scorer(FIELD, f"{mine}:{function}", {})(said(answer), Evidence(Answer("number", "7")))


def test_a_function_that_is_not_there_is_named_before_anything_runs(mine: Path) -> None:
    sets = [f"eval.tasks.charts.scorer={{path: '{mine}:clsoe'}}"]
    with pytest.raises(UserError, match=r"charts\.scorer\.path=.*did you mean 'close'"):
        plan_jobs(load("smoke", sets), Choices("cpu", "float32", ""))


def test_code_and_options_are_part_of_the_key_and_the_place_is_not(tmp_path: Path) -> None:
    def key(folder: Path, code: str = CODE, within: float = 1.0) -> object:
        folder.mkdir(exist_ok=True)
        (folder / "mine.py").write_text(code, encoding="utf-8")
        (folder / "recipe.yaml").write_text(
            "extends: smoke\nname: own\neval: {tasks: {charts: {scorer: {path: 'mine.py:close', "
            f"options: {{within: {within}}}}}}}}}}}\n",
            encoding="utf-8",
        )
        jobs = plan_jobs(load(str(folder / "recipe.yaml")), Choices("cpu", "float32", ""))
        (job,) = [job for job in jobs if job.name == "eval.rl"]
        return job.slice

    first = key(tmp_path / "a")
    assert key(tmp_path / "b") == first
    assert key(tmp_path / "a", CODE + "\n# changed\n") != first
    assert key(tmp_path / "a", within=2.0) != first
