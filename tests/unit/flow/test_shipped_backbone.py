"""The weights that come with Pellucid are what the shipped recipe makes, and say what they saw."""

import json

from pellucid.base.hashing import hash_file
from pellucid.base.paths import ASSETS
from pellucid.recipe import load
from pellucid.store.digest import TRAINED_ON, read_digest

FOLDER = ASSETS / "backbone"


def test_they_were_made_by_the_shipped_recipe() -> None:
    assert load(str(FOLDER / "recipe.yaml")) == load("backbone")


def test_they_say_what_they_were_made_of_and_what_they_saw() -> None:
    told = json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8"))
    recipe = load("backbone")
    stages = [stage.name for stage in recipe.train.stages]
    jobs = {f"train.{name}" for name in stages} | {f"data.{name}" for name in recipe.data.sources}
    assert jobs <= set(told["artifacts"])
    lines = (FOLDER / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert list(dict.fromkeys(json.loads(line)["stage"] for line in lines)) == stages
    assert len(read_digest(FOLDER / TRAINED_ON)) == told["pictures"] > 50_000
    assert told["files"]["model.safetensors"] == hash_file(FOLDER / "model.safetensors")


def test_the_laptop_starts_from_them() -> None:
    model = load("laptop").model
    assert model.kind == "checkpoint" and model.path == "asset:backbone"
