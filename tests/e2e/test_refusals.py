"""What goes wrong at a user's desk: one clear line, exit code 2, nothing half-written."""

import json
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from PIL import Image
from tests.e2e.command import hashes, pellucid

OWN = {
    "extends": "smoke",
    "name": "own",
    "data": {
        "sources": {
            "real": None,
            "shapes": None,
            "charts": None,
            "mine": {"kind": "llava_json", "path": "mine.json", "dataset": "m", "licence": "MIT"},
        },
        "mixes": {
            "captions": None,
            "prompts": None,
            "held": None,
            "instruct": {"take": [{"source": "mine"}], "think_share": None},
        },
    },
    "train": {"stages": []},
    "rl": None,
    "release": None,
    "eval": {
        "tasks": {"charts": None, "shapes": None, "shapes_blank": None, "scenes": None,
                  "real": None,
                  "mine": {"kind": "store", "source": "mine", "split": "train"}},
        "checkpoints": ["init"],
    },
}  # fmt: skip


def write_own(folder: Path, rows: object, picture: bytes | None = None) -> Path:
    """A user's folder: a recipe, a JSON file, a picture."""
    (folder / "own.yaml").write_text(yaml.safe_dump(OWN), encoding="utf-8")
    text = rows if isinstance(rows, str) else json.dumps(rows)
    (folder / "mine.json").write_text(text, encoding="utf-8")
    Image.new("RGB", (64, 64), (200, 30, 30)).save(folder / "a.png")
    if picture is not None:
        (folder / "a.png").write_bytes(picture)
    return folder / "own.yaml"


def row(**changes: object) -> dict[str, object]:
    return {
        "id": "1",
        "image": "a.png",
        "conversations": [
            {"from": "human", "value": "<image>\nWhich colour?"},
            {"from": "gpt", "value": "red"},
        ],
        "answer": {"kind": "text", "gold": "red"},
        **changes,
    }


def refused(folder: Path, recipe: object, *words: str, **named: object) -> str:
    """Run a recipe that must be refused; nothing a later run trusts may be left."""
    home = folder / "runs"
    done = pellucid("run", recipe, "--home", home, **named)
    assert done.returncode == 2, (done.returncode, done.stderr[-2000:])
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("pellucid: ")]
    assert lines, done.stderr
    for word in words:
        assert word in "\n".join(lines), done.stderr
    finished = home / "artifacts"
    whole = [path for path in finished.glob("*-*") if not path.name.startswith(".")]
    assert all((path / "manifest.json").is_file() for path in whole)
    return done.stderr


def truncated() -> bytes:
    from io import BytesIO

    out = BytesIO()
    Image.effect_noise((64, 64), 50).save(out, "PNG")
    return out.getvalue()[:700]


def test_a_corrupt_image(tmp_path: Path) -> None:
    refused(tmp_path, write_own(tmp_path, [row()], truncated()), "a.png", "row 0")


def test_what_is_no_image(tmp_path: Path) -> None:
    refused(tmp_path, write_own(tmp_path, [row()], b"hello"), "a.png", "row 0")


def test_an_empty_dataset(tmp_path: Path) -> None:
    refused(tmp_path, write_own(tmp_path, []), "mine.json", "empty")


def test_broken_json_says_where(tmp_path: Path) -> None:
    refused(tmp_path, write_own(tmp_path, '[{"id": 1,\n  oops}]'), "mine.json", "line 2")


def test_a_missing_file(tmp_path: Path) -> None:
    recipe = write_own(tmp_path, [row()])
    (tmp_path / "mine.json").unlink()
    refused(tmp_path, recipe, "mine.json", "does not exist")


def test_a_missing_image(tmp_path: Path) -> None:
    recipe = write_own(tmp_path, [row(image="gone.png")])
    refused(tmp_path, recipe, "gone.png")


def test_an_image_outside_the_folder(tmp_path: Path) -> None:
    refused(tmp_path, write_own(tmp_path, [row(image="../../etc/passwd")]), "../../etc/passwd")


def test_rows_that_cannot_be_evaluated_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    rows = row()
    del rows["answer"]
    path = write_own(tmp_path, [rows])
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    stage = {"name": "own", "mix": "instruct", "modules": {"projector": 1e-3}}
    size = {"pack": {"max_tokens": 512, "max_patches": 512}, "batch_records": 1}
    tree["train"] = {"stages": [{**stage, **size}]}
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    said = refused(tmp_path, path, "eval.tasks.mine=", "finds no train records of mine with a gold")
    assert "mix.instruct" in said and "train.own" not in said
    tree["eval"]["tasks"]["mine"]["source"] = "real"
    tree["data"]["sources"]["real"] = {}
    tree["rl"] = {"mix": "instruct", "probe": None}
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    said = refused(tmp_path, path, "rl.mix='instruct' has no record with a gold answer")
    assert "train.own" not in said
    tree["eval"]["tasks"]["own rows"] = tree["eval"]["tasks"].pop("mine")
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    said = refused(tmp_path, path, "eval.tasks.own rows='own rows' may hold letters, digits")
    assert "train.own" not in said


def test_a_typo_in_a_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("extends: smoke\nname: r\nrl: {lerning_rate: 1}\n", encoding="utf-8")
    refused(tmp_path, recipe, "rl.lerning_rate=1 is not a field here")
    assert not (tmp_path / "runs").exists()


def test_a_typo_in_a_set(tmp_path: Path) -> None:
    done = pellucid("run", "smoke", "--set", "train.stages.0.schedule.min_ration=1")
    assert done.returncode == 2
    assert "did you mean 'min_ratio'" in done.stderr


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path, "smok", "did you mean 'smoke'")


def test_a_checkpoint_to_start_from_that_is_not_there(tmp_path: Path) -> None:
    """Said before anything is drawn."""
    recipe = write_own(tmp_path, [row()])
    own = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    own["model"] = {"kind": "checkpoint", "path": "before"}
    recipe.write_text(yaml.safe_dump(own), encoding="utf-8")
    refused(tmp_path, recipe, "model.path", "before", "does not exist", "pellucid export")
    (tmp_path / "before").mkdir()
    refused(tmp_path, recipe, "holds no checkpoint")
    assert not list((tmp_path / "runs").glob("artifacts/*"))


def test_an_own_recipe_that_is_right_runs(tmp_path: Path) -> None:
    done = pellucid("run", write_own(tmp_path, [row()]), "--home", tmp_path / "runs")
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("limit_kib", [0, 4, 20, 60, 300])
def test_a_full_disk(limit_kib: int, smoke: Path, tmp_path: Path) -> None:
    """A file-size limit stands in for a full disk; with room again, the run ends as it should."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_kib * 1024, limit_kib * 1024))

    home = tmp_path / "runs"
    done = pellucid("run", "smoke", "--home", home, preexec_fn=limit)
    assert done.returncode == 2, (done.returncode, done.stderr[-2000:])
    assert "file-size limit" in done.stderr and "Traceback" not in done.stderr
    again = pellucid("run", "smoke", "--home", home, "--only", "data")
    assert again.returncode == 0, again.stderr[-2000:]
    assert hashes(home, "smoke").items() <= hashes(smoke, "smoke").items()


# Drops to another user after everything is imported: the interpreter itself may lie in a folder
# that the other user cannot read.
AS_ANOTHER = """
import importlib, os, pkgutil, sys
import pellucid
import torch, transformers, pyarrow.parquet, PIL.PngImagePlugin
for module in pkgutil.walk_packages(pellucid.__path__, "pellucid."):
    if not module.name.endswith(("math_worker", "train_tokenizer", "scene_language")):
        importlib.import_module(module.name)
os.setgid(65534)
os.setuid(65534)
sys.argv = ["pellucid", *sys.argv[1:]]
from pellucid.cli.main import main
main()
"""


def test_no_write_permission(tmp_path: Path) -> None:
    home = tmp_path / "locked"
    home.mkdir(mode=0o555)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    code = textwrap.dedent(
        AS_ANOTHER if os.geteuid() == 0 else "from pellucid.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "smoke", "--home", str(home / "runs")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr[-2000:]
    assert "permission denied" in done.stderr and "Traceback" not in done.stderr
    assert list(home.iterdir()) == []


def test_a_damaged_artifact_is_not_trusted(smoke: Path, tmp_path: Path) -> None:
    import shutil

    home = tmp_path / "copy"
    shutil.copytree(smoke, home)
    target = next(home.glob("artifacts/mix-*/mix.parquet"))
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(bytes(data))
    done = pellucid("run", "smoke", "--home", home)
    assert done.returncode == 2 and "is not the file that was written" in done.stderr
    job = done.stderr.split("--only ")[1].split(" ")[0]
    assert pellucid("run", "smoke", "--home", home, "--only", job, "--force").returncode == 0
    assert pellucid("run", "smoke", "--home", home).returncode == 0
    assert hashes(home, "smoke") == hashes(smoke, "smoke")


def test_a_missing_model_to_serve(tmp_path: Path) -> None:
    done = pellucid("serve", tmp_path / "nothing", "--home", tmp_path)
    assert done.returncode == 2 and "does not exist" in done.stderr
    done = pellucid("serve", "smoke@candidate", "--home", tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"), [([""], "is empty"), (["  "], "is empty"), ([], "is missing")]
)
def test_a_question_that_is_none(smoke: Path, words: list[str], says: str) -> None:
    done = pellucid("chat", "smoke", *words, "--home", smoke, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and f"{says}; " in done.stderr, done.stderr
    assert not done.stdout


def test_a_report_of_half_a_run_says_what_is_missing(tmp_path: Path) -> None:
    done = pellucid("run", "smoke", "--only", "init", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = " ".join(pellucid("report", "smoke", cwd=tmp_path).stdout.split())
    assert "done: init" in text and "missing: data.charts, " in text
    assert text.index("eval.rl") < text.index("; run the recipe again to go on")
    told = json.loads(pellucid("report", "smoke", "--json", cwd=tmp_path).stdout)
    assert "release" in told["missing"] and "init" not in told["missing"]
