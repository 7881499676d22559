"""Export: a checkpoint with all that says where it comes from, and what starts from it."""

import hashlib
import json
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from PIL import Image

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.base.hashing import hash_file
from pellucid.base.paths import ASSETS
from pellucid.flow import export as exporting
from pellucid.flow.export import export
from pellucid.flow.job import Work
from pellucid.flow.run import Selection, run
from pellucid.flow.runs import open_run
from pellucid.flow.steps import Init, model_inputs
from pellucid.model import checkpoint
from pellucid.prompt import Renderer
from pellucid.recipe import Recipe, load
from pellucid.recipe.load import validate
from pellucid.recipe.model import CheckpointModel
from pellucid.store import TRAINED_ON, prefix, read_digest, write_digest

STAGE = {
    "mix": "few",
    "pack": {"max_tokens": 512, "max_patches": 64},
    "batch_records": 2,
}
TREE: dict[str, Any] = {
    "name": "tiny",
    "seed": 3,
    "device": "cpu",
    "dtype": "float32",
    "data": {
        "sources": {
            "real": {
                "kind": "llava_json",
                "path": str(ASSETS / "examples/real/real.json"),
                "dataset": "real",
                "licence": "MIT",
            }
        },
        "mixes": {
            "few": {"take": [{"source": "real", "count": 6}]},
            "others": {"take": [{"source": "real", "count": 3}], "seed": 1},
        },
    },
    "model": {
        "kind": "build",
        "images": {"kind": "dynamic", "min_patches": 4, "max_patches": 16},
        "vision": {"width": 16, "layers": 3, "heads": 2, "mlp_width": 32, "position_grid": 4},
        "decoder": {
            "kind": "phi3",
            "width": 32,
            "layers": 1,
            "heads": 2,
            "kv_heads": 1,
            "mlp_width": 48,
        },
    },
    "train": {
        "stages": [
            {"name": "first", "modules": {"projector": 1e-3}, **STAGE},
            {"name": "second", "modules": {"decoder": 1e-3}, **STAGE, "mix": "others"},
        ]
    },
    "eval": {"tasks": {"real": {"kind": "store", "source": "real"}}},
}
TRAINING = Selection(only=("data", "mix", "init", "train"))


def recipe(**changes: Any) -> Recipe:
    return validate({**TREE, **changes})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a trained, not evaluated run; tests that change it copy it."""
    home = tmp_path_factory.mktemp("export") / "runs"
    run(recipe(), home, TRAINING)
    return home


@pytest.fixture(scope="module")
def half(home: Path) -> Path:
    target = home.parent / "half"
    export(home, "tiny", target, "final", half=True)
    return target


def files(folder: Path) -> dict[str, str]:
    return {path.name: hash_file(path) for path in sorted(folder.iterdir())}


def pixel_prefixes(home: Path, *mixes: str) -> set[str]:
    """By the definition: SHA-256 of size and RGB bytes, cut to 6 bytes."""
    artifacts = open_run(home, "tiny")
    opened = store.open(artifacts["data.real"].path)
    found = set()
    for mix in mixes:
        for row in store.read_mix(artifacts[f"mix.{mix}"].path).rows:
            for image in opened.get(row.id).images:
                picture = Image.open(BytesIO(opened.image(image.sha256))).convert("RGB")
                told = f"RGB {picture.width}x{picture.height} ".encode() + picture.tobytes()
                found.add(hashlib.sha256(told).hexdigest()[:12])
    return found


def test_all_files_are_there_and_named_with_their_hashes(half: Path) -> None:
    told = json.loads((half / "provenance.json").read_text("utf-8"))
    found = files(half)
    assert told["files"] == {name: sha for name, sha in found.items() if name != "provenance.json"}
    assert {
        "config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja",
        "recipe.yaml", "log.jsonl", "trained_on.bin",
    } <= told["files"].keys()  # fmt: skip


def test_provenance_names_every_artifact_below_the_checkpoint(home: Path, half: Path) -> None:
    told = json.loads((half / "provenance.json").read_text("utf-8"))
    artifacts = open_run(home, "tiny")
    assert (told["run"], told["checkpoint"], told["seed"]) == ("tiny", "second", 3)
    assert told["weights"] == "float16"
    assert {name: item["content_hash"] for name, item in told["artifacts"].items()} == {
        name: artifact.hash for name, artifact in artifacts.items()
    }
    last = artifacts["train.second"].manifest
    assert (told["commit"], told["dirty"]) == (last.commit, last.dirty)
    assert told["environment"] == last.environment


def test_an_earlier_checkpoint_rests_on_less(home: Path, tmp_path: Path) -> None:
    told = export(home, "tiny", tmp_path / "out", "first", half=False)
    provenance = json.loads((tmp_path / "out/provenance.json").read_text("utf-8"))
    assert set(provenance["artifacts"]) == {"data.real", "mix.few", "init", "train.first"}
    assert read_digest(tmp_path / "out" / TRAINED_ON) == pixel_prefixes(home, "few")
    assert told.pictures == len(pixel_prefixes(home, "few"))
    trained = open_run(home, "tiny")["train.first"].path / "checkpoint"
    exported = files(tmp_path / "out")
    assert {name: exported[name] for name in files(trained)} == files(trained)


def test_two_exports_agree_in_every_byte(home: Path, half: Path, tmp_path: Path) -> None:
    export(home, "tiny", tmp_path / "elsewhere" / "again", "final", half=True)
    assert files(tmp_path / "elsewhere" / "again") == files(half)


def test_no_file_names_a_folder_of_this_machine(home: Path, half: Path) -> None:
    for path in half.iterdir():
        data = path.read_bytes()
        assert str(ASSETS).encode() not in data and str(home).encode() not in data, path.name
    tree = yaml.safe_load((half / "recipe.yaml").read_text("utf-8"))
    assert tree["data"]["sources"]["real"]["path"] == "real.json"


def test_the_recipe_is_the_runs_apart_from_where_files_lie(home: Path, half: Path) -> None:
    given = (home / "tiny/recipe.yaml").read_text("utf-8")
    there = TREE["data"]["sources"]["real"]["path"]
    assert given.replace(there, "real.json") == (half / "recipe.yaml").read_text("utf-8")


def test_trained_on_holds_the_pictures_of_every_mix(home: Path, half: Path) -> None:
    seen = read_digest(half / TRAINED_ON)
    assert seen == pixel_prefixes(home, "few", "others")
    opened = store.open(open_run(home, "tiny")["data.real"].path)
    unseen = {
        prefix(opened.pixel_hash(image.sha256))
        for record in opened.records("test")
        for image in record.images
    }
    assert unseen and not unseen & seen


def test_the_log_says_which_stage_each_line_is_of(home: Path, half: Path) -> None:
    lines = [json.loads(line) for line in (half / "log.jsonl").read_text("utf-8").splitlines()]
    artifacts, expected = open_run(home, "tiny"), []
    for name in ("first", "second"):
        text = (artifacts[f"train.{name}"].path / "log.jsonl").read_text("utf-8")
        expected += [{"stage": name, **json.loads(line)} for line in text.splitlines()]
    assert lines == expected and len(lines) == 3 + 2


def test_a_long_log_is_thinned_and_keeps_its_ends(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (home.parent / "half/log.jsonl").read_bytes().splitlines(keepends=True)
    kept = [whole[at] for at in (0, 2, 3, 4)]
    monkeypatch.setattr(exporting, "LOG_BYTES", sum(map(len, kept)))
    export(home, "tiny", tmp_path / "out", "final", half=False)
    assert (tmp_path / "out/log.jsonl").read_bytes() == b"".join(kept)
    assert json.loads((tmp_path / "out/provenance.json").read_text("utf-8"))["log_every"] == 2


def test_a_folder_that_holds_something_is_refused_and_left_alone(
    home: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="--to=.*full.* holds something already"):
        export(home, "tiny", tmp_path / "full", "final", half=True)
    with pytest.raises(UserError, match="is a file"):
        export(home, "tiny", tmp_path / "full/note.txt", "final", half=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "note.txt"]


def test_an_empty_folder_and_the_rest_of_a_killed_export_are_no_hindrance(
    home: Path, half: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial/old.bin").write_bytes(b"half")
    export(home, "tiny", tmp_path / "out", "final", half=True)
    assert files(tmp_path / "out") == files(half)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_cannot_be_exported_is_told(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'second'"):
        export(home, "tiny", tmp_path / "out", "secnd", half=True)
    with pytest.raises(UserError, match="did you mean 'tiny'"):
        export(home, "tinny", tmp_path / "out", "final", half=True)
    assert not list(tmp_path.iterdir())


def test_a_run_that_was_begun_anew_is_refused(home: Path, tmp_path: Path) -> None:
    """Its recipe says what is wanted now, its artifacts are still those of before."""
    copy = tmp_path / "runs"
    shutil.copytree(home, copy)
    path = copy / "tiny" / "recipe.yaml"
    for old, new in (("seed: 3", "seed: 4"), ("batch_records: 2", "batch_records: 3")):
        shutil.copy(home / "tiny" / "recipe.yaml", path)
        path.write_text(path.read_text("utf-8").replace(old, new, 1), encoding="utf-8")
        with pytest.raises(UserError, match="was built for another recipe; run the recipe again"):
            export(copy, "tiny", tmp_path / "out", "final", half=True)


def test_a_stage_that_rests_on_an_older_one_is_refused(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "runs"
    shutil.copytree(home, copy)
    tree = json.loads((copy / "tiny/run.json").read_text("utf-8"))
    jobs = {job["name"]: job for job in tree["jobs"]}
    jobs["mix.others"]["artifact"] = jobs["mix.few"]["artifact"]
    (copy / "tiny/run.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(UserError, match="train.second was built on another mix.others"):
        export(copy, "tiny", tmp_path / "out", "final", half=True)


def init(folder: Path, projector: str, seed: int, target: Path) -> Path:
    target.mkdir()
    options = CheckpointModel(path=str(folder), projector=projector)
    Init(options, seed)(Work(target, {}))
    return target


def test_a_run_starts_from_it_with_full_weights_and_what_was_seen(
    half: Path, tmp_path: Path
) -> None:
    made = init(half, "keep", 9, tmp_path / "init")
    given, loaded = checkpoint.load(half).model, checkpoint.load(made / "checkpoint").model
    for (name, one), two in zip(given.named_parameters(), loaded.parameters(), strict=True):
        assert one.dtype == two.dtype and one.equal(two), name
    assert json.loads((made / "checkpoint/config.json").read_text())["dtype"] == "float32"
    assert (made / TRAINED_ON).read_bytes() == (half / TRAINED_ON).read_bytes()


def test_a_fresh_projector_is_the_seeds_and_the_rest_is_kept(half: Path, tmp_path: Path) -> None:
    made = checkpoint.load(init(half, "fresh", 9, tmp_path / "init") / "checkpoint")
    given = checkpoint.load(half).model
    built = checkpoint.build(recipe().model, 9, made.renderer)  # type: ignore[arg-type]
    for (name, one), old, new in zip(
        made.model.named_parameters(), given.parameters(), built.parameters(), strict=True
    ):
        assert one.equal(new if name.startswith("projector.") else old), name
        if name.startswith("projector.") and one.ndim == 2:
            assert not one.equal(old), name


def test_what_came_before_is_seen_by_what_comes_after(half: Path, tmp_path: Path) -> None:
    """A run from an exported checkpoint hands on its pictures and those of its first weights."""
    source = tmp_path / "source"
    shutil.copytree(half, source)
    write_digest(source / TRAINED_ON, ["0" * 64])
    again = recipe(name="again", model={"kind": "checkpoint", "path": str(source)})
    run(again, tmp_path / "runs", Selection(only=("data", "mix", "init", "train.first")))
    export(tmp_path / "runs", "again", tmp_path / "first", "first", half=True)
    export(tmp_path / "runs", "again", tmp_path / "none", "init", half=True)
    assert read_digest(tmp_path / "none" / TRAINED_ON) == {"0" * 12}
    assert "0" * 12 in read_digest(tmp_path / "first" / TRAINED_ON)
    assert len(read_digest(tmp_path / "first" / TRAINED_ON)) > 1


def test_what_was_seen_decides_the_first_job(half: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(half, source)
    before = model_inputs(CheckpointModel(path=str(source)))
    assert before.keys() == files(half).keys()
    write_digest(source / TRAINED_ON, ["0" * 64])
    assert model_inputs(CheckpointModel(path=str(source))) != before


def test_a_damaged_list_of_pictures_is_refused(half: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(half, source)
    (source / TRAINED_ON).write_bytes(b"1234567")
    with pytest.raises(UserError, match="trained_on.bin"):
        init(source, "keep", 9, tmp_path / "init")


@pytest.mark.parametrize(("lead", "kept"), [("keep", ""), (" ", " "), ("", "")])
def test_a_checkpoint_keeps_its_lead_or_takes_another(
    half: Path, tmp_path: Path, lead: Literal["keep", "", " "], kept: str
) -> None:
    options = CheckpointModel(path=str(half), lead=lead)
    Init(options, 9)(Work(tmp_path, {}))
    assert Renderer.load(tmp_path / "checkpoint").format.lead == kept


def test_the_kept_projector_is_the_default() -> None:
    assert CheckpointModel(path="x").projector == "keep"
    assert load("smoke").model.kind == "build"
