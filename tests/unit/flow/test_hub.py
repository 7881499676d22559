"""A model named on a hub: taken from the cache at its commit, or refused in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit import stock_qwen

from pellucid.base.errors import UserError
from pellucid.recipe import load

PELLUCID = Path(sys.executable).with_name("pellucid")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = f"{{kind: pretrained, hub: owner/tiny, revision: {COMMIT}}}"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A cache as huggingface_hub leaves it."""
    stock_qwen.write(tmp_path / "home/hub/models--owner--tiny/snapshots" / COMMIT)
    return tmp_path


def run(folder: Path, model: str, *more: str) -> subprocess.CompletedProcess[str]:
    """`pellucid run` up to the first weights, on a machine that reaches no hub."""
    sets = ["--set", f"model={model}", "--set", "name=tiny", "--only", "init", *more]
    env = {**os.environ, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1"}
    command = [str(PELLUCID), "run", "finetune", *sets]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def test_what_lies_in_the_cache_is_taken(made: Path) -> None:
    done = run(made, MODEL)
    assert done.returncode == 0, done.stderr
    (manifest,) = (made / "runs/artifacts").glob("init-*/manifest.json")
    told = json.loads(manifest.read_text("utf-8"))
    assert told["slice"]["inputs"] == {"commit": COMMIT}
    assert (manifest.parent / "checkpoint/model.safetensors").exists()


def test_what_is_not_there_is_told_in_one_line(made: Path) -> None:
    done = run(made, MODEL.replace("0123", "ffff"))
    assert done.returncode == 2
    assert "model.hub='owner/tiny@ffff" in done.stderr and "Traceback" not in done.stderr
    assert "the hub cannot be reached; connect, or give the folder" in " ".join(done.stderr.split())


@pytest.mark.parametrize("source", ["{", "[1]", '{"text_config": [1]}', '{"text_config": null}'])
def test_a_damaged_configuration_is_told_by_who_reads_it(tmp_path: Path, source: str) -> None:
    """Not by the look at its context when the run is planned."""
    folder = tmp_path / "model"
    stock_qwen.write(folder)
    (folder / "config.json").write_text(source)
    sets = ["--set", "eval.context_tokens=512", "--home", str(tmp_path / "runs")]
    done = run(tmp_path, f"{{kind: pretrained, path: {folder}}}", *sets)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "is no checkpoint file" in done.stderr or "whole checkpoint" in done.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{kind: pretrained}", "needs exactly one place"),
        ("{kind: pretrained, hub: a/b, path: c}", "needs exactly one place"),
        ("{kind: pretrained, hub: a/b}", "model.revision=None is no commit"),
        ("{kind: pretrained, hub: a/b, revision: main}", "model.revision='main' is no commit"),
        ("{kind: pretrained, hub: ''}", "model.hub='' is no name on a hub"),
        (f"{{kind: pretrained, hub: a/b--c, revision: {COMMIT}}}", "is no name on a hub"),
        (f"{{kind: pretrained, hub: a/b..c, revision: {COMMIT}}}", "is no name on a hub"),
        (f"{{kind: pretrained, hub: a/b-, revision: {COMMIT}}}", "is no name on a hub"),
        ("{kind: pretrained, hub: ../b/c}", "model.hub='../b/c' is no name on a hub"),
        (f"{{kind: pretrained, path: a, revision: {COMMIT}}}", "belongs to model.hub"),
    ],
)
def test_half_a_name_is_refused(model: str, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("'", ".")):
        load("finetune", [f"model={model}"])
