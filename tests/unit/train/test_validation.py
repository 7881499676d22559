"""The loss on a held-out mix: what it is, when it is read, and that nothing else depends on it."""

import json
from pathlib import Path

import pytest
import torch

from pellucid.base.errors import UserError
from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.recipe import load
from pellucid.recipe.train import Modules, Pack, Schedule, StageValidation
from pellucid.store import MixRow, write_mix
from pellucid.train.batch import collate
from pellucid.train.objective import Objective
from pellucid.train.stage import train_stage

HELD = 5


@pytest.fixture
def held(world, tmp_path: Path) -> Path:
    """A mix of a few of the world's records; one stands in it twice."""
    ids = [record.id for record in world.records[:HELD]]
    rows = [MixRow(id, 2 if not at else 1, "as_is") for at, id in enumerate(ids)]
    write_mix(tmp_path / "held", rows, [])
    return tmp_path / "held"


def train(world, folder: Path, stage, held: Path | None = None) -> list[dict]:
    start = (world.mix, world.stores, world.model)
    train_stage(stage, *start, folder, 3, "cpu", "float32", held)
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_it_is_the_loss_of_every_example_read_alone(world, stage, held, tmp_path) -> None:
    # Windows smaller than the mix, and a last step that is not due by its number.
    small = Pack(max_tokens=120, max_patches=40, window_records=2)
    made = stage(pack=small, validation=StageValidation(mix="held", every=3))
    log = train(world, tmp_path / "run", made, held)
    assert len(log) % 3, "the last step is due for being the last"
    read = [line["step"] for line in log if "validation" in line]
    assert read == [at for at in range(len(log)) if (at + 1) % 3 == 0 or at == len(log) - 1]
    loaded = checkpoint.load(tmp_path / "run" / "checkpoint")
    processor, losses, stores = Processor(loaded.renderer), [], world.stores
    for record in world.records[:HELD]:
        for rendered in loaded.renderer.examples(record, "as_is"):
            images = [stores.image(image.sha256) for image in record.images]
            batch = collate([processor.example(rendered, images)], "cpu")
            losses.append(Objective(loaded.model, "float32")(batch).detach())
    want = torch.cat(losses).double()
    found = log[-1]["validation"]
    assert found["supervised"] == len(want) and found["examples"] == len(losses)
    assert found["loss"] == pytest.approx(float(want.mean()), rel=1e-5)
    assert log[2]["validation"]["loss"] != found["loss"], "it is read again, not once"


def test_nothing_else_depends_on_it(world, stage, held, tmp_path) -> None:
    plain = train(world, tmp_path / "plain", stage())
    read = train(world, tmp_path / "read", stage(validation=StageValidation(mix="h")), held)
    assert [{k: v for k, v in line.items() if k != "validation"} for line in read] == plain
    names = ["checkpoint/model.safetensors", "lengths.parquet", "dropped.jsonl"]
    for name in names:
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "read" / name).read_bytes()


@pytest.mark.parametrize(
    ("take", "says"),
    [
        ("{source: own}", r"held\.take\.0\.split='train' feeds train\.stages\.0\.validation"),
        ("{source: owl, split: validation}", r"source='owl'.*did you mean 'own'"),
    ],
)
def test_it_reads_what_is_not_trained_on(take: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        load("finetune", [f"data.mixes.held={{take: [{take}]}}"])


def test_its_mix_must_be_there() -> None:
    with pytest.raises(UserError, match=r"stages\.0\.validation\.mix='hold'.*did you mean 'held'"):
        load("finetune", ["train.stages.0.validation={mix: hold}"])


def test_a_stage_may_end_with_its_best_reading(world, stage, held, tmp_path, capsys) -> None:
    """Trained into the ground, by rates that a tiny mix does not survive."""
    told = {
        "modules": Modules(vision=1.0, projector=1.0, decoder=1.0), "epochs": 3,
        "schedule": Schedule(kind="constant", warmup_share=0.0),
    }  # fmt: skip
    logs = {}
    for name, keep in (("last", None), ("best", "best")):
        validation = StageValidation(mix="held", every=1, keep=keep)
        logs[name] = train(world, tmp_path / name, stage(**told, validation=validation), held)
    assert logs["last"] == logs["best"], "the steps are the same"
    losses = [line["validation"]["loss"] for line in logs["best"]]
    step = losses.index(min(losses)) + 1
    assert step < len(losses)
    assert f"kept what it was after step {step}" in capsys.readouterr().err
    train(world, tmp_path / "until", stage(**told, max_steps=step))
    weights = {
        name: (tmp_path / name / "checkpoint" / "model.safetensors").read_bytes()
        for name in ("last", "best", "until")
    }
    assert weights["best"] == weights["until"] != weights["last"]
    assert not (tmp_path / "best" / "checkpoints").exists()
