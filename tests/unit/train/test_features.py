"""A frozen tower's features: made once, read to the bit, chosen by measuring, whole after kills."""

import json
import shutil
import time

import pytest
import torch

from pellucid.base.errors import DiskError, UserError
from pellucid.recipe import load
from pellucid.recipe.train import AdamW, Modules
from pellucid.store import MixRow, write_mix
from pellucid.train import features
from pellucid.train.features import CHOICE, FOLDER, Cost, Features, pays
from pellucid.train.objective import Objective
from pellucid.train.stage import train_stage
from pellucid.train.step import Stepper

FROZEN = {"modules": Modules(projector=2e-3, decoder=3e-3), "epochs": 3, "optimizer": AdamW()}


def train(world, folder, made, dtype: str = "float32") -> list[dict]:
    train_stage(made, world.mix, world.stores, world.model, folder, 3, "cpu", dtype)
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture
def towers(monkeypatch) -> list[int]:
    """Patches of every run of the tower for features that are kept."""
    seen, real = [], Objective.tower

    def tower(self, patches, grids):
        seen.append(len(patches))
        return real(self, patches, grids)

    monkeypatch.setattr(Objective, "tower", tower)
    return seen


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_each_image_is_looked_at_once_and_learning_is_the_same(
    world, stage, tmp_path, towers, dtype: str
) -> None:
    plain = train(world, tmp_path / "plain", stage(**FROZEN), dtype)
    assert not towers
    kept = train(world, tmp_path / "kept", stage(**FROZEN, tower_features="keep"), dtype)
    lengths = sum(line["patches"] for line in plain if line["epoch"] == 0)
    twice = world.records[0].images  # the first record stands in the mix twice, with one example
    assert not twice and sum(towers) == lengths
    for mine, theirs in zip(plain, kept, strict=True):
        assert theirs["loss"] == pytest.approx(
            mine["loss"], rel=1e-5 if dtype == "float32" else 0.02
        )
        assert theirs["patches"] == mine["patches"]
    assert not (tmp_path / "kept" / FOLDER).exists()
    assert json.loads((tmp_path / "kept" / CHOICE).read_text("utf-8"))["keep"]


def test_the_tower_runs_when_no_half_does(world, stage, tmp_path, monkeypatch) -> None:
    """Halves are slow, so one that was begun would still run; the tower has all threads."""
    running, found = [], []
    one_pass, tower = Stepper._pass, Objective.tower

    def slow(self, *given):
        running.append(self)
        time.sleep(0.02)
        one_pass(self, *given)
        running.pop()

    def seen(self, patches, grids):
        found.append((len(running), torch.get_num_threads()))
        return tower(self, patches, grids)

    monkeypatch.setattr(Stepper, "_pass", slow)
    monkeypatch.setattr(Objective, "tower", seen)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        rows = train(world, tmp_path, stage(**FROZEN, tower_features="keep"))
    finally:
        torch.set_num_threads(before)
    assert max(row["packs"] for row in rows) > 1
    assert len(found) > 4 and set(found) == {(0, 2)}


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(
    world, stage, tmp_path, monkeypatch
) -> None:
    made = stage(**FROZEN, tower_features="keep", checkpoint_every=3)
    train(world, tmp_path / "whole", made)
    real = Stepper.step
    for at in (1, 4, 8):  # within the first epoch, and where features are read

        def step(self, number, planned, at=at):
            if number == at:
                raise KeyError("killed")
            return real(self, number, planned)

        monkeypatch.setattr(Stepper, "step", step)
        with pytest.raises(KeyError, match="killed"):
            train(world, tmp_path / "broken", made)
    monkeypatch.setattr(Stepper, "step", real)
    train(world, tmp_path / "broken", made)
    for name in ("log.jsonl", "checkpoint/model.safetensors"):
        whole, broken = ((tmp_path / at / name).read_bytes() for at in ("whole", "broken"))
        assert whole == broken


def test_another_run_s_features_are_not_read(world, stage, tmp_path) -> None:
    made = stage(**FROZEN, tower_features="keep")
    (tmp_path / "kept" / FOLDER).mkdir(parents=True)
    for name, data in (
        ("run.json", b'"another"'),
        ("data", b"\xff" * 10**6),
        ("kept.jsonl", b"[0, 1, 2]\n"),
    ):
        (tmp_path / "kept" / FOLDER / name).write_bytes(data)
    clean, found = (train(world, tmp_path / name, made) for name in ("clean", "kept"))
    assert clean == found


def test_when_it_pays_by_hand() -> None:
    """Three visits: made thrice 3, kept 1 + 0.5 + 2 x 0.2 = 1.9; at 0.9 a reading 3.3."""
    assert pays(Cost(1.0, 0.5, 0.2), visits=3.0)
    assert not pays(Cost(1.0, 0.5, 0.9), visits=3.0)


def test_the_choice_is_made_once_and_written_down(world, stage, tmp_path, monkeypatch) -> None:
    costs = iter([Cost(1.0, 0.1, 0.1), Cost(1.0, 9.0, 9.0)])
    monkeypatch.setattr(Features, "probe", lambda self, packs: next(costs))
    for name, keeps in (("dear", True), ("cheap", False)):
        made = stage(**FROZEN, tower_features="auto")
        train(world, tmp_path / name, made)
        told = json.loads((tmp_path / name / CHOICE).read_text("utf-8"))
        assert told["keep"] == keeps and told["visits"] == 3.0
        assert told["seconds_per_patch"]["make"] == 1.0
        shutil.rmtree(tmp_path / name / "checkpoint")
        train(world, tmp_path / name, made)  # no third cost is asked for


def test_the_probe_measures_what_there_is(world, stage, tmp_path, towers) -> None:
    train(world, tmp_path, stage(**FROZEN, tower_features="auto"))
    cost = json.loads((tmp_path / CHOICE).read_text("utf-8"))["seconds_per_patch"]
    assert towers and cost["keep"] > 0 and cost["read"] > 0


def test_an_image_that_is_seen_once_is_not_kept(world, stage, tmp_path, towers) -> None:
    train(world, tmp_path, stage(**{**FROZEN, "epochs": 1}, tower_features="auto"))
    told = json.loads((tmp_path / CHOICE).read_text("utf-8"))
    assert not told["keep"] and told["why"] == "no image is seen twice" and not towers


def test_a_full_disk_is_told_and_what_was_done_stays(world, stage, tmp_path, monkeypatch) -> None:
    made = stage(**FROZEN, tower_features="keep")
    real, count = features.os.pwrite, [0]

    def pwrite(file, data, at):
        count[0] += 1
        if count[0] > 12:
            raise OSError(28, "No space left on device")
        return real(file, data, at)

    monkeypatch.setattr(features.os, "pwrite", pwrite)
    with pytest.raises(DiskError, match="the disk is full"):
        train(world, tmp_path / "full", made)
    monkeypatch.setattr(features.os, "pwrite", real)
    train(world, tmp_path / "full", made)
    train(world, tmp_path / "whole", made)
    assert (tmp_path / "full" / "log.jsonl").read_bytes() == (
        tmp_path / "whole" / "log.jsonl"
    ).read_bytes()


def test_a_tower_that_learns_has_none() -> None:
    with pytest.raises(UserError, match=r"tower_features='auto' needs a tower that stays as it is"):
        load("finetune", ["train.stages.0.tower_features=auto"])


def test_a_mix_without_images_keeps_nothing(world, stage, tmp_path, towers) -> None:
    texts = [MixRow(one.id, 1, "as_is") for one in world.records if not one.images]
    write_mix(tmp_path / "mix", texts, [])
    made, folder = stage(**FROZEN, tower_features="keep"), tmp_path / "texts"
    train_stage(made, tmp_path / "mix", world.stores, world.model, folder, 3, "cpu", "float32")
    assert (folder / "checkpoint").is_dir() and not towers
