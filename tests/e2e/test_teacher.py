"""The page on teachers, line by line, against our own server of the smoke model."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from tests.e2e.command import PELLUCID, pellucid

from pellucid.recipe.endpoint import EndpointOptions

PAGE = (Path(__file__).resolve().parents[2] / "docs/teacher.md").read_text(encoding="utf-8")
SERVE, DRY, BUY = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
TEACHER, HOSTED = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def begun(smoke: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `runs/`, the file of the page, and the page's server on a free port."""
    folder = tmp_path_factory.mktemp("teacher")
    os.symlink(smoke, folder / "runs")
    words = SERVE.replace("--port 8123", "--port 0").split()[1:]
    server = subprocess.Popen(
        [PELLUCID, *words], cwd=folder, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert server.stdout is not None
    url = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+/v1", line)))
    told = TEACHER.replace("http://127.0.0.1:8123/v1", url)
    (folder / "teacher.yaml").write_text(told, encoding="utf-8")
    try:
        yield folder
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)
        server.stdout.close()


def test_the_lines_of_the_page(begun: Path) -> None:
    assert "http://127.0.0.1:8123/v1" in TEACHER
    dry = pellucid(*DRY.split()[1:], cwd=begun)
    assert dry.returncode == 0 and "calls:    " in dry.stdout, dry.stderr
    captions, answers, check = BUY.strip().splitlines()
    for line in (captions, answers):
        done = pellucid(*line.split()[1:], cwd=begun)
        assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    checked = pellucid(*check.split()[1:], cwd=begun)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    verdicts = [
        json.loads(line)
        for line in (begun / "taught/answers.verdicts.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(verdicts) == 80 and any(one["score"] for one in verdicts)
    # Asked again it sends nothing, and the label lies beside the rows, not in the run's artifact.
    again = pellucid(*answers.split()[1:], "--json", "--calls", "calls.parquet", cwd=begun)
    assert json.loads(again.stdout)["ended"]["sent"] == 0
    assert set(pq.read_table(begun / "calls.parquet")["status"].to_pylist()) <= {
        "answered", "truncated",
    }  # fmt: skip
    assert list((begun / "taught/answers-labels/labels/teacher@1").glob("*.parquet"))


def test_the_hosted_example_is_understood() -> None:
    options = EndpointOptions.model_validate(yaml.safe_load(HOSTED))
    assert options.api_key_env == "TEACHER_KEY" and options.budget.money == 20


def test_a_source_that_is_not_in_the_run_is_named(begun: Path) -> None:
    common = ("--endpoint", "teacher.yaml", "--to", "x.jsonl", "--dry-run")
    done = pellucid("data", "teach", "smoke:shaps", *common, cwd=begun)
    assert done.returncode == 2 and "did you mean 'shapes'" in done.stderr
