"""The first hour of a user: a new folder, own rows, an own reward, all with the commands."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image
from tests.e2e.command import pellucid

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-data.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
(ROWS, REWARD, SCORER, CHECKS, FROM_PYTHON) = (code for kind, code in BLOCKS if kind == "python")
(OWN_SOURCE, OWN_REWARD, OWN_SCORER) = (code for kind, code in BLOCKS if kind == "yaml")
RECIPE = """
extends: smoke-one-stage
name: mine
rl: {batches: 1, pass_rate: null, probe: null, prompts_per_batch: 4}
eval:
  tasks:
    charts: {limit: 2}
    shapes: {limit: 2}
"""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("first") / "my-model"
    made = pellucid("init", path.name, cwd=path.parent)
    assert made.returncode == 0, made.stderr
    told = [line.split() for line in made.stdout.splitlines() if line.startswith("  ")][-4:]
    assert [words[1] for words in told] == ["data", "plan", "run", "chat"]
    checked = subprocess.run(told[0], cwd=path.parent, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"as it is printed: {checked.stderr}"
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
    assert metrics["eval.sft.own.auto.all.accuracy"]["n"] > 5
    picture = next((begun / "images").rglob("*.png"))
    asked = ("--mode", "nothink", "--image", picture, "What is this?")
    answer = pellucid("chat", "mine", *asked, cwd=begun)
    # One epoch on other questions: it may find no end or no form, and says so in one line.
    assert answer.returncode == 0 or "'What is this?' got " in answer.stderr, answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_code_of_the_page_is_the_code_of_a_run(tmp_path: Path) -> None:
    """A source, a reward and a scorer of one's own, as the page gives them, in one recipe."""
    (tmp_path / "mine.py").write_text(ROWS, encoding="utf-8")
    (tmp_path / "reward.py").write_text(REWARD, encoding="utf-8")
    (tmp_path / "scorer.py").write_text(SCORER, encoding="utf-8")
    (tmp_path / "test_mine.py").write_text(CHECKS, encoding="utf-8")
    for at in range(20):
        Image.new("RGB", (40, 30), (200, 5 * at, 0)).save(tmp_path / f"red-{at}.png")
    table = "".join(f"red-{at // 2}.png,What is {at}?,red {at}\n" for at in range(40))
    (tmp_path / "table.csv").write_text("file,question,answer\n" + table, encoding="utf-8")
    checks = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    done = subprocess.run(checks, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout
    told = (RECIPE, OWN_REWARD, OWN_SOURCE, OWN_SCORER)
    parts = [yaml.safe_load(text) for text in told]
    recipe = {**parts[0], "rl": {**parts[0]["rl"], **parts[1]["rl"]}, "data": parts[2]["data"]}
    recipe["eval"]["tasks"]["own"] = {**parts[3]["eval"]["tasks"]["own"], "limit": 3}
    recipe["data"]["mixes"] = {"instruct": {"take": [{"source": "own"}]}}
    recipe["data"]["mixes"]["instruct"]["think_share"] = None
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    run = pellucid("run", "recipe.yaml", cwd=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    rollouts = sorted((tmp_path / "runs").rglob("rollouts/*.jsonl"))
    rows = [json.loads(line) for path in rollouts for line in path.read_text().splitlines()]
    assert rows and all(row["scores"]["brief"]["value"] in (0.0, 1.0) for row in rows)
    judged = [
        json.loads(line)
        for path in (tmp_path / "runs").rglob("rows/own.*/*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert {row["scorer"] for row in judged} == {"own"} and len(judged) >= 3
    (tmp_path / "reward.py").write_text(REWARD + "\n# changed\n", encoding="utf-8")
    plan = pellucid("plan", "recipe.yaml", "--json", cwd=tmp_path)
    states = {job["name"]: job["state"] for job in json.loads(plan.stdout)["jobs"]}
    assert states["rl"] == "would run" and states["train.instruct"] == "done"
