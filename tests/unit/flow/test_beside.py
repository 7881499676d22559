"""A second process that draws: the same artifacts, and never longer than the run."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pellucid.flow import beside
from pellucid.flow.run import RECIPE, Selection, run
from pellucid.flow.runs import open_run
from pellucid.recipe import Recipe
from pellucid.recipe.load import validate

DATA = Selection(only=("data",))


def recipe(scenes: int) -> Recipe:
    def source(kind: str, **options: Any) -> dict[str, Any]:
        return {"kind": "scenes", "scene": {"kind": kind, **options}, "scenes": scenes}

    shapes = source("shapes")
    tree = {
        "name": "drawn",
        "seed": 3,
        "device": "cpu",
        "dtype": "float32",
        "data": {
            "sources": {"sums": source("sums"), "charts": source("charts"), "shapes": shapes},
            "mixes": {"all": {"take": [{"source": name} for name in ("sums", "charts", "shapes")]}},
        },
        "model": {"kind": "checkpoint", "path": "asset:backbone"},
        "eval": {"tasks": {"shapes": {"kind": "store", "source": "shapes"}}},
    }
    return validate(tree)


def hashes(home: Path) -> dict[str, str]:
    return {name: one.hash for name, one in open_run(home, "drawn").items()}


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """What a run draws by itself; a few scenes start no second process."""
    run(recipe(60), tmp_path / "alone", DATA)
    return hashes(tmp_path / "alone")


def test_what_was_drawn_beside_is_what_a_run_draws(alone: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "runs"
    run(recipe(60), home, Selection(only=("data.sums",)))
    beside.draw(home / "drawn" / RECIPE, home)
    done = run(recipe(60), home, DATA)
    assert done.built == () and hashes(home) == alone


def test_two_processes_leave_what_one_leaves(
    alone: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(beside, "LEAST_SCENES", 100)
    monkeypatch.setattr(beside.os, "cpu_count", lambda: 2)
    home = tmp_path / "runs"
    run(recipe(60), home, DATA)
    assert "a second process draws" in capfd.readouterr().err
    assert hashes(home) == alone
    run(recipe(60), home, DATA)
    assert "second process" not in capfd.readouterr().err, "nothing is left to draw"


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Its input is closed when the run is killed; it has hours of drawing left."""
    home = tmp_path / "runs"
    run(recipe(1), home, Selection(only=("data.sums",)))
    large = (home / "drawn" / RECIPE).read_text("utf-8").replace("scenes: 1\n", "scenes: 900000\n")
    (home / "drawn" / RECIPE).write_text(large, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pellucid.flow.beside",
        str(home / "drawn" / RECIPE),
        str(home),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        while not list((home / "artifacts").glob(".partial-data-*/parts/shard-*")):
            assert process.poll() is None, "it ended by itself"
        process.stdin.close()
        assert process.wait(timeout=60) == 0
