"""The first hour of a user: a new folder, own rows, an own reward, all with the commands."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image
from tests.e2e.command import pellucid

from pellucid import store
from pellucid.store import read_mix

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-data.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
(ROWS, REWARD, SCORER, FACTS, TASKS, VIEWS, CHECKS, FROM_PYTHON) = (
    code for kind, code in BLOCKS if kind == "python"
)
(OWN_SOURCE, OWN_REWARD, WHOLE, OWN_SCORER, OWN_OP, OWN_TASK, OWN_IMAGES) = (
    code for kind, code in BLOCKS if kind == "yaml"
)
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


def test_the_whole_recipe_with_a_reward_stands_beside_what_init_made(begun: Path) -> None:
    (begun / "reward.py").write_text(REWARD, encoding="utf-8")
    (begun / "brief.yaml").write_text(WHOLE, encoding="utf-8")
    plan = pellucid("plan", "brief.yaml", "--json", cwd=begun)
    assert plan.returncode == 0, plan.stderr
    jobs = {job["name"] for job in json.loads(plan.stdout)["jobs"]}
    assert {"data.own", "data.shapes", "train.sft", "rl", "eval.init", "eval.rl", "release"} <= jobs
    unjudged = WHOLE.partition("release:")[0]
    (begun / "brief.yaml").write_text(unjudged, encoding="utf-8")
    refused = pellucid("plan", "brief.yaml", cwd=begun)
    assert refused.returncode == 2 and "let a check read" in refused.stderr


def test_a_picture_over_http_is_sent_as_the_page_says(tmp_path: Path) -> None:
    """The first line of its block makes the body; that a server takes such a body, others test."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "chart.png")
    (line,) = (one for kind, code in BLOCKS if kind == "sh" for one in code.splitlines()
               if one.startswith("printf"))  # fmt: skip
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True)
    (message,) = json.loads((tmp_path / "ask.json").read_text(encoding="utf-8"))["messages"]
    address = message["content"][0]["image_url"]["url"]
    head, _, body = address.partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == (tmp_path / "chart.png").read_bytes()


def test_the_code_of_the_page_is_the_code_of_a_run(tmp_path: Path) -> None:
    """All kinds of code of one's own, as the page gives them, in one recipe."""
    for name, code in (
        ("mine.py", ROWS), ("reward.py", REWARD), ("scorer.py", SCORER), ("facts.py", FACTS),
        ("tasks.py", TASKS), ("views.py", VIEWS), ("test_mine.py", CHECKS),
    ):  # fmt: skip
        (tmp_path / name).write_text(code, encoding="utf-8")
    for at in range(20):
        Image.new("RGB", (40, 30), (200, 5 * at, 0)).save(tmp_path / f"red-{at}.png")
    table = "".join(f"red-{at // 2}.png,What is {at}?,red {at}\n" for at in range(40))
    (tmp_path / "table.csv").write_text("file,question,answer\n" + table, encoding="utf-8")
    checks = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    done = subprocess.run(checks, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "6 passed" in done.stdout, done.stdout
    told = (RECIPE, OWN_REWARD, OWN_SOURCE, OWN_SCORER, OWN_OP, OWN_TASK, OWN_IMAGES)
    parts = [yaml.safe_load(text) for text in told]
    recipe = {**parts[0], "rl": {**parts[0]["rl"], **parts[1]["rl"]}, "data": parts[2]["data"]}
    recipe["eval"]["tasks"]["own"] = {**parts[3]["eval"]["tasks"]["own"], "limit": 3}
    asked = parts[4]["data"]["mixes"]["own"]
    recipe["data"]["ops"] = parts[4]["data"]["ops"]
    recipe["data"]["mixes"] = {
        "instruct": {"take": [{"source": "own"}], "think_share": None, **asked}
    }
    recipe["eval"]["tasks"]["sides"] = {**parts[5]["eval"]["tasks"]["sides"], "limit": 3}
    recipe["model"] = parts[6]["model"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    checked = pellucid("data", "check", "recipe.yaml", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    for field in ("data.sources.own", "data.ops.ink", "eval.tasks.sides", "model.images"):
        assert f"\n{field}\n" in f"\n{checked.stdout}", checked.stdout
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
    _look_at_own_code(tmp_path)
    (tmp_path / "reward.py").write_text(REWARD + "\n# changed\n", encoding="utf-8")
    plan = pellucid("plan", "recipe.yaml", "--json", cwd=tmp_path)
    states = {job["name"]: job["state"] for job in json.loads(plan.stdout)["jobs"]}
    assert states["rl"] == "would run" and states["train.instruct"] == "done"
    (tmp_path / "facts.py").write_text(FACTS + "\n# changed\n", encoding="utf-8")
    plan = pellucid("plan", "recipe.yaml", "--json", cwd=tmp_path)
    states = {job["name"]: job["state"] for job in json.loads(plan.stdout)["jobs"]}
    assert states["mix.instruct"] == "would run" and states["data.own"] == "done"
    (tmp_path / "views.py").write_text(VIEWS + "\n# changed\n", encoding="utf-8")
    plan = pellucid("plan", "recipe.yaml", "--json", cwd=tmp_path)
    states = {job["name"]: job["state"] for job in json.loads(plan.stdout)["jobs"]}
    assert states["init"] == "would run" and states["data.own"] == "done"


def _look_at_own_code(folder: Path) -> None:
    """What the operator, the task and the image strategy of the page did in a run."""
    run = json.loads((folder / "runs" / "mine" / "run.json").read_text(encoding="utf-8"))
    home = folder / "runs" / "artifacts"
    jobs = {job["name"]: home / job["artifact"] for job in run["jobs"]}
    kept = {row.id for row in read_mix(jobs["mix.instruct"]).rows}
    records = {one.id: one for one in store.open(jobs["data.own"]).records()}
    # Of the pictures (200, 5 * at, 0) the first fourteen are darker than 100 when they are grey.
    dark = {f"red {at}" for at in range(28)}
    assert kept and {records[one].answer.gold for one in kept} <= dark  # type: ignore[union-attr]
    trained = {one for one, record in records.items() if record.source.split == "train"}
    assert kept == {one for one in trained if records[one].answer.gold in dark}  # type: ignore[union-attr]
    rows = [
        json.loads(line)
        for path in (folder / "runs").rglob("rows/sides.*/*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert rows and {row["gold"] for row in rows} == {"yes"}
    assert {row["made"]["question"] for row in rows} == {"Is this picture wider than it is tall?"}
    assert all(row["guess"] == "yes" and row["majority"] == 1.0 for row in rows)
    shown = pellucid("data", "show", "mine", "-n", "1", cwd=folder)
    assert "[image 3 of 5x5 = 75 tokens]" in shown.stdout, shown.stdout
    made = pellucid("export", "mine", "--to", "out", cwd=folder)
    assert made.returncode == 0, made.stderr
    assert (folder / "out" / "image_strategy.py").read_text(encoding="utf-8") == VIEWS
    asked = ("chat", "out", "--image", "red-1.png", "--max-tokens", "2", "How many?")
    refused = pellucid(*asked, cwd=folder)
    assert refused.returncode == 2 and "nothing foreign is run" in refused.stderr, refused.stderr
    named = refused.stderr.split("PELLUCID_TRUST=")[1].split()[0]
    trusted = pellucid(*asked, cwd=folder, env={"PELLUCID_TRUST": named})
    assert "nothing foreign" not in trusted.stderr and "Traceback" not in trusted.stderr
