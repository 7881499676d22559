"""The first hour of a user: a new folder, own rows, an own reward, all with the commands."""

import json
from pathlib import Path

import pytest
from tests.e2e.command import pellucid

REWARD = """
def brief(rollout, evidence, most=12):
    return 1.0 if len(rollout.answer or "") <= most else 0.0
"""
RECIPE = """
extends: smoke-one-stage
name: mine
data:
  sources:
    charts: {scenes: 8}
    shapes: {scenes: 24}
rl:
  batches: 1
  pass_rate: null
  probe: null
  prompts_per_batch: 4
  rewards: {own: {brief: {path: "mine.py:brief", weight: 0.5, options: {most: 9}}}}
eval:
  tasks:
    charts: {limit: 2}
    shapes: {limit: 2}
  modes: [auto]
"""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("first") / "my-model"
    made = pellucid("init", path)
    assert made.returncode == 0, made.stderr
    assert "pellucid run recipe.yaml" in made.stdout
    assert max(map(len, made.stdout.splitlines())) <= 80
    return path


def test_init_overwrites_nothing(begun: Path) -> None:
    again = pellucid("init", begun)
    assert again.returncode == 2 and "name a new one" in again.stderr
    assert "Traceback" not in again.stderr


def test_own_rows_are_checked_trained_on_and_asked(begun: Path) -> None:
    checked = pellucid("data", "check", "rows.json", cwd=begun)
    assert checked.returncode == 0 and "LLaVA" in checked.stdout
    run = pellucid("run", "recipe.yaml", "--set", "train.stages.0.epochs=1", cwd=begun)
    assert run.returncode == 0, run.stderr[-3000:]
    assert (begun / "runs" / "mine" / "report" / "index.html").is_file()
    report = pellucid("report", "mine", "--json", cwd=begun)
    metrics = {metric["id"]: metric for metric in json.loads(report.stdout)["metrics"]}
    assert metrics["eval.final.own.auto.all.accuracy"]["n"] > 5
    picture = next((begun / "images").rglob("*.png"))
    answer = pellucid("chat", "mine", "--image", picture, "What is this?", cwd=begun)
    assert answer.returncode in (0, 2), answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_own_reward_is_paid_and_traced(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(REWARD, encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    run = pellucid("run", "recipe.yaml", "--only", "rl", cwd=tmp_path)
    assert run.returncode == 2, "what RL builds on is not there yet"
    run = pellucid("run", "recipe.yaml", cwd=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    rollouts = sorted((tmp_path / "runs").rglob("rollouts/*.jsonl"))
    rows = [json.loads(line) for path in rollouts for line in path.read_text().splitlines()]
    assert rows and all(row["scores"]["brief"]["value"] in (0.0, 1.0) for row in rows)
    (tmp_path / "mine.py").write_text(REWARD + "\n# changed\n", encoding="utf-8")
    plan = pellucid("plan", "recipe.yaml", "--json", cwd=tmp_path)
    states = {job["name"]: job["state"] for job in json.loads(plan.stdout)["jobs"]}
    assert states["rl"] == "would run" and states["train.sft"] == "done"
