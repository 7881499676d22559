"""A published checkpoint through a run: started from, trained, written as it was, and asked."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from tests.unit import stock_qwen
from transformers import AutoTokenizer
from typer.testing import CliRunner

import pellucid
from pellucid.base.errors import UserError
from pellucid.base.paths import ASSETS
from pellucid.cli.main import app
from pellucid.flow.export import export
from pellucid.flow.run import Selection, run
from pellucid.recipe.load import validate

PAGE = Path(__file__).resolve().parents[4] / "docs" / "published-models.md"


@pytest.fixture(scope="module")
def home(published, tmp_path_factory):
    """A run that trained the projector for two steps."""
    home = tmp_path_factory.mktemp("home") / "runs"
    source = {
        "kind": "llava_json",
        "path": str(ASSETS / "examples/real/real.json"),
        "dataset": "real",
        "licence": "MIT",
    }
    stage = {
        "name": "first",
        "mix": "few",
        "modules": {"projector": 1e-2},
        "pack": {"max_tokens": 2048, "max_patches": 1024},
        "batch_records": 2,
    }
    tree = {
        "name": "tiny",
        "seed": 3,
        "device": "cpu",
        "dtype": "float32",
        "data": {
            "sources": {"real": source},
            "mixes": {"few": {"take": [{"source": "real", "count": 4}]}},
        },
        "model": {"kind": "checkpoint", "path": str(published.folder)},
        "train": {"stages": [stage]},
        "eval": {"tasks": {"real": {"kind": "store", "source": "real"}}},
    }
    run(validate(tree), home, Selection(only=("data", "mix", "init", "train")))
    return home


def weights(folder):
    return {
        name: one for path in folder.glob("*.safetensors") for name, one in load_file(path).items()
    }


def test_a_trained_projector_is_written_where_it_was(home, published, tmp_path):
    told = export(home, "tiny", tmp_path / "out", "final", half=False, like=published.folder)
    assert told.weights == f"as in {published.folder.name}"
    before, after = weights(published.folder), weights(tmp_path / "out")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("model.mm_projector.") for name in changed)
    assert (tmp_path / "out/config.json").read_bytes() == (
        published.folder / "config.json"
    ).read_bytes()
    assert (tmp_path / "out/recipe.yaml").exists() and (tmp_path / "out/provenance.json").exists()


def test_what_was_written_answers(home, published, tmp_path):
    export(home, "tiny", tmp_path / "out", "final", half=False, like=published.folder)
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    model = pellucid.load(tmp_path / "out")
    said = model.answer("What?", tmp_path / "red.png", mode="nothink", max_tokens=4)
    assert said.prompt_tokens > 256 and said.outcome in ("answered", "malformed", "truncated")


def test_the_page_does_what_it_says(published, tmp_path, monkeypatch, capsys):
    """docs/published-models.md, with a tiny checkpoint where it names the published one."""
    page = PAGE.read_text("utf-8")
    recipe, adapters, whole = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (commands,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    assert validate({**yaml.safe_load(recipe), **yaml.safe_load(whole)}).model.kind == "build"
    monkeypatch.chdir(tmp_path)
    shutil.copytree(published.folder, "Phi-4-reasoning-vision-15B")
    both = yaml.safe_load(recipe) | yaml.safe_load(adapters)
    Path("recipe.yaml").write_text(yaml.safe_dump(both), "utf-8")
    rows = json.loads((ASSETS / "examples/real/real.json").read_text("utf-8"))[::4]
    Path("rows.json").write_text(json.dumps(rows), "utf-8")
    shutil.copytree(ASSETS / "examples/real/images", "images")
    Image.new("RGB", (40, 30), "red").save("page.png")
    for line in commands.splitlines():
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        silent = isinstance(done.exception, UserError) and "got " in str(done.exception)
        # What has random weights may find no end.
        assert done.exit_code == 0 or (" chat " in line and silent), (line, done.output)
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code.replace("=512", "=8"), {})
    assert capsys.readouterr().out


def test_the_page_on_adapters_does_what_it_says(tmp_path, monkeypatch, capsys):
    """docs/lora.md, with a tiny random Qwen2.5-VL where it names the published one."""
    page = (PAGE.parent / "lora.md").read_text("utf-8")
    (recipe,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    install, commands = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "hf download" in install  # no hub here, and peft is installed
    monkeypatch.chdir(tmp_path)
    stock_qwen.write(Path("Qwen2.5-VL-3B-Instruct"))
    Path("recipe.yaml").write_text(recipe, "utf-8")
    rows = json.loads((ASSETS / "examples/real/real.json").read_text("utf-8"))[::4]
    Path("rows.json").write_text(json.dumps(rows), "utf-8")
    shutil.copytree(ASSETS / "examples/real/images", "images")
    for line in commands.splitlines():
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)
    before, after = weights(Path("Qwen2.5-VL-3B-Instruct")), weights(Path("mine-qwen"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[0] for name in changed} == {"visual", "model", "lm_head"}
    assert all("merger" in name for name in changed if name.startswith("visual"))
    told = json.loads(Path("mine-qwen/preprocessor_config.json").read_text("utf-8"))
    assert told["max_pixels"] == min(1024, 40) * 28**2, "the smaller of the two budgets"
    theirs = AutoTokenizer.from_pretrained("mine-qwen")
    assert None not in theirs.convert_tokens_to_ids(["<think>", "</think>", "<nothink>"])
    exec(code, {})
    assert capsys.readouterr().out


def test_half_is_refused_beside_like(home, published, tmp_path):
    with pytest.raises(UserError, match="--half=True cannot be chosen"):
        export(home, "tiny", tmp_path / "out", "final", half=True, like=published.folder)
    assert not (tmp_path / "out").exists()
