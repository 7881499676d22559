"""Every command of the README and of the how-to pages does what it says."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from tests.e2e.command import PELLUCID

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / name for name in ("own-data.md", "report.md", "resume.md", "tutorial.md")),
]


def commands() -> list[list[str]]:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    found = [line for line in lines if line and line[0] == ".venv/bin/pellucid"]
    return [list(line) for line in dict.fromkeys(map(tuple, found))]


SERVE = [line for line in commands() if line[1] == "serve"]
OTHERS = [line for line in commands() if line[1] not in ("serve", "run", "init")]
RUNS = [line for line in commands() if line[1] == "run"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where commands are given; `init` has been there."""
    path = tmp_path_factory.mktemp("clone")
    done = do([".venv/bin/pellucid", "init", "my-model"], path / "runs", path)
    assert done.returncode == 0, done.stderr
    return path


def do(line: list[str], home: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PELLUCID_HOME": str(home)}
    return subprocess.run(
        [PELLUCID, *line[1:]], capture_output=True, text=True, env=env, cwd=folder, timeout=600
    )


def test_the_readme_has_commands() -> None:
    assert len(commands()) >= 8 and SERVE and RUNS


@pytest.mark.parametrize("line", OTHERS, ids=" ".join)
def test_a_command_that_looks(line: list[str], smoke: Path, folder: Path) -> None:
    done = do(line, smoke, folder)
    wanted = (0, 1, 3) if line[1] == "gate" else (0,)
    assert done.returncode in wanted, done.stderr[-2000:]
    assert done.stdout.strip()


@pytest.mark.parametrize("line", RUNS, ids=" ".join)
def test_a_command_that_runs_is_planned(line: list[str], smoke: Path, folder: Path) -> None:
    """Runs are long: the recipe and its overrides are resolved, the run itself is tested above."""
    sets = [word for at, word in enumerate(line) if at and line[at - 1] == "--set"]
    planned = ["x", "plan", line[2], *(part for word in sets for part in ("--set", word))]
    done = do(planned, smoke, folder)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_server_starts_and_says_where(smoke: Path) -> None:
    line = [word.replace("@candidate", "") for word in SERVE[0][1:]]
    process = subprocess.Popen(
        [PELLUCID, *line, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PELLUCID_HOME": str(smoke)},
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert re.match(r"serving smoke at http://127\.0\.0\.1:\d+/v1", first), first
        from openai import OpenAI

        with OpenAI(base_url=first.split()[-1], api_key="none") as client:
            answer = client.chat.completions.create(
                model="smoke",
                messages=[{"role": "user", "content": "How many bars are there?"}],
                max_tokens=8,
            )
        assert answer.choices[0].finish_reason in ("stop", "length")
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout:
            process.stdout.close()
