"""Scorers of the user's own: a function in a file, hashed, checked, part of the key of an eval."""

import os
import sys
from pathlib import Path

import pytest
from tests.unit.own_code import planned_slice

from pellucid.base.errors import UserError
from pellucid.eval.rescore import rescore
from pellucid.eval.rows import load_rows
from pellucid.eval.run import evaluate
from pellucid.flow.job import Work
from pellucid.flow.plan import Choices, plan_jobs
from pellucid.recipe import load
from pellucid.recipe.eval import StoreTask
from pellucid.recipe.own import OwnFunction
from pellucid.schema.artifact import Artifact, Manifest
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
SEVEN = Evidence(Answer("number", "7"))


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
    score = own_scorer(FIELD, f"{mine}:close", {})(said("8"), SEVEN)
    assert (score.status, score.value, score.scorer, score.extracted) == ("scored", 1.0, "own", "8")
    assert own_scorer(FIELD, f"{mine}:close", {"within": 0.5})(said("8"), SEVEN).value == 0.0
    assert own_scorer(FIELD, f"{mine}:half", {})(said("8"), SEVEN).value == 0.5
    assert own_scorer(FIELD, f"{mine}:silent", {})(said("8"), SEVEN).status == "undecided"


def test_what_all_scorers_share_stays(mine: Path) -> None:
    score = own_scorer(FIELD, f"{mine}:half", {})
    gold = Evidence(Answer("json", "{}"))
    assert score(said(None, "truncated"), gold).value == 0.0
    assert score(said(" "), gold).value == 0.0
    assert score(said(None, "failed"), gold).status == "unscored"
    assert score(said("{}"), Evidence(None)).status == "unscored"
    assert score(said("{}"), gold).value == 0.5


@pytest.mark.parametrize(
    ("function", "answer", "why"),
    [
        ("wild", "1", "returned 'yes'; return True, False, a number from 0 to 1, or None"),
        ("close", "much", "raised ValueError: could not convert string to float: 'much'"),
        ("silent", "1", "it cannot say"),
    ],
)
def test_where_it_fails_the_answer_is_undecided_and_the_row_says_why(
    mine: Path, function: str, answer: str, why: str
) -> None:
    score = own_scorer(FIELD, f"{mine}:{function}", {})(said(answer), SEVEN)
    assert (score.status, score.value, score.why) == ("undecided", None, why)


def test_one_that_fails_on_golds_is_refused_before_anything_is_asked(mine: Path) -> None:
    golds = [Answer("number", "7"), Answer("text", "seven")]
    assert own_scorer(FIELD, f"{mine}:close", {}, golds[:1])
    with pytest.raises(UserError, match=r"scorer='close' raised ValueError: .*'seven'\); mend"):
        own_scorer(FIELD, f"{mine}:close", {}, golds)
    says = (
        r"scorer\.options='close' cannot be called .*'witin'; it is close\(answer, gold, within=1"
    )
    with pytest.raises(UserError, match=says):
        own_scorer(FIELD, f"{mine}:close", {"witin": 3})


def test_numbers_of_numpy_count(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import numpy as np\ndef near(a, g):\n    return np.isclose(float(a), 7)\n")
    assert own_scorer(FIELD, f"{path}:near", {})(said("7.0"), SEVEN).value == 1.0


def test_what_runs_is_what_was_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files of one length and one time, as a fast script or rsync leaves them."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "mine.py"
    found = []
    for value in ("0.5", "0.7"):
        path.write_text(f"def half(a, g):\n    return {value}\n", encoding="utf-8")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        scorer = own_scorer(FIELD, f"{path}:half", {})
        found.append((scorer(said("8"), SEVEN).value, scorer.hash))
    assert [value for value, _ in found] == [0.5, 0.7] and found[0][1] != found[1][1]
    assert not list(tmp_path.rglob("*.pyc")), "nothing is written beside the user's file"


def test_a_function_that_is_not_there_is_named_before_anything_runs(mine: Path) -> None:
    sets = [f"eval.tasks.charts.scorer={{path: '{mine}:clsoe'}}"]
    with pytest.raises(UserError, match=r"charts\.scorer\.path=.*did you mean 'close'"):
        plan_jobs(load("smoke", sets), Choices("cpu", "float32", ""))


def test_code_and_options_are_part_of_the_key_and_the_place_is_not(tmp_path: Path) -> None:
    def key(folder: Path, code: str = CODE, within: float = 1.0) -> object:
        scorer = f"{{path: 'mine.py:close', options: {{within: {within}}}}}"
        told = f"eval: {{tasks: {{charts: {{scorer: {scorer}}}}}}}"
        return planned_slice(folder, code, told, "eval.rl")

    first = key(tmp_path / "a")
    assert key(tmp_path / "b") == first
    assert key(tmp_path / "a", CODE + "\n# changed\n") != first
    assert key(tmp_path / "a", within=2.0) != first


def test_an_edit_while_the_run_is_under_way_is_refused(mine: Path) -> None:
    """The rows would say that another file scored them than the key does."""
    jobs = plan_jobs(
        load("smoke", [f"eval.tasks.charts.scorer={{path: '{mine}:close'}}"]),
        Choices("cpu", "float32", ""),
    )
    (job,) = [one for one in jobs if one.name == "eval.rl"]
    mine.write_text(CODE + "\n# changed\n", encoding="utf-8")
    checkpoint = next(name for name in job.parents if not name.startswith("data."))
    manifest = Manifest("train", "long", "k", "h", 1, {}, {}, {}, "c", False, {}, {})
    work = Work(mine.parent, {checkpoint: Artifact(mine.parent, manifest)})
    with pytest.raises(UserError, match=r"scorer='charts.own' was edited while the run was under"):
        job.work(work)


def test_an_evaluation_goes_on_and_is_rescored_wherever_the_file_lies(
    stores, table, options, tmp_path
) -> None:
    def told(folder: str):
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / "mine.py"
        path.write_text(CODE, encoding="utf-8")
        own = OwnFunction(path=f"{path}:half")
        return options(tasks={"mine": StoreTask(source="set", scorer=own)}), path

    (first, path), (moved, _) = told("a"), told("b")
    folder = tmp_path / "run"
    evaluate(first, stores, table(), "long", "c" * 64, folder)
    evaluate(moved, stores, table(), "long", "c" * 64, folder)
    rows = load_rows(folder)
    assert {row["scorer"] for row in rows} == {"own"} and 0.5 in {row["score"] for row in rows}
    with pytest.raises(UserError, match=r"mine\.scorer='mine.py:half' is not given"):
        rescore(folder, stores, tmp_path / "again")
    own = {"mine": own_scorer(FIELD, f"{path}:half", {})}
    rescore(folder, stores, tmp_path / "again", own)
    assert load_rows(tmp_path / "again") == rows
